"""Repositories to compile, and a Debian base with a compiler, built once."""

import shutil
from pathlib import Path

import pytest

from support.command import Command
from support.musa_sources import BARE, BASE, Repositories, Workplace, make_repositories


@pytest.fixture(scope="session")
def original_repositories(tmp_path_factory: pytest.TempPathFactory) -> Repositories:
    if shutil.which("git") is None:
        pytest.fail("git is not installed")
    return make_repositories(tmp_path_factory.mktemp("served") / "repositories")


@pytest.fixture(scope="session")
def bare_lock(debian: Command, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The lock of an image that is nothing but Debian."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "layerwright.toml").write_text(f"{BARE}[images.dev]\n", encoding="utf-8")
    debian.changed(folder=folder)("lock", timeout=600)
    return (folder / "layerwright.lock").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def compiler_lock(debian: Command, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The lock of the base with the compiler, which is in the store of the Debian base then."""
    folder = tmp_path_factory.mktemp("compiler")
    (folder / "layerwright.toml").write_text(BASE, encoding="utf-8")
    debian.changed(folder=folder)("build", timeout=600)
    return (folder / "layerwright.lock").read_text(encoding="utf-8")


@pytest.fixture
def repositories(original_repositories: Repositories, tmp_path: Path) -> Repositories:
    """A test's own, which it may change or take away."""
    served = tmp_path / "repositories"
    shutil.copytree(original_repositories.folder, served, ignore=shutil.ignore_patterns("work"))
    return Repositories(folder=served, commits=original_repositories.commits)


@pytest.fixture
def workplace(debian: Command, bare_lock: str, repositories: Repositories, tmp_path: Path) -> Workplace:
    """A project whose image is Debian and source trees."""
    folder = tmp_path / "project"
    folder.mkdir()
    command = debian.changed(folder=folder)
    return Workplace(command=command, repositories=repositories, head=BARE, head_lock=bare_lock)


@pytest.fixture
def compiling(debian: Command, compiler_lock: str, repositories: Repositories, tmp_path: Path) -> Workplace:
    """A project whose images start from the base with a compiler, ``image:base``."""
    folder = tmp_path / "project"
    folder.mkdir()
    command = debian.changed(folder=folder)
    return Workplace(command=command, repositories=repositories, head=BASE, head_lock=compiler_lock)
