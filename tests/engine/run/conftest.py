"""Places to run an image from: each engine, as root and as ordinary people."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from support.command import Command, Done, new_project
from support.other_user import as_user, new_user
from support.podman import settings_file

SPEC = """\
[images.app]
entrypoint = ["python"]
command = ["-c", "print('the command')"]
writable = ["HF_HOME"]
run = { network = false, stop_timeout = 5 }

[images.kept]
from = "image:app"
run = { keep_home = true }

[images.limits]
from = "image:app"
[images.limits.run]
network = "host"
shm_size = "33m"
cpu_set = "0"
# Podman takes its own, which may be above the machine's, for those that are not named.
ulimits = { nofile = "1000:2000", nproc = "32768" }

[images.mounts]
from = "image:app"
[images.mounts.run]
mounts = [
  { from = "set of, data", to = "/data", read_only = true },
  { from = "one.txt", to = "/etc/one.txt", read_only = true },
]

[images.nvidia]
from = "image:app"
accelerator = "nvidia"
run = { gpus = "all" }

[images.musa]
from = "image:app"
accelerator = "mthreads"
run = { gpus = "device=0,1" }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Somebody in a folder of a project, with an engine."""

    engine: str
    command: Command
    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    before: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return self.command.folder

    @property
    def rootless(self) -> bool:
        return self.engine == "podman" and self.uid != 0

    def inside(self, folder: Path) -> "Place":
        return replace(self, command=self.command.changed(folder=folder))

    def __call__(self, *words: str, **options: Any) -> Done:
        return self.command(*words, before=self.before, **options)

    def run(self, *words: str, **options: Any) -> Done:
        """``run`` with the engine; options of layerwright come first."""
        return self("run", "--engine", self.engine, *words, **options)

    def python(self, text: str, *words: str, image: str = "app", **options: Any) -> Done:
        return self.run(image, "-c", text, *words, **options)

    def other(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Another program than layerwright, as the same person in the same place."""
        return subprocess.run(
            [*self.before, *words], cwd=self.folder, env=self.command.environment, capture_output=True, text=True,
            check=False, timeout=60, stdin=subprocess.DEVNULL,
        )  # fmt: skip


def need(program: str) -> None:
    if shutil.which(program) is None:
        if os.environ.get("LAYERWRIGHT_REQUIRE_ENGINES"):
            pytest.fail(f"{program} is not installed")
        pytest.skip(f"{program} is not installed")


