"""``render dockerfile``: which image, from which lock, and where the text goes."""

import json
import os
from pathlib import Path

import pytest

from layerwright.cli.main import main
from layerwright.core.errors import UsageError
from layerwright.core.events import SilentReporter
from layerwright.host.environment import HostEnvironment
from layerwright.lock import write_lock
from layerwright.lock.model import Lock, LockedBase, LockedCell, LockedWheel
from layerwright.spec.fingerprint import cell_resolution_digest
from layerwright.spec.load import load_spec
from layerwright.workflow.render import render_dockerfile
from layerwright.workflow.session import Session

SPEC = """\
[project]
name = "demo"
[defaults]
from = "docker:mine:1"
python = "3.11"
[images.base]
tags = ["1"]
[images.app]
from = "image:base"
tags = ["1"]
packages = ["six"]
[images.app.matrix]
variant = ["a", "b"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "layerwright.toml").write_text(SPEC, encoding="utf-8")
    spec = load_spec(None, tmp_path)
    base = LockedBase(
        kind="docker", source="mine:1", digest="sha256:" + "1" * 64, interpreter="/usr/bin/python3.11"
    )
    six = LockedWheel(
        name="six",
        version="1",
        file="six-1-py3-none-any.whl",
        sha256="2" * 64,
        size=1,
        index="pypi",
        requested=True,
    )
    cells = {
        name: LockedCell(
            name=name,
            spec_digest=cell_resolution_digest(cell, spec),
            base=base if cell.base.kind == "docker" else LockedBase(kind="image", source=cell.base.source),
            python="3.11",
            platform="linux/amd64",
            wheels=() if name == "base" else (six,),
        )
        for name, cell in spec.cells.items()
    }
    (tmp_path / "layerwright.lock").write_text(write_lock(Lock(cells=cells)), encoding="utf-8")
    return tmp_path


def session(folder: Path) -> Session:
    return Session(
        host=HostEnvironment.gather({"HOME": str(folder), "PATH": ""}),
        reporter=SilentReporter(),
        start=folder,
        spec_file=None,
        store_root=folder / "store",
        offline=True,
    )


def test_a_cell_is_rendered_with_its_parent(project: Path) -> None:
    text = render_dockerfile(session(project), "app-b")
    assert "# Image demo-app:1-b for linux/amd64: app-b of the spec" in text
    assert "\nFROM --platform=linux/amd64 mine:1 AS system\n" in text
    assert "six==1 --hash=sha256:" + "2" * 64 in text
    assert not (project / "store").exists()


@pytest.mark.parametrize("asked", ["app", ""])
def test_several_cells_are_listed(project: Path, asked: str) -> None:
    with pytest.raises(UsageError, match="a Dockerfile is for one") as caught:
        render_dockerfile(session(project), asked)
    assert "app-a, app-b" in caught.value.hint


def test_a_lock_that_is_missing_or_old_is_not_made_anew(project: Path) -> None:
    (project / "layerwright.toml").write_text(SPEC.replace('["six"]', '["six", "attrs"]'), encoding="utf-8")
    with pytest.raises(UsageError, match="out of date for app-a"):
        render_dockerfile(session(project), "app-a")
    (project / "layerwright.lock").unlink()
    with pytest.raises(UsageError, match=r"there is no layerwright\.lock"):
        render_dockerfile(session(project), "base")


def test_the_command_writes_where_it_is_told(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setenv("HOME", str(project))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    assert main(["render", "dockerfile", "base"]) == 0
    shown = capsys.readouterr().out
    assert shown == render_dockerfile(session(project), "base")
    assert main(["render", "dockerfile", "base", "--out", "D"]) == 0
    assert capsys.readouterr().out == "D\n"
    assert (project / "D").read_text(encoding="utf-8") == shown
    assert main(["render", "dockerfile", "base", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"schema": 1, "file": "", "dockerfile": shown}
