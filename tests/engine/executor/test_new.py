"""executor new: the project builds, is sound, and does every task as the platform would run it."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from support.command import Command

pytestmark = [pytest.mark.engine, pytest.mark.network]

ROOT = Path(__file__).parents[3]


OWN_TESTS = """
import inspect, pathlib, sys, tempfile
sys.path.insert(0, "/app")
from tests import test_model
tests = {name: one for name, one in vars(test_model).items() if name.startswith("test_")}
for name, one in tests.items():
    one(*(pathlib.Path(tempfile.mkdtemp()) for _ in inspect.signature(one).parameters))
print(len(tests), "tests")
"""


def package_of(command: Command) -> Path:
    (package,) = (command.folder / "executor-runs").glob("*/package/*")
    return package


def test_detection_does_every_task(
    executor_command: Command, docker: str, loaded: Callable[[str], str]
) -> None:
    made = executor_command("executor", "new", "cats", "--json").json()
    assert made["folder"] == "cats"
    project = executor_command.changed(folder=executor_command.folder / "cats")
    assert all((project.folder / path).is_file() for path in made["files"])
    assert "nothing found" in project("executor", "lint").out

    image = loaded("cats-executor:0.1.0")
    project("build", "--output", "docker", timeout=600)
    assert "nothing found" in project("executor", "lint", f"docker:{image}").out
    run = ("executor", "run", "--data", "data", "--poll", "0.5", "--json")
    assert project("run", "executor", "python", "-c", OWN_TESTS).out == "2 tests\n"
    training = project(*run, "--task", "training", timeout=200).json()
    assert training["verdict"]["success"], training
    both = project(*run, "--task", "mining+infer", "--model", package_of(project), timeout=200).json()
    assert both["verdict"]["success"], both
    alone = project(*run, "--task", "infer", status=1, timeout=200).json()
    assert alone["verdict"]["code"] == 300004, alone  # no model
    assert "no model is given" in alone["message"]


def test_segmentation_trains_and_infers(
    executor_command: Command, docker: str, loaded: Callable[[str], str]
) -> None:
    executor_command("executor", "new", "masks", "--segmentation", "--task", "training", "--task", "infer")
    project = executor_command.changed(folder=executor_command.folder / "masks")
    loaded("masks-executor:0.1.0")
    run = ("executor", "run", "--data", "data", "--poll", "0.5", "--json")
    training = project(*run, "--task", "training", timeout=600).json()
    assert training["verdict"]["success"], training
    assert project("run", "executor", "python", "-c", OWN_TESTS).out == "2 tests\n"
    infer = project(*run, "--task", "infer", "--model", package_of(project), timeout=200).json()
    assert infer["verdict"]["success"], infer


def test_nothing_is_overwritten(folder_command: Command) -> None:
    (folder_command.folder / "there").mkdir()
    (folder_command.folder / "there" / "file").touch()
    done = folder_command("executor", "new", "there", status=2)
    assert "not empty" in done.err
    assert [path.name for path in (folder_command.folder / "there").iterdir()] == ["file"]


def test_what_comes_next_can_be_pasted(folder_command: Command) -> None:
    assert "next: cd 'a boat 船' && layerwright build" in folder_command("executor", "new", "a boat 船").err


def test_an_installed_layerwright_brings_the_module(
    folder_command: Command, tmp_path: Path, tool: Callable[[str], str]
) -> None:
    """Its wheel holds that of ymir_exc, with the bytes that the project gets."""
    uv = Path(sys.executable).with_name("uv")
    built = subprocess.run(
        # By way of the source distribution, as indexes have it.
        [uv, "build", "--quiet", "--out-dir", tmp_path / "dist", ROOT],
        capture_output=True,
        timeout=200,
        check=False,
    )
    assert built.returncode == 0, built
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
        (name,) = (one for one in archive.namelist() if one.endswith(".whl"))
        module = archive.read(name)
    program = "from layerwright.cli.main import entry; entry()"
    done = subprocess.run(
        [sys.executable, "-c", program, "executor", "new", "mine", "--offline"],
        cwd=folder_command.folder,
        env={
            **folder_command.environment,
            "PYTHONPATH": str(tmp_path / "installed"),
            "PATH": os.environ["PATH"],
        },
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done
    (given,) = (folder_command.folder / "mine" / "vendor").iterdir()
    assert given.read_bytes() == module
