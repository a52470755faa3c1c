"""Executors run by an ordinary user: without an engine, and with Docker; whatever they write is the user's."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from support.command import Command, new_project
from support.executors import SPEC, executor_files
from support.other_user import as_user, new_user
from support.podman import settings_file

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


@pytest.fixture
def with_podman(
    person: tuple[Command, tuple[str, ...]],
) -> Iterator[tuple[Command, tuple[str, ...]]]:
    """The same for a user with subordinate ids, whom Podman without root needs."""
    command, _ = person
    root = command.folder.parent
    state = Path(tempfile.mkdtemp(prefix="lw", dir="/tmp"))
    home = root / "podman-home"
    (home / ".config/containers").mkdir(parents=True)
    (home / ".config/containers/storage.conf").write_text('[storage]\ndriver = "overlay"\n', encoding="utf-8")
    try:
        with new_user(f"lw-exec-{os.getpid()}", home) as (uid, gid):
            project = root / "podman-project"
            ignored = shutil.ignore_patterns("native", "docker")
            shutil.copytree(command.folder, project, ignore=ignored)
            (root / "podman-store").mkdir()
            for top in (state, root / "podman-store", home, project):
                for path in (top, *top.rglob("*")):
                    os.lchown(path, uid, gid)
            settings = settings_file(root)
            # Not every machine lets ordinary users have a network of their own for containers (/dev/net/tun).
            text = settings.read_text(encoding="utf-8").replace(
                "[containers]", '[containers]\nnetns = "none"'
            )
            settings.write_text(text, encoding="utf-8")
            settings.chmod(0o644)
            yield (
                command.changed(folder=project, store=root / "podman-store", home=home).with_variables(
                    CONTAINERS_CONF=str(settings), XDG_RUNTIME_DIR=str(state)
                ),
                as_user(uid, gid, [], root),
            )
    finally:
        with suppress(OSError, ValueError):
            os.kill(int((state / "libpod/tmp/pause.pid").read_text()), signal.SIGKILL)
        shutil.rmtree(state, ignore_errors=True)


def test_podman_without_root(with_podman: tuple[Command, tuple[str, ...]]) -> None:
    command, before = with_podman
    report = command(
        "executor",
        "run",
        "trial",
        "--engine",
        "podman",
        "--data",
        "data",
        "--poll",
        "0.3",
        "--work",
        "w",
        "--json",
        before=before,
    ).json()
    assert report["verdict"]["success"], report
    assert "keep-id" in report["argv"]
    owner = (command.folder / "w").stat()
    made = (command.folder / "w" / "out" / "models" / "result.yaml").stat()
    assert (made.st_uid, made.st_gid) == (owner.st_uid, owner.st_gid)


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
