"""Projects of executors on the Debian base that tests share."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.command import Command


@pytest.fixture
def executor_command(tmp_path: Path, debian_store: Path) -> Command:
    """The command line in an empty folder, with the store that has the Debian base."""
    folder, home = tmp_path / "work", tmp_path / "person"
    folder.mkdir()
    home.mkdir()
    return Command(folder=folder, store=debian_store, home=home)


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
