import io
import tarfile

import pytest

from layerwright.layers import tar
from layerwright.layers.tar import MTIME, TarEntry, header, parents, walk_order


def read_back(entry, content=b""):
    data = header(entry) + content + tar.padding(len(content)) + tar.END_OF_ARCHIVE
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        (member,) = archive.getmembers()
        return member


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "opt/venv/" + "x" * 91,
        "x" * 100,
        "x" * 101,
        "d" * 155 + "/" + "n" * 100,
        "d" * 156 + "/" + "n" * 100,
        "資料/模型.onnx",
        "a b/#!=,'\"",
        "/".join(["folder"] * 60),
    ],
)
def test_any_name_comes_back(path):
    for kind in (tar.FILE, tar.DIRECTORY):
        assert read_back(TarEntry(path=path, type=kind)).name == path


def test_a_header_tells_nothing_of_the_host():
    member = read_back(TarEntry(path="a", mode=0o755))
    assert (member.uid, member.gid, member.uname, member.gname, member.mtime) == (0, 0, "root", "root", MTIME)
    assert member.mode & 0o7777 == 0o755


def test_links_of_any_length():
    for target in ("../x", "y" * 100, "y" * 300, "名"):
        member = read_back(TarEntry(path="l", type=tar.SYMBOLIC_LINK, mode=0o777, link=target))
        assert member.issym()
        assert member.linkname == target


@pytest.mark.parametrize("size", [8**11 - 1, 8**11, 1 << 40])
def test_sizes_beyond_eight_gibibytes(size):
    found = tarfile.TarInfo.frombuf if size < 8**11 else None
    block = header(TarEntry(path="big", size=size))
    if found:
        assert found(block, "utf-8", "strict").size == size
    else:
        assert b" size=%d\n" % size in block


def test_large_owners_and_capabilities_come_back():
    member = read_back(
        TarEntry(path="f", uid=1 << 22, gid=1 << 23, xattrs={"security.capability": b"\1\0\0\2"})
    )
    assert (member.uid, member.gid) == (1 << 22, 1 << 23)
    assert member.pax_headers["SCHILY.xattr.security.capability"] == "\1\0\0\2"


def test_the_time_is_1980_in_every_zone():
    day = 24 * 3600
    assert MTIME - day / 2 >= 315_532_800
    assert MTIME + day / 2 < 315_532_800 + 365 * day


def test_parents_topmost_first():
    assert parents("opt/venv/bin/x") == ["opt", "opt/venv", "opt/venv/bin"]
    assert parents("x") == []


def test_walk_order_puts_a_folder_right_before_its_content():
    assert sorted(["a-b", "a/c", "a", "a.txt", "a/b"], key=walk_order) == ["a", "a/b", "a/c", "a-b", "a.txt"]
