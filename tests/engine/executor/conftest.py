"""An executor of the standard library alone, in images that break the contract in known ways."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.command import Command, new_project
from support.executors import SPEC, Executors, executor_files
from support.podman import settings_file


@pytest.fixture(scope="session")
def executor_project(
    tmp_path_factory: pytest.TempPathFactory, shared_store: Path, small_base: str
) -> Command:
    folder = tmp_path_factory.mktemp("executors")
    home = folder / "home"
    home.mkdir()
    project = new_project(
        folder / "project", home=home, store=shared_store, base=small_base, index="http://127.0.0.1:9/"
    )
    project.write(executor_files())
    project.spec(SPEC)
    return project.command.with_variables(CONTAINERS_CONF=str(settings_file(folder)))


@pytest.fixture
def executors(executor_project: Command, request: pytest.FixtureRequest) -> Callable[[str], Executors]:
    """The project with an engine."""

    def make(engine: str) -> Executors:
        if engine == "docker":
            request.getfixturevalue("docker")
        if engine == "podman":
            request.getfixturevalue("tool")("podman")
        return Executors(command=executor_project, engine=engine)

    return make


@pytest.fixture
def executor_command(tmp_path: Path, debian_store: Path) -> Command:
    """The command line in an empty folder, with the store that has the Debian base."""
    folder, home = tmp_path / "work", tmp_path / "person"
    folder.mkdir()
    home.mkdir()
    return Command(folder=folder, store=debian_store, home=home)


@pytest.fixture
def folder_command(tmp_path: Path) -> Command:
    """The command line in an empty folder, with a store of its own: for what builds nothing."""
    folder, home = tmp_path / "folder", tmp_path / "somebody"
    folder.mkdir()
    home.mkdir()
    return Command(folder=folder, store=tmp_path / "store", home=home)


@pytest.fixture
def loaded(docker: str) -> Iterator[Callable[[str], str]]:
    """Names of images that are removed from Docker afterwards."""
    names: list[str] = []

    def take(name: str) -> str:
        names.append(name)
        return name

    yield take
    if names:
        subprocess.run([docker, "rmi", "--force", *names], capture_output=True, timeout=60, check=False)
