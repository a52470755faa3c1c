"""Files that an executor made are opened as such: it may have put links to the machine's own files in their place."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

__all__ = ["beneath", "open_beneath", "read_beneath"]


def beneath(root: Path, relative: str) -> Path | None:
    """The regular file behind a path, its links followed; None when it is none, or lies outside of the folder.

    Args:
        root: a folder that the executor cannot replace.
        relative: below it.
    """
    top = root.resolve()
    try:
        found = (top / relative).resolve()
        inside = found.is_relative_to(top) and stat.S_ISREG(found.lstat().st_mode)
    except (OSError, RuntimeError):  # RuntimeError: links in a circle, up to Python 3.12
        return None
    return found if inside else None


def open_beneath(root: Path, relative: str) -> BinaryIO:
    """Open a file for reading; nothing outside of the folder is ever opened, even while the executor still runs.

    Args:
        root: a folder that the executor cannot replace.
        relative: below it.

    Raises:
        FileNotFoundError: there is no regular file behind the path, or it lies outside.
        OSError: it cannot be opened.
    """
    found = beneath(root, relative)
    if found is None:
        raise FileNotFoundError(2, "No such file", str(root / relative))
    top = root.resolve()
    *folders, name = found.relative_to(top).parts
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    place = os.open(top, flags | os.O_DIRECTORY)
    try:
        for folder in folders:
            inner = os.open(folder, flags | os.O_DIRECTORY, dir_fd=place)
            os.close(place)
            place = inner
        # A pipe put there meanwhile must not make us wait.
        file = os.open(name, flags | os.O_NONBLOCK, dir_fd=place)
    finally:
        os.close(place)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise FileNotFoundError(2, "No such file", str(root / relative))
    return os.fdopen(file, "rb")


def read_beneath(root: Path, relative: str, limit: int) -> bytes | None:
    """The bytes of a file, at most ``limit``; None when there is none.

    Raises:
        PermissionError: it may not be read.
    """
    try:
        with open_beneath(root, relative) as file:
            return file.read(limit)
    except PermissionError:
        raise
    except OSError:
        return None
