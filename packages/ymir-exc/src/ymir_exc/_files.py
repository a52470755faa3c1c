"""Files that others read while they are written, and files read again and again."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
import uuid
from typing import Any

__all__ = ["TEMPORARY_SUFFIX", "copy_file", "parse_yaml", "read_yaml", "write_text"]

TEMPORARY_SUFFIX = ".ymir-exc-tmp"
"""The end of the names of files that are being written; a program that was killed may leave one behind."""

# A file changed less than this ago may change again without its time changing: file systems count in steps of up to
# two seconds (FAT; NFS one second).
_YOUNG_SECONDS = 3.0

_read: dict[str, tuple[tuple[int, int, int, int], str]] = {}
_parsed: dict[str, tuple[str, Any]] = {}


def write_text(path: str, text: str) -> None:
    """Write a whole file so that a reader finds the old content or the new one, never a part (§3.1).

    Written beside it under another name and renamed. The owner and the mode of an existing file are kept, since the
    platform, another user, writes to monitor.txt as well. Where a file cannot be renamed over, as when it is mounted
    by itself (platform 1.1), it is overwritten in one call without being emptied first.
    """
    target = os.path.realpath(path)
    data = text.encode("utf-8", "backslashreplace")  # a path may hold bytes that are no text
    temporary = _temporary(target)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except PermissionError:
        _overwrite(target, data)
        return
    except FileNotFoundError as error:
        folder = os.path.dirname(target)
        raise FileNotFoundError(error.errno, f"{error.strerror} (the folder of {path})", folder) from None
    try:
        try:
            _keep_owner(descriptor, target)
            _write_all(descriptor, data)
        finally:
            os.close(descriptor)
        os.replace(temporary, target)
    except OSError as error:
        _remove(temporary)
        if error.errno not in (errno.EBUSY, errno.EXDEV, errno.EPERM, errno.EACCES):
            raise
        _overwrite(target, data)
    except BaseException:
        _remove(temporary)
        raise


def copy_file(source: str, target: str) -> None:
    """Copy a file, its mode and times, so that the copy appears when it is whole."""
    import shutil  # noqa: PLC0415 - start-up

    temporary = _temporary(target)
    try:
        shutil.copy2(source, temporary)
        os.replace(temporary, target)
    except BaseException:
        _remove(temporary)
        raise


def read_yaml(path: str) -> Any:
    """What a YAML file holds, parsed anew only when its content changed; the caller must not change it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no YAML.

    """
    text = _read_text(path)
    known = _parsed.get(path)
    if known is not None and known[0] == text:
        return known[1]
    value = parse_yaml(text, path)
    _parsed[path] = (text, value)
    return value


def parse_yaml(text: str, path: str) -> Any:
    """What a YAML text holds.

    Raises:
        ValueError: it is no YAML.

    """
    import yaml  # noqa: PLC0415 - start-up

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        # PyYAML lets the others through, as for the date 2020-13-45 or thousands of brackets.
        msg = f"{path} is not YAML: {' '.join(str(error).split())}"
        raise ValueError(msg) from error


def _read_text(path: str) -> str:
    """The content of a file; from memory while its time and size say that it is the same."""
    status = os.stat(path)
    mark = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    known = _read.get(path)
    if known is not None and known[0] == mark:
        return known[1]
    with open(path, encoding="utf-8-sig") as file:
        text = file.read()
    if (
        abs(time.time() - status.st_mtime) > _YOUNG_SECONDS
        and abs(time.time() - status.st_ctime) > _YOUNG_SECONDS
    ):
        _read[path] = (mark, text)
    return text


def _temporary(target: str) -> str:
    folder, name = os.path.split(target)
    return os.path.join(folder, f".{name}.{uuid.uuid4().hex}{TEMPORARY_SUFFIX}")


def _keep_owner(descriptor: int, target: str) -> None:
    try:
        status = os.stat(target)
    except FileNotFoundError:
        return
    made = os.fstat(descriptor)
    if (made.st_uid, made.st_gid) != (status.st_uid, status.st_gid):
        with contextlib.suppress(OSError):
            os.fchown(descriptor, status.st_uid, status.st_gid)
    with contextlib.suppress(OSError):
        os.fchmod(descriptor, stat.S_IMODE(status.st_mode))


def _overwrite(target: str, data: bytes) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        _write_all(descriptor, data)
        os.ftruncate(descriptor, len(data))
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
