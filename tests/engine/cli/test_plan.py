"""``plan``: pure, and what programs read of it."""

import os
import re
import shutil
import xml.etree.ElementTree as ET

import pytest

from support.command import Project
from support.index import Index
from support.packages import make_heavy_wheel, make_wheel

pytestmark = pytest.mark.engine

SPEC = """\
[images.base]
packages = ["heavy"]
[images.app]
from = "image:base"
tags = ["1.2", "latest-ish"]
packages = ["small"]
copy = [{ from = "src", to = "/code" }]
run = [{ script = "echo done" }]
smoke = ["python -c 'import small'"]
"""


@pytest.fixture
def locked(project: Project, index: Index) -> Project:
    index.add(make_heavy_wheel("heavy"), make_wheel("small", requires=["heavy"]))
    project.write({"src/a.py": "1\n"})
    project.spec(SPEC)
    project("lock")
    index.requests.clear()
    return project


def test_a_plan_needs_no_network_and_no_engine(locked: Project, index: Index) -> None:
    command = locked.command.with_variables(DOCKER_HOST="unix:///nowhere/docker.sock")
    alone = ["unshare", "--net"] if os.getuid() == 0 and shutil.which("unshare") else []
    plain = command("plan", before=alone)
    assert plain.err == ""
    assert "app  demo-app:1.2, demo-app:latest-ish  (linux/amd64)" in plain.out
    assert index.requests == []
    # Nor the store: a plan is made of spec, lock and project.
    elsewhere = command.changed(store=locked.folder / "no-store")
    assert elsewhere("plan", before=alone).out == plain.out


def test_a_plan_as_json(locked: Project) -> None:
    document = locked("plan", "--json").json()
    assert document["schema"] == 1
    base, app = document["images"]
    assert (base["cell"], app["cell"], app["reference"], app["platform"], app["parent"]) == (
        "base",
        "app",
        "demo-app:1.2",
        "linux/amd64",
        "base",
    )
    kinds = [step["kind"] for step in app["steps"]]
    assert kinds == [
        "Base", "InstallPython", "InstallWheels", "InstallWheels", "InstallSeal", "InstallWheels", "InstallWheels",
        "InstallSeal", "CopyTree", "RunCommand", "RunCommand", "SetConfig",
    ]  # fmt: skip
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", step["digest"]) for step in app["steps"])
    shared = [step["digest"] for step in base["steps"] if step["kind"] != "SetConfig"]
    assert [step["digest"] for step in app["steps"]][: len(shared)] == shared
    # A digest follows what it is of, and what that stands on.
    locked.write({"src/a.py": "2\n"})
    changed = locked("plan", "--json", "app").json()["images"][-1]["steps"]
    differing = [
        old["kind"] for old, new in zip(app["steps"], changed, strict=True) if old["digest"] != new["digest"]
    ]
    assert differing == ["CopyTree", "RunCommand", "RunCommand", "SetConfig"]


def test_only_what_is_asked_for_and_its_parents(locked: Project) -> None:
    assert [image["cell"] for image in locked("plan", "--json", "base").json()["images"]] == ["base"]
    assert [image["cell"] for image in locked("plan", "--json", "app").json()["images"]] == ["base", "app"]


def test_a_plan_as_a_picture(locked: Project) -> None:
    out = locked.folder / "plan.svg"
    assert locked("plan", "--graph", out).out == f"{out}\n"
    text = "".join(ET.fromstring(out.read_bytes()).itertext())
    assert "heavy 1.0" in text
    assert "copy src" in text
    assert locked("plan", "--graph", "plan.dot").out == "plan.dot\n"
    assert (locked.folder / "plan.dot").read_text(encoding="utf-8").count("->") > 5
    done = locked("plan", "--graph", "plan.xyz", status=2)
    assert "plan.xyz" in done.err
    assert not (locked.folder / "plan.xyz").exists()


def test_a_plan_without_a_fitting_lock(locked: Project) -> None:
    locked.spec(SPEC.replace('["small"]', '["small", "other"]'))
    done = locked("plan", status=2)
    assert "layerwright.lock is out of date for app" in done.err
    assert "hint: run `layerwright lock`" in done.err
    assert locked("plan", "base").out.startswith("base")
    locked.lock.unlink()
    assert "there is no layerwright.lock yet" in locked("plan", status=2).err
    assert not locked.lock.exists()
