"""What the pages show is what happens: their blocks are run in order, and what is printed is compared.

The convention is that of ``support/documents.py``. All pages share one store, so that the Debian base is built once.
"""

import contextlib
import io
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.command import PROGRAM, Command
from support.documents import Shell, blocks, exchanges, matches
from support.index import serve
from support.registry import have_registry, running_registry
from support.wheels import make_wheel

pytestmark = [pytest.mark.engine, pytest.mark.network]

DOCS = Path(__file__).parents[3] / "docs"

DEMO = """\
[project]
name = "demo"
version = "1.0"

[images.app]
from = "debian:bookworm"
python = "3.11"
packages = ["tqdm==4.67.1"]
entrypoint = ["python"]
"""
COINS = """\
[project]
name = "coins"
version = "0.1.0"
[images.count]
name = "coins"
from = "debian:bookworm"
python = "3.11"
packages = ["numpy==2.3.4", "pillow==12.0.0"]
entrypoint = ["python"]
"""


@dataclass(kw_only=True)
class Stage:
    """Where a page is played: a folder, variables, and words of the page that mean something else here."""

    folder: Path
    command: Command
    variables: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)


Setting = Callable[[Stage], contextlib.AbstractContextManager[None]]


def _demo(text: str = DEMO, *, build: bool = True) -> Setting:
    """A project is there, built."""

    @contextlib.contextmanager
    def setting(stage: Stage) -> Iterator[None]:
        (stage.folder / "layerwright.toml").write_text(text, encoding="utf-8")
        if build:
            stage.command("build", timeout=300)
        yield

    return setting


@contextlib.contextmanager
def _damaged(stage: Stage) -> Iterator[None]:
    """The page damages the store: it must be sound for the next one, however this one ends."""
    with _demo()(stage):
        try:
            yield
        finally:
            stage.command("store", "verify", "--repair", status=None)


@contextlib.contextmanager
def _nothing(stage: Stage) -> Iterator[None]:
    yield


@contextlib.contextmanager
def _unbuilt(stage: Stage) -> Iterator[None]:
    """The page's commands were never run, even where a store is kept from session to session."""
    stage.words["/opt/app"] = f"/opt/{stage.folder.parent.name}-{time.time_ns()}"
    yield


@contextlib.contextmanager
def _layout(stage: Stage) -> Iterator[None]:
    """The tutorial's image is there as a layout."""
    spec = stage.folder / "layerwright.toml"
    spec.write_text(COINS, encoding="utf-8")
    stage.command("build", "--output", "oci:layout", timeout=300)
    spec.unlink()
    (stage.folder / "layerwright.lock").unlink()
    yield


@contextlib.contextmanager
def _index(stage: Stage) -> Iterator[None]:
    """An index of our own, that wants credentials."""
    wheel = make_wheel(stage.folder.parent, "ours", "1.4.0").path
    with serve() as index:
        index.credentials = "ci:s3cret"
        index.add((wheel.name, wheel.read_bytes()))
        stage.words["https://pypi.example.org/simple"] = index.simple
        stage.variables["WHEEL"] = str(wheel)
        yield


@contextlib.contextmanager
def _registry(stage: Stage) -> Iterator[None]:
    if not have_registry():
        pytest.skip("docker-registry is not installed")
    with _demo()(stage), running_registry(stage.folder.parent / "registry") as registry:
        stage.words["localhost:5000"] = registry.address
        yield


