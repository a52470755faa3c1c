"""What is to be run, and as whom: the same for every engine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from layerwright.core.errors import UsageError
from layerwright.host.environment import HostEnvironment

__all__ = [
    "Identity",
    "Invocation",
    "MountPoint",
    "Resources",
    "parse_cpu_set",
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


class Resources(Struct, frozen=True, kw_only=True):
    """What a container may use; 0 and empty text mean that nothing is said.

    Attributes:
        network: ``none``, ``default`` (the engine's own) or ``host``.
        ipc: ``private`` or ``host``.
        shm_size: bytes of ``/dev/shm``.
        cpus: processors' worth of time, ``1.5``.
        cpu_set: which processors, ``0-3,8``.
        memory: bytes.
        ulimits: ``SOFT`` or ``SOFT:HARD`` by name; -1 is unlimited.
        privileged: with the rights of the machine's root.
        stop_timeout: seconds before the end by force; -1 when nothing is said.
    """

    network: Literal["none", "default", "host"] = "default"
    ipc: Literal["private", "host"] = "private"
    shm_size: int = 0
    cpus: str = ""
    cpu_set: str = ""
    memory: int = 0
    ulimits: Mapping[str, str] = field(default_factory=dict)
    privileged: bool = False
    stop_timeout: int = -1


class Invocation(Struct, frozen=True, kw_only=True):
    """One start of a program in an image.

    Attributes:
        argv: program and arguments, never empty.
        env: the program's whole environment.
        workdir: absolute path in the container.
        mounts: host paths, in mount order.
        identity: whom it runs as.
        terminal: give it our terminal; only true when there is one.
        passwd, group: the text of these files, with the caller in them.
        resources: what it may use.
        accelerator: whose devices: ``cpu``, ``nvidia`` or ``mthreads``.
        gpus: ``none``, ``all``, a number, or ``device=0,1``.
        home: folder that is HOME and stays; None for an empty one that goes with the container.
        hostname: what the container calls itself.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    workdir: str
    mounts: tuple[MountPoint, ...]
    identity: Identity
    terminal: bool
    passwd: str
    group: str
    resources: Resources = Resources()
    accelerator: str = "cpu"
    gpus: str = "none"
    home: Path | None = None
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


def parse_cpu_set(text: str) -> frozenset[int]:
    """Numbers of processors from ``0-3,8``, the kernel's notation for lists (cpuset(7)).

    Raises:
        UsageError: it is none.
    """
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UsageError(f"{text!r} is no list of processors", hint="write it as 0-3,8")
        low, high = int(first), int(last or first)
        if high < low or high > _MOST_CPUS:
            raise UsageError(f"{text!r} is no list of processors", hint="write the lower number first")
        found.update(range(low, high + 1))
    return frozenset(found)


_MOST_CPUS = 8192
"""CONFIG_NR_CPUS of the largest kernels (arch/x86/Kconfig, MAXSMP)."""
