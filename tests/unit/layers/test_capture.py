import gzip
import io
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from layerwright.core.errors import BuildError
from layerwright.layers import capture_layer, extract_layer, tar_to_layer
from layerwright.layers.tar import MTIME
from layerwright.oci.digest import Digest


@dataclass(frozen=True)
class Change:
    path: str
    kind: str = "put"
    source: Path | None = None


def put(root, path, kind="put"):
    return Change(path, kind, root / path)


def capture(*changes):
    out = io.BytesIO()
    digests = capture_layer(changes, out)
    tar = gzip.decompress(out.getvalue())
    assert Digest.of(out.getvalue()) == digests.digest
    assert (Digest.of(tar), len(tar), len(out.getvalue())) == (
        digests.diff_id,
        digests.tar_size,
        digests.size,
    )
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        return tar, {member.name: member for member in archive}


def test_modes_links_and_parents_are_kept(tmp_path):
    (tmp_path / "etc/app").mkdir(parents=True)
    (tmp_path / "etc").chmod(0o751)
    (tmp_path / "etc/app/conf").write_bytes(b"1")
    (tmp_path / "etc/app/conf").chmod(0o2640)
    (tmp_path / "etc/app/same").hardlink_to(tmp_path / "etc/app/conf")
    (tmp_path / "etc/app/link").symlink_to("/usr/bin/x")
    os.mkfifo(tmp_path / "etc/pipe", 0o600)
    paths = ["etc/pipe", "etc/app/same", "etc/app/link", "etc/app/conf"]
    tar, members = capture(*(put(tmp_path, path) for path in paths))
    assert list(members) == ["etc", "etc/app", "etc/app/conf", "etc/app/link", "etc/app/same", "etc/pipe"]
    assert members["etc"].mode & 0o7777 == 0o751
    assert members["etc/app/conf"].mode & 0o7777 == 0o2640
    assert members["etc/app/same"].islnk()
    assert members["etc/app/same"].linkname == "etc/app/conf"
    assert members["etc/app/link"].linkname == "/usr/bin/x"
    assert members["etc/pipe"].isfifo()
    assert {member.mtime for member in members.values()} == {MTIME}
    assert {member.uid for member in members.values()} == {os.getuid()}
    assert capture(*(put(tmp_path, path) for path in reversed(paths)))[0] == tar


def test_removals_and_replacements_are_whiteouts(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/new").write_bytes(b"1")
    (tmp_path / "b").mkdir()
    _, members = capture(
        put(tmp_path, "a", "replace"),
        put(tmp_path, "a/new"),
        Change("b/gone", "remove"),
        Change("top", "remove"),
    )
    assert list(members) == ["a", "a/.wh..wh..opq", "a/new", "b", "b/.wh.gone", ".wh.top"]


def test_removals_alone_keep_well_known_folders_as_they_are():
    _, members = capture(Change("tmp/x", "remove"), Change("etc/y", "remove"))
    assert {name: member.mode & 0o7777 for name, member in members.items() if member.isdir()} == {
        "tmp": 0o1777,
        "etc": 0o755,
    }


def test_what_is_captured_unpacks_to_the_same(tmp_path):
    root = tmp_path / "root"
    (root / "d").mkdir(parents=True)
    (root / "d/f").write_bytes(b"content" * 10_000)
    (root / "d/é").write_bytes(b"")
    tar, _ = capture(put(root, "d"), put(root, "d/f"), put(root, "d/é"))
    (tmp_path / "into").mkdir()
    extract_layer([tar], tmp_path / "into", as_root=False)
    assert (tmp_path / "into/d/f").read_bytes() == b"content" * 10_000
    assert (tmp_path / "into/d/é").exists()


def test_capabilities_of_files_are_kept(tmp_path, monkeypatch):
    (tmp_path / "ping").write_bytes(b"1")
    value = bytes.fromhex("0100000200200000000000000000000000000000")
    monkeypatch.setattr(os, "getxattr", lambda *_, **__: value)
    _, members = capture(put(tmp_path, "ping"))
    kept = members["ping"].pax_headers["SCHILY.xattr.security.capability"]
    assert kept.encode("utf-8", "surrogateescape") == value


def test_devices_are_refused_and_vanished_files_told(tmp_path):
    with pytest.raises(BuildError, match="the device /null"):
        capture(Change("null", "put", Path("/dev/null").parent / "null"))
    with pytest.raises(BuildError, match="cannot read"):
        capture(put(tmp_path, "missing"))
    with pytest.raises(ValueError, match="does not end with its path"):
        capture(Change("a/b", "put", tmp_path))


def test_a_tar_is_kept_as_it_is():
    out = io.BytesIO()
    digests = tar_to_layer(iter([b"abc", b"", b"def"]), out)
    assert gzip.decompress(out.getvalue()) == b"abcdef"
    assert (digests.diff_id, digests.digest) == (Digest.of(b"abcdef"), Digest.of(out.getvalue()))
    assert out.getvalue()[:10].hex() == "1f8b08000000000000ff"
