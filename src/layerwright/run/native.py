"""Runs a program in an image with no engine: a root of the image's trees, in a sandbox."""

from collections.abc import Callable, Sequence
from pathlib import Path

from layerwright.core.errors import LayerwrightError, RunStartError
from layerwright.run.files import own_mounts
from layerwright.run.invocation import Invocation
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
    before_start: Callable[[], None],
) -> int:
    """Run the program in the foreground; what it writes outside its mounts is thrown away.

    Args:
        invocation: what to run.
        trees: the image's trees, bottom first, each with whether a program may write through it.
        capabilities: what the sandbox can do here.
        scratch: folder for the root and for HOME, on the file system of the trees.
        before_start: called once everything is ready and the program is about to get the terminal.

    Returns:
        The program's exit status; 128 + n when signal n ended it.

    Raises:
        RunStartError: the container could not be started.
    """
    identity = invocation.identity
    if invocation.gpus != "none":
        raise RunStartError(
            "a native run cannot hand GPUs to a program",
            hint='run with Docker, which asks the NVIDIA toolkit: --engine docker; or set `gpus = "none"`',
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
                network=invocation.network,
                tty=invocation.terminal,
                hostname=invocation.hostname,
                shm_size=invocation.shm_size or _SHARED_MEMORY,
            )
            before_start()
            return execute_foreground(rootfs, command, capabilities=capabilities)
    except RunStartError:
        raise
    except LayerwrightError as error:
        raise RunStartError(error.what, where=error.where, hint=error.hint) from error
