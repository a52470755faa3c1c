"""Becoming root of a user namespace, so that an ordinary user can mount, chroot and own files of an image.

The whole program moves in, as podman does: the trees in the store, their owners and their removal must be
seen from inside. It must happen early, while there is one thread only.
"""

import os
from pathlib import Path

from msgspec.structs import replace

from layerwright.host.environment import HostEnvironment
from layerwright.host.process import find_program, run
from layerwright.sandbox import kernel

__all__ = [
    "SubordinateIds",
    "enter_namespace",
    "mapped_ids",
    "namespace_obstacle",
    "needs_namespace",
    "subordinate_ids",
]

# Settings with which distributions close user namespaces to ordinary users: file, value that closes, cure.
_SWITCHES = (
    ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
    ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=15000"),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)
_LARGEST_FILE = 1 << 20
_TIMEOUT = 20.0

SubordinateIds = tuple[tuple[int, int], ...]
"""Ranges of ids somebody may use beside the own one: first id and number of ids."""


def mapped_ids() -> int:
    """Return how many user ids exist here: one in a namespace without subordinate ids."""
    rows = Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines()
    return sum(int(row.split()[2]) for row in rows)


def needs_namespace(host: HostEnvironment) -> bool:
    """Tell whether running image programs takes a user namespace: we are not root."""
    return host.uid != 0


def namespace_obstacle() -> str:
    """Return the setting that keeps ordinary users from namespaces, with its cure; empty when there is none."""
    for name, closed, cure in _SWITCHES:
        try:
            value = Path("/proc/sys", name).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if value == closed:
            return f"user namespaces are closed to ordinary users here (as root: {cure})"
    return ""


def enter_namespace(host: HostEnvironment) -> HostEnvironment:
    """Move this process into a user namespace whose root is the caller.

    With subordinate ids (/etc/subuid, /etc/subgid and the programs of the package uidmap) all ids of an image
    exist in it; without, only root's, which is enough for wheels, ``run`` and commands that keep to one user.
    The caller's supplementary groups stay in force, so that sockets and devices stay reachable.

    Returns:
        The surroundings as they are now: ids 0, the caller's own ids kept in ``caller_uid`` and ``caller_gid``.
        The same as before when no namespace can be had (``namespace_obstacle`` may say why) or none is needed.
    """
    if not needs_namespace(host) or namespace_obstacle():
        return host
    go_reader, go_writer = os.pipe()
    mapper = os.fork()
    if mapper == 0:
        os.close(go_writer)
        _map_from_outside(host, go_reader)
    os.close(go_reader)
    try:
        kernel.unshare(kernel.CLONE_NEWUSER)
    except OSError:
        os.close(go_writer)
        os.waitpid(mapper, 0)
        return host
    os.write(go_writer, b"x")
    os.close(go_writer)
    _, status = os.waitpid(mapper, 0)
    if status != 0:
        _map_one(host)
    return replace(host, uid=0, gid=0)


def subordinate_ids(text: str, names: tuple[str, ...]) -> SubordinateIds:
    """Read /etc/subuid or /etc/subgid (subuid(5)): the ranges of the user called by any of ``names``."""
    ranges = []
    for line in text.splitlines():
        name, _, numbers = line.strip().partition(":")
        first, _, count = numbers.partition(":")
        if name in names and first.isdecimal() and count.isdecimal() and int(count):
            ranges.append((int(first), int(count)))
    return tuple(ranges)


def _map_from_outside(host: HostEnvironment, go: int) -> None:
    """In a child that stays outside: wait until the parent has its namespace, then map all ids into it."""
    code = 1
    try:
        parent = os.getppid()
        commands = [_mapping_command(host, kind, parent) for kind in ("uid", "gid")]
        if os.read(go, 1) and all(commands) and all(_succeeds(argv) for argv in commands):
            code = 0
    finally:
        os._exit(code)


def _succeeds(argv: list[str]) -> bool:
    return run(argv, timeout=_TIMEOUT, check=False).status == 0


def _mapping_command(host: HostEnvironment, kind: str, process: int) -> list[str]:
    """Return the newuidmap or newgidmap command line; empty when the user has no subordinate ids."""
    program = find_program(f"new{kind}map", host.path)
    own = host.uid if kind == "uid" else host.gid
    ranges = subordinate_ids(_read(Path(f"/etc/sub{kind}")), _user_names(host))
    if program is None or not ranges:
        return []
    argv = [str(program), str(process), "0", str(own), "1"]
    inside = 1
    for first, count in ranges:
        argv += [str(inside), str(first), str(count)]
        inside += count
    return argv


def _map_one(host: HostEnvironment) -> None:
    """Map root of the namespace to the caller, which needs nobody's help; groups cannot be changed then."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"0 {host.uid} 1\n"),
        ("gid_map", f"0 {host.gid} 1\n"),
    ):
        try:
            Path(f"/proc/self/{name}").write_text(text, encoding="ascii")
        except PermissionError:
            # One of the two was mapped from outside already.
            continue


def _user_names(host: HostEnvironment) -> tuple[str, ...]:
    import pwd  # noqa: PLC0415  start-up

    try:
        return (pwd.getpwuid(host.uid).pw_name, str(host.uid))
    except KeyError:
        return (str(host.uid),)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(_LARGEST_FILE).decode(errors="replace")
    except OSError:
        return ""
