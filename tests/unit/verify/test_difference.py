"""What changed between two images, or an image and a lock."""

import pytest

from layerwright.verify import Inspection, read_contents
from layerwright.verify.difference import Side, difference, side_of
from layerwright.verify.measure import MeasuredBlobs
from support.made_image import SITE, Link, Put, debian, dist, make_image

BASE = debian(**{"var/lib/dpkg/status": b"Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\n"})


@pytest.fixture
def side(tmp_path):
    number = 0

    def make(*layers, name="made:1", **options) -> Side:
        nonlocal number
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        image, blobs = make_image(*layers, **options)
        measured = MeasuredBlobs(blobs)
        contents = read_contents(image, measured, scratch=folder)
        return side_of(Inspection(name=name, contents=contents), measured.measured)

    return make


def changes(found):
    return {(one.name, one.fate, one.old, one.new) for one in found.packages}


def test_nothing_differs(side):
    found = difference(side(BASE, dist("demo")), side(BASE, dist("demo")))
    assert found.is_empty
    assert found.layers is not None
    assert (found.layers.shared, found.layers.prefix, found.layers.old_only, found.layers.new_only) == (
        2,
        2,
        (),
        (),
    )


def test_packages(side):
    status = b"Package: libc6\nVersion: 2.36-10\n\nPackage: curl\nVersion: 7\n"
    other = {**BASE, "var/lib/dpkg/status": status}
    found = difference(side(BASE, dist("a"), dist("b", "1.0")), side(other, dist("b", "2.0"), dist("c")))
    assert changes(found) == {
        ("a", "removed", "1.0", ""),
        ("b", "changed", "1.0", "2.0"),
        ("c", "added", "", "1.0"),
        ("libc6", "changed", "2.36-9", "2.36-10"),
        ("curl", "added", "", "7"),
    }


def test_files(side):
    big = b"x" * (2 << 20)
    old = {
        "same": b"s",
        "big": big,
        "gone": b"gg",
        "mode": b"m",
        "link": Link(target="a"),
        "turned": b"t",
        "edited": b"1",
    }
    new = {
        "same": b"s",
        "big": big[:-1] + b"y",
        "fresh": b"f",
        "mode": Put(data=b"m", mode=0o755, uid=5),
        "link": Link(target="b"),
        "turned": Link(target="same"),
        "edited": b"2",
    }
    found = difference(side(BASE, old), side(BASE, new))
    assert {(one.path, one.fate, one.old, one.new, one.note) for one in found.files} == {
        ("/big", "changed", 2 << 20, 2 << 20, ""),
        ("/gone", "removed", 2, -1, ""),
        ("/fresh", "added", -1, 1, ""),
        ("/mode", "changed", 1, 1, "mode 644 → 755, owner 0:0 → 5:0"),
        ("/link", "changed", -1, -1, "link to b"),
        ("/turned", "changed", 1, -1, "now a link to same"),
        ("/edited", "changed", 1, 1, ""),
    }
    assert found.visible[1] - found.visible[0] == -2


def test_whose_files(side):
    found = difference(side(BASE, dist("demo", "1.0")), side(BASE, dist("demo", "2.0")))
    assert {one.owner for one in found.files} == {"demo 1.0", "demo 2.0"}
    assert f"/{SITE}/demo-2.0.dist-info/METADATA" in {one.path for one in found.files}


def test_settings_without_what_may_be_secret(side):
    old = side(BASE, env={"A": "1", "GONE": "x", "API_KEY": "abcdef"}, labels={"l": "1"}, workdir="/a")
    new = side(
        BASE, env={"A": "2", "API_KEY": "ghijkl", "URL": "https://u:pw@h/x"}, labels={"l": "2"}, workdir="/b"
    )
    found = difference(old, new)
    assert {(one.name, one.old, one.new) for one in found.settings} == {
        ("env A", "1", "2"),
        ("env GONE", "x", ""),
        ("env API_KEY", "****", "****"),
        ("env URL", "", "https://****@h/x"),
        ("label l", "1", "2"),
        ("workdir", "/a", "/b"),
    }


def test_layers_that_are_shared(side):
    one, two, three = {"1": b"1"}, {"2": b"2" * 5000}, {"3": b"3"}
    found = difference(side(BASE, one, two), side(BASE, three, two, history=["base", "third"])).layers
    assert (found.shared, found.prefix) == (2, 1)
    assert [title for title, _ in found.new_only] == ["layer 2 (third)"]
    assert [title for title, _ in found.old_only] == ["layer 2 (step 1)"]
    assert found.shared_bytes > 0


def test_a_lock_and_an_image(side):
    image = side(BASE, dist("demo", "2.0"), dist("extra"), name="app")
    lock = Side(name="lock:app", packages={"demo": "1.0", "made-here": ""}, debs={"curl": "7"}, python="3.11")
    found = difference(lock, image)
    assert changes(found) == {
        ("demo", "changed", "1.0", "2.0"),
        ("extra", "added", "", "1.0"),
        ("made-here", "removed", "", ""),
        ("curl", "removed", "7", ""),
    }
    assert (found.files, found.layers, found.settings, found.compressed) == (None, None, (), None)
