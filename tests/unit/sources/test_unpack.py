import io
import tarfile
import zipfile

import pytest

from layerwright.core.errors import IntegrityError
from layerwright.sources.unpack import unpack_sdist
from support.packages import make_sdist


def tar_of(*members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, kind, value in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            data = b""
            if kind in {tarfile.SYMTYPE, tarfile.LNKTYPE}:
                member.linkname = value
            else:
                data = value
                member.size = len(data)
            member.mode = 0o4777
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def unpack(data, tmp_path):
    archive, into = tmp_path / "x.tar.gz", tmp_path / "into"
    archive.write_bytes(data)
    into.mkdir()
    return unpack_sdist(archive, into, name="x.tar.gz")


def test_the_top_folder_is_the_project(tmp_path):
    folder = unpack(make_sdist("alpha", files={"src/deep/a.py": b"x"})[1], tmp_path)
    assert folder.name == "alpha-1.0"
    assert (folder / "src" / "deep" / "a.py").read_bytes() == b"x"
    assert (folder / "PKG-INFO").stat().st_mode & 0o7777 == 0o644


def test_zips_too(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a-1/setup.py", "x")
    assert (unpack(buffer.getvalue(), tmp_path) / "setup.py").read_text() == "x"


def test_links_inside_are_kept_and_special_modes_dropped(tmp_path):
    folder = unpack(
        tar_of(
            ("a/b.txt", tarfile.REGTYPE, b"x"),
            ("a/link", tarfile.SYMTYPE, "b.txt"),
            ("a/hard", tarfile.LNKTYPE, "a/b.txt"),
        ),
        tmp_path,
    )
    assert (folder / "link").read_bytes() == b"x"
    assert (folder / "hard").read_bytes() == b"x"
    assert (folder / "b.txt").stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize(
    "members",
    [
        [("../evil", tarfile.REGTYPE, b"x")],
        [("/evil", tarfile.REGTYPE, b"x")],
        [("a/../../evil", tarfile.REGTYPE, b"x")],
        [("a/link", tarfile.SYMTYPE, "../../evil")],
        [("a/link", tarfile.SYMTYPE, "/etc/passwd")],
        [("a/device", tarfile.CHRTYPE, b"")],
        [("a/pipe", tarfile.FIFOTYPE, b"")],
    ],
)
def test_unsafe_archives_are_refused(members, tmp_path):
    with pytest.raises(IntegrityError, match="unsafe"):
        unpack(tar_of(*members), tmp_path)
    assert not (tmp_path / "evil").exists()


def test_a_damaged_archive_is_refused(tmp_path):
    data = make_sdist("alpha")[1]
    with pytest.raises(IntegrityError, match="cannot be unpacked"):
        unpack(data[: len(data) // 2], tmp_path)
