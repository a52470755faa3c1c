"""Kind and size of a picture from its first bytes: all that the annotation forms need.

Three headers, read here rather than with an imaging library of many megabytes. Sources: PNG specification 11.2.2
(IHDR); ITU-T T.81 B.2.2 (JPEG frame headers); Microsoft, BITMAPINFOHEADER.
"""

import struct
from typing import Final

from msgspec import Struct

__all__ = ["HEADER_BYTES", "PictureHeader", "read_header"]

HEADER_BYTES: Final = 1 << 20
"""Enough for the metadata that cameras put before a JPEG's frame header."""

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
_JPEG = b"\xff\xd8\xff"
_JPEG_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD9)})
_BMP_SHORT_HEADER, _BMP_COLOURS = 12, 8


class PictureHeader(Struct, frozen=True, kw_only=True):
    """What a picture says of itself.

    Attributes:
        extension: ``jpg``, ``png`` or ``bmp``, by its content.
        width, height: pixels.
        depth: channels.
    """

    extension: str
    width: int
    height: int
    depth: int


def read_header(data: bytes) -> PictureHeader | None:
    """Read the first bytes of a file; None when it is no JPEG, PNG or BMP, or ends before its size is told."""
    try:
        if data.startswith(_PNG):
            found = _png(data)
        elif data.startswith(_JPEG):
            found = _jpeg(data)
        elif data.startswith(b"BM"):
            found = _bmp(data)
        else:
            return None
    except (struct.error, IndexError):
        return None
    return found if found is not None and found.width > 0 and found.height > 0 else None


def _png(data: bytes) -> PictureHeader | None:
    kind, width, height, _, colour = struct.unpack_from(">4sIIBB", data, 12)
    if kind != b"IHDR" or colour not in _PNG_CHANNELS:
        return None
    return PictureHeader(extension="png", width=width, height=height, depth=_PNG_CHANNELS[colour])


def _jpeg(data: bytes) -> PictureHeader | None:
    place = 2
    while True:
        if data[place] != 0xFF:  # noqa: PLR2004 - every marker begins with it
            return None
        marker = data[place + 1]
        if marker == 0xFF:  # noqa: PLR2004 - fill bytes may stand before a marker
            place += 1
            continue
        if marker in _JPEG_BARE:
            place += 2
            continue
        (length,) = struct.unpack_from(">H", data, place + 2)
        if marker in _JPEG_FRAMES:
            height, width, depth = struct.unpack_from(">HHB", data, place + 5)
            return PictureHeader(extension="jpg", width=width, height=height, depth=depth)
        if length < 2:  # noqa: PLR2004 - the length counts itself
            return None
        place += 2 + length


def _bmp(data: bytes) -> PictureHeader | None:
    (size,) = struct.unpack_from("<I", data, 14)
    if size == _BMP_SHORT_HEADER:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
    else:
        width, height, _, bits = struct.unpack_from("<iiHH", data, 18)
    depth = 4 if bits == 32 else 3 if bits > _BMP_COLOURS else 1  # noqa: PLR2004 - bits of four channels
    return PictureHeader(extension="bmp", width=width, height=abs(height), depth=depth)
