"""For which GPUs a CUDA fat binary holds machine code (cubin) and intermediate code (PTX).

The format is not documented. A container begins with the number 0xBA55ED50, its own header's size and the size of
its entries; an entry begins with its kind (1 PTX, 2 machine code), sizes, and at byte 28 the architecture's number. Bit
20 of the flags at byte 40 marks code for exactly that GPU (``sm_90a``), bit 21 code for its family (``sm_103f``): seen
by comparing releases of ONNX Runtime whose build flags are public (pull requests 26230 and 26516 of
microsoft/onnxruntime), and equal to the published lists of PyTorch (RELEASE.md).
"""

import struct
from typing import Final, Literal, NamedTuple

from layerwright.facts.access import Access

__all__ = [
    "CONTAINER",
    "ENTRY_SIZE",
    "FATBIN_SECTIONS",
    "MAGIC",
    "Entry",
    "read_entry",
    "read_fatbin",
    "sort_capabilities",
]

FATBIN_SECTIONS: Final = frozenset({".nv_fatbin", "__nv_relfatbin"})

MAGIC: Final = struct.pack("<I", 0xBA55ED50)
CONTAINER: Final = struct.Struct("<IHHQ")
ENTRY_SIZE: Final = 64
"""Bytes of an entry's header that are looked at."""

_ENTRY: Final = struct.Struct("<HHIQ")
_ARCHITECTURE_AT, _FLAGS_AT = 28, 40
_KINDS: Final[dict[int, Literal["PTX", "code"]]] = {1: "PTX", 2: "code"}
_LEAST_HEADER, _LARGEST_HEADER = 32, 4096
_LONGEST_SM: Final = 9999
_MOST_ENTRIES: Final = 1 << 20
"""Entries looked at: libtorch_cuda of 2026 has some ten thousand; the rest of a hostile file is passed over."""


class Entry(NamedTuple):
    """The beginning of an entry.

    Attributes:
        kind: machine code, or what a driver compiles.
        capability: as ``8.6`` or ``9.0a``; empty when the number is none of a GPU.
        size: bytes of the whole entry.
    """

    kind: Literal["PTX", "code"]
    capability: str
    size: int


def read_entry(data: bytes) -> Entry | None:
    """The entry that begins with these ``ENTRY_SIZE`` bytes; None when they begin none."""
    kind, _, header, size = _ENTRY.unpack_from(data)
    if kind not in _KINDS or not _LEAST_HEADER <= header <= _LARGEST_HEADER:
        return None
    number = int.from_bytes(data[_ARCHITECTURE_AT : _ARCHITECTURE_AT + 4], "little")
    flags = int.from_bytes(data[_FLAGS_AT : _FLAGS_AT + 4], "little")
    found = _capability(number, flags) if number <= _LONGEST_SM else ""
    return Entry(_KINDS[kind], found, header + size)


def _capability(number: int, flags: int) -> str:
    """``8.6`` for 86, ``9.0a`` for 90 with the flag of that very GPU."""
    suffix = "a" if flags & 1 << 20 else "f" if flags & 1 << 21 else ""
    return f"{number // 10}.{number % 10}{suffix}"


def sort_capabilities(found: set[str]) -> tuple[str, ...]:
    """From the oldest to the newest."""

    def key(text: str) -> tuple[int, int, str]:
        major, _, minor = text.partition(".")
        return int(major), int(minor.rstrip("af")), text

    return tuple(sorted(found, key=key))


def read_fatbin(access: Access, offset: int, size: int) -> tuple[set[str], set[str]]:
    """Compute capabilities with machine code, and with PTX, in a part of a file.

    Args:
        access: the file.
        offset: where the section begins.
        size: its bytes.
    """
    cubin: set[str] = set()
    ptx: set[str] = set()
    at, end = offset, min(offset + size, access.size)
    left = _MOST_ENTRIES
    while left > 0:
        # containers stand at places divisible by eight, mostly one right after the other
        if access.read(at, 4) != MAGIC:
            at = access.find(MAGIC, at, end)
        if at < 0 or at + CONTAINER.size > end:
            break
        _, _, header, body = CONTAINER.unpack(access.read(at, CONTAINER.size))
        left -= 1
        if header != CONTAINER.size or at + header + body > end + ENTRY_SIZE:
            at += 4
            continue
        entry, stop = at + header, at + header + body
        while entry + ENTRY_SIZE <= stop and left > 0:
            data = access.read(entry, ENTRY_SIZE)
            if len(data) < ENTRY_SIZE:
                break
            found = read_entry(data)
            if found is None:
                break
            if found.capability:
                (ptx if found.kind == "PTX" else cubin).add(found.capability)
            entry += found.size
            left -= 1
        at = max(stop, at + CONTAINER.size)
    return cubin, ptx
