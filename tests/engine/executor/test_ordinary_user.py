"""Executors run by an ordinary user: without an engine, and with Docker; whatever they write is the user's."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.command import Command, new_project
from support.executors import SPEC, executor_files
from support.other_user import as_user

pytestmark = pytest.mark.engine

UID, GID = 43211, 54321


@pytest.fixture(scope="module")
def person(small_base: str, docker: str) -> Iterator[tuple[Command, tuple[str, ...]]]:
    """The command line of a person of whom the machine knows numbers alone, in a project of theirs."""
    if os.getuid() != 0:
        pytest.skip("this test becomes somebody else: run it as root")
    root = Path(tempfile.mkdtemp(prefix="layerwright-executor-", dir="/var/tmp"))
    root.chmod(0o755)
    try:
        shutil.copytree(small_base.partition(":")[2], root / "base")
        (root / "home").mkdir()
        (root / "store").mkdir()
        project = new_project(
            root / "project", home=root / "home", store=root / "store", base=f"oci:{root / 'base'}"
        )
        project.write(executor_files())
        project.spec(SPEC)
        for path in (root / "home", root / "store", project.folder, *project.folder.rglob("*")):
            os.lchown(path, UID, GID)
        group = Path("/var/run/docker.sock").stat().st_gid
        yield project.command, as_user(UID, GID, [group], root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.mark.parametrize("engine", ["native", "docker"])
def test_a_training(person: tuple[Command, tuple[str, ...]], engine: str) -> None:
    command, before = person
    words = [
        "executor",
        "run",
        "trial",
        "--engine",
        engine,
        "--data",
        "data",
        "--poll",
        "0.3",
        "--work",
        engine,
    ]
    report = command(*words, "--json", before=before).json()
    assert report["verdict"]["success"], report
    assert report["remarks"] == []
    work = command.folder / engine
    for path in (work, work / "out" / "models" / "result.yaml", work / "out" / "monitor.txt"):
        assert (path.stat().st_uid, path.stat().st_gid) == (UID, GID)
    if engine == "docker":
        assert f"{UID}:{GID}" in report["argv"]
