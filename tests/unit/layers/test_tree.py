import gzip
import io
import os
import socket
import tarfile

import pytest

from layerwright.core.errors import BuildError
from layerwright.layers import emit_tree_blob, emit_tree_tar, scan_tree, tree_layer
from layerwright.layers.tar import MTIME
from layerwright.oci.digest import Digest


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    (root / "src/空").mkdir(parents=True)
    (root / "src/app.py").write_bytes(b"print(1)\n")
    (root / "src/run.sh").write_bytes(b"#!/bin/sh\n")
    (root / "src/run.sh").chmod(0o750)
    (root / "src/空/資料.txt").write_text("中文", encoding="utf-8")
    (root / "src/empty").mkdir()
    (root / "model.bin").write_bytes(bytes(range(256)) * 10_000 + bytes(3_000_000))
    (root / "link").symlink_to("src/app.py")
    return root


def names(scan):
    return [entry.path for entry in scan.entries]


def members_of(scan, to="/code"):
    tar = b"".join(emit_tree_tar(scan, to=to))
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        return {
            member.name: (member, archive.extractfile(member).read() if member.isreg() else b"")
            for member in archive
        }


def test_what_is_copied(project):
    scan = scan_tree(project)
    assert names(scan) == [
        "", "link", "model.bin", "src", "src/app.py", "src/empty", "src/run.sh", "src/空", "src/空/資料.txt",
    ]  # fmt: skip
    assert scan.count == 5
    assert scan.size == sum(entry.size for entry in scan.entries)
    assert scan.left_out == ()


def test_the_layer(project):
    scan = scan_tree(project)
    out = io.BytesIO()
    digests = tree_layer(scan, to="/code/app", out=out)
    assert Digest.of(out.getvalue()) == digests.digest
    assert len(out.getvalue()) == digests.size
    tar = gzip.decompress(out.getvalue())
    assert (Digest.of(tar), len(tar)) == (digests.diff_id, digests.tar_size)
    assert b"".join(emit_tree_blob(scan, to="/code/app")) == out.getvalue()
    assert tree_layer(project, to="/code/app") == digests
    assert digests.size < digests.tar_size - 2_900_000  # runs of zeros cost nothing
    members = members_of(scan, to="/code/app")
    assert list(members)[:3] == ["code", "code/app", "code/app/link"]
    assert members["code/app/link"][0].linkname == "src/app.py"
    assert members["code/app/src/空/資料.txt"][1] == "中文".encode()
    assert members["code/app/model.bin"][1] == (project / "model.bin").read_bytes()
    for member, _ in members.values():
        assert (member.uid, member.gid, member.mtime) == (0, 0, MTIME)
    assert members["code/app/src/run.sh"][0].mode & 0o7777 == 0o755
    assert members["code/app/src/app.py"][0].mode & 0o7777 == 0o644


def test_times_owners_and_other_modes_do_not_matter(project):
    before = scan_tree(project)
    os.utime(project / "src/app.py", (1, 1))
    (project / "src/app.py").chmod(0o600)
    (project / "src").chmod(0o700)
    after = scan_tree(project)
    assert after.digest == before.digest
    assert tree_layer(after, to="/x") == tree_layer(before, to="/x")


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "src/app.py").write_bytes(b"print(2)\n"),
        lambda root: (root / "src/app.py").rename(root / "src/app2.py"),
        lambda root: (root / "src/app.py").chmod(0o755),
        lambda root: (root / "src/new").mkdir(),
        lambda root: ((root / "link").unlink(), (root / "link").symlink_to("src/run.sh")),
        lambda root: (root / "src/app.py").unlink(),
    ],
)
def test_every_change_that_counts_changes_the_digest(project, change):
    before = scan_tree(project).digest
    change(project)
    assert scan_tree(project).digest != before


