"""Runs a program in an image with no engine: a root of the image's trees, in a sandbox."""

from collections.abc import Callable, Sequence
from pathlib import Path

from layerwright.core.errors import LayerwrightError, RunStartError
from layerwright.run.files import group_text, passwd_text
from layerwright.run.invocation import Invocation
from layerwright.sandbox import Bind, Capabilities, Command, Rootfs, assemble, execute_foreground

__all__ = ["run_native"]


def run_native(
    invocation: Invocation,
    trees: Sequence[tuple[Path, bool]],
    *,
    capabilities: Capabilities,
    scratch: Path,
    group_names: dict[int, str],
    before_start: Callable[[], None],
) -> int:
    """Run the program in the foreground; what it writes outside its mounts is thrown away.

    Args:
        invocation: what to run.
        trees: the image's trees, bottom first, each with whether a program may write through it.
        capabilities: what the sandbox can do here.
        scratch: folder for the root and for HOME, on the file system of the trees.
        group_names: the host's names of the caller's groups.
        before_start: called once everything is ready and the program is about to get the terminal.

    Returns:
        The program's exit status; 128 + n when signal n ended it.

    Raises:
        RunStartError: the container could not be started.
    """
    identity = invocation.identity
    try:
        with assemble(
            [path for path, _ in trees],
            scratch=scratch,
            capabilities=capabilities,
            linkable=[path for path, private in trees if not private],
        ) as rootfs:
            home = _own_folder(scratch / "home", invocation)
            passwd = _write(scratch / "passwd", passwd_text(_read(rootfs, "/etc/passwd"), identity))
            group = _write(scratch / "group", group_text(_read(rootfs, "/etc/group"), identity, group_names))
            binds = (
                Bind(source=passwd, target="/etc/passwd", read_only=True),
                Bind(source=group, target="/etc/group", read_only=True),
                Bind(source=home, target=identity.home),
                *(
                    Bind(source=mount.source, target=mount.target, read_only=mount.read_only)
                    for mount in invocation.mounts
                ),
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
                shm_size=invocation.shm_size or Command.shm_size,
            )
            before_start()
            return execute_foreground(rootfs, command, capabilities=capabilities)
    except RunStartError:
        raise
    except LayerwrightError as error:
        raise RunStartError(error.what, where=error.where, hint=error.hint) from error


def _read(rootfs: Rootfs, path: str) -> str:
    found = rootfs.find(path)
    return found.read_text(encoding="utf-8", errors="surrogateescape") if found is not None and found.is_file() else ""


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    path.chmod(0o644)
    return path


def _own_folder(path: Path, invocation: Invocation) -> Path:
    """An empty home that belongs to the caller."""
    import os  # noqa: PLC0415 - start-up

    path.mkdir(mode=0o700)
    os.chown(path, invocation.identity.uid, invocation.identity.gid)
    return path
