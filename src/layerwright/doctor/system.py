"""The machine itself: system, kernel, memory, clock."""

import os
import re
from pathlib import Path
from typing import Final

from layerwright.core.findings import Kind
from layerwright.doctor.foreign import one_line
from layerwright.doctor.machine import Machine
from layerwright.doctor.model import Check, Cure, Needs, Outcome
from layerwright.facts.model import HostFacts

__all__ = ["KINDS", "examine", "kernel_version", "memory_bytes", "os_release"]

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_GIB: Final = 1 << 30
_LITTLE_MEMORY: Final = 2 * _GIB
_SHARED_MEMORY: Final = 1 * _GIB
_USER_OVERLAY: Final = (5, 11)
_DAY: Final = 86400.0
_SHM: Final = "/dev/shm"  # noqa: S108 - it is looked at, not written to

KINDS: Final = (
    Kind(
        code="system",
        title="the operating system and its architecture",
        why="Images are made for linux/amd64 and linux/arm64; programs of another architecture need emulation.",
        evidence="`/etc/os-release`, `uname -m`, the version of glibc.",
        repair="Build on a machine of the images' architecture.",
    ),
    Kind(
        code="kernel",
        title="the kernel's version",
        why="From Linux 5.11 on an ordinary user may mount overlays; before, images are put together from copies.",
        evidence="`/proc/sys/kernel/osrelease`.",
        repair="Install a newer kernel, or build as root.",
    ),
    Kind(
        code="memory",
        title="memory",
        why="Resolving and unpacking take a few hundred MB; models and training take what they take.",
        evidence="`/proc/meminfo`, and the limit of the control group.",
        repair="Give the machine or the container more memory.",
    ),
    Kind(
        code="shm",
        title="shared memory in /dev/shm",
        why="PyTorch's data loaders pass batches through /dev/shm; when it is full they end with a bus error.",
        evidence="The size of the file system at /dev/shm, against the spec's `shm_size`.",
        repair="Mount it larger; in a container, start that with `--shm-size`.",
    ),
    Kind(
        code="clock",
        title="the clock",
        why="With a wrong clock certificates count as not yet or no longer valid, and every download fails.",
        evidence="Times of files that were written on this machine.",
        repair="Set the clock, best by a time service.",
    ),
)


def examine(machine: Machine, needs: Needs) -> Outcome:
    """Look at the machine itself."""
    pretty, _ = os_release(machine.read("/etc/os-release") or machine.read("/usr/lib/os-release"))
    release = one_line(machine.read("/proc/sys/kernel/osrelease"))
    glibc = _glibc()
    facts = HostFacts(
        os=pretty,
        kernel=release,
        architecture=_ARCHITECTURES.get(machine.architecture, machine.architecture),
        glibc=glibc,
    )
    checks = (
        _system(machine, pretty, glibc),
        _kernel(machine, release),
        _memory(machine),
        _shm(machine, needs),
        _clock(machine),
    )
    return Outcome(checks=checks, facts=facts)


def os_release(text: str) -> tuple[str, str]:
    """``PRETTY_NAME`` and ``ID`` of os-release (os-release(5))."""
    found = {"PRETTY_NAME": "", "ID": ""}
    for line in text.splitlines():
        name, separator, value = line.strip().partition("=")
        if separator and name in found:
            found[name] = one_line(value.strip().strip("\"'"))
    return found["PRETTY_NAME"], found["ID"]


def kernel_version(release: str) -> tuple[int, int] | None:
    """Major and minor of a kernel release; None when it is no such thing."""
    match = re.match(r"(\d{1,3})\.(\d{1,4})", release)
    return (int(match[1]), int(match[2])) if match else None


def memory_bytes(text: str, name: str) -> int:
    """A row of ``/proc/meminfo`` in bytes; 0 when it is not there."""
    match = re.search(rf"^{name}:\s+(\d{{1,15}}) kB", text, re.MULTILINE)
    return int(match[1]) * 1024 if match else 0


