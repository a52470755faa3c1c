"""What the tests of whole commands share: a base built once, a store, an index, projects.

``LAYERWRIGHT_TEST_STORE`` names a folder that keeps the Debian base between sessions.
"""

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.command import Command, Project, leftovers, new_project
from support.index import Index, serve
from support.small_base import cut_down

_DEBIAN = """\
[project]
name = "base"
[images.debian]
name = "debian"
from = "debian:bookworm"
python = "3.11"
tags = ["bookworm"]
workdir = "/"
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever stands on the Debian base reaches a mirror, the first time."""
    for item in items:
        if "debian" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.network)


def missing(what: str) -> None:
    """Skip for want of a tool; where everything must be there, fail."""
    if os.environ.get("LAYERWRIGHT_REQUIRE_ENGINES"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """``debian:bookworm`` with Python 3.11, built by this very program: the project and the store that have it."""
    if platform.machine() != "x86_64":
        pytest.skip("the base for tests is made for x86-64")
    if os.getuid() != 0 or shutil.which("mmdebstrap") is None:
        missing("a Debian base needs root and mmdebstrap")
    kept = os.environ.get("LAYERWRIGHT_TEST_STORE")
    root = Path(kept) if kept else tmp_path_factory.mktemp("debian")
    folder = root / "project"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "layerwright.toml").write_text(_DEBIAN, encoding="utf-8")
    (root / "home").mkdir(exist_ok=True)
    command = Command(folder=folder, store=root / "store", home=root / "home")
    command("build", timeout=600)
    return command


@pytest.fixture(scope="session")
def debian_store(debian: Command) -> Path:
    """A store that has the base; for tests of specs that start from ``debian:bookworm``."""
    return debian.store


@pytest.fixture(scope="session")
def debian_layout(debian: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base as an OCI layout."""
    layout = tmp_path_factory.mktemp("layouts") / "debian"
    debian("build", "--output", f"oci:{layout}")
    return layout


@pytest.fixture(scope="session")
def small_base(debian_layout: Path) -> str:
    """Python 3.11 and a shell on Debian's glibc, as the spec's ``from`` names it."""
    layout = debian_layout.parent / "small"
    cut_down(debian_layout, "debian:bookworm", layout)
    return f"oci:{layout}"


@pytest.fixture(scope="session")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One store for all tests that need no store of their own; whatever they did to it, it is sound at the end."""
    folder = tmp_path_factory.mktemp("shared")
    yield folder / "store"
    command = Command(folder=folder, store=folder / "store", home=folder)
    command("store", "verify")
    assert leftovers(folder / "store") == []


@pytest.fixture
def index() -> Iterator[Index]:
    """A package index of this machine, empty at first."""
    with serve() as found:
        yield found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def project(tmp_path: Path, home: Path, shared_store: Path, small_base: str, index: Index) -> Project:
    """An empty project whose builds go to the shared store."""
    return new_project(
        tmp_path / "project", home=home, store=shared_store, base=small_base, index=index.simple
    )


@pytest.fixture
def fresh_project(tmp_path: Path, home: Path, small_base: str, index: Index) -> Project:
    """An empty project with a store of its own."""
    return new_project(
        tmp_path / "project", home=home, store=tmp_path / "store", base=small_base, index=index.simple
    )


@pytest.fixture(scope="session")
def docker() -> str:
    """The docker client, with an engine behind it."""
    found = next(
        (path for path in ("/usr/bin/docker", shutil.which("docker")) if path and Path(path).exists()), None
    )
    if (
        found is None
        or subprocess.run([found, "version"], capture_output=True, timeout=20, check=False).returncode
    ):
        missing("no Docker engine answers")
    assert found is not None
    return found


@pytest.fixture
def tool() -> Callable[[str], str]:
    """Finds a program that the test cannot do without."""

    def find(name: str) -> str:
        found = shutil.which(name)
        if found is None:
            missing(f"{name} is not installed")
        return str(found)

    return find


_BROWSER_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium behind Playwright."""
    program = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if program is None:
        missing("no Chromium is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_BROWSER_FLAGS))
        yield browser
        browser.close()
