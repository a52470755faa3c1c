import stat
import zipfile

import pytest

from layerwright.core.errors import BuildError, IntegrityError
from layerwright.layers import archive as archive_module
from layerwright.layers import inflate as inflate_module
from layerwright.layers.archive import READ_CHUNK, WheelArchive
from support.wheels import Entry, link, patch_member, write_zip

CONTENT = b"line of text\n" * 50_000


def open_zip(tmp_path, entries):
    path = tmp_path / "x.whl"
    write_zip(path, entries)
    return WheelArchive(path, "x.whl")


@pytest.mark.parametrize(
    "entry",
    [
        Entry(data=b""),
        Entry(data=b"", stored=True),
        Entry(data=CONTENT),
        Entry(data=CONTENT, stored=True),
        Entry(data=CONTENT, streamed=True),
        Entry(data=CONTENT, zip64=True),
        Entry(data=CONTENT, stored=True, zip64=True),
        Entry(data=bytes(5_000_000)),
    ],
)
def test_content_comes_back(tmp_path, entry):
    with open_zip(tmp_path, [("a/b.txt", entry), ("c", Entry(data=b"c"))]) as archive:
        member = archive.members["a/b.txt"]
        pieces = list(archive.content(member))
        assert b"".join(pieces) == entry.data
        assert max(map(len, pieces), default=0) <= 1 << 20
        assert all(len(piece) == READ_CHUNK for piece in list(archive.raw(member))[:-1])
        if entry.data and len(entry.data) < READ_CHUNK * 4:
            assert archive.whole(member)[1] == entry.data


def test_zlib_gives_what_isal_gives(tmp_path, monkeypatch):
    with open_zip(tmp_path, [("a", Entry(data=CONTENT))]) as archive:
        fast = b"".join(archive.content(archive.members["a"]))
        monkeypatch.setattr(inflate_module, "codec", __import__("zlib"))
        assert b"".join(archive.content(archive.members["a"])) == fast == CONTENT


def test_execute_bits_need_a_file_type(tmp_path):
    entries = [
        ("a", Entry(data=b"", mode=stat.S_IFREG | 0o755)),
        ("b", Entry(data=b"", mode=0o755)),
        ("c", Entry(data=b"")),
    ]
    with open_zip(tmp_path, entries) as archive:
        assert [archive.members[name].executable for name in "abc"] == [True, False, False]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("/etc/passwd", "absolute"),
        ("../up", "leads out"),
        ("a/../../up", "leads out"),
        ("a\\b", "backslash"),
        ("C:/x", "drive letter"),
        ("c:x", "drive letter"),
        ("a\0.py", "control character"),
        ("a\nb", "control character"),
        ("a//b", "empty or '.' part"),
        ("./a", "empty or '.' part"),
        ("a/" + "n" * 256, "too long"),
        ("名" * 100, "too long"),
    ],
)
def test_unsafe_names_are_refused(tmp_path, name, words):
    placeholder = name.replace("\0", "%").replace("\\", "%")
    path = tmp_path / "x.whl"
    write_zip(path, [(placeholder, Entry(data=b"x"))])
    if placeholder != name:  # zipfile does not write such a name
        path.write_bytes(path.read_bytes().replace(placeholder.encode(), name.encode()))
    with pytest.raises(IntegrityError, match=words) as caught:
        WheelArchive(path, "x.whl")
    assert "x.whl" in caught.value.what


def test_links_and_devices_are_refused(tmp_path):
    for entry, words in (
        (link("/etc/passwd"), "symbolic link"),
        (Entry(data=b"", mode=stat.S_IFCHR | 0o666), "no regular file"),
    ):
        with pytest.raises(IntegrityError, match=words):
            open_zip(tmp_path, [("a", entry)])


def test_a_name_twice_is_refused(tmp_path):
    with pytest.raises(IntegrityError, match="'a': stands in the archive twice"):
        open_zip(tmp_path, [("a", Entry(data=b"1")), ("b", Entry(data=b"")), ("a", Entry(data=b"2"))])


