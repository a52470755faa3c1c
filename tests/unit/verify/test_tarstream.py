"""Tars as a stream say what tarfile says of them, and damaged ones are refused."""

import io
import random
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.core.errors import IntegrityError
from layerwright.verify.tarstream import read_tar

KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.LNKTYPE: "hard",
    tarfile.SYMTYPE: "link",
    tarfile.DIRTYPE: "folder",
    tarfile.FIFOTYPE: "fifo",
    tarfile.CHRTYPE: "device",
}

names = st.lists(
    st.text(
        st.characters(exclude_characters="/\0", exclude_categories=("Cs",)), min_size=1, max_size=60
    ).filter(lambda part: part not in {".", ".."}),
    min_size=1,
    max_size=6,
).map("/".join)

members = st.tuples(
    names,
    st.sampled_from(sorted(KINDS)),
    st.binary(max_size=1500),
    st.integers(0, 0o7777),
    st.integers(0, 2**31 - 1),
    names,
)


def made(rows, kind):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind, errors="surrogateescape") as archive:
        for name, type_, data, mode, owner, target in rows:
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.uid, member.gid = type_, mode, owner, owner // 3
            if type_ in (tarfile.LNKTYPE, tarfile.SYMTYPE):
                member.linkname = target
            member.size = len(data) if type_ == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def cut(data, seed):
    """The bytes in pieces of odd sizes."""
    chance = random.Random(seed)
    at = 0
    while at < len(data):
        size = chance.choice([1, 3, 511, 512, 513, 2000, 10_000])
        yield data[at : at + size]
        at += size


def read(chunks):
    return [(member, b"".join(content)) for member, content in read_tar(chunks)]


@given(
    st.lists(members, max_size=6),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    st.integers(0, 99),
)
def test_says_what_tarfile_says(rows, kind, seed):
    data = made(rows, kind)
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as archive:
        expected = [
            (
                member.name,
                KINDS[member.type],
                member.mode,
                member.uid,
                member.gid,
                member.linkname,
                archive.extractfile(member).read() if member.isreg() else b"",
            )
            for member in archive
        ]
    found = [
        (member.path, member.kind, member.mode, member.uid, member.gid, member.target, content)
        for member, content in read(cut(data, seed))
    ]
    assert found == expected


@given(st.lists(members, min_size=1, max_size=3), st.data())
def test_damage_is_an_error_of_ours(rows, data):
    whole = bytearray(made(rows, tarfile.GNU_FORMAT))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    length = data.draw(st.integers(0, len(whole)))
    try:
        for member, content in read_tar([bytes(whole[:length])]):
            assert not member.path.startswith("/")
            assert ".." not in member.path.split("/")
            b"".join(content)
    except IntegrityError:
        pass


@given(st.binary(max_size=3000))
def test_anything_else_is_refused(data):
    try:
        read([data])
    except IntegrityError:
        pass
    else:
        assert not data or not data[:512].strip(b"\0")


def test_content_that_nobody_takes_is_skipped():
    data = made(
        [("a", tarfile.REGTYPE, b"x" * 5000, 0o644, 0, ""), ("b", tarfile.REGTYPE, b"y", 0o644, 0, "")],
        tarfile.GNU_FORMAT,
    )
    assert [member.path for member, _ in read_tar(cut(data, 1))] == ["a", "b"]


def test_the_stream_is_read_to_its_end():
    """Whatever verifies a stream speaks at its end, behind the tar's own end."""

    def stream():
        yield made([("a", tarfile.REGTYPE, b"1", 0o644, 0, "")], tarfile.GNU_FORMAT)
        yield bytes(10_240)
        raise IntegrityError("another digest")

    with pytest.raises(IntegrityError, match="another digest"):
        read(stream())


def test_names_that_leave_the_root():
    for name in ("../a", "a/../../b", "/../a"):
        data = made([(name, tarfile.REGTYPE, b"", 0o644, 0, "")], tarfile.GNU_FORMAT)
        with pytest.raises(IntegrityError, match="would leave"):
            read([data])
    data = made(
        [
            ("./usr//./bin/", tarfile.DIRTYPE, b"", 0o755, 0, ""),
            ("/etc/passwd", tarfile.REGTYPE, b"", 0o644, 0, ""),
        ],
        tarfile.GNU_FORMAT,
    )
    assert [member.path for member, _ in read([data])] == ["usr/bin", "etc/passwd"]


def test_sizes_and_owners_beyond_octal():
    member = tarfile.TarInfo("a")
    member.uid, member.gid, member.size = 2**40, 7, 0
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        ((found, _),) = read([member.tobuf(kind) + bytes(1024)])
        assert (found.uid, found.gid) == (2**40, 7)


def test_file_capabilities():
    member = tarfile.TarInfo("bin/ping")
    member.pax_headers = {"SCHILY.xattr.security.capability": "\x01"}
    ((found, _),) = read([member.tobuf(tarfile.PAX_FORMAT) + bytes(1024)])
    assert found.capabilities


def test_sparse_files_are_known_as_such():
    header = bytearray(tarfile.TarInfo("holes").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = b"S"
    header[124:136] = b"00000001000\0"
    header[482] = 1  # one more block of the map follows
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    ((found, content),) = read([bytes(header) + bytes(512) + b"d" * 512 + bytes(1024)])
    assert (found.path, found.sparse, content) == ("holes", True, b"d" * 512)
