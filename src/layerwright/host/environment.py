"""What the process knows of the machine and the person it runs for, gathered once by ``cli``."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import force_setattr

from layerwright.core.paths import DEFAULT_PATH
from layerwright.host.seen import SeenSecrets

__all__ = ["HostEnvironment"]


class HostEnvironment(Struct, frozen=True, kw_only=True):
    """The caller's surroundings, passed down so that nothing below ``cli`` reads them by itself.

    Attributes:
        variables: the environment, by name; never printed, it may hold credentials.
        uid: effective user id; 0 as well for root of a user namespace (``sandbox.namespace``).
        gid: effective group id.
        groups: supplementary group ids, sorted; outside any namespace of ours.
        caller_uid: user id of the person we run for, whatever we have become.
        caller_gid: group id of that person.
        home: the caller's home folder; ``/`` when there is none.
        cpu_count: processors this process may use, at least 1.
        path: search path for programs. The system folders are at its end even when the caller's
            ``PATH`` lacks them: an ordinary user's often lacks ``/usr/sbin``, where runc is.
        python: the interpreter that runs us.
        seen: secret values that were read so far.
    """

    variables: Mapping[str, str]
    uid: int
    gid: int
    groups: tuple[int, ...]
    caller_uid: int = -1
    caller_gid: int = -1
    home: Path
    cpu_count: int
    path: str
    python: Path
    seen: SeenSecrets = field(default_factory=SeenSecrets)

    def __post_init__(self) -> None:
        """Take the own ids for the caller's where none are given."""
        if self.caller_uid < 0:
            force_setattr(self, "caller_uid", self.uid)
        if self.caller_gid < 0:
            force_setattr(self, "caller_gid", self.gid)

    def __repr__(self) -> str:
        """Leave the variables out."""
        return (
            f"HostEnvironment(uid={self.uid}, gid={self.gid}, caller_uid={self.caller_uid}, home={self.home})"
        )

    @classmethod
    def gather(cls, variables: Mapping[str, str]) -> "HostEnvironment":
        """Ask the system about this process.

        Args:
            variables: the environment, as ``cli`` got it.
        """
        return cls(
            variables=dict(variables),
            uid=os.geteuid(),
            gid=os.getegid(),
            groups=tuple(sorted(os.getgroups())),
            home=_home(variables),
            cpu_count=max(1, len(os.sched_getaffinity(0))),
            path=_search_path(variables.get("PATH", "")),
            python=Path(sys.executable),
        )


def _home(variables: Mapping[str, str]) -> Path:
    """Return HOME, else what the user database says, else ``/``."""
    home = variables.get("HOME", "")
    if home.startswith("/"):
        return Path(home)
    import pwd  # noqa: PLC0415  start-up: only machines without HOME need it

    try:
        return Path(pwd.getpwuid(os.geteuid()).pw_dir or "/")
    except KeyError:
        return Path("/")


def _search_path(path: str) -> str:
    """Return ``path`` followed by the system folders it lacks; relative entries are dropped."""
    folders = [folder for folder in path.split(":") if folder.startswith("/")]
    folders += [folder for folder in DEFAULT_PATH.split(":") if folder not in folders]
    return ":".join(folders)
