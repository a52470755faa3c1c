"""Files of a layer written below a folder, with the modes and times the layer has, whatever the umask is."""

import errno
import os
from pathlib import Path

from layerwright.layers.tar import MTIME, parents

__all__ = ["DISK_FULL", "TreeWriter", "write_all"]

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors that the owner of a folder explains better than we can."""


class TreeWriter:
    """Writes regular files and their folders below an empty folder."""

    def __init__(self, root: Path) -> None:
        self._root = os.fsencode(root)
        self._folders: list[bytes] = []
        self._known: set[str] = set()

    def _place(self, path: str) -> bytes:
        return self._root + b"/" + path.encode()

    def open(self, path: str, mode: int) -> int:
        """Make a new file, its folders first, and give its descriptor.

        Raises:
            FileExistsError: the folder was not empty.
        """
        above = path.rpartition("/")[0]
        if above not in self._known:
            for folder in (*parents(path),):
                self._make_folder(folder)
        descriptor = os.open(
            self._place(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        os.fchmod(descriptor, mode)
        return descriptor

    def _make_folder(self, folder: str) -> None:
        if folder in self._known:
            return
        self._known.add(folder)
        place = self._place(folder)
        os.mkdir(place, 0o700)  # noqa: PTH102 - names are UTF-8 bytes, whatever the locale
        os.chmod(place, 0o755)  # noqa: PTH101, S103 - as in the layer
        self._folders.append(place)

    @staticmethod
    def close(descriptor: int) -> None:
        """End a file."""
        os.utime(descriptor, (MTIME, MTIME))
        os.close(descriptor)

    def write(self, path: str, mode: int, content: bytes) -> None:
        """Write a whole file."""
        descriptor = self.open(path, mode)
        try:
            write_all(descriptor, content)
        finally:
            self.close(descriptor)

    def finish(self) -> None:
        """Set the folders' times, after the last file."""
        for folder in reversed(self._folders):
            os.utime(folder, (MTIME, MTIME))


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte; one call to the kernel may take fewer."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
