import os
from pathlib import Path

import pytest

from layerwright.sandbox.linked import link_trees


def test_later_trees_lie_over_earlier_ones(tmp_path: Path) -> None:
    low, high, out = (tmp_path / name for name in ("low", "high", "out"))
    for root, text in ((low, "low"), (high, "high")):
        (root / "d").mkdir(parents=True)
        (root / "d" / "both").write_text(text)
        (root / "d" / text).write_text(text)
    (low / "d" / "link").symlink_to("both")
    (high / "d").chmod(0o700)
    link_trees([low, high], out, linkable=())
    assert (out / "d" / "both").read_text() == "high"
    assert sorted(entry.name for entry in (out / "d").iterdir()) == ["both", "high", "link", "low"]
    assert (out / "d").stat().st_mode & 0o777 == 0o700
    assert (out / "d" / "link").readlink() == Path("both")


def test_a_file_may_replace_a_folder_and_the_other_way_round(tmp_path: Path) -> None:
    low, high = tmp_path / "low", tmp_path / "high"
    (low / "a").mkdir(parents=True)
    (low / "a" / "x").write_text("")
    (low / "b").write_text("")
    (high / "b").mkdir(parents=True)
    (high / "a").write_text("file")
    link_trees([low, high], tmp_path / "out", linkable=())
    assert (tmp_path / "out" / "a").read_text() == "file"
    assert (tmp_path / "out" / "b").is_dir()


@pytest.mark.skipif(os.geteuid() != 0, reason="whiteouts need root here")
def test_whiteouts_and_opaque_folders_hide(tmp_path: Path) -> None:
    low, high = tmp_path / "low", tmp_path / "high"
    for name in ("a/x", "b/y"):
        (low / name).parent.mkdir(parents=True)
        (low / name).write_text("")
    (high / "b").mkdir(parents=True)
    os.setxattr(high / "b", "user.overlay.opaque", b"y")
    (high / "b" / "new").write_text("")
    os.mknod(high / "a", 0o020000, 0)
    link_trees([low, high], tmp_path / "out", linkable=())
    assert not (tmp_path / "out" / "a").exists()
    assert [entry.name for entry in (tmp_path / "out" / "b").iterdir()] == ["new"]


def test_only_linkable_trees_share_their_files(tmp_path: Path) -> None:
    copied, linked, out = (tmp_path / name for name in ("copied", "linked", "out"))
    for root in (copied, linked):
        root.mkdir()
        (root / root.name).write_text("1")
        (root / root.name).chmod(0o640)
        os.utime(root / root.name, (1, 2))
    os.link(copied / "copied", copied / "second")
    link_trees([copied, linked], out, linkable=[linked])
    assert (out / "linked").samefile(linked / "linked")
    assert not (out / "copied").samefile(copied / "copied")
    assert (out / "copied").samefile(out / "second")
    status = (out / "copied").stat()
    assert (status.st_mode & 0o777, status.st_mtime) == (0o640, 2)
