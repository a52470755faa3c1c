"""Builds that are killed, interrupted, or meet one another."""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from support.command import Project, finish, leftovers, mounts_below, processes_with, wait_for
from support.index import Index
from support.packages import make_heavy_wheel, make_wheel

pytestmark = pytest.mark.engine

ROUNDS = 20


def offer(index: Index) -> None:
    index.add(
        make_heavy_wheel("one"),
        make_heavy_wheel("two"),
        make_heavy_wheel("three"),
        make_wheel("four", requires=["one", "two", "three"]),
    )


def fill(project: Project) -> None:
    project.write({"src/a.py": "print(1)\n"})
    project.spec(
        '[images.app]\npackages = ["four"]\ncopy = [{ from = "src", to = "/code" }]\n'
        'run = [{ script = "echo made > /made" }]\nentrypoint = ["cat", "/made"]\n'
    )


def test_a_killed_build_leaves_no_damage(fresh_project: Project, index: Index, tmp_path: Path) -> None:
    """Twenty kills; a store is used until its build has nothing left to do, or was killed five times."""
    offer(index)
    fill(fresh_project)
    started = time.monotonic()
    undisturbed = fresh_project("build", "--json").image
    length = time.monotonic() - started
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    killed = 0
    while killed < ROUNDS:
        store = tmp_path / f"killed-{killed}"
        command = fresh_project.command.changed(store=store)
        moments = list[float]()
        while len(moments) < ROUNDS // 4:
            process = command.start("build", "--locked", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            moments.append(chance.uniform(0.1, 0.9) * length)
            try:
                process.wait(moments[-1])
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                killed += 1
        why = f"seed {seed}, killed after {moments} of {length:.2f} s, with a store of its own: {killed} kills so far"
        image = command("build", "--locked", "--json").image
        assert layers(image) == layers(undisturbed), why
        assert image["digest"] == undisturbed["digest"], why
        verified = command("store", "verify", status=None)
        assert verified.status == 0, (why, verified)
        assert command("run", "app").out == "made\n", why
        assert leftovers(store) == [], why
        assert mounts_below(tmp_path) == [], why
        shutil.rmtree(store)
    wait_for(lambda: processes_with(str(tmp_path / "killed")) == [], lambda: "processes are left")


def layers(image: dict[str, Any]) -> list[str]:
    return [layer["digest"] for layer in image["layers"]]


def test_two_builds_of_one_image(fresh_project: Project, index: Index) -> None:
    offer(index)
    fill(fresh_project)
    fresh_project("lock")
    builds = [fresh_project.command.start("build", "--locked", "--json") for _ in range(3)]
    images = [finish(build) for build in builds]
    assert [done.status for done in images] == [0, 0, 0], images
    assert len({done.image["digest"] for done in images}) == 1
    assert fresh_project("store", "verify").status == 0
    assert leftovers(fresh_project.command.store) == []
    assert fresh_project("build", "--json").image["bytes_written"] == 0
    assert fresh_project("run", "app").out == "made\n"


def test_two_first_builds_of_one_project(fresh_project: Project, index: Index) -> None:
    """Both resolve, both write the lock."""
    offer(index)
    fill(fresh_project)
    builds = [fresh_project.command.start("build", "--json") for _ in range(2)]
    images = [finish(build) for build in builds]
    assert [done.status for done in images] == [0, 0], images
    assert len({done.image["digest"] for done in images}) == 1
    assert fresh_project("lock", "--check").status == 0
    assert [path.name for path in fresh_project.folder.glob(".*")] == []


def test_two_builds_of_images_that_share_wheels(fresh_project: Project, index: Index) -> None:
    offer(index)
    fresh_project.spec(
        '[images.a]\npackages = ["four", "two", "three"]\n[images.b]\npackages = ["two", "three"]\n'
    )
    fresh_project("lock")
    builds = [fresh_project.command.start("build", "--locked", "--json", name) for name in ("a", "b")]
    done = [finish(build) for build in builds]
    assert [one.status for one in done] == [0, 0], done
    layers = [{layer["digest"]: layer["created_by"] for layer in one.image["layers"]} for one in done]
    shared = sorted(layers[0][digest] for digest in layers[0].keys() & layers[1].keys())
    assert {"layerwright: wheels two 1.0", "layerwright: wheels three 1.0"} < set(shared)
    assert fresh_project("store", "verify").status == 0
    again = fresh_project("build", "--json").json()["images"]
    assert [image["digest"] for image in again] == [one.image["digest"] for one in done]
    assert [image["bytes_written"] for image in again] == [0, 0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_an_interrupt_ends_a_build_command(project: Project, tmp_path: Path, number: signal.Signals) -> None:
    mark = f"31{os.getpid()}{number}"
    project.spec(f'[images.app]\nrun = [{{ script = "echo started; sleep {mark} & sleep {mark}" }}]\n')
    project("lock")
    said = tmp_path / "said"
    with said.open("wb") as file:
        process = project.command.start("build", "--verbose", stderr=file)
    wait_for(lambda: len(processes_with(f"sleep {mark}")) >= 2, said.read_text)
    os.killpg(process.pid, number)  # as a terminal does: everybody in the foreground gets it
    done = finish(process, timeout=20)
    assert done.status == 128 + number, done
    assert "Traceback" not in said.read_text()
    assert number == signal.SIGTERM or "interrupted" in said.read_text()
    wait_for(lambda: processes_with(f"sleep {mark}") == [], lambda: "processes are left")
    assert leftovers(project.command.store) == []
    assert mounts_below(project.command.store) == []
    project.spec('[images.app]\nrun = [{ script = "echo quick > /x" }]\nentrypoint = ["cat", "/x"]\n')
    assert project("run", "app").out == "quick\n"
