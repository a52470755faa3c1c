"""Archives in files: every kind, in each other, and those that want to do harm."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib

import pytest

from layerwright.verify.secrets import Limits, SecretScanner
from layerwright.verify.secrets.archives import archive_kind
from support.secret_samples import deb_of, expand, tar_of, zip_of

VALUE = b"Zx81kfjqP0dkeLw2"
TEXT = b"user = alice\npassword = " + VALUE + b"\n"
FILES = {"a/other.txt": b"nothing here\n", "b/settings.ini": TEXT}
SCANNER = SecretScanner({"token": VALUE})


def members(data, path="/opt/x", size=1000, scanner=SCANNER):
    return [
        (hit.member, hit.offset)
        for hit in scanner.scan_file(path, [data[at : at + size] for at in range(0, len(data), size)])
        if hit.name == "token"
    ]


def unread(data, path="/opt/x", scanner=SCANNER):
    return [
        (hit.member, hit.name) for hit in scanner.scan_file(path, [data]) if hit.kind == "LW-SECRET-UNREAD"
    ]


@pytest.mark.parametrize("size", [1, 13, 100_000])
@pytest.mark.parametrize(
    ("data", "path", "member"),
    [
        (tar_of(FILES), "/opt/x.tar", "b/settings.ini"),
        (tar_of(FILES, form=tarfile.GNU_FORMAT), "/opt/x.tar", "b/settings.ini"),
        (tar_of(FILES, form=tarfile.USTAR_FORMAT), "/opt/x.tar", "b/settings.ini"),
        (zip_of(FILES), "/opt/x.whl", "b/settings.ini"),
        (zip_of(FILES, method=zipfile.ZIP_STORED), "/opt/x.zip", "b/settings.ini"),
        (zip_of(FILES, method=zipfile.ZIP_BZIP2), "/opt/x.zip", "b/settings.ini"),
        (zip_of(FILES, streamed=True), "/opt/x.zip", "b/settings.ini"),
        (zip_of(FILES, method=zipfile.ZIP_STORED, streamed=True), "/opt/model.pt", "b/settings.ini"),
        (b"#!/usr/bin/env python3\n" + zip_of(FILES), "/opt/x.pex", "b/settings.ini"),
        (gzip.compress(TEXT), "/opt/x.ini.gz", "x.ini"),
        (bz2.compress(TEXT), "/opt/x.ini.bz2", "x.ini"),
        (lzma.compress(TEXT), "/opt/x.ini.xz", "x.ini"),
        (gzip.compress(tar_of(FILES)), "/opt/x.tgz", "x.tar/b/settings.ini"),
        (lzma.compress(tar_of(FILES)), "/opt/x.tar.xz", "x.tar/b/settings.ini"),
        (
            deb_of({"data.tar.xz": lzma.compress(tar_of(FILES))}),
            "/opt/x.deb",
            "data.tar.xz/data.tar/b/settings.ini",
        ),
        (
            zip_of({"in/x.jar": zip_of({"y.tgz": gzip.compress(tar_of(FILES))})}),
            "/opt/x.war",
            "in/x.jar/y.tgz/y.tar/b/settings.ini",
        ),
    ],
)
def test_every_kind_of_archive(data, path, member, size):
    assert members(data, path, size) == [(member, TEXT.index(VALUE))]
    assert not unread(data, path)


def test_gzip_of_several_members():
    data = gzip.compress(b"one\n") + gzip.compress(TEXT) + b"\0" * 512
    assert members(data, "/opt/x.ini.gz") == [("x.ini", 4 + TEXT.index(VALUE))]


def test_long_names_of_members():
    name = "deep/" * 40 + "settings.ini"
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        assert members(tar_of({name: TEXT}, form=form)) == [(name, TEXT.index(VALUE))]


def test_a_stored_model_that_holds_signs_of_a_zip():
    trap = b"PK\x07\x08" + struct.pack("<III", 1, 2, 3) + b"PK\x03\x04" + TEXT + b"PK\x07\x08"
    data = zip_of(
        {"data.pkl": trap, "data/0": b"\0" * 3_000_000, "last": TEXT},
        method=zipfile.ZIP_STORED,
        streamed=True,
    )
    assert [member for member, _ in members(data, "/opt/model.pt", 70_000)] == ["data.pkl", "last"]
    assert not unread(data)


def test_large_zip_fields():
    # a member whose packed size stands in the extra field, as writers of unknown sizes put it
    packed = zlib.compress(TEXT)[2:-4]
    extra = struct.pack("<HHQQ", 1, 16, len(TEXT), len(packed))
    header = struct.pack(
        "<HHHHHIIIHH", 45, 0, 8, 0, 0, zlib.crc32(TEXT), 0xFFFFFFFF, 0xFFFFFFFF, 1, len(extra)
    )
    data = b"PK\x03\x04" + header + b"x" + extra + packed + b"PK\x01\x02"
    assert members(data) == [("x", TEXT.index(VALUE))]


def test_what_a_member_and_its_archive_hold_is_told_once():
    data = tar_of(FILES)
    assert len(SCANNER.scan_file("/x.tar", [data])) == 1
    assert members(zip_of({"a": b"x"}) + VALUE) == [("", len(zip_of({"a": b"x"})))]  # behind the zip's end


def test_rules_in_members():
    token = expand("machine h login a password <alnum:12>").encode()
    (hit,) = SCANNER.scan_file("/tmp/home.tgz", [gzip.compress(tar_of({"home/me/.netrc": token}))])
    assert (hit.name, hit.member, hit.line) == ("netrc-password", "home.tar/home/me/.netrc", 1)


def test_bombs():
    bomb = gzip.compress(b"\0" * (80 << 20))
    assert unread(bomb) == [("", "expands to more than 100 times its size")]
    nested = gzip.compress(gzip.compress(b"\0" * (80 << 20)))
    assert unread(nested, "/opt/x.gz.gz") == [("x.gz", "expands to more than 100 times its size")]
    many = SecretScanner({"token": VALUE}, limits=Limits(members=10))
    assert unread(zip_of({str(n): b"" + b"x" for n in range(20)}), scanner=many) == [
        ("", "holds more than 10 files")
    ]


def test_archives_too_deep():
    data = TEXT
    for _ in range(12):
        data = gzip.compress(data)
    ((_, reason),) = unread(data)
    assert reason == "lies more than 10 archives deep"


def test_encrypted_members():
    data = bytearray(zip_of({"x": TEXT, "y": TEXT}))
    data[6] |= 1
    assert unread(bytes(data)) == [("x", "is encrypted")]
    assert members(bytes(data)) == [("y", TEXT.index(VALUE))]


def test_a_method_that_nobody_reads():
    data = bytearray(zip_of({"x": TEXT, "y": TEXT}))
    data[8:10] = struct.pack("<H", 98)
    assert unread(bytes(data)) == [("x", "is compressed in a way that is not known")]
    assert members(bytes(data)) == [("y", TEXT.index(VALUE))]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (gzip.compress(TEXT * 100)[:-20], "ends early"),
        (gzip.compress(TEXT)[:10] + b"\xff" * 40, "is damaged"),
        (tar_of(FILES)[:700], "ends early"),
        (tar_of(FILES)[:1024] + b"x" * 512, "is damaged"),
        (zip_of(FILES)[:60], "ends early"),
        (lzma.compress(TEXT)[:30], "ends early"),
        (deb_of({"x": b"y"})[:80], "ends early"),
        (b"PK\x03\x04" + b"\0" * 26 + b"x" * 90, "is damaged"),
    ],
)
def test_damaged_archives_are_told(data, reason):
    ((_, told),) = unread(data)
    assert told.startswith(reason)
    assert not unread(data, "/usr/lib/python3.11/site-packages/tarfile/tests/bad.tar")


def test_the_bytes_of_a_damaged_archive_are_searched():
    assert members(b"PK\x03\x04" + b"\0" * 26 + TEXT) == [("", 30 + TEXT.index(VALUE))]


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"", ""),
        (b"\x1f\x8b", ""),
        (b"#!/bin/sh\necho", ""),
        (b"x" * 600, ""),
        (b"!<arch>\n/     ", ""),
        (b"x" * 257 + b"ustar" + b"x" * 300, ""),
    ],
)
def test_what_is_no_archive(head, kind):
    assert archive_kind(head) == kind


def test_memory_is_bounded():
    import tracemalloc

    out = io.BytesIO()
    with gzip.open(out, "wb", compresslevel=1) as file:
        for _ in range(40):
            file.write(bytes(range(256)) * 4096)
    data = out.getvalue()
    tracemalloc.start()
    SCANNER.scan_file("/x.gz", (data[at : at + 65536] for at in range(0, len(data), 65536)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 << 20
