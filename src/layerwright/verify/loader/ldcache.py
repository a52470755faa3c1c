"""``/etc/ld.so.cache``: which file the loader takes for a library's name (glibc, ``sysdeps/generic/dl-cache.h``)."""

import struct
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from layerwright.core.errors import IntegrityError

__all__ = ["CacheEntry", "read_cache"]

_OLD: Final = b"ld.so-1.7.0"
_NEW: Final = b"glibc-ld.so.cache1.1"
_OLD_HEADER: Final = 16
_OLD_ENTRY: Final = 12
_NEW_HEADER: Final = 48
_NEW_ENTRY: Final = struct.Struct("<iIIIQ")
_EXTENSION: Final = 1 << 62
_EXTENSION_MAGIC: Final = 0xEAA42174
_HWCAPS_TAG: Final = 1
_MOST: Final = 1 << 18
_FLAGS: Final = {
    "x86_64": 0x0303,
    "aarch64": 0x0A03,
    "i386": 0x0003,
    "ppc64le": 0x0503,
    "s390x": 0x0403,
    "riscv64": 0x1003,
}
"""``FLAG_ELF_LIBC6`` with the architecture's own flag."""


class CacheEntry(Struct, frozen=True, kw_only=True):
    """One file for a name.

    Attributes:
        path: absolute.
        hwcaps: name of the ``glibc-hwcaps`` subfolder that it stands in; empty for every processor.
    """

    path: str
    hwcaps: str = ""


def read_cache(data: bytes, machine: str) -> Mapping[str, tuple[CacheEntry, ...]]:
    """Files by library name, those for better processors first, as the loader prefers them.

    Args:
        data: the file.
        machine: as in ``Library``; entries for others are left out.

    Raises:
        IntegrityError: damaged, or of a format that no glibc since 2.2 writes.
    """
    wanted = _FLAGS.get(machine)
    if wanted is None:
        return {}
    try:
        return _read(data, wanted)
    except (struct.error, ValueError, IndexError) as error:
        raise IntegrityError(f"/etc/ld.so.cache is damaged: {error}") from error


def _read(data: bytes, wanted: int) -> Mapping[str, tuple[CacheEntry, ...]]:
    start = 0
    if data.startswith(_OLD):
        # The old table comes first, for programs of the last century; the new one follows at the next multiple of 8.
        (count,) = struct.unpack_from("<I", data, 12)
        start = (_OLD_HEADER + count * _OLD_ENTRY + 7) & ~7
    if data[start : start + len(_NEW)] != _NEW:
        raise IntegrityError("/etc/ld.so.cache is of an unknown format")
    count, strings_size = struct.unpack_from("<II", data, start + 20)
    (extension,) = struct.unpack_from("<I", data, start + 32)
    end = start + _NEW_HEADER + count * _NEW_ENTRY.size
    if count > _MOST or end + strings_size > len(data):
        raise ValueError(f"{count} entries do not fit into {len(data)} bytes")
    levels = _levels(data, start, extension) if extension else ()
    found: dict[str, list[CacheEntry]] = {}
    for at in range(start + _NEW_HEADER, end, _NEW_ENTRY.size):
        flags, key, value, _, hwcap = _NEW_ENTRY.unpack_from(data, at)
        if flags != wanted:
            continue
        level = ""
        if hwcap & _EXTENSION:
            number = hwcap & 0xFFFFFFFF
            level = levels[number] if number < len(levels) else "unknown"
        elif hwcap:
            level = "legacy"  # the subfolders of glibc before 2.33
        name, path = _string(data, start + key), _string(data, start + value)
        found.setdefault(name, []).append(CacheEntry(path=path, hwcaps=level))
    return {
        name: tuple(sorted(entries, key=lambda entry: entry.hwcaps, reverse=True))
        for name, entries in found.items()
    }


def _levels(data: bytes, start: int, extension: int) -> tuple[str, ...]:
    """Names of the ``glibc-hwcaps`` subfolders, from the extension that follows the strings."""
    magic, count = struct.unpack_from("<II", data, start + extension)
    if magic != _EXTENSION_MAGIC or count > 64:  # noqa: PLR2004 - two kinds exist
        return ()
    for number in range(count):
        tag, _, offset, size = struct.unpack_from("<IIII", data, start + extension + 8 + number * 16)
        if tag == _HWCAPS_TAG and size <= 4 * 64:
            return tuple(
                _string(data, start + place)
                for place in struct.unpack_from(f"<{size // 4}I", data, start + offset)
            )
    return ()


def _string(data: bytes, at: int) -> str:
    end = data.find(b"\0", at)
    if at >= len(data) or end < 0 or end - at > 4096:  # noqa: PLR2004 - the longest path
        raise ValueError("a name lies outside the file")
    return data[at:end].decode("utf-8", "surrogateescape")
