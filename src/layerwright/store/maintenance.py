"""Looking after the store: what it holds, whether it is whole, making room."""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct, field

from layerwright.core.errors import BuildError
from layerwright.store.content import hash_file
from layerwright.store.images import Images, StoredImage
from layerwright.store.layout import ROOMS, Item, StoreLayout
from layerwright.store.locks import hold, try_hold
from layerwright.store.removal import remove_tree
from layerwright.store.sealed import unseal
from layerwright.store.session import clear_dead, items_in_use
from layerwright.store.trees import Trees, scan

__all__ = ["Maintenance", "PruneReport", "RoomInfo", "StoreInfo", "StoreProblem", "StoreReport"]

KINDS = (*ROOMS, "trees", "records", "partial")


class RoomInfo(Struct, frozen=True, kw_only=True):
    """One kind of things: how many, and the bytes they take on disk (a hard-linked file once)."""

    count: int = 0
    size: int = 0


class StoreInfo(Struct, frozen=True, kw_only=True):
    """What the store holds.

    Attributes:
        root: its folder.
        rooms: per kind (``wheels``, ``debs``, ``files``, ``blobs``, ``sdists``, ``trees``, ``records``, ``partial``).
        temporary: bytes of unfinished work of live processes.
        images: references by name.
    """

    root: Path
    rooms: Mapping[str, RoomInfo]
    temporary: int
    images: tuple[StoredImage, ...]

    @property
    def size(self) -> int:
        """Bytes on disk of everything that can be pruned."""
        return sum(room.size for room in self.rooms.values())


class StoreProblem(Struct, frozen=True, kw_only=True):
    """Something in the store that is not as it should be.

    Attributes:
        item: where, below the store's root.
        what: what is wrong.
        removed: it has been taken away (``repair``); the next build makes or fetches it anew.
    """

    item: str
    what: str
    removed: bool


class StoreReport(Struct, frozen=True, kw_only=True):
    """Result of a verification: how many things were looked at, bytes read, and the faults found."""

    checked: int
    size: int
    problems: tuple[StoreProblem, ...]


class PruneReport(Struct, frozen=True, kw_only=True):
    """Result of making room.

    Attributes:
        removed: what went, by kind.
        images: references that went because something they stand on did.
        size: bytes that everything left takes.
        in_use: things that would have gone but are used by a live process.
        left: things that could not be removed, with the reason.
    """

    removed: Mapping[str, RoomInfo]
    images: tuple[str, ...]
    size: int
    in_use: tuple[str, ...]
    left: tuple[str, ...]

    @property
    def freed(self) -> int:
        """Bytes freed."""
        return sum(room.size for room in self.removed.values())


class _Found(Struct, kw_only=True):
    """An item on disk: ``alone`` bytes of its own, ``linked`` bytes of inodes that have several names."""

    item: Item
    path: Path
    used: int
    alone: int = 0
    linked: dict[tuple[int, int], int] = field(default_factory=dict)

    def take(self, state: os.stat_result) -> None:
        if state.st_nlink > 1 and not _is_folder(state):
            self.linked[state.st_dev, state.st_ino] = state.st_blocks * 512
        else:
            self.alone += state.st_blocks * 512


