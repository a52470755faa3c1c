"""TensorBoard's event files: which scalars they hold.

A file is records (length, checksum, data, checksum), each a protobuf message. Sources: tensorflow
``lib/io/record_writer.h`` for records, ``util/event.proto`` and ``framework/summary.proto`` for field numbers. Read
here, since TensorBoard is a large dependency for a list of names.
"""

import struct
from collections.abc import Iterator
from typing import Final

__all__ = ["scalar_tags"]

_LENGTH, _CHECKSUM = 8, 4
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_EVENT_SUMMARY: Final = 5
_SUMMARY_VALUE: Final = 1
_TAG, _SIMPLE_VALUE, _TENSOR, _METADATA = 1, 2, 8, 9
_PLUGIN_DATA, _PLUGIN_NAME = 1, 1
_SCALARS: Final = b"scalars"
_LONGEST_VARINT = 10


def scalar_tags(data: bytes) -> frozenset[str]:
    """The names of the scalars in an event file; what is cut off or foreign at its end is left."""
    found: set[str] = set()
    for record in _records(data):
        try:
            for summary in _fields(record, _EVENT_SUMMARY):
                for value in _fields(summary, _SUMMARY_VALUE):
                    tag = _scalar(value)
                    if tag is not None:
                        found.add(tag)
        except ValueError:
            continue
    return frozenset(found)


def _scalar(value: bytes) -> str | None:
    tag, simple, tensor, plugin = b"", False, False, b""
    for number, content in _walk(value):
        if number == _TAG:
            tag = content
        elif number == _SIMPLE_VALUE:
            simple = True
        elif number == _TENSOR:
            tensor = True
        elif number == _METADATA:
            for plugin_data in _fields(content, _PLUGIN_DATA):
                plugin = next(_fields(plugin_data, _PLUGIN_NAME), b"")
    return tag.decode(errors="replace") if simple or (tensor and plugin == _SCALARS) else None


def _records(data: bytes) -> Iterator[bytes]:
    place = 0
    while place + _LENGTH + _CHECKSUM <= len(data):
        (length,) = struct.unpack_from("<Q", data, place)
        start = place + _LENGTH + _CHECKSUM
        if length > len(data) - start:
            return
        yield data[start : start + length]
        place = start + length + _CHECKSUM


def _fields(message: bytes, wanted: int) -> Iterator[bytes]:
    for number, content in _walk(message):
        if number == wanted:
            yield content


def _walk(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a message with their bytes; numbers stay as they are encoded.

    Raises:
        ValueError: it is no message.
    """
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        kind = key & 7
        if kind == _VARINT:
            start = place
            _, place = _varint(message, place)
            yield key >> 3, message[start:place]
            continue
        if kind == _BYTES:
            length, place = _varint(message, place)
        elif kind in {_FIXED64, _FIXED32}:
            length = 8 if kind == _FIXED64 else 4
        else:
            msg = "a field of no known kind"
            raise ValueError(msg)
        if length > len(message) - place:
            msg = "a field ends after its message"
            raise ValueError(msg)
        yield key >> 3, message[place : place + length]
        place += length


def _varint(message: bytes, place: int) -> tuple[int, int]:
    number = 0
    for count in range(_LONGEST_VARINT):
        if place + count >= len(message):
            break
        byte = message[place + count]
        number |= (byte & 0x7F) << (7 * count)
        if not byte & 0x80:
            return number, place + count + 1
    msg = "a number without an end"
    raise ValueError(msg)