@pytest.fixture(scope="session")
def everybodys() -> Iterator[Path]:
    """A folder that everybody may enter. Not below pytest's own, which another session of pytest closes again."""
    folder = Path(tempfile.mkdtemp(prefix="layerwright-places-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def run_folder() -> Iterator[Callable[[], Path]]:
    """Makes folders for what Podman keeps while it runs.

    Of a short name: sockets have 108 bytes for theirs, and Podman 4.3 waits 20 s for containers where it is longer.
    """
    made: list[Path] = []

    def make() -> Path:
        made.append(Path(tempfile.mkdtemp(prefix="lw", dir="/tmp")))
        return made[-1]

    yield make
    for folder in made:
        # Podman without root keeps its namespace by a process that only waits.
        with suppress(OSError, ValueError):
            os.kill(int((folder / "libpod/tmp/pause.pid").read_text()), signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def settings(everybodys: Path) -> Callable[[str], Path]:
    """A configuration of Podman with one of its runtimes."""
    folder = everybodys / "settings"
    folder.mkdir()

    def write(runtime: str) -> Path:
        return settings_file(folder, runtime)

    return write


@pytest.fixture(scope="session")
def make_place(
    everybodys: Path, small_base: str, settings: Callable[[str], Path], run_folder: Callable[[], Path]
) -> Callable[..., Place]:
    """A project of somebody's own, with a store and a home."""
    shutil.copytree(small_base.partition(":")[2], everybodys / "base")

    def make(
        engine: str,
        name: str,
        *,
        uid: int = 0,
        gid: int = 0,
        groups: Sequence[int] = (),
        runtime: str = "runc",
    ) -> Place:
        root = everybodys / name
        root.mkdir()
        home, state = root / "home", run_folder()
        for folder in (home, home / ".config", home / ".config/containers"):
            folder.mkdir(mode=0o700)
        (home / ".config/containers/storage.conf").write_text('[storage]\ndriver = "overlay"\n')
        project = new_project(
            root / "project", home=home, store=root / "store", base=f"oci:{everybodys / 'base'}"
        )
        project.write({"set of, data/x": "data", "one.txt": "one"})
        project.spec(SPEC)
        command = project.command.with_variables(
            CONTAINERS_CONF=str(settings(runtime)), XDG_RUNTIME_DIR=str(state)
        )
        before = as_user(uid, gid, groups, root, crun=runtime == "crun") if uid else ()
        if uid:
            (root / "store").mkdir()
            for path in (
                root / "store",
                home,
                state,
                project.folder,
                *home.rglob("*"),
                *project.folder.rglob("*"),
            ):
                os.lchown(path, uid, gid)
        return Place(engine=engine, command=command, uid=uid, gid=gid, groups=tuple(groups), before=before)

    return make


@pytest.fixture(scope="session")
def user(everybodys: Path) -> Iterator[tuple[int, int]]:
    """A user with a name, and subordinate ids for Podman; the place is called ``user``."""
    if os.getuid() != 0:
        pytest.skip("these tests make a user: run them as root")
    with new_user(f"lw-test-{os.getpid()}", everybodys / "user/home") as ids:
        yield ids


@pytest.fixture(scope="session")
def other_user(everybodys: Path) -> Iterator[tuple[int, int]]:
    """Another one, for another runtime: Podman remembers what it was first used with; the place is ``other``."""
    if os.getuid() != 0:
        pytest.skip("these tests make a user: run them as root")
    with new_user(f"lw-crun-{os.getpid()}", everybodys / "other/home") as ids:
        yield ids


@pytest.fixture(scope="session")
def socket_group(docker: str) -> int:
    """The group that may talk to Docker."""
    return Path("/var/run/docker.sock").stat().st_gid


@pytest.fixture(scope="session")
def places(make_place: Callable[..., Place], request: pytest.FixtureRequest) -> Callable[[str], Place]:
    """A place by its name, made when first asked for; those of one person share a project where they can."""
    made: dict[str, Place] = {}
    people: dict[str, Place] = {}

    def person(name: str) -> Place:
        if name not in people:
            if name == "root":
                people[name] = make_place("native", "root")
            elif name == "user":
                uid, gid = request.getfixturevalue("user")
                group = request.getfixturevalue("socket_group")
                people[name] = make_place("native", "user", uid=uid, gid=gid, groups=sorted({44, group}))
            else:  # somebody of whom the machine knows nothing but numbers
                group = request.getfixturevalue("socket_group")
                people[name] = make_place("native", "nobody", uid=43210, gid=54321, groups=[group])
        return people[name]

    def find(name: str) -> Place:
        if name not in made:
            engine, _, who = name.partition("-")
            if engine == "docker":
                request.getfixturevalue("docker")
            if engine == "podman":
                need("podman")
            made[name] = replace(person(who), engine=engine)
        return made[name]

    return find


ALL = (
    "native-root", "native-user", "native-nobody", "docker-root", "docker-user", "docker-nobody",
    "podman-root", "podman-user",
)  # fmt: skip


@pytest.fixture(params=ALL)
def place(request: pytest.FixtureRequest, places: Callable[[str], Place], tmp_path: Path) -> Place:
    """Everybody, everywhere, in an empty folder of their project."""
    return in_empty_folder(places(request.param), tmp_path.name)


@pytest.fixture(params=["docker-root", "docker-user", "podman-root", "podman-user"])
def engine_place(request: pytest.FixtureRequest, places: Callable[[str], Place], tmp_path: Path) -> Place:
    """Everybody with an engine."""
    return in_empty_folder(places(request.param), tmp_path.name)


def in_empty_folder(place: Place, name: str) -> Place:
    folder = place.folder / name
    folder.mkdir(exist_ok=True)
    os.chown(folder, place.uid, place.gid)
    return place.inside(folder)