def test_a_name_cannot_be_taken_for_content(tmp_path):
    for name, content in (("a", b"b"), ("b", b"a")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_bytes(content)
    assert scan_tree(tmp_path / "a").digest != scan_tree(tmp_path / "b").digest


def test_patterns_are_those_of_gitignore(project):
    assert names(scan_tree(project, exclude=["*.bin", "/link", "src/empty/", "!keep"])) == [
        "", "src", "src/app.py", "src/run.sh", "src/空", "src/空/資料.txt",
    ]  # fmt: skip
    assert names(scan_tree(project, exclude=["src/*", "!src/app.py", "model.bin"])) == [
        "",
        "link",
        "src",
        "src/app.py",
    ]


def test_what_is_never_copied_is_listed(project):
    (project / ".git").mkdir()
    (project / ".git/config").write_text("token")
    (project / "src/__pycache__").mkdir()
    for name in (".env", ".env.local", ".netrc", "id_rsa", "pip.conf", "old.pyc", "secret.pem", "store.p12"):
        (project / name).write_text("x")
    (project / "private.key").write_text("-----BEGIN PRIVATE KEY-----")
    for name in (".env.example", "data.key", "environment.env.py"):
        (project / name).write_text("fine")
    (project / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    (project / "out").symlink_to("../elsewhere")
    (project / "absolute").symlink_to("/etc/passwd")
    (project / "src/inside").symlink_to("../model.bin")
    os.mkfifo(project / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(project / "socket"))
    scan = scan_tree(project)
    left_out = {left.path: left.reason for left in scan.left_out}
    assert left_out.keys() == {
        ".git", "src/__pycache__", ".env", ".env.local", ".netrc", "id_rsa", "pip.conf", "old.pyc", "secret.pem",
        "store.p12", "private.key", "out", "absolute", "pipe", "socket",
    }  # fmt: skip
    assert left_out[".env"] == "looks secret"
    assert left_out["absolute"] == "links out of the folder, to /etc/passwd"
    assert {".env.example", "data.key", "ca.pem", "environment.env.py", "src/inside"} < set(names(scan))
    with_all = scan_tree(project, own=True)
    assert {".env", "absolute", ".git/config"} < set(names(with_all))
    assert [left.path for left in with_all.left_out] == ["pipe", "socket"]


def test_a_single_file(project):
    scan = scan_tree(project / "src/run.sh")
    assert names(scan) == [""]
    members = members_of(scan, to="/code/go")
    assert list(members) == ["code", "code/go"]
    assert members["code/go"][1] == b"#!/bin/sh\n"
    assert members["code/go"][0].mode & 0o7777 == 0o755
    plain = tree_layer(project / "src/run.sh", to="/code/go", mode=0o644)
    assert plain.diff_id != tree_layer(scan, to="/code/go").diff_id


def test_a_single_secret_file_is_refused(project):
    (project / ".netrc").write_text("machine x")
    with pytest.raises(BuildError, match="looks secret") as caught:
        scan_tree(project / ".netrc")
    assert "secret" in caught.value.hint


def test_a_link_to_the_folder_is_followed(project, tmp_path):
    (tmp_path / "alias").symlink_to(project)
    assert scan_tree(tmp_path / "alias").digest == scan_tree(project).digest


def test_what_cannot_be_copied(project):
    with pytest.raises(BuildError, match="cannot read"):
        scan_tree(project / "missing")
    os.close(os.open(os.fsencode(project) + b"/latin\xe9", os.O_CREAT | os.O_WRONLY))
    with pytest.raises(BuildError, match="no UTF-8"):
        scan_tree(project)


@pytest.mark.parametrize("to", ["code", "/", "/a/../b", "/a//b", "/a/./b"])
def test_targets_must_be_plain_absolute_paths(project, to):
    with pytest.raises(BuildError, match="absolute path"):
        tree_layer(project, to=to)


def test_targets_below_links_of_the_base_are_refused(project):
    with pytest.raises(BuildError, match="/lib is a link") as caught:
        tree_layer(project, to="/lib/x")
    assert "/usr/lib/x" in caught.value.hint


def test_parents_that_every_base_has_keep_their_modes(project):
    members = members_of(scan_tree(project), to="/tmp/x")
    assert members["tmp"][0].mode & 0o7777 == 0o1777
    assert members["tmp/x"][0].mode & 0o7777 == 0o755


@pytest.mark.parametrize("content", [b"print(3)\n", b"p", b"print(1)\n and more", None])
def test_a_file_that_changes_after_the_scan_is_noticed(project, content):
    scan = scan_tree(project)
    if content is None:
        (project / "src/app.py").unlink()
    else:
        (project / "src/app.py").write_bytes(content)
    with pytest.raises(BuildError, match=r"app\.py"):
        tree_layer(scan, to="/x")


def test_the_cache_spares_reading_and_is_not_fooled(project, monkeypatch):
    cache = {}
    now = max(path.lstat().st_ctime_ns for path in project.rglob("*")) + 10_000_000_000
    first = scan_tree(project, cache=cache, now=lambda: now)
    assert len(cache) == 4
    monkeypatch.setattr("layerwright.layers.scan._sha256", lambda place: pytest.fail(f"read {place}"))
    assert scan_tree(project, cache=cache, now=lambda: now).digest == first.digest
    monkeypatch.undo()
    status = (project / "src/app.py").stat()
    (project / "src/app.py").write_bytes(b"print(2)\n")
    os.utime(project / "src/app.py", ns=(status.st_atime_ns, status.st_mtime_ns))  # same size, same time
    assert scan_tree(project, cache=cache, now=lambda: now).digest != first.digest


def test_files_changed_just_now_are_not_remembered(project):
    cache = {}
    now = max(path.lstat().st_ctime_ns for path in project.rglob("*")) + 1000
    scan_tree(project, cache=cache, now=lambda: now)
    assert cache == {}