class Maintenance:
    """Operations on the whole store."""

    def __init__(self, layout: StoreLayout, trees: Trees, images: Images) -> None:
        self._layout = layout
        self._trees = trees
        self._images = images

    def info(self) -> StoreInfo:
        """Count and measure everything."""
        counts = dict.fromkeys(KINDS, 0)
        sizes = dict.fromkeys(KINDS, 0)
        seen: set[tuple[int, int]] = set()
        for found in self._all():
            counts[found.item.kind] += 1
            sizes[found.item.kind] += found.alone
            sizes[found.item.kind] += sum(size for inode, size in found.linked.items() if inode not in seen)
            seen.update(found.linked)
        return StoreInfo(
            root=self._layout.root,
            rooms={kind: RoomInfo(count=counts[kind], size=sizes[kind]) for kind in KINDS},
            temporary=scan(self._layout.sessions).size if self._layout.sessions.is_dir() else 0,
            images=self._images.all(),
        )

    def verify(self, *, repair: bool = False, progress: Callable[[int], None] | None = None) -> StoreReport:
        """Hash every file, check every record and tree.

        Args:
            repair: take away what is damaged.
            progress: called with bytes done.
        """
        clear_dead(self._layout)
        checked = size = 0
        problems: list[StoreProblem] = []
        for found in self._all():
            checked += 1
            amount = found.alone + sum(found.linked.values())
            with suppress(FileNotFoundError):  # pruned meanwhile
                what = self._fault(found)
                if what:
                    if repair:
                        self._remove(found)
                    problems.append(StoreProblem(item=str(found.item), what=what, removed=repair))
            size += amount
            if progress is not None:
                progress(amount)
        problems += [
            StoreProblem(
                item=os.fspath(path.relative_to(self._layout.root)),
                what="not a file of the store",
                removed=False,
            )
            for path in self._strangers()
        ]
        incomplete = self._images.drop_incomplete() if repair else self._images.incomplete()
        problems += [
            StoreProblem(item=f"image {name}", what="content that it stands on is gone", removed=repair)
            for name in incomplete
        ]
        return StoreReport(checked=checked, size=size, problems=tuple(problems))

    def prune(self, *, keep_size: int) -> PruneReport:
        """Remove what was used longest ago until everything left takes at most ``keep_size`` bytes.

        Records, which are tiny and dear to make again, go last. What a live process uses stays.
        """
        clear_dead(self._layout)
        found = sorted(self._all(), key=lambda one: (one.item.kind == "records", one.used, str(one.item)))
        holders: dict[tuple[int, int], int] = {}
        total = 0
        for one in found:
            total += one.alone
            for inode, size in one.linked.items():
                total += 0 if inode in holders else size
                holders[inode] = holders.get(inode, 0) + 1
        removed: dict[str, RoomInfo] = {}
        in_use: list[str] = []
        left: list[str] = []
        for one in found:
            if total <= keep_size:
                break
            with hold(self._layout.gate):
                if str(one.item) in items_in_use(self._layout):
                    in_use.append(str(one.item))
                    continue
                gone = self._hide(one)
            try:
                remove_tree(gone)
            except BuildError as error:
                left.append(error.what)
                continue
            freed = one.alone
            for inode, size in one.linked.items():
                holders[inode] -= 1
                freed += 0 if holders[inode] else size
            total -= freed
            before = removed.get(one.item.kind, RoomInfo())
            removed[one.item.kind] = RoomInfo(count=before.count + 1, size=before.size + freed)
        self._clear_locks()
        return PruneReport(
            removed=removed,
            images=self._images.drop_incomplete(),
            size=total,
            in_use=tuple(in_use),
            left=tuple(left),
        )

    def _fault(self, found: _Found) -> str:
        """What is wrong with the item, empty for nothing."""
        match found.item.kind:
            case "trees":
                facts = self._trees.facts(found.item.name)
                if facts is None:
                    return "the note about the tree is damaged or missing"
                if scan(found.path / "root").fingerprint != facts.fingerprint:
                    return "the tree was changed after it was finished"
            case "records":
                if unseal(found.item.name, found.path.read_bytes()) is None:
                    return "the record does not fit its checksum"
            case "partial":
                return ""
            case _:
                digest = hash_file(found.path)
                if digest != found.item.name:
                    return f"the bytes have sha256 {digest}"
        return ""

    def _remove(self, found: _Found) -> None:
        with hold(self._layout.gate):
            gone = self._hide(found)
        remove_tree(gone)

    def _hide(self, found: _Found) -> Path:
        """Put the item out of sight (gate held); returns what remains to be removed, which may take its time.

        No folder is made for it: on a full disk that would fail, and making room must not.
        """
        if found.item.kind == "trees":
            gone = self._trees.gone_path()
            with suppress(FileNotFoundError):
                found.path.rename(gone)
            return gone
        found.path.unlink(missing_ok=True)
        if found.item.kind in ROOMS:
            with suppress(OSError):
                found.path.parent.rmdir()
        return found.path

    def _clear_locks(self) -> None:
        with suppress(FileNotFoundError):
            for path in sorted(self._layout.locks.iterdir()):
                handle = try_hold(path)
                if handle >= 0:
                    path.unlink(missing_ok=True)
                    os.close(handle)

    def _all(self) -> Iterator[_Found]:
        """Every item, measured."""
        for room in ROOMS:
            for path in _files(self._layout.root / room, depth=2):
                if _belongs(path):
                    yield from self._measured(Item(kind=room, name=path.name), path)
        for path in _files(self._layout.records, depth=3):
            kind = path.parent.parent.name
            yield from self._measured(Item(kind="records", name=f"{kind}/{path.name}"), path)
        for path in _files(self._layout.partial, depth=1):
            yield from self._measured(Item(kind="partial", name=path.name), path)
        for path in _files(self._layout.trees, depth=1):
            if not path.name.startswith("."):
                yield from self._measured(Item(kind="trees", name=path.name), path)

    def _strangers(self) -> Iterator[Path]:
        for room in ROOMS:
            for path in _files(self._layout.root / room, depth=2):
                if not _belongs(path):
                    yield path

    def _measured(self, item: Item, path: Path) -> Iterator[_Found]:
        """The item with its sizes; nothing when it has gone meanwhile."""
        try:
            state = path.stat()
            found = _Found(item=item, path=path, used=state.st_mtime_ns)
            found.take(state)
            if _is_folder(state):
                found.used = (path / "about").stat().st_mtime_ns if (path / "about").exists() else 0
                _take_all(found, os.fspath(path))
        except FileNotFoundError:
            return
        yield found


def _take_all(found: _Found, folder: str) -> None:
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    found.take(entry.stat(follow_symlinks=False))
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except PermissionError:
            continue  # a folder of mode 0000; what is in it is not counted for an unprivileged user


def _files(folder: Path, *, depth: int) -> Iterator[Path]:
    """Entries exactly ``depth`` levels below the folder, sorted."""
    try:
        children = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for child in children:
        if depth == 1:
            yield child
        else:
            yield from _files(child, depth=depth - 1)


def _belongs(path: Path) -> bool:
    return len(path.name) == 64 and path.name.startswith(path.parent.name) and path.is_file()  # noqa: PLR2004


def _is_folder(state: os.stat_result) -> bool:
    return stat.S_ISDIR(state.st_mode)
