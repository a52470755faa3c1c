"""Steps that put wheels and their bytecode into the image."""

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from msgspec import structs

from layerwright.backends.base import BuiltLayer, WheelPart
from layerwright.backends.native.blobs import wheel_files, wheel_tree_key
from layerwright.backends.native.files import write_blob
from layerwright.backends.native.results import NodeResult
from layerwright.backends.native.workshop import Workshop
from layerwright.core.errors import BuildError
from layerwright.layers import bytecode_layer, bytecode_script, wheel_layer
from layerwright.layers.formats import BYTECODE_FORMAT
from layerwright.oci.digest import Digest
from layerwright.oci.layer import GZIP_LAYER
from layerwright.plan.nodes import canonical
from layerwright.plan.steps import InstallWheels
from layerwright.sandbox.execute import execute
from layerwright.sandbox.model import Bind, Command

__all__ = ["compile_bytecode", "install_wheels", "title_of"]

_MANY_SOURCES = 64
"""Files; a quarter of a second's work."""

_COMPILE_TIMEOUT = 3600.0
"""Seconds; the largest known set of wheels takes half a minute."""


def title_of(parts: Sequence[WheelPart]) -> str:
    """One line for the image's history."""
    if len(parts) == 1:
        return f"{parts[0].name} {parts[0].version}"
    return " ".join(f"{part.name}=={part.version}" for part in parts)


def install_wheels(
    workshop: Workshop, step: InstallWheels, parts: tuple[WheelPart, ...], task: str, *, extract: bool = True
) -> NodeResult:
    """The wheels' files as one layer and, with ``extract``, each wheel's tree beside it, from one read of each."""
    store = workshop.store
    keys = tuple(wheel_tree_key(part, prefix=step.prefix, python=step.python) for part in parts)
    files = wheel_files(store, parts)
    total = sum(file.path.stat().st_size for file in files)
    title = title_of(parts) if len(parts) == 1 else f"{len(parts)} wheels"
    with ExitStack() as stack:
        progress = stack.enter_context(workshop.task(task, title, "layer", total_bytes=total))
        trees = {
            part.sha256: stack.enter_context(store.make_tree(key))
            for part, key in zip(parts, keys, strict=True)
            if extract and store.tree(key) is None
        }
        digests = wheel_layer(files, prefix=step.prefix, python=step.python, trees=trees, progress=progress)
    layer = BuiltLayer(
        diff_id=digests.diff_id,
        digest=digests.digest,
        size=digests.size,
        tar_size=digests.tar_size,
        created_by=f"layerwright: wheels {title_of(parts)}",
        media_type=GZIP_LAYER,
        wheels=parts,
        prefix=step.prefix,
        python=step.python,
        claims=digests.claims,
        trees=keys,
        private=False,
    )
    return NodeResult(layers=(layer,))


def compile_bytecode(
    workshop: Workshop,
    step: InstallWheels,
    parts: tuple[WheelPart, ...],
    *,
    interpreter: str,
    system: Sequence[tuple[Path, bool]],
    wheel_trees: Sequence[Path],
    task: str,
) -> NodeResult:
    """The wheels' .pyc files as one layer, compiled by the image's own interpreter.

    Args:
        workshop: shared parts.
        step: what to do.
        parts: the wheels.
        interpreter: digest of the ``InstallPython`` node, which pins the interpreter.
        system: trees that carry the interpreter, bottom first, each with whether a program may write through it.
        wheel_trees: the wheels' trees, in the order of ``parts``.
        task: name for events.
    """
    keys = tuple(_bytecode_key(part, step, interpreter) for part in parts)
    store = workshop.store
    title = title_of(parts) if len(parts) == 1 else f"{len(parts)} wheels"
    with workshop.task(task, title, "bytecode"):
        missing = [
            (key, tree) for key, tree in zip(keys, wheel_trees, strict=True) if store.tree(key) is None
        ]
        if missing:
            _compile(workshop, step, system, missing)
        trees = [tree for key in keys if (tree := store.tree(key)) is not None]
        result = write_blob(
            workshop,
            f"layerwright: bytecode {title_of(parts)}",
            lambda out: bytecode_layer(trees, out),
            private=False,
        )
    (layer,) = result.layers
    return replace(result, layers=(structs.replace(layer, trees=keys),))


def _bytecode_key(part: WheelPart, step: InstallWheels, interpreter: str) -> str:
    fields = [BYTECODE_FORMAT, wheel_tree_key(part, prefix=step.prefix, python=step.python), interpreter]
    return "bytecode-" + Digest.of(canonical(fields)).hex


def _compile(
    workshop: Workshop,
    step: InstallWheels,
    system: Sequence[tuple[Path, bool]],
    missing: Sequence[tuple[str, Path]],
) -> None:
    """Compile wheels in one start of the image's interpreter, each into a tree of its own."""
    store = workshop.store
    with ExitStack() as stack:
        scratch = stack.enter_context(store.scratch())
        script = scratch / "compile.py"
        script.write_text(bytecode_script(), encoding="utf-8")
        binds = [Bind(source=script, target="/run/layerwright/compile.py", read_only=True)]
        jobs = []
        for number, (key, tree) in enumerate(missing):
            out = stack.enter_context(store.make_tree(key))
            binds.append(Bind(source=tree, target=f"/run/layerwright/in/{number}", read_only=True))
            binds.append(Bind(source=out, target=f"/run/layerwright/out/{number}"))
            jobs += [f"/run/layerwright/in/{number}", f"/run/layerwright/out/{number}"]
        # Nothing but our own program runs here, and it writes to its out folders alone.
        rootfs = stack.enter_context(workshop.rootfs([(path, False) for path, _ in system]))
        there_are = workshop.host.cpu_count
        wanted = there_are if _are_many(tree for _, tree in missing) else 1
        processes = stack.enter_context(workshop.processors.take(wanted, there_are=there_are))
        options = ("--processes", str(processes))
        command = Command(
            argv=(f"{step.prefix}/bin/python", "-I", "-S", "/run/layerwright/compile.py", *options, *jobs),
            # Before Python 3.11 the order of set constants depends on the hash seed.
            env={"PYTHONHASHSEED": "0", "PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            binds=tuple(binds),
        )
        lines = list[str]()
        status = execute(
            rootfs,
            command,
            capabilities=workshop.capabilities(),
            on_line=lines.append,
            timeout=_COMPILE_TIMEOUT,
        )
        if status != 0:
            raise BuildError(
                f"the image's interpreter could not compile bytecode (status {status})\n"
                + "\n".join(lines[-10:]),
                hint="`bytecode = false` leaves bytecode out; imports then take longer",
            )


def _are_many(trees: Iterable[Path]) -> bool:
    """Whether there are enough sources for more than one process to be worth its start."""
    found = 0
    for tree in trees:
        for _, _, files in os.walk(tree):
            found += sum(1 for name in files if name.endswith(".py"))
            if found >= _MANY_SOURCES:
                return True
    return False
