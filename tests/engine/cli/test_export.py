"""What other tools make of the exported lock."""

import subprocess
import sys
from pathlib import Path

import pytest
import tomli
import uv

from support.command import Project
from support.index import Index
from support.packages import make_wheel

pytestmark = pytest.mark.engine


def test_uv_installs_the_same_set(project: Project, index: Index, tmp_path: Path) -> None:
    index.add(make_wheel("leaf"), make_wheel("middle", requires=["leaf"]), make_wheel("top"))
    project.spec(
        '[images.base]\npackages = ["middle"]\n[images.app]\nfrom = "image:base"\npackages = ["top"]\n'
    )
    project("lock")
    target = project.folder / "out" / "pylock.toml"
    target.parent.mkdir()
    assert project("export", "pylock", "app", "--out", "out/pylock.toml").out == "out/pylock.toml\n"
    names = {package["name"] for package in tomli.loads(target.read_text())["packages"]}
    assert names == {"leaf", "middle", "top"}
    place = tmp_path / "site"
    done = subprocess.run(
        [uv.find_uv_bin(), "pip", "sync", "--target", place, "--python", sys.executable, "--python-version", "3.11",
         "--no-cache", "--preview", target],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    installed = {path.name.split("-")[0] for path in place.glob("*.dist-info")}
    assert installed == names
    document = project("export", "pylock", "base", "--json").json()
    assert {package["name"] for package in tomli.loads(document["pylock"])["packages"]} == {"leaf", "middle"}


def test_what_cannot_be_exported_is_told(project: Project, index: Index) -> None:
    index.add(make_wheel("top"))
    project.spec('[images.a]\npackages = ["top"]\n[images.b]\npackages = ["top"]\n')
    assert "lock" in project("export", "pylock", "a", status=2).err
    project("lock")
    assert "stands for 2 images" in project("export", "pylock", status=2).err
    assert "--offline" in project("--offline", "export", "pylock", "a", status=6).err
