"""``explain size`` and ``explain diff`` by the command line, over images of the store and a layout."""

from pathlib import Path

import pytest

from support.command import Project
from support.index import Index
from support.packages import make_wheel

pytestmark = pytest.mark.engine


@pytest.fixture
def built(project: Project, index: Index, small_base: str) -> Project:
    """An image with one package, a large file that a later layer deletes, and a copy."""
    index.add(make_wheel("demo", "1.0"), make_wheel("demo", "2.0"))
    spec(project, small_base, "demo==1.0")
    project("build", "--output", "oci:first")
    return project


def spec(project: Project, base: str, package: str, more: str = "") -> None:
    steps = '[{ script = "head -c 3000000 /dev/urandom > /opt/large" }, { script = "rm /opt/large" }]'
    project.spec(f'[images.app]\nfrom = "{base}"\npackages = ["{package}"]\nrun = {steps}\n{more}')


def test_where_the_bytes_are(built: Project) -> None:
    done = built("explain", "size", "--top", "3")
    assert "to download" in done.out
    assert "By layer, bottom first" in done.out
    assert "demo 1.0" in done.out
    assert "files that a later layer deletes or replaces" in done.out
    (image,) = built("explain", "size", "app", "--json").json()["images"]
    assert image["bytes"] == sum(layer["bytes"] for layer in image["layers"])
    assert image["compressed"] == sum(layer["compressed"] for layer in image["layers"])
    assert image["bytes"] - image["visible"] == sum(layer["hidden"] for layer in image["layers"]) >= 3_000_000
    (hidden,) = [one for one in image["savings"] if "later layer" in one["title"]]
    assert hidden["examples"] == [["/opt/large", 3_000_000]]
    assert 2_900_000 < hidden["compressed"] < 3_200_000
    # the same blobs from outside say the same
    (layout,) = built("explain", "size", "oci:first", "--json").json()["images"]
    assert [layer["bytes"] for layer in layout["layers"]] == [layer["bytes"] for layer in image["layers"]]
    assert layout["savings"] == image["savings"]


def test_a_page(built: Project, tmp_path: Path) -> None:
    done = built("explain", "size", "app", "--html", tmp_path / "size.html")
    assert "wrote" in done.err
    page = (tmp_path / "size.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "hidden by a later layer" in page


def test_what_changed(built: Project, small_base: str) -> None:
    spec(built, small_base, "demo==2.0", 'env = { MODE = "fast" }\n')
    built("build")
    done = built("explain", "diff", "oci:first", "app")
    assert "~ demo  1.0  →  2.0" in done.out
    assert "env MODE  (not set)  →  fast" in done.out
    document = built("explain", "diff", "oci:first", "app", "--json").json()
    assert document["packages"] == [
        {"kind": "python", "name": "demo", "fate": "changed", "old": "1.0", "new": "2.0"}
    ]
    assert document["layers"]["prefix"] >= 1
    assert any(one["path"].endswith("demo-2.0.dist-info/METADATA") for one in document["files"])
    assert "both hold the same packages, files and settings" in built("explain", "diff", "app", "app").out


def test_locks(built: Project, small_base: str) -> None:
    old = built.folder / "old.lock"
    old.write_bytes((built.folder / "layerwright.lock").read_bytes())
    assert built("explain", "diff", "old.lock", "lock").out == "both locks say the same\n"
    spec(built, small_base, "demo==2.0")
    built("lock")
    assert built("explain", "diff", "old.lock", "lock").out == "app: demo 1.0 → 2.0 (loopback)\n"
    done = built("explain", "diff", "app", "lock")  # what is built, and what is locked now
    assert "~ demo  1.0  →  2.0" in done.out
    assert "both hold the same packages" in built("explain", "diff", "old.lock:app", "app").out


def test_what_cannot_be(built: Project) -> None:
    for arguments, words in (
        (("explain", "size", "nowhere"), "nowhere"),
        (("explain", "size", "oci:nowhere"), "there is no folder"),
        (("explain", "diff", "gone.lock", "app"), "cannot read the lock"),
        (("explain", "diff", "lock:other", "app"), "has no cell other"),
        (("explain", "size", "app", "--top", "-1"), "is no number of lines"),
        (("explain", "size", "app", "--html", "missing/x.html"), "cannot write"),
    ):
        assert words in built(*arguments, status=2).err
