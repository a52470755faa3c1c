import pytest
import tomli
from packaging.pylock import Pylock

from layerwright.lock.model import LockedSource, LockedWheel
from layerwright.lock.pylock import pylock_text

WHEEL = LockedWheel(
    name="numpy", version="2.4.6", file="numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64.whl", sha256="a" * 64, size=7,
    index="pypi", requested=True,
)  # fmt: skip
SDIST = LockedSource(
    name="fitsne", version="1.2.1", kind="sdist", source="fitsne-1.2.1.tar.gz", sha256="b" * 64, size=5
)
GIT = LockedSource(
    name="tool", version="0.1", kind="git", source="https://example.org/tool.git", commit="c" * 40, subdirectory="py"
)  # fmt: skip
FOLDER = LockedSource(name="mine", version="", kind="path", source="../mine")
PLACES = {"a" * 64: "https://files.example.org/numpy.whl", "b" * 64: "../sdists/fitsne-1.2.1.tar.gz"}


def text(*packages, places=PLACES):
    return pylock_text(packages, places, python="3.11", platform="linux/amd64")


def test_every_kind_of_package_stands_in_a_valid_file():
    written = tomli.loads(text(WHEEL, SDIST, GIT, FOLDER))
    lock = Pylock.from_dict(written)
    fitsne, mine, numpy, tool = lock.packages
    assert [package.name for package in lock.packages] == ["fitsne", "mine", "numpy", "tool"]
    assert numpy.wheels[0].url == "https://files.example.org/numpy.whl"
    assert numpy.wheels[0].filename == WHEEL.file
    assert numpy.wheels[0].hashes == {"sha256": "a" * 64}
    assert (fitsne.sdist.path, fitsne.sdist.size) == ("../sdists/fitsne-1.2.1.tar.gz", 5)
    assert (tool.vcs.commit_id, tool.vcs.subdirectory) == ("c" * 40, "py")
    assert mine.directory.path == "../mine"
    assert mine.version is None
    assert str(lock.requires_python) == "==3.11.*"
    assert "x86_64" in str(lock.environments[0])


def test_the_same_lock_gives_the_same_text_in_any_order():
    assert text(GIT, WHEEL, FOLDER, SDIST) == text(WHEEL, SDIST, GIT, FOLDER)


def test_no_credential_enters():
    with pytest.raises(ValueError, match="credential"):
        text(WHEEL, places={"a" * 64: "https://me:secret@example.org/numpy.whl"})