SETTINGS: Mapping[str, Setting] = {
    "tutorial/first-executor.md": _nothing,
    "tutorial/first-image.md": _nothing,
    "how-to/bake.md": _demo(),
    "how-to/build-commands-and-secrets.md": _unbuilt,
    "how-to/check-a-device.md": _nothing,
    "how-to/check-before-building.md": _nothing,
    "how-to/corporate-ca-and-proxy.md": _demo(build=False),
    "how-to/devcontainer.md": _demo(build=False),
    "how-to/explain-an-image.md": _demo(),
    "how-to/lint-an-executor.md": _nothing,
    "how-to/lint-dockerfiles.md": _nothing,
    "how-to/look-after-the-store.md": _damaged,
    "how-to/matrix.md": _nothing,
    "how-to/models.md": _nothing,
    "how-to/move-an-executor.md": _nothing,
    "how-to/move-from-a-dockerfile.md": _nothing,
    "how-to/move-from-capybara.md": _nothing,
    "how-to/prepare-a-host-moore-threads.md": _nothing,
    "how-to/prepare-a-host-nvidia.md": _nothing,
    "how-to/private-index.md": _index,
    "how-to/registry-login.md": _nothing,
    "how-to/render-a-dockerfile.md": _demo(),
    "how-to/reports-in-ci.md": _demo(build=False),
    "how-to/keep-a-container.md": _nothing,
    "how-to/keep-sources-and-test-logs.md": _nothing,
    "how-to/run-as-yourself.md": _nothing,
    "how-to/run-with-podman.md": _nothing,
    "how-to/share-images.md": _registry,
    "how-to/start-from-an-image.md": _layout,
    "how-to/use-in-ci.md": _demo(),
    "how-to/verify-an-image.md": _demo(),
    "how-to/without-root.md": _nothing,
    "how-to/wrapper-script.md": _nothing,
    "how-to/work-offline.md": _demo(),
}
ENGINE = frozenset(
    {
        "tutorial/first-executor.md",
        "how-to/keep-a-container.md",
        "how-to/run-as-yourself.md",
        "how-to/share-images.md",
        "how-to/wrapper-script.md",
    }
)
PLAYED_ELSEWHERE = {
    "how-to/test-an-executor.md": "tests/engine/executor/test_executor_run.py",
    "how-to/executor-page.md": "tests/engine/web/test_page.py",
    "how-to/render-a-dockerfile.md": "tests/engine/backends/test_portable.py",
    "how-to/musa-from-nothing-to-a-release-matrix.md": "tests/engine/musa/test_front_end_page.py",
}


def test_every_page_with_commands_is_played() -> None:
    pages = {
        str(page.relative_to(DOCS))
        for folder in ("tutorial", "how-to")
        for page in (DOCS / folder).glob("*.md")
    }
    assert pages == SETTINGS.keys() | (PLAYED_ELSEWHERE.keys() & pages)


@pytest.fixture
def stage(tmp_path: Path, home: Path, debian_store: Path) -> Stage:
    folder = tmp_path / "work"
    folder.mkdir()
    command = Command(folder=folder, store=debian_store, home=home)
    return Stage(folder=folder, command=command, words={"/home/alice/.cache/layerwright": str(debian_store)})


@pytest.fixture
def images(request: pytest.FixtureRequest) -> Iterator[str]:
    """The docker client; what the pages leave in the engine is removed."""
    client: str = request.getfixturevalue("docker")
    yield client
    subprocess.run(
        [client, "image", "rm", "--force", "demo-app:1.0", "demo-app:copy", "shapes-executor:0.1.0"],
        check=False,
        capture_output=True,
    )


@pytest.mark.parametrize("page", SETTINGS)
def test_g04_the_page_is_true(page: str, stage: Stage, request: pytest.FixtureRequest) -> None:
    folders = [str(PROGRAM.parent)]
    if page in ENGINE:
        folders.insert(0, str(Path(request.getfixturevalue("images")).parent))
        if shutil.which("skopeo") is None:
            pytest.skip("skopeo is not installed")
    with SETTINGS[page](stage):
        environment = stage.command.environment
        path = ":".join([*folders, environment["PATH"]])
        with Shell(stage.folder, {**environment, **stage.variables, "PATH": path, "NO_COLOR": "1"}) as shell:
            for problem in _play(page, stage, shell):
                pytest.fail(problem, pytrace=False)


def _play(page: str, stage: Stage, shell: Shell) -> Iterator[str]:
    for block in blocks(DOCS / page):
        if block.skipped:
            continue
        if block.title:
            (stage.folder / block.title).write_text(_translated(block.text, stage), encoding="utf-8")
        elif block.language == "sh":
            status, printed = shell(_translated(block.text, stage))
            if status:
                yield f"{page}:{block.line}: status {status}\n{printed}"
        elif block.language == "console":
            for exchange in exchanges(block):
                status, printed = shell(_translated(exchange.command, stage))
                expected = any(line.startswith("error:") for line in exchange.printed)
                shown = tuple(_translated(line, stage) for line in exchange.printed)
                if bool(status) != expected or not matches(shown, printed):
                    told = io.StringIO()
                    print(f"{page}:{exchange.line}: $ {exchange.command}  (status {status})", file=told)
                    print("--- shown", *shown, "--- printed", printed, sep="\n", file=told)
                    yield told.getvalue()


def _translated(text: str, stage: Stage) -> str:
    for word, meaning in stage.words.items():
        text = text.replace(word, meaning)
    return text
