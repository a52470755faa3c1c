"""Masks as pictures."""

import struct
import zlib

import pytest

from layerwright.web.masks import mask_png, palette
from layerwright.ymir.dataset import Box
from layerwright.ymir.masks import compress_runs


def pixels(data: bytes) -> tuple[int, int, list[tuple[int, ...]]]:
    """Width, height and RGBA of each pixel, line by line, of a PNG without filters."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    place, header, packed = 8, b"", b""
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        assert struct.unpack(">I", data[place + 8 + length : place + 12 + length])[0] == zlib.crc32(
            kind + body
        )
        header, packed = (body, packed) if kind == b"IHDR" else (header, packed + body)
        place += 12 + length
    width, height = struct.unpack(">II", header[:8])
    lines = zlib.decompress(packed)
    found = []
    for line in range(height):
        start = line * (4 * width + 1)
        assert lines[start] == 0
        found += [tuple(lines[start + 1 + 4 * x : start + 5 + 4 * x]) for x in range(width)]
    return width, height, found


def box(mask: str) -> Box:
    return Box(class_name="cat", x=0, y=0, w=1, h=1, mask=mask)


def test_a_mask_is_read_column_by_column() -> None:
    # 3 wide, 2 high: the second column, and the first pixel of the third
    width, height, found = pixels(mask_png([box(compress_runs([2, 3, 1]))], [1], 3, 2))
    assert (width, height) == (3, 2)
    colour, none = (*palette[1], 110), (0, 0, 0, 0)
    assert found == [none, colour, colour, none, colour, none]


def test_what_has_no_mask_draws_nothing() -> None:
    assert set(pixels(mask_png([box("")], [0], 2, 2))[2]) == {(0, 0, 0, 0)}


@pytest.mark.parametrize(
    ("mask", "size", "why"),
    [
        (compress_runs([4]), (3, 2), "does not fit"),
        ("\x01", (3, 2), "run length"),
        ("", (100_000, 100_000), "not drawn on"),
    ],
)
def test_masks_that_are_none(mask: str, size: tuple[int, int], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        mask_png([box(mask)], [0], *size)
