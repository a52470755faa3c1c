"""Users and groups of the machine that is looked at, and what they may open."""

import os
from pathlib import Path
from stat import S_IMODE
from typing import Final

from layerwright.doctor.machine import Machine

__all__ = ["group_named", "group_of", "may_open", "user_name"]

_FIELDS: Final = 4


def user_name(machine: Machine) -> str:
    """The caller's name; empty when nobody knows it."""
    wanted = str(machine.host.caller_uid)
    for line in machine.read("/etc/passwd").splitlines():
        fields = line.split(":")
        if len(fields) >= _FIELDS and fields[2] == wanted:
            return fields[0]
    if machine.root != Path("/"):
        return ""
    import pwd  # noqa: PLC0415 - for users that a directory service knows

    try:
        return pwd.getpwuid(machine.host.caller_uid).pw_name
    except KeyError:
        return ""


def group_of(machine: Machine, number: int) -> tuple[str, tuple[str, ...]]:
    """Name and members of a group; empty when nobody knows it."""
    for name, identity, members in _groups(machine):
        if identity == number:
            return name, members
    if machine.root != Path("/") or number < 0:
        return "", ()
    import grp  # noqa: PLC0415 - for groups that a directory service knows

    try:
        found = grp.getgrgid(number)
    except KeyError:
        return "", ()
    return found.gr_name, tuple(found.gr_mem)


def group_named(machine: Machine, name: str) -> int | None:
    """Number of a group; None when there is none of that name."""
    return next((number for known, number, _ in _groups(machine) if known == name), None)


def may_open(machine: Machine, path: Path) -> bool:
    """Whether the caller may read and write a file or device."""
    host = machine.host
    if host.uid == os.geteuid():
        return os.access(path, os.R_OK | os.W_OK)
    try:
        found = path.stat()
    except OSError:
        return False
    if host.uid == 0:
        return True
    mode = S_IMODE(found.st_mode)
    shift = 6 if found.st_uid == host.uid else 3 if found.st_gid in {host.gid, *host.groups} else 0
    return mode >> shift & 0o6 == 0o6  # noqa: PLR2004 - read and write


def _groups(machine: Machine) -> list[tuple[str, int, tuple[str, ...]]]:
    """Rows of /etc/group (group(5)), those that can be read."""
    rows = []
    for line in machine.read("/etc/group").splitlines():
        fields = line.split(":")
        if len(fields) >= _FIELDS and fields[2].isdecimal():
            members = tuple(name for name in fields[3].strip().split(",") if name)
            rows.append((fields[0], int(fields[2]), members))
    return rows
