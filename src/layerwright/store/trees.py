"""Finished file trees, ready to be the lower directories of an overlay.

A tree is trusted by its key: it was renamed into place only when whole. Its ``about`` file holds its size and a
fingerprint over names, types, modes, owners, sizes and times (not contents: reading gigabytes again would cost
more than making the layer). When the machine has been started anew since, the fingerprint is compared once at
the first use, because files whose bytes had not reached the disk then show as short ones.
"""

import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from layerwright.store.content import bump
from layerwright.store.failures import told_when_full
from layerwright.store.layout import Item, StoreLayout, random_name
from layerwright.store.locks import hold
from layerwright.store.removal import remove_tree
from layerwright.store.sealed import seal, unseal
from layerwright.store.session import Session

__all__ = ["TreeFacts", "Trees", "scan"]


class TreeFacts(Struct, frozen=True, kw_only=True):
    """What is known of a finished tree.

    Attributes:
        entries: files, folders, links and devices in it, without its own root.
        size: bytes on disk, each hard-linked file once.
        fingerprint: sha256 over everything ``lstat`` says of every entry that can be told without reading it.
    """

    entries: int
    size: int
    fingerprint: str


class Trees:
    """Finished trees by key."""

    def __init__(self, layout: StoreLayout, session: Session) -> None:
        self._layout = layout
        self._session = session

    def get(self, key: str) -> Path | None:
        """The tree's folder, or None; it is then marked as used by this process."""
        folder = self._layout.tree(key)
        about = folder / "about"
        try:
            found = about.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not self._session.use(Item(kind="trees", name=key), present=about):
            return None
        raw = self._about(key)
        if raw is None or (raw["boot"] != _boot() and not self._settle(key, raw)):
            self.discard(key)
            return None
        bump(about, found)
        return folder / "root"

    @contextmanager
    def make(self, key: str, *, size: int = 0) -> Iterator[Path]:
        """An empty folder that becomes the tree when the block ends well."""
        final = self._layout.tree(key)
        temporary = self._session.temporary()
        try:
            with told_when_full(self._layout.root, needed=size):
                temporary.mkdir(mode=0o700)
                root = temporary / "root"
                root.mkdir()
                # Whatever the umask is: the uppermost tree's own mode is that of the container's root folder.
                root.chmod(0o755)
            with told_when_full(self._layout.root, needed=size, doubtful=True):
                yield root
            with told_when_full(self._layout.root, needed=size):
                facts = scan(root)
                (temporary / "about").write_bytes(_seal(key, facts))
            self._place(key, temporary, final)
        finally:
            remove_tree(temporary)

    def discard(self, key: str) -> None:
        """Remove the tree, which is out of sight at once."""
        gone = self.gone_path()
        with hold(self._layout.gate):
            try:
                self._layout.tree(key).rename(gone)
            except FileNotFoundError:
                return
        remove_tree(gone)

    def gone_path(self) -> Path:
        """A name for a tree on its way out; whoever opens the store next removes what stands under such names."""
        return self._layout.trees / f".gone-{random_name()}"

    def facts(self, key: str) -> TreeFacts | None:
        """What was noted when the tree was made; None when the note is damaged or absent."""
        raw = self._about(key)
        if raw is None:
            return None
        return TreeFacts(
            entries=int(raw["entries"]), size=int(raw["size"]), fingerprint=str(raw["fingerprint"])
        )

    def _place(self, key: str, temporary: Path, final: Path) -> None:
        while True:
            try:
                return self._session.place(Item(kind="trees", name=key), temporary, final)
            except OSError as error:
                # rename(2) refuses a folder that is not empty: somebody else made the same tree first. A damaged
                # one is removed by looking at it, and makes way for ours.
                if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                    raise
            if self.get(key) is not None:
                return None

    def _about(self, key: str) -> dict[str, int | str] | None:
        try:
            data = unseal(key, (self._layout.tree(key) / "about").read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        if data is None:
            return None
        raw: dict[str, int | str] = json.loads(data)
        return raw

    def _settle(self, key: str, raw: dict[str, int | str]) -> bool:
        """Whether the tree outlived the restart of the machine; then it is noted as seen since."""
        facts = scan(self._layout.tree(key) / "root")
        if facts.fingerprint != raw["fingerprint"]:
            return False
        with suppress(OSError):
            self._session.write_file(self._layout.tree(key) / "about", _seal(key, facts))
        return True


def scan(root: Path) -> TreeFacts:
    """Walk a tree and take its facts; folders this user may not read count by themselves only."""
    hashed = hashlib.sha256()
    seen: set[tuple[int, int]] = set()
    entries = size = 0
    base = os.fspath(root)
    waiting = [base]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as found:
                children = sorted(found, key=lambda entry: entry.name)
        except PermissionError:
            hashed.update(b"unreadable\n")
            continue
        for entry in children:
            state = entry.stat(follow_symlinks=False)
            entries += 1
            if state.st_nlink > 1 and not stat.S_ISDIR(state.st_mode):
                identity = (state.st_dev, state.st_ino)
                if identity not in seen:
                    seen.add(identity)
                    size += state.st_blocks * 512
            else:
                size += state.st_blocks * 512
            hashed.update(_line(entry.path[len(base) :], state))
            if stat.S_ISDIR(state.st_mode):
                waiting.append(entry.path)
    return TreeFacts(entries=entries, size=size, fingerprint=hashed.hexdigest())


def _line(path: str, state: os.stat_result) -> bytes:
    # The times of folders change when an overlay or a linked tree is made over them on some file systems; the
    # names in them are covered anyway.
    changed = 0 if stat.S_ISDIR(state.st_mode) else state.st_mtime_ns
    length = 0 if stat.S_ISDIR(state.st_mode) else state.st_size
    return b"%s\0%o %d %d %d %d %d\n" % (
        os.fsencode(path),
        state.st_mode,
        state.st_uid,
        state.st_gid,
        length,
        state.st_rdev,
        changed,
    )


def _seal(key: str, facts: TreeFacts) -> bytes:
    data = {
        "boot": _boot(),
        "entries": facts.entries,
        "fingerprint": facts.fingerprint,
        "size": facts.size,
    }
    return seal(key, json.dumps(data, sort_keys=True).encode())


def _boot() -> str:
    """The kernel's name for the time since it was started (random(4), boot_id)."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123  (hot path)
            return file.read().strip()
    except OSError:
        return ""
