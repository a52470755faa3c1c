"""One node becomes bytes in the store."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import assert_never

from layerwright.backends.base import WheelPart
from layerwright.backends.native.blobs import layer_trees
from layerwright.backends.native.results import NodeResult, read_result, write_result
from layerwright.backends.native.workshop import Workshop
from layerwright.plan.nodes import make_node
from layerwright.plan.steps import (
    Base,
    BuildWheel,
    CopySource,
    CopyTree,
    FetchFile,
    InstallApt,
    InstallCheckDevice,
    InstallEntry,
    InstallPython,
    InstallSeal,
    InstallWheels,
    Node,
    RunCommand,
    RunTests,
    SetConfig,
    WheelInput,
    WriteFiles,
)

__all__ = ["direct_url", "realise", "realise_base"]


def realise_base(workshop: Workshop, step: Base) -> NodeResult:
    """The base, from the store when it is there."""
    digest = make_node(step, (), "").digest
    result = read_result(workshop.store, digest)
    if result is None:
        from layerwright.backends.native.bases import make_base  # noqa: PLC0415 - start-up

        result = make_base(workshop, step)
        write_result(workshop.store, digest, result)
    return result


def realise(  # noqa: C901 - one branch a step; mypy holds the set closed
    workshop: Workshop,
    node: Node,
    below: Sequence[NodeResult],
    results: Mapping[str, NodeResult],
    *,
    extract: bool = True,
) -> NodeResult:
    """Do what the node's step says.

    Args:
        workshop: shared parts.
        node: the node.
        below: results of the nodes it works on, in layer order.
        results: results of all nodes so far, by digest.
        extract: extract wheels in the same pass; else that is left to whoever asks for their trees.
    """
    step = node.step
    task = f"node:{node.digest[7:19]}"
    match step:
        case Base():
            from layerwright.backends.native.bases import make_base  # noqa: PLC0415 - start-up

            with workshop.task(task, node.title.removeprefix("base "), "base"):
                return make_base(workshop, step)
        case InstallApt():
            from layerwright.backends.native.commands import install_debs  # noqa: PLC0415 - start-up

            with workshop.task(task, node.title.removeprefix("apt "), "apt"):
                return install_debs(workshop, step, _trees(workshop, below), task)
        case InstallPython():
            from layerwright.backends.native.files import install_python  # noqa: PLC0415 - start-up

            return install_python(workshop, step)
        case InstallEntry():
            from layerwright.backends.native.files import install_entry  # noqa: PLC0415 - start-up

            return install_entry(workshop)
        case InstallCheckDevice():
            from layerwright.backends.native.files import install_check_device  # noqa: PLC0415 - start-up

            return install_check_device(workshop, step)
        case InstallSeal():
            from layerwright.backends.native.files import install_seal  # noqa: PLC0415 - start-up

            return install_seal(workshop, step)
        case BuildWheel():
            from layerwright.backends.native.projects import build_wheel  # noqa: PLC0415 - start-up

            with workshop.task(task, node.title.removeprefix("build "), "wheel"):
                return build_wheel(workshop, step, _trees(workshop, below), task)
        case InstallWheels(part="files"):
            from layerwright.backends.native.wheels import install_wheels  # noqa: PLC0415 - start-up

            return install_wheels(workshop, step, _parts(step.wheels, results), task, extract=extract)
        case InstallWheels():
            from layerwright.backends.native.wheels import compile_bytecode  # noqa: PLC0415 - start-up

            return compile_bytecode(
                workshop,
                step,
                _parts(step.wheels, results),
                interpreter=node.inputs[-1],
                system=_trees(workshop, below[:-1]),
                wheel_trees=[path for path, _ in _trees(workshop, below[-1:])],
                task=task,
            )
        case FetchFile():
            from layerwright.backends.native.files import fetch_file  # noqa: PLC0415 - start-up

            return fetch_file(workshop, step)
        case CopyTree():
            from layerwright.backends.native.files import copy_tree  # noqa: PLC0415 - start-up

            return copy_tree(workshop, step)
        case WriteFiles():
            from layerwright.backends.native.files import write_files  # noqa: PLC0415 - start-up

            return write_files(workshop, step)
        case CopySource():
            from layerwright.backends.native.trees import copy_source  # noqa: PLC0415 - start-up

            with workshop.task(task, node.title.removeprefix("source "), "copy"):
                return copy_source(workshop, step)
        case RunTests():
            from layerwright.backends.native.testing import run_tests  # noqa: PLC0415 - start-up

            with workshop.task(task, node.title.partition(" ")[2], "run"):
                return run_tests(workshop, step, _trees(workshop, below), below[0], task)
        case RunCommand():
            from layerwright.backends.native.commands import run_command  # noqa: PLC0415 - start-up

            with workshop.task(task, node.title.partition(" ")[2], "run" if step.keep else "smoke"):
                return run_command(workshop, step, _trees(workshop, below), below[0], task)
        case SetConfig():
            return NodeResult()
        case _:
            assert_never(step)


def _trees(workshop: Workshop, below: Sequence[NodeResult]) -> tuple[tuple[Path, bool], ...]:
    """The trees of the results, bottom first, each with whether a program may write through it."""
    as_root = workshop.host.uid == 0
    return tuple(
        (path, layer.private)
        for result in below
        for layer in result.layers
        for path in layer_trees(workshop.store, layer, as_root=as_root)
    )


def _parts(wheels: Sequence[WheelInput], results: Mapping[str, NodeResult]) -> tuple[WheelPart, ...]:
    """The wheels as files of the store; those built here are known by their node's result."""
    parts = []
    for wheel in wheels:
        if wheel.built_by:
            built = results[wheel.built_by].wheel
            if built is None:
                raise AssertionError(wheel.name)
            parts.append(built)
        else:
            parts.append(
                WheelPart(
                    sha256=wheel.sha256,
                    file=wheel.file,
                    name=wheel.name,
                    version=wheel.version,
                    requested=wheel.requested,
                    direct_url=direct_url(wheel),
                )
            )
    return tuple(parts)


def direct_url(wheel: WheelInput) -> str:
    """Text of ``direct_url.json`` (PEP 610) for a wheel the spec names by its address."""
    if not wheel.url or not wheel.url.startswith(("http://", "https://")) or wheel.index:
        return ""
    import json  # noqa: PLC0415 - start-up

    return json.dumps(
        {"archive_info": {"hashes": {"sha256": wheel.sha256}}, "url": wheel.url}, sort_keys=True
    )
