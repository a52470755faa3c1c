"""Writes pictures as PNG (PNG specification, 3rd edition, §11): 8 bits a channel, no filters. Pure."""

import struct
import zlib
from typing import Final

__all__ = ["png"]

_COLOUR_TYPES: Final = {3: 2, 4: 6}
"""RGB, and RGB with transparency, by the number of channels."""


def png(pixels: bytes | bytearray, width: int, height: int, *, level: int = 6) -> bytes:
    """The file of a picture.

    Args:
        pixels: line by line, RGB or RGBA.
        width: in pixels.
        height: likewise.
        level: how hard zlib tries, 0 to 9.
    """
    stride = len(pixels) // height
    lines = b"".join(b"\0" + pixels[stride * line : stride * (line + 1)] for line in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[stride // width], 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(lines, level))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
