"""Steps that run programs in the image so far: build commands and smoke tests."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from layerwright.backends.native.apt import install_apt
from layerwright.backends.native.files import write_blob
from layerwright.backends.native.image import image_environment
from layerwright.backends.native.results import NodeResult
from layerwright.backends.native.workshop import Workshop
from layerwright.core.errors import BuildError
from layerwright.core.events import OutputLine
from layerwright.host.process import quote
from layerwright.layers import capture_layer
from layerwright.plan.steps import FILES_MOUNT, InstallApt, RunCommand
from layerwright.sandbox.execute import execute
from layerwright.sandbox.model import Bind, Command, Secret
from layerwright.sandbox.rootfs import Rootfs

__all__ = ["base_config", "executed", "install_debs", "run_command", "told_parts"]

_TIMEOUT = 4 * 3600.0
"""Seconds a build command may take: compiles of deep-learning frameworks take hours."""

_LINES_SHOWN = 20
_SHORTEST_MASKED = 8
"""Characters of a line; shorter ones of a longer secret tell little, and would mask innocent text."""


def base_config(workshop: Workshop, base: NodeResult) -> bytes:
    """The base's config; empty when it has none."""
    return workshop.store.path("blobs", base.config).read_bytes() if base.config else b""


def install_debs(
    workshop: Workshop, step: InstallApt, trees: Sequence[tuple[Path, bool]], task: str
) -> NodeResult:
    """Install Debian packages over the layers so far; what they changed becomes a layer."""
    workshop.fetch_debs(step.debs)
    with workshop.rootfs(trees) as rootfs:
        changes = install_apt(
            rootfs,
            step.debs,
            requested=step.requested,
            store=workshop.store,
            host=workshop.host,
            capabilities=workshop.capabilities(),
            on_line=lambda line: workshop.reporter(OutputLine(task=task, line=line)),
        )
        return write_blob(
            workshop,
            f"layerwright: apt {' '.join(step.requested)}",
            lambda out: capture_layer(changes, out),
        )


def run_command(
    workshop: Workshop, step: RunCommand, trees: Sequence[tuple[Path, bool]], base: NodeResult, task: str
) -> NodeResult:
    """Run a command over the layers so far; what it changed becomes a layer, unless it is a smoke test.

    Raises:
        BuildError: the command failed; with its last lines and its place in the spec.
    """
    what = "build command" if step.keep else "smoke test"
    with executed(workshop, step, trees, base, task, what=what) as rootfs:
        if not step.keep:
            return NodeResult()
        text = step.script.strip() or " ".join(step.argv)
        return write_blob(
            workshop, f"layerwright: run {text[:200]}", lambda out: capture_layer(rootfs.changes(), out)
        )


@contextmanager
def executed(
    workshop: Workshop,
    step: RunCommand,
    trees: Sequence[tuple[Path, bool]],
    base: NodeResult,
    task: str,
    *,
    what: str,
) -> Iterator[Rootfs]:
    """The root file system that a command has left, for the block.

    Args:
        workshop: shared parts.
        step: the command.
        trees: what it runs in, bottom first.
        base: the base's result.
        task: gets what it prints.
        what: what it is, for the message when it fails.

    Raises:
        BuildError: the command failed; with its last lines and its place in the spec.
    """
    capabilities = workshop.capabilities()
    lines = list[str]()

    def on_line(line: str) -> None:
        lines.append(line)
        del lines[:-_LINES_SHOWN]
        workshop.reporter(OutputLine(task=task, line=line))

    if not step.network and not capabilities.network_namespace:
        workshop.warn_once(
            "commands of the build can reach the network here: this machine allows no network namespace",
            "nothing to do when the commands do not use it; build as root or with user namespaces to be sure",
        )
    values = {name: workshop.secrets[name]() for name in step.secrets}
    masked = [text for value in values.values() for text in told_parts(value)]
    command = Command(
        argv=step.argv,
        env=image_environment(base_config(workshop, base), {"HOME": "/root", **step.env}),
        cwd=step.workdir,
        binds=tuple(
            Bind(
                source=workshop.store.path("files", file.sha256),
                target=f"{FILES_MOUNT}/{file.name}",
                read_only=True,
            )
            for file in step.files
        ),
        secrets=tuple(Secret(name=name, value=value) for name, value in values.items()),
        network=step.network,
    )
    with workshop.rootfs(trees) as rootfs:
        status = execute(
            rootfs,
            command,
            capabilities=capabilities,
            on_line=on_line,
            timeout=_TIMEOUT,
            masked=masked,
        )
        if status != 0:
            raise _failure(step, status, lines, what)
        yield rootfs


def told_parts(value: bytes) -> Sequence[str]:
    """What may not show in output: the secret, and each line of one that has several, such as a private key."""
    text = value.decode("utf-8", "replace").strip()
    lines = [line.strip() for line in text.splitlines()]
    return [part for part in (text, *(line for line in lines if len(line) >= _SHORTEST_MASKED)) if part]


def _failure(step: RunCommand, status: int, lines: Sequence[str], what: str) -> BuildError:
    shown = step.script.strip() or quote(step.argv)
    output = "\n".join(f"  | {line}" for line in lines)
    meaning = {126: " (not executable)", 127: " (program not found)"}.get(status, "")
    message = f"the {what} failed with status {status}{meaning}: {shown}"
    return BuildError(
        f"{message}\n{output}" if output else message,
        where=step.location,
        hint="commands have no network unless they ask for it: network = true"
        if _looks_offline(lines)
        else "",
    )


def _looks_offline(lines: Sequence[str]) -> bool:
    signs = ("name resolution", "Network is unreachable", "Could not resolve", "Name or service not known")
    return any(sign in line for line in lines for sign in signs)
