"""Directories of zip files, good ones and evil ones."""

import struct

import pytest

from layerwright.facts.access import BeyondError, BytesAccess, PrefixAccess
from layerwright.facts.directory import (
    TAIL,
    WheelError,
    directory_place,
    inflate_front,
    member_bytes,
    read_directory,
)
from support.wheels import Entry, write_zip


def archive(tmp_path, entries):
    path = tmp_path / "x.zip"
    write_zip(path, entries)
    return path.read_bytes()


def entries_of(data):
    start, length = directory_place(data[-TAIL:], len(data))
    return read_directory(data[start : start + length], start)


BODY = bytes(range(256)) * 4000


@pytest.mark.parametrize(
    "entry",
    [
        Entry(data=BODY),
        Entry(data=BODY, stored=True),
        Entry(data=BODY, zip64=True),
        Entry(data=BODY, streamed=True),
        Entry(data=b""),
    ],
    ids=["deflated", "stored", "zip64", "streamed", "empty"],
)
def test_members_are_read_and_checked(tmp_path, entry):
    data = archive(tmp_path, [("a/b.so", entry), ("c.py", Entry(data=b"x"))])
    first, second = entries_of(data)
    assert (first.name, second.name) == ("a/b.so", "c.py")
    access = BytesAccess(data)
    assert member_bytes(access, first, limit=1 << 20) == entry.data
    assert (
        inflate_front(access, first, first.packed // 2, limit=1 << 20)
        == entry.data[: len(inflate_front(access, first, first.packed // 2, limit=1 << 20))]
    )
    assert len(inflate_front(access, first, first.packed, limit=1000)) >= min(1000, first.size)


def test_a_comment_at_the_end_is_allowed(tmp_path):
    data = archive(tmp_path, [("a", Entry(data=b"x"))])
    commented = data[:-2] + struct.pack("<H", 300) + b"c" * 300
    assert [entry.name for entry in entries_of(commented)] == ["a"]


def test_large_archives_say_so_before_their_end(tmp_path):
    data = archive(tmp_path, [("a", Entry(data=b"x"))])
    at = data.rfind(b"PK\x05\x06")
    fields = struct.unpack_from("<4s4H2LH", data, at)
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, fields[5], fields[6])
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    assert [entry.name for entry in entries_of(data[:at] + record + locator + end)] == ["a"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: bytes(len(data)), "does not end as a zip file does"),
        (lambda data: data[:-30], "does not end as a zip file does"),
        (lambda data: data.replace(b"PK\x01\x02", b"PK\x01\x09"), "its directory is damaged"),
        (lambda data: data[:-6] + struct.pack("<L", 1 << 30) + data[-2:], "lies beyond its end"),
    ],
)
def test_damaged_directories_are_told(tmp_path, change, told):
    data = change(archive(tmp_path, [("a", Entry(data=b"x")), ("b", Entry(data=b"y"))]))
    with pytest.raises(WheelError, match=told):
        entries_of(data)


def test_members_that_share_bytes_are_refused(tmp_path):
    data = bytearray(archive(tmp_path, [("a", Entry(data=BODY)), ("b", Entry(data=b"y"))]))
    second = data.rfind(b"PK\x01\x02")
    struct.pack_into("<L", data, second + 42, 10)  # the second begins within the first
    with pytest.raises(WheelError, match="overlaps another"):
        entries_of(bytes(data))


def test_a_member_larger_than_its_directory_says_stops_there(tmp_path):
    data = bytearray(archive(tmp_path, [("bomb", Entry(data=bytes(50 << 20)))]))
    at = data.rfind(b"PK\x01\x02")
    struct.pack_into("<L", data, at + 24, 1000)
    (entry,) = entries_of(bytes(data))
    with pytest.raises(WheelError, match="size and CRC-32"):
        member_bytes(BytesAccess(bytes(data)), entry, limit=1 << 20)
    with pytest.raises(WheelError, match="has 1,000 bytes"):
        member_bytes(BytesAccess(bytes(data)), entry, limit=999)


def test_wrong_bytes_are_told(tmp_path):
    data = bytearray(archive(tmp_path, [("a", Entry(data=BODY, stored=True))]))
    data[5000] ^= 1
    (entry,) = entries_of(bytes(data))
    with pytest.raises(WheelError, match="CRC-32"):
        member_bytes(BytesAccess(bytes(data)), entry, limit=1 << 30)


def test_damaged_streams_and_unknown_methods_are_told(tmp_path):
    data = bytearray(archive(tmp_path, [("a", Entry(data=BODY))]))
    (entry,) = entries_of(bytes(data))
    data[40:60] = b"\xff" * 20
    with pytest.raises(WheelError):
        member_bytes(BytesAccess(bytes(data)), entry, limit=1 << 30)
    with pytest.raises(WheelError, match="packed by method 14"):
        member_bytes(BytesAccess(bytes(data)), entry._replace(method=14), limit=1 << 30)
    with pytest.raises(WheelError, match="encrypted"):
        member_bytes(BytesAccess(bytes(data)), entry._replace(encrypted=True), limit=1 << 30)


def test_what_was_not_read_is_not_made_up(tmp_path):
    data = archive(tmp_path, [("a", Entry(data=BODY))])
    (entry,) = entries_of(data)
    with pytest.raises(BeyondError):
        member_bytes(PrefixAccess(data[:100], len(data)), entry, limit=1 << 30)


def test_a_header_that_contradicts_the_directory_is_told(tmp_path):
    data = bytearray(archive(tmp_path, [("a", Entry(data=BODY))]))
    (entry,) = entries_of(bytes(data))
    struct.pack_into("<H", data, 8, 0)
    with pytest.raises(WheelError, match="contradicts the directory"):
        member_bytes(BytesAccess(bytes(data)), entry, limit=1 << 30)
    with pytest.raises(WheelError, match="not where the directory says"):
        member_bytes(BytesAccess(bytes(data)), entry._replace(at=3), limit=1 << 30)
