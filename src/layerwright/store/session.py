"""A live user of the store: its temporary files, and the list of what it uses.

Each ``Store`` object that touches the disk has one owner file, locked for as long as its process lives, beside
a folder of temporary files. An owner file whose lock can be taken belongs to a dead process: the next user
removes it and its folder. Process ids play no part, since they are reused and differ between containers.
"""

import errno
import fcntl
import os
import threading
import weakref
from contextlib import suppress
from pathlib import Path

from layerwright.core.errors import BuildError
from layerwright.store.failures import told_when_full
from layerwright.store.layout import Item, StoreLayout, random_name
from layerwright.store.locks import hold, try_hold
from layerwright.store.removal import remove_tree

__all__ = ["Session", "clear_dead", "items_in_use"]

_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class Session:
    """This process's share of the store; opened at the first use, safe between threads and after a fork."""

    def __init__(self, layout: StoreLayout) -> None:
        self._layout = layout
        self._guard = threading.Lock()
        self._marked: set[Item] = set()
        self._handle = -1
        self._folder = Path()
        self._end: weakref.finalize[[int, Path, int], Session] | None = None

    def folder(self) -> Path:
        """The folder for temporary files, on the store's file system.

        Raises:
            BuildError: the disk is full, or the store's folder cannot be made or written.
        """
        with self._guard:
            self._open()
            return self._folder

    def temporary(self) -> Path:
        """A path nobody uses, for a temporary file or folder."""
        return self.folder() / random_name()

    def use(self, item: Item, *, present: Path) -> bool:
        """Say that this process uses the item, so that nobody prunes it while the process lives.

        Returns:
            Whether the item is there. The answer and the mark are one act: a pruner sees either both or neither.
        """
        if not os.path.lexists(present):
            return False
        if item in self._marked:
            return True
        try:
            with self._guard:
                self._open()
            with told_when_full(self._layout.root), hold(self._layout.gate, shared=True):
                os.write(self._handle, item.mark.encode())
                self._marked.add(item)
                return os.path.lexists(present)
        except BuildError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno in _READ_ONLY:
                return True  # a store that cannot be written cannot be pruned from here either
            raise

    def place(self, item: Item, temporary: Path, final: Path) -> None:
        """Rename a finished temporary file or folder into place, marked as used."""
        self.folder()
        with told_when_full(self._layout.root), hold(self._layout.gate, shared=True):
            os.write(self._handle, item.mark.encode())
            self._marked.add(item)
            try:
                temporary.replace(final)
            except FileNotFoundError:
                final.parent.mkdir(parents=True, exist_ok=True)
                temporary.replace(final)

    def write_file(self, path: Path, data: bytes) -> None:
        """Write a small file in one step: it is there whole, or as it was before."""
        temporary = self.temporary()
        with told_when_full(self._layout.root, needed=len(data)):
            try:
                temporary.write_bytes(data)
                try:
                    temporary.replace(path)
                except FileNotFoundError:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise

    def close(self) -> None:
        """Give up all uses and remove the temporary files; the session may be opened again."""
        with self._guard:
            if self._end is not None:
                self._end()
            self._end = None
            self._handle = -1
            self._marked.clear()

    def _open(self) -> None:
        if self._handle >= 0:
            return
        root = self._layout.root
        try:
            with told_when_full(root):
                root.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._layout.sessions.mkdir(exist_ok=True)
                clear_dead(self._layout)
                self._handle, owner = _begin(self._layout.sessions)
                self._folder = owner.with_suffix("")
                self._end = weakref.finalize(self, _finish, self._handle, owner, os.getpid())
                self._folder.mkdir(mode=0o700)
        except OSError as error:
            raise BuildError(
                f"cannot write to the store {root}: {error.strerror}",
                hint="give another folder for the store, or mend its owner and mode",
            ) from error


def clear_dead(layout: StoreLayout) -> int:
    """Remove what killed processes left behind; never anything of a live one.

    Returns:
        How many dead users were cleared. One whose files this user may not remove is left for somebody who may.
    """
    cleared = 0
    names = _names(layout.sessions)
    for owner in (layout.sessions / name for name in names if name.endswith(".owner")):
        handle = try_hold(owner)
        if handle < 0:
            continue
        try:
            with suppress(BuildError):
                remove_tree(owner.with_suffix(""))
                owner.unlink(missing_ok=True)
                cleared += 1
        finally:
            os.close(handle)
    for orphan in (name for name in names if not name.endswith(".owner")):
        # The owner file is made before the folder and removed after it, so a folder without one is left over.
        if not (layout.sessions / f"{orphan}.owner").exists():
            with suppress(BuildError):
                remove_tree(layout.sessions / orphan)
    for name in _names(layout.trees):
        if name.startswith(".gone-"):
            with suppress(BuildError):
                remove_tree(layout.trees / name)
    return cleared


def items_in_use(layout: StoreLayout) -> frozenset[str]:
    """Marks (``kind/name``) of everything that live processes use; call it with the gate held."""
    marks: set[str] = set()
    for name in _names(layout.sessions):
        if not name.endswith(".owner"):
            continue
        owner = layout.sessions / name
        handle = try_hold(owner)
        if handle >= 0:
            os.close(handle)
            continue
        with suppress(FileNotFoundError):
            marks.update(owner.read_text(encoding="ascii").split())
    return frozenset(marks)


def _begin(sessions: Path) -> tuple[int, Path]:
    """A locked owner file of our own, open for appending."""
    while True:
        owner = sessions / f"{random_name()}.owner"
        handle = os.open(owner, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(owner.stat(), os.fstat(handle)):
                return handle, owner
        except (BlockingIOError, FileNotFoundError):
            pass  # a cleaner was between our open and our lock, and took the file for a dead one's
        os.close(handle)


def _finish(handle: int, owner: Path, pid: int) -> None:
    """End a session; in a forked child only the child's copy of the handle is closed."""
    try:
        if os.getpid() == pid:
            with suppress(BuildError, OSError):
                remove_tree(owner.with_suffix(""))
                owner.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208  (names only)
    except FileNotFoundError:
        return []
