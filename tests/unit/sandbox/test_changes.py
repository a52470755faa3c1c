import os
from pathlib import Path

import pytest

from layerwright.sandbox.changes import compare, look_up, record, scan_upper

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="whiteouts need root here")


def write(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
    root.mkdir(exist_ok=True)
    return root


def whiteout(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mknod(path, 0o020000, 0)


def listed(changes: object) -> list[tuple[str, str]]:
    return [(change.kind, change.path) for change in changes]  # type: ignore[attr-defined]


def test_what_equals_the_lower_tree_is_no_change(tmp_path: Path) -> None:
    lower = write(tmp_path / "l", {"a/same": "1", "a/other": "1", "a/mode": "1"})
    upper = write(tmp_path / "u", {"a/same": "1", "a/other": "2", "a/mode": "1", "a/new": "3"})
    (upper / "a/mode").chmod(0o600)
    assert listed(scan_upper(upper, [lower])) == [("put", "a/mode"), ("put", "a/new"), ("put", "a/other")]


def test_a_folder_is_a_change_when_its_mode_is(tmp_path: Path) -> None:
    lower = write(tmp_path / "l", {"a/x": "1"})
    upper = write(tmp_path / "u", {"a/x": "1"})
    (upper / "a").chmod(0o700)
    assert listed(scan_upper(upper, [lower])) == [("put", "a")]


def test_links_are_compared_by_target(tmp_path: Path) -> None:
    lower, upper = write(tmp_path / "l", {}), write(tmp_path / "u", {})
    for root, other in ((lower, "one"), (upper, "two")):
        (root / "same").symlink_to("x")
        (root / "other").symlink_to(other)
    assert listed(scan_upper(upper, [lower])) == [("put", "other")]


def test_kernel_folders_are_never_captured(tmp_path: Path) -> None:
    upper = write(tmp_path / "u", {"dev/x": "", "proc/y": "", "sys/z": "", "etc/dev/x": ""})
    assert listed(scan_upper(upper, [])) == [("put", "etc"), ("put", "etc/dev"), ("put", "etc/dev/x")]


@root_only
def test_whiteouts_remove_only_what_is_there(tmp_path: Path) -> None:
    lower = write(tmp_path / "l", {"a/x": "1"})
    upper = tmp_path / "u"
    whiteout(upper / "a/x")
    whiteout(upper / "a/never")
    assert listed(scan_upper(upper, [lower])) == [("remove", "a/x")]


@root_only
def test_an_upper_layer_hides_lower_ones(tmp_path: Path) -> None:
    low = write(tmp_path / "1", {"a/x": "1", "b/y": "1", "c/z": "1"})
    high = write(tmp_path / "2", {"c": "now a file"})
    whiteout(high / "a")
    (high / "b").mkdir()
    os.setxattr(high / "b", "user.overlay.opaque", b"y")
    stack = [high, low]
    assert look_up("a/x", stack) is None
    assert look_up("b/y", stack) is None
    assert look_up("c/z", stack) is None
    assert look_up("c", stack) == high / "c"


def test_comparison_sees_what_was_written_removed_and_replaced(tmp_path: Path) -> None:
    files = {"a/x": "1", "a/y": "1", "b/z": "1", "c": "1"}
    lower = write(tmp_path / "l", files)
    tree = write(tmp_path / "t", files)
    seen = record(tree)
    (tree / "a/x").write_text("2")
    (tree / "a/y").unlink()
    (tree / "b/z").unlink()
    (tree / "b").rmdir()
    (tree / "c").write_text("1")
    (tree / "d").mkdir()
    assert listed(compare(tree, seen, [lower])) == [
        ("put", "a/x"),
        ("remove", "a/y"),
        ("remove", "b"),
        ("put", "d"),
    ]


def test_comparison_does_not_name_what_a_new_file_hides(tmp_path: Path) -> None:
    lower = write(tmp_path / "l", {"a/x": "1"})
    tree = write(tmp_path / "t", {"a/x": "1"})
    seen = record(tree)
    (tree / "a/x").unlink()
    (tree / "a").rmdir()
    (tree / "a").write_text("file")
    assert listed(compare(tree, seen, [lower])) == [("put", "a")]
