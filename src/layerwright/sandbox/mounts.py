"""What a sandboxed program finds mounted: kernel file systems, names, the caller's folders, secrets."""

import os
from collections.abc import Sequence
from typing import Any

from layerwright.sandbox import kernel
from layerwright.sandbox.model import Capabilities, Command
from layerwright.sandbox.rootfs import Rootfs

__all__ = ["Mount", "is_within", "mount_points", "mounts_for"]

Mount = tuple[str, str, str, int, Any]
"""Kind, source, target, mount(2) flags, and what the kind needs besides; ``root.py`` carries them out."""

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
# What Docker hides or makes read-only of /proc (moby, oci/defaults.go): root could change the host there.
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_MASKED = ("/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
           "/proc/scsi", "/proc/timer_list", "/proc/timer_stats")  # fmt: skip
_PLAIN = kernel.MS_NOSUID | kernel.MS_NODEV
_INERT = _PLAIN | kernel.MS_NOEXEC


def mounts_for(rootfs: Rootfs, command: Command, capabilities: Capabilities) -> list[Mount]:
    """Return all mounts in order: kind, source, target, mount(2) flags, what the kind needs besides."""
    read_only = kernel.MS_RDONLY
    size = f"mode=1777,size={command.shm_size}"
    mounts: list[Mount] = [
        ("proc", "proc", "/proc", _INERT, ""),
        ("tmpfs", "tmpfs", "/dev", _PLAIN | kernel.MS_NOEXEC, "mode=755,size=65536k"),
        *(("bind", f"/dev/{name}", f"/dev/{name}", 0, "optional") for name in _DEVICES),
        ("devpts", "devpts", "/dev/pts", kernel.MS_NOSUID | kernel.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620"),
        ("symlink", "pts/ptmx", "/dev/ptmx", 0, ""),
        ("symlink", "/proc/self/fd", "/dev/fd", 0, ""),
        *(("symlink", f"/proc/self/fd/{number}", f"/dev/{name}", 0, "")
          for number, name in enumerate(("stdin", "stdout", "stderr"))),
        ("tmpfs", "tmpfs", "/dev/shm", _PLAIN, size),  # noqa: S108  a mount point
        ("bind", "/sys", "/sys", _INERT | read_only, "optional"),
    ]  # fmt: skip
    if command.tty and (terminal := _terminal()):
        mounts.append(("bind", terminal, "/dev/console", 0, ""))
    if not capabilities.user_namespace:
        mounts += [("readonly", "", path, 0, "") for path in _READ_ONLY]
        mounts += [("mask", "", path, 0, "") for path in _MASKED]
    if command.network:
        names = [("/etc/resolv.conf", "/etc/resolv.conf"), ("/etc/hosts", "/etc/hosts")]
    else:
        hosts = rootfs.work / "hosts"
        hosts.write_text(f"127.0.0.1\tlocalhost {command.hostname}\n::1\tlocalhost\n", encoding="utf-8")
        names = [(str(hosts), "/etc/hosts")]
    mounts += [("bind", source, target, _INERT | read_only, "optional") for source, target in names]
    for bind in command.binds:
        flags = kernel.MS_NOSUID | (0 if bind.device else kernel.MS_NODEV)
        flags |= read_only if bind.read_only else 0
        mounts.append(("bind", str(bind.source), bind.target, kernel.MS_REC | flags, ""))
    if command.secrets:
        mounts.append(("tmpfs", "tmpfs", "/run/secrets", _INERT, "mode=755,size=16m"))
        for secret in command.secrets:
            mounts.append(
                (
                    "file",
                    "",
                    f"/run/secrets/{secret.name}",
                    0,
                    (secret.value, 0o400, command.uid, command.gid),
                )
            )
        mounts.append(("readonly", "", "/run/secrets", 0, ""))
    return mounts


def mount_points(mounts: Sequence[Mount]) -> list[tuple[str, bool]]:
    """Return the mount points that must be there in the tree itself, and whether each is a folder."""
    covered: list[str] = []
    points = []
    for kind, source, target, _, data in mounts:
        if kind not in ("proc", "tmpfs", "bind") or (data == "optional" and not os.path.exists(source)):
            continue
        if not any(is_within(target, above) for above in covered):
            points.append((target, kind != "bind" or os.path.isdir(source)))
            covered.append(target)
    return points


def _terminal() -> str:
    for descriptor in (0, 1, 2):
        if os.isatty(descriptor):
            return os.ttyname(descriptor)
    return ""


def is_within(path: str, folder: str) -> bool:
    """Tell whether ``path`` is ``folder`` or below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
