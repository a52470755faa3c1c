"""The same build again, on another machine's terms, and after a small change."""

import hashlib
import os
import shutil
import stat
from pathlib import Path

import pytest

from support.command import Project
from support.index import Index
from support.packages import make_heavy_wheel, make_wheel

pytestmark = pytest.mark.engine

PARTS = """\
copy = [{ from = "src", to = "/code/src" }]
models = [{ url = "model.bin", sha256 = "%s", to = "/models/model.bin" }]
run = [{ script = "umask; mkdir -m 0750 /made; echo $V > /made/x; ln -s x /made/link", env = { V = "7" } }]
env = { GREETING = "你好" }
entrypoint = ["python", "-c", "import tool; print(tool.VERSION)"]
"""


@pytest.fixture
def offered(index: Index) -> Index:
    return index.add(
        make_heavy_wheel("heavy"),
        make_heavy_wheel("other", requires=["light"]),
        make_wheel("light"),
        make_wheel("tool", requires=["heavy"]),
        make_wheel("tool", "1.1", requires=["heavy"]),
    )


def fill(project: Project, packages: str = '"other", "tool==1.0"', *, head: str = "") -> None:
    project.write({"src/a.py": "print(1)\n", "src/sub/ü.txt": "x", "model.bin": b"model" * 1000})
    (project.folder / "src/run.sh").write_text("#!/bin/sh\n")
    (project.folder / "src/run.sh").chmod(0o755)
    digest = hashlib.sha256(b"model" * 1000).hexdigest()
    project.spec(f"[images.app]\npackages = [{packages}]\n{PARTS % digest}", head=head)


def digests(image: dict) -> list[str]:
    return [layer["digest"] for layer in image["layers"]]


def entries(root: Path) -> dict[str, tuple]:
    """Everything in a folder: kind, mode, owner, time and content."""
    found = {}
    for folder, names, files in os.walk(root):
        for name in (*names, *files):
            path = Path(folder, name)
            state = path.lstat()
            content: bytes | str = b""
            if stat.S_ISLNK(state.st_mode):
                content = str(path.readlink())
            elif stat.S_ISREG(state.st_mode):
                content = path.read_bytes()
            found[str(path.relative_to(root))] = (oct(state.st_mode), state.st_uid, state.st_gid, content)
    return found


def trees(store: Path) -> dict[str, tuple]:
    """The extracted trees, which `run` starts programs in; how they are kept (files beside a tree) is left out."""
    return {
        name: entry
        for name, entry in entries(store / "trees").items()
        if len(Path(name).parts) > 1 and Path(name).parts[1] == "root"
    }


