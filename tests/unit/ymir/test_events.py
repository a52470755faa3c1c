"""TensorBoard's event files: the names of their scalars."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.ymir.events import scalar_tags


def varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def record(event: bytes) -> bytes:
    return struct.pack("<Q", len(event)) + b"crcc" + event + b"crcc"


def event(*values: bytes) -> bytes:
    head = varint(1 << 3 | 1) + struct.pack("<d", 1.5) + varint(2 << 3) + varint(300)
    return record(head + field(5, b"".join(field(1, value) for value in values)))


SIMPLE = field(1, b"loss/train") + varint(2 << 3 | 5) + struct.pack("<f", 0.5)
TENSOR = field(1, "mAP é".encode()) + field(9, field(1, field(1, b"scalars"))) + field(8, b"tensor")
IMAGE = field(1, b"picture") + field(4, b"png")
TEXT = field(1, b"note") + field(9, field(1, field(1, b"text"))) + field(8, b"tensor")
VERSION = record(varint(1 << 3 | 1) + struct.pack("<d", 1.0) + field(3, b"brain.Event:2"))


def test_scalars_of_both_forms() -> None:
    assert scalar_tags(VERSION + event(SIMPLE, IMAGE) + event(TENSOR, TEXT)) == {"loss/train", "mAP é"}


def test_none() -> None:
    assert scalar_tags(b"") == scalar_tags(VERSION) == scalar_tags(event(IMAGE, TEXT)) == frozenset()


@pytest.mark.parametrize("cut", range(5, 30))
def test_a_file_that_is_still_written(cut: int) -> None:
    whole = VERSION + event(SIMPLE)
    assert scalar_tags((whole + event(TENSOR))[:-cut]) == {"loss/train"}


@given(st.binary(max_size=80))
def test_any_bytes(data: bytes) -> None:
    scalar_tags(data)
    scalar_tags(record(data))
    scalar_tags(record(field(5, field(1, data))))
