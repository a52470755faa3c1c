"""Starting programs as somebody else: a word to put before a command line, for tests that are root."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["as_user", "new_user"]


def as_user(
    uid: int, gid: int, groups: Sequence[int], folder: Path, *, crun: bool = False
) -> tuple[str, ...]:
    """What makes the command that follows run with these ids.

    In a mount namespace of its own, in which everybody may reach our interpreter: it may stand in a home of root's.

    Args:
        uid, gid, groups: ids.
        folder: for a mount point.
        crun: hide the second version's control groups where both are mounted, which crun refuses to work with.
    """
    python = Path(sys.executable).resolve().parents[1]
    closed = [parent for parent in (python, *python.parents) if parent.stat().st_mode & 0o005 != 0o005]
    lines = ["set -e"]
    if closed:
        point = folder / "interpreter"
        point.mkdir(exist_ok=True)
        lines += [
            f"mount --bind '{python}' '{point}'",
            f"mount -t tmpfs -o mode=755 none '{closed[-1]}'",
            f"mkdir -p '{python}'",
            f"mount --bind '{point}' '{python}'",
        ]
    if crun and Path("/sys/fs/cgroup/unified").is_dir():
        lines.append("umount -l /sys/fs/cgroup/unified")
    more = f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups"
    lines.append(f'exec setpriv --reuid={uid} --regid={gid} {more} "$@"')
    return ("unshare", "--mount", "--propagation", "private", "sh", "-c", "\n".join(lines), "sh")


@contextmanager
def new_user(name: str, home: Path) -> Iterator[tuple[int, int]]:
    """A user with subordinate ids, who is gone afterwards; gives uid and gid.

    Args:
        name: of the user.
        home: what the user database says; what Podman starts for itself looks there, whatever HOME says.
    """
    subprocess.run(["userdel", "--force", name], check=False, capture_output=True)
    argv = ["useradd", "--no-create-home", "--home-dir", str(home), name]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.fail(done.stderr)
    try:
        import pwd

        entry = pwd.getpwnam(name)
        yield entry.pw_uid, entry.pw_gid
    finally:
        subprocess.run(["userdel", "--force", name], check=False, capture_output=True)
