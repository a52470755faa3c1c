"""Layers merge as engines merge them."""

import pytest

from layerwright.verify.tree import Tree
from support.made_image import Folder, Link, Put, inspect_image


@pytest.fixture
def tree(tmp_path):
    def make(*layers) -> Tree:
        return inspect_image(tmp_path, *layers).tree

    return make


def paths(tree):
    return {path: node.entry.kind for path, node in tree.walk()}


def test_later_layers_win(tree):
    found = tree({"a": b"1", "b/c": b"22"}, {"a": b"333"})
    assert found.find("/a").entry.size == 3
    assert found.find("/a").entry.layer == 1
    assert found.find("/b/c").entry.layer == 0
    assert paths(found) == {"/a": "file", "/b": "folder", "/b/c": "file"}


def test_whiteouts_hide_lower_layers_only(tree):
    found = tree(
        {"d/a": b"1", "d/b": b"2", "e": b"3"}, {"d/.wh.a": b"", "d/a": b"new", ".wh.e": b"", "d/.wh.b": b""}
    )
    assert found.find("d/a").entry.size == 3
    assert found.find("d/b") is None
    assert found.find("e") is None


def test_a_whiteout_takes_a_whole_folder(tree):
    assert paths(tree({"d/e/f": b"1", "g": b""}, {".wh.d": b""})) == {"/g": "file"}


def test_opaque_folders_begin_anew(tree):
    found = tree({"d/a": b"1", "d/s/b": b"2"}, {"d": Folder(), "d/.wh..wh..opq": b"", "d/c": b"3"})
    assert paths(found) == {"/d": "folder", "/d/c": "file"}


def test_a_file_takes_the_place_of_a_folder_and_back(tree):
    found = tree({"x/y": b"1", "z": b"1"}, {"x": b"now a file", "z/in": b"2"})
    assert paths(found) == {"/x": "file", "/z": "folder", "/z/in": "file"}


def test_entries_below_a_link_go_where_it_leads(tree):
    found = tree({"usr/lib/a": b"1", "lib": Link(target="usr/lib")}, {"lib/b": b"2", "lib/.wh.a": b""})
    assert found.find("/usr/lib/b").entry.size == 1
    assert found.find("/lib/b") is found.find("/usr/lib/b")
    assert found.find("/usr/lib/a") is None


def test_a_folder_replaces_a_link(tree):
    found = tree({"usr/lib/a": b"1", "lib": Link(target="usr/lib")}, {"lib": Folder(), "lib/b": b"2"})
    assert found.find("/lib/a") is None
    assert found.find("/usr/lib/b") is None


def test_links_stay_inside(tree):
    found = tree(
        {
            "etc/passwd": b"12345",
            "up": Link(target="../../../etc/passwd"),
            "abs": Link(target="/etc"),
            "loop": Link(target="loop"),
            "gone": Link(target="/nowhere"),
        }
    )
    assert found.find("/up").entry.size == 5
    assert found.find("/abs/passwd").path == "/etc/passwd"
    assert found.find("/loop") is None
    assert found.find("/gone") is None
    assert found.find("/gone", follow=False).entry.target == "/nowhere"


def test_hard_links_are_the_file_they_lead_to(tree):
    found = tree(
        {"a": Put(data=b"1234", mode=0o755), "b": Link(target="a", hard=True)},
        {"c": Link(target="a", hard=True)},
    )
    assert found.find("b").entry is found.find("a").entry
    assert (found.find("c").entry.size, found.find("c").entry.mode) == (4, 0o755)


def test_the_order_of_a_walk(tree):
    found = tree({"b/x": b"", "a": b"", "b/c/d": b"", "e": b""})
    walked = [path for path, _ in found.walk()]
    assert walked[:3] == ["/a", "/b", "/e"]
    assert walked.index("/b/c") < walked.index("/b/c/d")
    assert [path for path, _ in found.walk(found.find("/b"))] == ["/b/c", "/b/x", "/b/c/d"]
