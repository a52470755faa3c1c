"""What a command changed: the upper folder of an overlay, or a tree compared with what it was."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

__all__ = ["Change", "Seen", "compare", "look_up", "record", "scan_upper"]

Seen = Mapping[str, tuple[int, ...]]
"""Path in the tree to a signature that any write to the entry changes."""

_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")
_COMPARED_BYTES = 1 << 20
_NEVER_CAPTURED = ("dev", "proc", "sys")
"""Kernel file systems: what stands there belongs to the run, not to the image."""


class Change(Struct, frozen=True, kw_only=True):
    """One entry of a captured layer.

    Attributes:
        path: path in the image without a leading slash.
        kind: ``put``: the entry stands there now. ``replace``: a folder stands there now and nothing that was
            below its path is left. ``remove``: nothing stands there any more.
        source: where the entry lies on the host; None for ``remove``.
    """

    path: str
    kind: Literal["put", "replace", "remove"]
    source: Path | None = None


def scan_upper(upper: Path, lowers: Sequence[Path]) -> Iterator[Change]:
    """Yield the changes that an overlay's upper folder stands for; parents first, siblings by name.

    Args:
        upper: the upper folder.
        lowers: trees below it, bottom first.
    """
    yield from _scan(upper, "", tuple(reversed(lowers)))


def _scan(upper: Path, folder: str, lowers: tuple[Path, ...]) -> Iterator[Change]:
    for name in sorted(os.listdir(upper / folder)):
        path = f"{folder}/{name}" if folder else name
        if path in _NEVER_CAPTURED:
            continue
        source = upper / path
        status = source.lstat()
        if _is_whiteout(status):
            if look_up(path, lowers) is not None:
                yield Change(path=path, kind="remove")
            continue
        below = look_up(path, lowers)
        if stat.S_ISDIR(status.st_mode):
            opaque = _is_opaque(source)
            if opaque and below is not None and below.is_dir() and not below.is_symlink():
                yield Change(path=path, kind="replace", source=source)
            elif below is None or not _same_attributes(status, below.lstat()):
                yield Change(path=path, kind="put", source=source)
            yield from _scan(upper, path, () if opaque else lowers)
        elif below is None or not _same_entry(source, status, below):
            yield Change(path=path, kind="put", source=source)


def record(tree: Path) -> Seen:
    """Return the signature of every entry of a tree, to compare with later."""
    return dict(_walk(tree))


def compare(tree: Path, seen: Seen, lowers: Sequence[Path]) -> Iterator[Change]:
    """Yield what changed in a tree since ``seen`` was recorded; parents first, siblings by name."""
    now = dict(_walk(tree))
    stack = tuple(reversed(lowers))
    changes: list[Change] = []
    for path, signature in now.items():
        if seen.get(path) == signature:
            continue
        source = tree / path
        below = look_up(path, stack) if path in seen else None
        if below is None or not _same_entry(source, source.lstat(), below):
            changes.append(Change(path=path, kind="put", source=source))
    for path in seen:
        # What lies below something removed, or below a folder that became a file, goes with it.
        parent = path.rpartition("/")[0]
        if path not in now and (not parent or (parent in now and stat.S_ISDIR(now[parent][0]))):
            changes.append(Change(path=path, kind="remove"))
    yield from sorted(changes, key=lambda change: change.path.split("/"))


def _walk(tree: Path, folder: str = "") -> Iterator[tuple[str, tuple[int, ...]]]:
    with os.scandir(tree / folder) as entries:
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if path in _NEVER_CAPTURED:
                continue
            status = entry.stat(follow_symlinks=False)
            yield path, _signature(status)
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(tree, path)


def _signature(status: os.stat_result) -> tuple[int, ...]:
    if stat.S_ISDIR(status.st_mode):
        return (status.st_mode, status.st_uid, status.st_gid)
    # The change time sees every write, but a linked file's also moves when somebody else links it.
    changed = status.st_ctime_ns if status.st_nlink == 1 else 0
    return (
        status.st_mode,
        status.st_uid,
        status.st_gid,
        status.st_size,
        status.st_mtime_ns,
        status.st_ino,
        changed,
    )


def look_up(path: str, trees: Sequence[Path]) -> Path | None:
    """Return the entry that ``path`` shows in stacked trees, top first; None when nothing does."""
    for tree in trees:
        candidate = tree / path
        try:
            status = candidate.lstat()
        except (FileNotFoundError, NotADirectoryError):
            if _is_hidden(path, tree):
                return None
            continue
        return None if _is_whiteout(status) else candidate
    return None


def _is_hidden(path: str, tree: Path) -> bool:
    """Tell whether a folder above ``path`` hides what lower trees have there."""
    parts = path.split("/")[:-1]
    position = tree
    for part in parts:
        position /= part
        try:
            status = position.lstat()
        except FileNotFoundError:
            return False
        if not stat.S_ISDIR(status.st_mode) or _is_opaque(position):
            return True
    return False


def _is_whiteout(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def _is_opaque(folder: Path) -> bool:
    for name in _OPAQUE:
        try:
            if os.getxattr(folder, name, follow_symlinks=False) == b"y":
                return True
        except OSError:
            continue
    return False


def _same_attributes(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_mode, one.st_uid, one.st_gid) == (other.st_mode, other.st_uid, other.st_gid)


def _same_entry(one: Path, status: os.stat_result, other: Path) -> bool:
    """Tell whether two entries are the same but for their times."""
    other_status = other.lstat()
    if not _same_attributes(status, other_status):
        return False
    if stat.S_ISLNK(status.st_mode):
        return os.readlink(one) == os.readlink(other)
    if stat.S_ISREG(status.st_mode):
        return (
            status.st_size == other_status.st_size
            and _file_capability(one) == _file_capability(other)
            and _same_content(one, other)
        )
    return stat.S_ISDIR(status.st_mode) or status.st_rdev == other_status.st_rdev


def _file_capability(path: Path) -> bytes:
    try:
        return os.getxattr(path, "security.capability", follow_symlinks=False)
    except OSError:
        return b""


def _same_content(one: Path, other: Path) -> bool:
    with one.open("rb") as left, other.open("rb") as right:
        while True:
            part = left.read(_COMPARED_BYTES)
            if part != right.read(_COMPARED_BYTES):
                return False
            if not part:
                return True
