"""Runs a program in an image with no engine: a root of the image's trees, in a sandbox."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from layerwright.core.errors import LayerwrightError, RunStartError
from layerwright.core.events import Reporter, Warned
from layerwright.run.files import own_mounts
from layerwright.run.invocation import Invocation, Resources, parse_cpu_set
from layerwright.sandbox.execute import execute_foreground
from layerwright.sandbox.model import Bind, Capabilities, Command
from layerwright.sandbox.rootfs import assemble

__all__ = ["run_native"]

_SHARED_MEMORY = 64 << 20
"""Bytes of /dev/shm where nothing is said, as with Docker."""


def run_native(
    invocation: Invocation,
    trees: Sequence[tuple[Path, bool]],
    *,
    capabilities: Capabilities,
    scratch: Path,
    reporter: Reporter,
    before_start: Callable[[], None],
) -> int:
    """Run the program in the foreground; what it writes outside its mounts is thrown away.

    Args:
        invocation: what to run.
        trees: the image's trees, bottom first, each with whether a program may write through it.
        capabilities: what the sandbox can do here.
        scratch: folder for the root and for HOME, on the file system of the trees.
        reporter: is told what cannot be kept to.
        before_start: called once everything is ready and the program is about to get the terminal.

    Returns:
        The program's exit status; 128 + n when signal n ended it.

    Raises:
        RunStartError: the container could not be started.
    """
    identity, resources = invocation.identity, invocation.resources
    _refuse(invocation)
    for name, value in (("cpus", resources.cpus), ("memory", resources.memory)):
        if value:
            reporter(
                Warned(
                    message=f"`{name}` is not kept to in a native run",
                    hint="--engine docker or --engine podman keeps to it; `cpu_set` and `ulimits` hold here too",
                )
            )
    try:
        with assemble(
            [path for path, _ in trees],
            scratch=scratch,
            capabilities=capabilities,
            linkable=[path for path, private in trees if not private],
        ) as rootfs:
            binds = tuple(
                Bind(source=mount.source, target=mount.target, read_only=mount.read_only)
                for mount in (*own_mounts(invocation, scratch), *invocation.mounts)
            )
            command = Command(
                argv=invocation.argv,
                env=invocation.env,
                cwd=invocation.workdir,
                uid=identity.uid,
                gid=identity.gid,
                groups=identity.groups,
                binds=binds,
                network=resources.network != "none",
                tty=invocation.terminal,
                hostname=invocation.hostname,
                shm_size=resources.shm_size or _SHARED_MEMORY,
            )
            _limit(resources)
            before_start()
            return execute_foreground(rootfs, command, capabilities=capabilities)
    except RunStartError:
        raise
    except LayerwrightError as error:
        raise RunStartError(error.what, where=error.where, hint=error.hint) from error


def _refuse(invocation: Invocation) -> None:
    """Raise for what only an engine can give, and a program could not do without."""
    if invocation.gpus != "none":
        raise RunStartError(
            "a native run cannot hand GPUs to a program",
            hint="run with Docker or Podman, which have the vendor's tools do it: --engine docker; or without: "
            "--gpus none",
        )
    for what, asked in (
        ("privileged", invocation.resources.privileged),
        ('ipc = "host"', invocation.resources.ipc == "host"),
    ):
        if asked:
            raise RunStartError(
                f"there is no `{what}` in a native run", hint="run with --engine docker or --engine podman"
            )


def _limit(resources: Resources) -> None:
    """Set limits of this process, which the program inherits; this process has nothing else left to do.

    Raises:
        RunStartError: there is no such limit, or it is above what the caller may have.
    """
    import resource  # noqa: PLC0415 - seldom needed

    if resources.cpu_set:
        os.sched_setaffinity(0, parse_cpu_set(resources.cpu_set))
    for name, text in resources.ulimits.items():
        number = getattr(resource, f"RLIMIT_{name.upper()}", None)
        if number is None:
            raise RunStartError(f"there is no limit {name!r} (`ulimits`)", hint="see man 2 getrlimit")
        soft, _, hard = text.partition(":")
        try:
            resource.setrlimit(number, (int(soft), int(hard or soft)))
        except (OSError, ValueError) as error:
            raise RunStartError(
                f"the limit {name} cannot be {text}: {error}",
                hint=f"`ulimit -H` shows what you may have: {resource.getrlimit(number)[1]}",
            ) from error
