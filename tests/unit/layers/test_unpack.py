import errno
import gzip
import io
import os
import stat
import tarfile
from pathlib import Path

import pytest

from layerwright.core.errors import IntegrityError
from layerwright.layers import extract_layer
from layerwright.oci.compression import zstd_module

ROOT = os.geteuid() == 0


def tar_of(*entries, end=True):
    """A tar of (name, type, options) in the given order."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, kind, options in entries:
            member = tarfile.TarInfo(name)
            member.type = kind
            content = options.pop("content", b"")
            member.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
            for key, value in options.items():
                setattr(member, key, value)
            if kind == tarfile.REGTYPE:
                member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue() if end else out.getvalue()[:700]


def file(name, content=b"x", **options):
    return name, tarfile.REGTYPE, {"content": content, **options}


def folder(name, **options):
    return name, tarfile.DIRTYPE, options


def link(name, target):
    return name, tarfile.SYMTYPE, {"linkname": target}


def hard(name, target):
    return name, tarfile.LNKTYPE, {"linkname": target}


def unpack(tmp_path, *entries, **options):
    into = tmp_path / "into"
    into.mkdir()
    return into, extract_layer([tar_of(*entries)], into, as_root=options.pop("as_root", False))


@pytest.mark.parametrize("blob", [False, True])
@pytest.mark.parametrize("chunk", [1, 700, 1 << 20])
def test_files_folders_and_links(tmp_path, blob, chunk):
    data = tar_of(
        folder("./"), folder("a", mode=0o750, mtime=1000), file("a/f", b"1" * 3000, mode=0o640, mtime=77),
        link("a/l", "/etc/passwd"), hard("h", "a/f"), file("/absolute", b"below"), file("implied/deep/f"),
    )  # fmt: skip
    data = gzip.compress(data) if blob else data
    extract_layer((data[at : at + chunk] for at in range(0, len(data), chunk)), tmp_path, as_root=False)
    assert (tmp_path / "a/f").read_bytes() == b"1" * 3000
    assert (tmp_path / "a/f").stat().st_mtime == 77
    assert stat.S_IMODE((tmp_path / "a/f").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o750
    assert (tmp_path / "a").stat().st_mtime == 1000
    assert (tmp_path / "a/l").readlink() == Path("/etc/passwd")
    assert (tmp_path / "h").stat().st_ino == (tmp_path / "a/f").stat().st_ino
    assert (tmp_path / "absolute").read_bytes() == b"below"
    assert stat.S_IMODE((tmp_path / "implied/deep").stat().st_mode) == 0o755


def test_folders_without_rights_are_filled_first(tmp_path):
    into, _ = unpack(tmp_path, folder("locked", mode=0), file("locked/f"), folder("locked/sub", mode=0o500))
    assert stat.S_IMODE((into / "locked").stat().st_mode) == 0
    (into / "locked").chmod(0o700)
    assert (into / "locked/f").read_bytes() == b"x"


@pytest.mark.parametrize("name", ["../up", "a/../../up", "a/.."])
def test_names_that_lead_out_are_refused(tmp_path, name):
    with pytest.raises(IntegrityError, match="leave its folder"):
        unpack(tmp_path, file(name))


def test_links_lead_nowhere_outside(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_bytes(b"safe")
    into, _ = unpack(
        tmp_path,
        link("abs", str(outside)),
        file("abs/victim", b"evil"),
        link("rel", "../../../../outside"),
        file("rel/new", b"evil"),
        link("chain", "abs"),
        file("chain/third", b"evil"),
    )
    assert sorted(path.name for path in outside.iterdir()) == ["victim"]
    assert (outside / "victim").read_bytes() == b"safe"
    inside = into / str(outside)[1:]
    assert (inside / "victim").read_bytes() == b"evil"
    assert (inside / "third").read_bytes() == b"evil"
    assert (into / "outside/new").read_bytes() == b"evil"


def test_a_file_written_through_a_link_replaces_the_link(tmp_path):
    (tmp_path / "victim").write_bytes(b"safe")
    into, _ = unpack(tmp_path, link("f", str(tmp_path / "victim")), file("f", b"evil"))
    assert (tmp_path / "victim").read_bytes() == b"safe"
    assert not (into / "f").is_symlink()


def test_loops_and_files_as_folders_are_refused(tmp_path):
    with pytest.raises(IntegrityError, match="loop"):
        unpack(tmp_path, link("a", "b"), link("b", "a"), file("a/f"))
    (tmp_path / "two").mkdir()
    with pytest.raises(IntegrityError, match="no folder"):
        unpack(tmp_path / "two", file("f"), file("f/g"))


def test_hard_links_stay_inside(tmp_path):
    (tmp_path / "victim").write_bytes(b"safe")
    for target in (str(tmp_path / "victim"), "nothing"):
        place = tmp_path / target.replace("/", "_")
        place.mkdir()
        with pytest.raises(IntegrityError, match="which is not there"):
            unpack(place, hard("h", target))
    with pytest.raises(IntegrityError, match="leave its folder"):
        unpack(tmp_path, hard("h", "../victim"))


def test_later_entries_win(tmp_path):
    into, _ = unpack(
        tmp_path,
        file("a", b"1"),
        file("a", b"2"),
        folder("d"),
        file("d/f"),
        file("d", b"3"),
        folder("d"),
        file("d/g"),
    )
    assert (into / "a").read_bytes() == b"2"
    assert [path.name for path in (into / "d").iterdir()] == ["g"]


def test_whiteouts(tmp_path):
    into, unpacked = unpack(
        tmp_path, folder("a"), file("a/.wh.gone", b""), folder("b"), file("b/.wh..wh..opq", b""), file("b/kept"),
        file(".wh..wh.plnk", b""), as_root=ROOT,
    )  # fmt: skip
    assert (into / "b/kept").exists()
    assert not any(path.name.startswith(".wh.") for path in into.rglob("*"))
    if unpacked.whiteouts:
        assert unpacked.whiteouts == ("a/gone",)
    else:
        status = (into / "a/gone").lstat()
        assert stat.S_ISCHR(status.st_mode)
        assert status.st_rdev == 0
    if unpacked.opaque:
        assert unpacked.opaque == ("b",)
    else:
        name = "trusted.overlay.opaque" if ROOT else "user.overlay.opaque"
        assert os.getxattr(into / "b", name) == b"y"


def test_whiteouts_that_the_kernel_refuses_are_told(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(1, "no")

    monkeypatch.setattr(os, "mknod", refuse)
    monkeypatch.setattr(os, "setxattr", refuse)
    _, unpacked = unpack(tmp_path, file("a/.wh.gone", b""), file(".wh.top", b""), file("b/.wh..wh..opq", b""))
    assert unpacked.whiteouts == ("a/gone", "top")
    assert unpacked.opaque == ("b",)


@pytest.mark.parametrize("name", [".wh.", "a/.wh..", "a/.wh..."])
def test_whiteouts_of_nothing_are_refused(tmp_path, name):
    with pytest.raises(IntegrityError, match="names nothing"):
        unpack(tmp_path, file(name, b""))


def test_devices_are_skipped_and_told(tmp_path):
    into, unpacked = unpack(tmp_path, ("dev/sda", tarfile.BLKTYPE, {"devmajor": 8, "devminor": 0}), file("f"))
    assert unpacked.skipped == ("dev/sda",)
    assert not (into / "dev/sda").exists()


def test_set_uid_is_dropped_without_root(tmp_path):
    into, _ = unpack(tmp_path, file("su", mode=0o4755), folder("t", mode=0o1777))
    assert stat.S_IMODE((into / "su").stat().st_mode) == 0o755
    assert stat.S_IMODE((into / "t").stat().st_mode) == 0o1777


@pytest.mark.skipif(not ROOT, reason="owners can only be given by root")
def test_owners_are_kept_by_root(tmp_path):
    into, _ = unpack(
        tmp_path,
        folder("d", uid=5, gid=6),
        file("d/su", mode=0o4755, uid=7, gid=8),
        link("d/l", "su"),
        as_root=True,
    )
    assert ((into / "d").stat().st_uid, (into / "d").stat().st_gid) == (5, 6)
    status = (into / "d/su").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (7, 8, 0o4755)


def test_owners_that_do_not_exist_here_become_the_caller(tmp_path, monkeypatch):
    def unmapped(*arguments, **options):
        raise OSError(errno.EINVAL, "no such id in this user namespace")

    monkeypatch.setattr(os, "chown", unmapped)
    monkeypatch.setattr(os, "fchown", unmapped)
    entries = (folder("d", uid=5, mode=0o2755), file("d/su", mode=0o4755, uid=7, gid=8), link("d/l", "su"))
    into, _ = unpack(tmp_path, *entries, as_root=True)
    status = (into / "d/su").stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (os.geteuid(), 0o755)
    assert stat.S_IMODE((into / "d").stat().st_mode) == 0o755
    assert (into / "d/l").is_symlink()


def test_folders_are_marked_opaque_for_overlays_of_user_namespaces_too(tmp_path, monkeypatch):
    marks = []

    def in_a_user_namespace(path, name, value, **options):
        if name.startswith("trusted."):
            raise PermissionError(errno.EPERM, "only for root of the machine")
        marks.append((path, name, value))

    monkeypatch.setattr(os, "setxattr", in_a_user_namespace)
    into, unpacked = unpack(tmp_path, file("b/.wh..wh..opq", b""), as_root=True)
    assert marks == [(os.fsencode(into / "b"), "user.overlay.opaque", b"y")]
    assert unpacked.opaque == ()


def test_damaged_streams_are_refused(tmp_path):
    for number, data in enumerate((b"no tar at all" * 100, tar_of(file("f", b"1" * 2000), end=False))):
        into = tmp_path / str(number)
        into.mkdir()
        with pytest.raises(IntegrityError):
            extract_layer([data], into, as_root=False)
    with pytest.raises(IntegrityError, match="zstd"):
        extract_layer([b"\x28\xb5\x2f\xfd" + bytes(20)], tmp_path, as_root=False)


def test_a_layer_of_zstd(tmp_path):
    packed = zstd_module().compress(tar_of(file("f", b"1" * 2000)))
    extract_layer([packed[:100], packed[100:]], tmp_path, as_root=False)
    assert (tmp_path / "f").read_bytes() == b"1" * 2000


def test_the_stream_is_read_to_its_end(tmp_path):
    ended = []

    def chunks():
        yield tar_of(file("f"))
        yield bytes(100_000)
        ended.append(True)

    extract_layer(chunks(), tmp_path, as_root=False)
    assert ended


def test_a_full_disk_is_left_to_the_folder_s_owner(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(OSError, match="No space left"):
        extract_layer([tar_of(file("f"))], tmp_path, as_root=False)