def test_the_second_build_does_nothing(fresh_project: Project, offered: Index) -> None:
    fill(fresh_project)
    first = fresh_project("build", "app", "--json").image
    assert first["bytes_written"] > 0
    assert {layer["cached"] for layer in first["layers"][1:]} == {False}
    before = entries(fresh_project.command.store / "blobs")
    asked = len(offered.requests)

    second = fresh_project("build", "app", "--json").image
    assert second["bytes_written"] == 0
    assert {layer["cached"] for layer in second["layers"]} == {True}
    assert (second["digest"], digests(second)) == (first["digest"], digests(first))
    assert entries(fresh_project.command.store / "blobs") == before
    assert len(offered.requests) == asked

    # Nor does one that cannot know beforehand that nothing changed.
    path = fresh_project.folder / "layerwright.toml"
    path.write_text("# a remark\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    third = fresh_project("build", "app", "--json").image
    assert third["bytes_written"] == 0
    assert (third["digest"], digests(third)) == (first["digest"], digests(first))


def test_wheels_are_extracted_for_a_start_and_not_for_an_output(
    fresh_project: Project, offered: Index
) -> None:
    program = 'entrypoint = ["python", "-c", "import tool; print(tool.VERSION)"]\n'
    fresh_project.spec(f'[images.app]\npackages = ["tool==1.0"]\nbytecode = false\n{program}')
    image = fresh_project("build", "app", "--output", "oci:layout", "--json").image
    store = fresh_project.command.store
    assert not list(store.glob("trees/wheel-*"))
    assert fresh_project("run", "app").out == "1.0\n"
    assert list(store.glob("trees/wheel-*"))
    assert fresh_project("build", "app", "--json").image["digest"] == image["digest"]


def test_other_machines_give_the_same_bytes(fresh_project: Project, offered: Index, tmp_path: Path) -> None:
    fill(fresh_project)
    fresh_project("lock")
    layouts = []
    stores = []
    surroundings: list[tuple[dict[str, str], int]] = [
        ({}, 0o022),
        ({"TZ": "Asia/Taipei", "LC_ALL": "C", "PYTHONHASHSEED": "1"}, 0o077),
        (
            {"TZ": "America/Lima", "LC_ALL": "de_DE.UTF-8", "PYTHONHASHSEED": "2", "SOURCE_DATE_EPOCH": "1"},
            0o000,
        ),
    ]
    for number, (variables, umask) in enumerate(surroundings):
        stores.append(tmp_path / f"store-{number}")
        layouts.append(tmp_path / f"layout-{number}")
        command = fresh_project.command.changed(store=stores[-1]).with_variables(**variables)
        # What the user checked out under another umask has other modes, too.
        (fresh_project.folder / "src/a.py").chmod(0o666 & ~umask)
        (fresh_project.folder / "src/sub").chmod(0o777 & ~umask)
        command("build", "--locked", "--output", f"oci:{layouts[-1]}", umask=umask)
    expected = {name: entry[3] for name, entry in entries(layouts[0]).items()}
    assert len(expected) > 10
    for layout in layouts[1:]:
        assert {name: entry[3] for name, entry in entries(layout).items()} == expected
    there = trees(stores[0])
    assert len(there) > 100
    for store in stores[1:]:
        found = trees(store)
        assert sorted(found) == sorted(there)
        assert [
            (name, entry[:3], there[name][:3]) for name, entry in found.items() if entry != there[name]
        ] == []


def test_the_order_of_packages_does_not_matter(project: Project, offered: Index) -> None:
    fill(project, '"tool==1.0", "other", "light"')
    one = project("build", "--json").image
    lock = project.lock.read_bytes()
    fill(project, '"light", "other", "tool==1.0"')
    two = project("build", "--json").image
    assert (two["digest"], digests(two)) == (one["digest"], digests(one))
    project.lock.unlink()
    project("lock")
    assert [line for line in project.lock.read_bytes().splitlines() if b"spec" not in line] == [
        line for line in lock.splitlines() if b"spec" not in line
    ]


def test_a_changed_pin_costs_that_wheel(project: Project, offered: Index) -> None:
    offered.add(make_heavy_wheel("heavy", "2.0"))
    fill(project, '"other", "tool==1.0", "heavy==1.0"')
    before = project("build", "--json").image
    fill(project, '"other", "tool==1.0", "heavy==2.0"')
    told = project("lock").out
    assert told == "app: heavy 1.0 → 2.0 (loopback)\n"
    after = project("build", "--json").image
    changed = [
        (old["created_by"], new["created_by"], new["cached"])
        for old, new in zip(before["layers"], after["layers"], strict=True)
        if old["digest"] != new["digest"]
    ]
    assert changed == [
        ("layerwright: wheels heavy 1.0", "layerwright: wheels heavy 2.0", False),
        ("layerwright: bytecode heavy 1.0", "layerwright: bytecode heavy 2.0", False),
        ("layerwright: seal of the environment", "layerwright: seal of the environment", False),
    ]
    done_again = [layer["created_by"] for layer in after["layers"] if not layer["cached"]]
    assert not any("other" in title or "light" in title or "copy" in title for title in done_again)
    assert after["bytes_written"] < 100_000
    assert project("run", "app").out == "1.0\n"


def test_a_changed_source_file_costs_the_copy(project: Project, offered: Index) -> None:
    fill(project)
    before = project("build", "--json").image
    project.write({"src/a.py": "print(2)\n"})
    after = project("build", "--json").image
    changed = [
        number
        for number, (old, new) in enumerate(zip(before["layers"], after["layers"], strict=True))
        if old["digest"] != new["digest"]
    ]
    titles = [after["layers"][number]["created_by"] for number in changed]
    assert titles[0].startswith("layerwright: copy src")
    # The build command stands on the copy and runs again; with the same outcome its layer is the same.
    assert titles[1:] == []
    assert all(layer["cached"] for layer in after["layers"][: changed[0]])


def test_the_lock_says_what_changed(project: Project, offered: Index) -> None:
    fill(project, '"other", "tool==1.0"')
    assert project("lock").out.splitlines()[:3] == [
        "app: new",
        "app: heavy 1.0 added (loopback)",
        "app: light 1.0 added (loopback)",
    ]
    fill(project, '"tool"')
    told = project("lock").out.splitlines()
    # A version that was locked and still fits stays.
    assert told == ["app: light 1.0 removed", "app: other 1.0 removed"]
    assert project("lock").out == "layerwright.lock is up to date\n"
    fill(project, '"tool>1.0"')
    assert project("lock").out == "app: tool 1.0 → 1.1 (loopback)\n"


def test_wheels_that_are_gone_are_fetched_when_their_bytes_are_asked_for(
    fresh_project: Project, offered: Index
) -> None:
    project = fresh_project
    fill(project)
    first = project("build", "--json").image
    wheels = [path for path in (project.command.store / "wheels").rglob("*") if path.is_file()]
    for path in wheels:
        path.unlink()
    offered.requests.clear()
    assert project("run", "app").out == "1.0\n"
    assert offered.downloads() == []  # the extracted trees are enough
    assert project("build", "--json", "--output", "oci:layout").image["digest"] == first["digest"]
    assert len(offered.downloads()) == len(wheels)
    for path in wheels:
        path.unlink()
    shutil.rmtree(project.command.store / "trees")
    assert project("run", "app").out == "1.0\n"
    assert project("build", "--json").image["digest"] == first["digest"]
