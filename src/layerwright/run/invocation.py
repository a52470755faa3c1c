"""What is to be run, and as whom: the same for every engine."""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from layerwright.core.errors import UsageError
from layerwright.host.environment import HostEnvironment

__all__ = [
    "Identity",
    "Invocation",
    "MountPoint",
    "parse_mount",
    "parse_size",
    "parse_variable",
    "resolve_groups",
]

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class Identity(Struct, frozen=True, kw_only=True):
    """The person the program runs as.

    Attributes:
        uid, gid, groups: the caller's ids; groups without ``gid``.
        name: login name in the generated passwd entry.
        home: HOME in the container.
    """

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str
    home: str

    @classmethod
    def of_caller(cls, host: HostEnvironment, name: str, groups: tuple[int, ...] = ()) -> "Identity":
        """The caller, with a home in the container that nobody else uses, and with more ``groups``."""
        groups = tuple(group for group in dict.fromkeys((*host.groups, *groups)) if group != host.caller_gid)
        home = "/root" if host.caller_uid == 0 else f"/home/{name}"
        return cls(uid=host.caller_uid, gid=host.caller_gid, groups=groups, name=name, home=home)


class MountPoint(Struct, frozen=True, kw_only=True):
    """A host path seen at ``target`` in the container."""

    source: Path
    target: str
    read_only: bool = False


class Invocation(Struct, frozen=True, kw_only=True):
    """One start of a program in an image.

    Attributes:
        argv: program and arguments, never empty.
        env: the program's whole environment.
        workdir: absolute path in the container.
        mounts: host paths, in mount order.
        identity: whom it runs as.
        network: False cuts it off.
        terminal: give it our terminal; only true when there is one.
        shm_size: bytes of ``/dev/shm``; 0 for the engine's default.
        hostname: what the container calls itself.
        passwd, group: the text of these files, with the caller in them.
        gpus: ``none``, ``all``, a number, or ``device=0,1``.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    workdir: str
    mounts: tuple[MountPoint, ...]
    identity: Identity
    network: bool
    terminal: bool
    passwd: str
    group: str
    gpus: str = "none"
    shm_size: int = 0
    hostname: str = "layerwright"


def resolve_groups(
    names: tuple[str, ...], host: HostEnvironment, known: Mapping[str, int]
) -> tuple[int, ...]:
    """Ids of the groups that the spec adds, by name or number.

    Args:
        names: as the spec has them.
        host: the caller.
        known: the host's groups by name.

    Raises:
        UsageError: there is no such group, or the caller is not in it and may not claim to be.
    """
    found = []
    for name in names:
        gid = int(name) if name.isdecimal() else known.get(name)
        if gid is None:
            raise UsageError(
                f"this machine has no group {name!r}", hint="give its number, or leave it out of `groups`"
            )
        if host.caller_uid != 0 and gid not in {host.caller_gid, *host.groups}:
            raise UsageError(
                f"you are not in the group {name!r}",
                hint=f"as root: usermod --append --groups {name} USER; then log in anew",
            )
        found.append(gid)
    return tuple(found)


def parse_mount(text: str, folder: Path) -> MountPoint:
    """Read ``FROM:TO[:ro]``; a relative FROM starts at ``folder``.

    Raises:
        UsageError: the text has another form, or FROM does not exist.
    """
    parts = text.split(":")
    read_only = len(parts) == 3 and parts[2] == "ro"  # noqa: PLR2004 - the form's three parts
    if not (len(parts) == 2 or read_only) or not parts[0] or not parts[1].startswith("/"):  # noqa: PLR2004
        raise UsageError(
            f"cannot read the mount {text!r}", hint="write FROM:TO or FROM:TO:ro, with TO absolute"
        )
    source = (folder / Path(parts[0]).expanduser()).resolve()
    if not source.exists():
        # Engines would make a folder owned by root in its place.
        raise UsageError(f"{source} does not exist", hint="make it first, so that it belongs to you")
    return MountPoint(source=source, target=parts[1], read_only=read_only)


def parse_variable(text: str, variables: Mapping[str, str]) -> tuple[str, str] | None:
    """Read ``NAME=VALUE``, or ``NAME`` to pass on the caller's value; None when the caller has none."""
    name, separator, value = text.partition("=")
    if not name:
        raise UsageError(f"{text!r} sets no variable", hint="write NAME=VALUE or NAME")
    if separator:
        return name, value
    return (name, variables[name]) if name in variables else None


def parse_size(text: str) -> int:
    """Bytes from Docker's notation: ``8g``, ``512m``, ``64k`` or a plain number; 0 for empty text.

    Raises:
        UsageError: it is no size.
    """
    if not text:
        return 0
    number = text.lower().rstrip("b").rstrip("kmg")
    unit = text.lower().removeprefix(number).rstrip("b")
    if not number.isdigit() or unit not in _UNITS:
        raise UsageError(f"{text!r} is no size", hint="write it as Docker does: 8g, 512m")
    return int(number) * _UNITS[unit]
