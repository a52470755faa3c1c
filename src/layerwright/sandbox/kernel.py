"""The kernel calls of the sandbox that Python's standard library lacks (before 3.12, or at all).

Imported by the helper process: only cheap standard modules here, nothing of ours.
"""

from __future__ import annotations

import ctypes
import os

TYPE_CHECKING = False  # typing costs more to import than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "CLONE_NEWIPC",
    "CLONE_NEWNET",
    "CLONE_NEWNS",
    "CLONE_NEWPID",
    "CLONE_NEWUSER",
    "CLONE_NEWUTS",
    "MS_BIND",
    "MS_NODEV",
    "MS_NOEXEC",
    "MS_NOSUID",
    "MS_PRIVATE",
    "MS_RDONLY",
    "MS_REC",
    "MS_REMOUNT",
    "adopt_orphans",
    "die_with_parent",
    "ignore_syncs",
    "keep_capabilities",
    "loopback_up",
    "mount",
    "no_new_privileges",
    "pivot_root",
    "set_hostname",
    "unmount_lazily",
    "unshare",
]

# linux/sched.h
CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
# linux/mount.h
MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
_MNT_DETACH = 2
# linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_CAPABILITY_LIMIT = 64
# linux/seccomp.h, linux/bpf_common.h
_SECCOMP_MODE_FILTER = 2
_SECCOMP_ALLOW = 0x7FFF0000
_SECCOMP_SUCCEED = 0x00050000  # SECCOMP_RET_ERRNO with error 0: skipped, and reported as done
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_AT_NUMBER, _AT_ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
# linux/audit.h; numbers of fsync, fdatasync, msync, sync, sync_file_range, syncfs from asm/unistd.h
_SYNCS = {
    "x86_64": (0xC000003E, (74, 75, 26, 162, 277, 306)),
    "aarch64": (0xC00000B7, (82, 83, 227, 81, 84, 267)),
}
# linux/sockios.h, linux/if.h
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]


def unshare(flags: int) -> None:
    """Leave the namespaces of ``flags`` for new ones (``os.unshare`` is new in Python 3.12)."""
    _check(_libc.unshare(flags), "new namespaces")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Mount something; ``options`` must be shorter than one page.

    The old call is used on purpose: util-linux 2.39 and later go through fsconfig(2), whose values
    end at 256 bytes, too short for the lower folders of an overlay.
    """
    _check(
        _libc.mount(
            os.fsencode(source),
            os.fsencode(target),
            os.fsencode(kind) if kind else None,
            flags,
            os.fsencode(options) if options else None,
        ),
        f"mount of {kind or source} on {target}",
    )


def unmount_lazily(target: str) -> None:
    """Take a mount and all below it out of sight at once."""
    _check(_libc.umount2(os.fsencode(target), _MNT_DETACH), f"unmount of {target}")


def pivot_root(new: str, old: str) -> None:
    """Make ``new`` the root and put the old root on ``old``."""
    _check(_libc.pivot_root(os.fsencode(new), os.fsencode(old)), f"change of root to {new}")


def set_hostname(name: str) -> None:
    """Name the host in this namespace."""
    encoded = os.fsencode(name)
    _check(_libc.sethostname(encoded, len(encoded)), "host name")


def die_with_parent(parent: int, number: int) -> None:
    """Be sent signal ``number`` when our parent ends; at once when it already has.

    Args:
        parent: process id of the parent, 0 when it lies outside our process namespace.
        number: the signal.
    """
    _prctl(_PR_SET_PDEATHSIG, number)
    if parent and os.getppid() != parent:
        os.kill(os.getpid(), number)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, as init is."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def no_new_privileges() -> None:
    """Give up gaining rights by executing a file (setuid, file capabilities)."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def ignore_syncs() -> None:
    """Let calls that wait for the disk return at once, in this process and all it starts.

    dpkg syncs every file, which costs more than the rest of an installation; a root file system that is
    thrown away after a crash gains nothing from it. Needs ``no_new_privileges`` or CAP_SYS_ADMIN first.
    Does nothing on machines whose call numbers are not known here.
    """
    import struct  # noqa: PLC0415  start-up

    architecture, calls = _SYNCS.get(os.uname().machine, (0, ()))
    if not calls:
        return

    def instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return struct.pack("=HBBI", code, if_true, if_false, value)

    program = b"".join(
        (
            instruction(_LOAD, _AT_ARCHITECTURE),
            instruction(_JUMP_IF_EQUAL, architecture, if_false=len(calls) + 1),
            instruction(_LOAD, _AT_NUMBER),
            *(instruction(_JUMP_IF_EQUAL, call, len(calls) - index) for index, call in enumerate(calls)),
            instruction(_RETURN, _SECCOMP_ALLOW),
            instruction(_RETURN, _SECCOMP_SUCCEED),
        )
    )
    text = ctypes.create_string_buffer(program, len(program))
    header = _Filter(len(program) // 8, ctypes.addressof(text))
    _check(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(header), 0, 0), "seccomp")


def keep_capabilities(kept: Iterable[int]) -> None:
    """Drop all other capabilities from the bounding set, so that no program started later has them."""
    wanted = frozenset(kept)
    for capability in range(_CAPABILITY_LIMIT):
        if capability not in wanted:
            # Fails for numbers the kernel does not know, and where a container has given up SETPCAP:
            # then the container's own bounding set stands.
            _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


def loopback_up() -> None:
    """Bring up ``lo`` of a fresh network namespace; the kernel gives it its address then."""
    import _socket  # noqa: PLC0415  start-up: the public module costs 6 ms for its enumerations
    import fcntl  # noqa: PLC0415  start-up
    import struct  # noqa: PLC0415  start-up

    control = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    try:
        fcntl.ioctl(control.fileno(), _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))
    finally:
        control.close()


class _Filter(ctypes.Structure):
    """struct sock_fprog of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _prctl(option: int, value: int) -> None:
    _check(_libc.prctl(option, value, 0, 0, 0), "prctl")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