def test_other_compression_and_encryption_are_refused(tmp_path):
    path = tmp_path / "x.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a", CONTENT)
    with pytest.raises(IntegrityError, match="unknown method"):
        WheelArchive(path, "x.whl")
    write_zip(path, [("a", Entry(data=b"x"))])
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match="encrypted"):
        WheelArchive(path, "x.whl")


def test_what_is_no_zip_is_refused(tmp_path):
    path = tmp_path / "x.whl"
    for content in (b"", b"not a zip", b"PK\x05\x06" + bytes(17)):
        path.write_bytes(content)
        with pytest.raises(IntegrityError, match="not a readable zip"):
            WheelArchive(path, "x.whl")


def test_a_missing_wheel_is_named(tmp_path):
    with pytest.raises(BuildError, match=r"cannot read the wheel demo\.whl"):
        WheelArchive(tmp_path / "gone", "demo.whl")


class _Wheel:
    def __init__(self, path):
        self.path = path


def damaged(tmp_path, change, entry=None):
    path = tmp_path / "x.whl"
    write_zip(path, [("name.txt", entry or Entry(data=CONTENT)), ("last", Entry(data=b"l"))])
    patch_member(_Wheel(path), change)
    return WheelArchive(path, "x.whl")


def read_all(archive):
    with archive:
        for member in archive.members.values():
            for _ in archive.content(member):
                pass
            archive.whole(member)


def test_a_changed_byte_is_found(tmp_path):
    def flip(data):
        at = 30 + len("name.txt") + 40
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]

    for entry in (None, Entry(data=b"x" * 1000, stored=True)):
        with pytest.raises(IntegrityError, match=r"x\.whl: 'name\.txt'"):
            read_all(damaged(tmp_path, flip, entry))


def test_a_directory_that_contradicts_the_members_is_refused(tmp_path):
    def rename(data):
        return data.replace(b"name.txt", b"evil.txt", 1)

    with pytest.raises(IntegrityError, match="another name"):
        read_all(damaged(tmp_path, rename))

    def grow(data):
        at = data.rindex(b"PK\x01\x02", 0, data.rindex(b"PK\x01\x02")) + 24
        return data[:at] + (len(CONTENT) + 1).to_bytes(4, "little") + data[at + 4 :]

    with pytest.raises(IntegrityError, match="disagrees"):
        read_all(damaged(tmp_path, grow))


@pytest.mark.parametrize("by", [-1, 1])
def test_sizes_that_lie_are_found_while_inflating(tmp_path, by):
    def lie(data):  # in both places, so that only the stream itself can tell
        size, lied = (n.to_bytes(4, "little") for n in (len(CONTENT), len(CONTENT) + by))
        return data.replace(size, lied)

    with pytest.raises(IntegrityError, match="data than the archive's directory says"):
        read_all(damaged(tmp_path, lie))


def test_overlapping_members_are_refused(tmp_path):
    def overlap(data):
        first = data.index(b"PK\x01\x02")
        second = data.index(b"PK\x01\x02", first + 4)
        at = second + 42
        return data[:at] + (5).to_bytes(4, "little") + data[at + 4 :]

    with pytest.raises(IntegrityError, match="overlaps"):
        damaged(tmp_path, overlap)


def test_a_long_extra_field_is_read_past(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_module, "_EXTRA_GUESS", 0)
    with open_zip(tmp_path, [("a", Entry(data=CONTENT, zip64=True))]) as archive:
        assert b"".join(archive.content(archive.members["a"])) == CONTENT


def test_a_limit_on_texts(tmp_path):
    with (
        open_zip(tmp_path, [("a", Entry(data=CONTENT))]) as archive,
        pytest.raises(IntegrityError, match="longer than 10"),
    ):
        archive.read(archive.members["a"], limit=10)
