"""Where the store lies: room, inodes, the kind of file system."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from layerwright.core.findings import Kind
from layerwright.doctor.machine import Machine
from layerwright.doctor.model import Check, Cure, Needs, Outcome

__all__ = ["KINDS", "Mounted", "examine", "mounted_at", "parse_mounts", "size_text"]

_GB: Final = 10**9
_LITTLE_ROOM: Final = 10 * _GB
_NO_ROOM: Final = 1 * _GB
_FEW_INODES: Final = 200_000
_NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "beegfs", "gpfs"}
)
_OCTAL: Final = re.compile(r"\\([0-7]{3})")
_MORE_ROOM: Final = (
    Cure(text="remove what was used longest ago", command="layerwright store prune --keep-size 20GB"),
    Cure(text="put the store on another disk", command="export LAYERWRIGHT_STORE=/path/on/another/disk"),
)
_ELSEWHERE: Final = Cure(
    text="put the store on a local disk", command="export LAYERWRIGHT_STORE=/path/on/a/local/disk"
)

KINDS: Final = (
    Kind(
        code="store",
        title="the store can be written",
        why="Every wheel, base and layer is kept in the store; without it nothing can be built.",
        evidence="The rights on the folder, or on the nearest one above it that exists.",
        repair="Give yourself the folder, or name another in `--store` or `LAYERWRIGHT_STORE`.",
    ),
    Kind(
        code="store-space",
        title="room and inodes for the store",
        why="An image with CUDA and PyTorch takes 5 to 10 GB in the store and as much again in an engine.",
        evidence="`statvfs` of the store's file system.",
        repair="Prune the store, or put it on another disk.",
    ),
    Kind(
        code="store-file-system",
        title="the store's file system",
        why="Overlays cannot lie on network file systems or on other overlays, and locks are not reliable there; "
        "files in memory go away.",
        evidence="`/proc/self/mountinfo`.",
        repair="Put the store on a local disk.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounted:
    """A mounted file system: where, what, and with which options."""

    point: str
    kind: str
    options: tuple[str, ...] = ()


def examine(machine: Machine, needs: Needs) -> Outcome:
    """Look at the place of the store."""
    folder = _existing(machine.store)
    needed = needs.wants("build", "run")
    mounts = parse_mounts(machine.read("/proc/self/mountinfo"))
    return Outcome(
        checks=(
            _writable(machine, folder, needed=needed),
            _space(folder, needed=needed),
            _file_system(mounted_at(mounts, folder)),
        )
    )


def parse_mounts(text: str) -> tuple[Mounted, ...]:
    """Rows of ``/proc/self/mountinfo`` (proc_pid_mountinfo(5)), those that can be read."""
    found = []
    for line in text.splitlines():
        before, separator, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")[0]
        if separator and kind and len(fields) > 5:  # noqa: PLR2004 - five fields stand before the options
            point = _OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4])
            found.append(Mounted(point=point, kind=kind, options=tuple(fields[5].split(","))))
    return tuple(found)


def mounted_at(mounts: tuple[Mounted, ...], path: Path) -> Mounted | None:
    """What a path lies on; of several mounts on one point, the last is what is seen."""
    best: Mounted | None = None
    for mount in mounts:
        point = mount.point.rstrip("/")
        inside = str(path) == point or str(path).startswith(f"{point}/")
        if inside and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best


def size_text(count: int) -> str:
    """Bytes as disks are sold: ``12.3 GB``."""
    return f"{count / _GB:.1f} GB"


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next((path for path in (folder, *folder.parents) if path.is_dir()), Path("/"))


def _writable(machine: Machine, folder: Path, *, needed: bool) -> Check:
    if os.access(folder, os.W_OK | os.X_OK):
        kept = "" if folder == machine.store else " (not there yet)"
        return Check(id="store", status="ok", detail=f"{machine.store}{kept}")
    return Check(
        id="store",
        status="error" if needed else "warning",
        detail=f"{folder} cannot be written, and the store is to be {machine.store}",
        fix=(
            Cure(
                text="name a folder of your own", command="export LAYERWRIGHT_STORE=$HOME/layerwright-store"
            ),
            Cure(text="or give yourself this one (as root)", command=f"chown $(id -u) {folder}"),
        ),
    )


def _space(folder: Path, *, needed: bool) -> Check:
    try:
        found = os.statvfs(folder)
    except OSError as error:
        return Check(
            id="store-space", status="unknown", detail=f"{folder} cannot be asked for room: {error.strerror}"
        )
    free = found.f_frsize * found.f_bavail
    detail = f"{size_text(free)} free at {folder}"
    if free < _NO_ROOM:
        return Check(id="store-space", status="error" if needed else "warning", detail=detail, fix=_MORE_ROOM)
    if free < _LITTLE_ROOM:
        return Check(
            id="store-space",
            status="warning",
            detail=f"{detail}: an image with CUDA and PyTorch may not fit",
            fix=_MORE_ROOM,
        )
    # btrfs and others make inodes as they go and count none.
    if found.f_files and found.f_favail < _FEW_INODES:
        return Check(
            id="store-space",
            status="warning",
            detail=f"{detail}, but only {found.f_favail} inodes: one image may hold 100,000 files",
            fix=_MORE_ROOM,
        )
    return Check(id="store-space", status="ok", detail=detail)


def _file_system(mount: Mounted | None) -> Check:
    identity = "store-file-system"
    if mount is None:
        return Check(id=identity, status="unknown", detail="/proc/self/mountinfo does not say")
    detail = f"{mount.kind} at {mount.point}"
    if mount.kind in _NETWORK or mount.kind.startswith("fuse."):
        return Check(
            id=identity,
            status="warning",
            detail=f"{detail}: overlays and locks are not reliable on it",
            fix=(_ELSEWHERE,),
        )
    if mount.kind in {"tmpfs", "ramfs"}:
        return Check(
            id=identity, status="warning", detail=f"{detail}: the store lies in memory", fix=(_ELSEWHERE,)
        )
    if "noexec" in mount.options:
        return Check(
            id=identity,
            status="warning",
            detail=f"{detail} is mounted noexec: programs of an image cannot be run from it",
            fix=(
                Cure(text="mount it with exec (as root)", command=f"mount -o remount,exec {mount.point}"),
                _ELSEWHERE,
            ),
        )
    if mount.kind == "overlay":
        return Check(
            id=identity,
            status="warning",
            detail=f"{detail} (an ordinary container?): no overlay can lie on it, so bases are copied, which is slower",
            fix=(Cure(text="mount a volume or a folder of the host into the container for the store"),),
        )
    return Check(id=identity, status="ok", detail=detail)