def _glibc() -> str:
    """Version of the C library that programs of this machine run with; empty where it is another one."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (ValueError, OSError):
        return ""
    return version if name == "glibc" else ""


def _system(machine: Machine, pretty: str, glibc: str) -> Check:
    library = f"glibc {glibc}" if glibc else "another C library than glibc"
    detail = f"{pretty or 'an unnamed system'}, {machine.architecture}, {library}"
    if machine.architecture not in _ARCHITECTURES:
        return Check(
            id="system",
            status="warning",
            detail=f"{detail}: images are made for x86_64 and aarch64",
            fix=(Cure(text="build and run on a machine of one of these"),),
        )
    return Check(id="system", status="ok" if pretty else "unknown", detail=detail)


def _kernel(machine: Machine, release: str) -> Check:
    version = kernel_version(release)
    if version is None:
        return Check(id="kernel", status="unknown", detail="/proc/sys/kernel/osrelease does not say")
    where = " (Windows Subsystem for Linux)" if "microsoft" in release.lower() else ""
    detail = f"Linux {release}{where}"
    if version < _USER_OVERLAY and machine.host.uid != 0:
        return Check(
            id="kernel",
            status="warning",
            detail=f"{detail}: ordinary users cannot mount overlays before Linux 5.11, so bases are copied",
            fix=(Cure(text="install a newer kernel, or run layerwright as root"),),
        )
    return Check(id="kernel", status="ok", detail=detail)


def _memory(machine: Machine) -> Check:
    text = machine.read("/proc/meminfo")
    total, available = memory_bytes(text, "MemTotal"), memory_bytes(text, "MemAvailable")
    if not total:
        return Check(id="memory", status="unknown", detail="/proc/meminfo does not say")
    limit = _limit(machine)
    detail = f"{_size(available)} free of {_size(total)}"
    if limit and limit < total:
        detail += f"; this control group may use {_size(limit)}"
    if min(available or total, limit or total) < _LITTLE_MEMORY:
        return Check(
            id="memory",
            status="warning",
            detail=f"{detail}: builds of large images may be killed",
            fix=(Cure(text="end other programs, or give the machine or container more memory"),),
        )
    return Check(id="memory", status="ok", detail=detail)


def _limit(machine: Machine) -> int:
    """The memory limit of the control group seen here, version 2 or 1; 0 for none."""
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        text = machine.read(name, limit=64).strip()
        if text.isdecimal():
            return int(text)
    return 0


def _shm(machine: Machine, needs: Needs) -> Check:
    size = _file_system_size(machine.path(_SHM))
    wanted = needs.shared_memory or _SHARED_MEMORY
    if size is None:
        return Check(id="shm", status="unknown", detail=f"{_SHM} cannot be asked for its size")
    source = "the spec asks for" if needs.shared_memory else "data loaders of several workers want"
    if size < wanted:
        # Engines and native runs mount one of the size asked for; what runs outside a container has only this.
        return Check(
            id="shm",
            status="warning",
            detail=f"{_SHM} holds {_size(size)}; {source} {_size(wanted)}",
            fix=(
                Cure(
                    text="mount it larger (as root)",
                    command=f"mount -o remount,size={-(-wanted // _GIB)}G {_SHM}",
                ),
                Cure(text=f"in a container, start that with --shm-size={-(-wanted // _GIB)}g"),
            ),
        )
    total = memory_bytes(machine.read("/proc/meminfo"), "MemTotal")
    if needs.shared_memory and total and needs.shared_memory > total:
        return Check(
            id="shm",
            status="warning",
            detail=f"the spec asks for {_size(wanted)} of shared memory; this machine has {_size(total)} of memory",
            fix=(Cure(text="ask for less in [images.NAME.run] shm_size"),),
        )
    return Check(id="shm", status="ok", detail=f"{_SHM} holds {_size(size)}")


def _clock(machine: Machine) -> Check:
    newest = max(
        (_changed(path) for path in (machine.path("/var/lib/dpkg/status"), Path(__file__))), default=0.0
    )
    now = machine.now()
    if now + _DAY < newest:
        return Check(
            id="clock",
            status="error",
            detail=f"the clock says {_day(now)}, and files here were written on {_day(newest)}",
            fix=(Cure(text="set the clock (as root)", command="timedatectl set-ntp true"),),
        )
    return Check(id="clock", status="ok", detail=f"{_day(now)} (UTC)")


def _day(seconds: float) -> str:
    from datetime import UTC, datetime  # noqa: PLC0415 - start-up

    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%d %H:%M")


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _file_system_size(path: Path) -> int | None:
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    return found.f_frsize * found.f_blocks


def _size(count: int) -> str:
    return f"{count / _GIB:.1f} GiB"
