"""The real command line in a process of its own, and projects for it to work on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(sys.executable).with_name("layerwright")
_PASSED_ON = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "LAYERWRIGHT_DEBIAN_MIRROR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a command left behind."""

    argv: tuple[str, ...]
    status: int
    out: str
    err: str

    def json(self) -> Any:
        """The one object on standard output."""
        return json.loads(self.out)

    @property
    def image(self) -> Any:
        """The one image of ``build --json``."""
        (image,) = self.json()["images"]
        return image

    def __str__(self) -> str:
        return f"{' '.join(self.argv)}\nstatus {self.status}\n--- out\n{self.out}\n--- err\n{self.err}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """``layerwright`` with a store, a folder and an environment that hold nothing of the developer's own."""

    folder: Path
    store: Path
    home: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def changed(self, **changes: Any) -> "Command":
        return replace(self, **changes)

    def with_variables(self, **variables: str) -> "Command":
        return replace(self, variables={**self.variables, **variables})

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return {
            **kept,
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "LAYERWRIGHT_STORE": str(self.store),
            **self.variables,
        }

    def argv(self, *arguments: str | Path, before: Sequence[str] = ()) -> tuple[str, ...]:
        return (*before, str(PROGRAM), *map(str, arguments))

    def start(
        self, *arguments: str | Path, before: Sequence[str] = (), **options: Any
    ) -> "subprocess.Popen[bytes]":
        """Start it in a session of its own, with pipes unless the options say otherwise."""
        options = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "start_new_session": True,
            **options,
        }
        return subprocess.Popen(
            self.argv(*arguments, before=before), cwd=self.folder, env=self.environment, **options
        )

    def __call__(
        self,
        *arguments: str | Path,
        status: int | None = 0,
        data: bytes = b"",
        before: Sequence[str] = (),
        timeout: float = 120,
        umask: int = -1,
    ) -> Done:
        """Run it to its end; another exit status than this fails the test (None takes any)."""
        done = finish(
            self.start(*arguments, before=before, stdin=subprocess.PIPE, umask=umask), data, timeout=timeout
        )
        if status is not None and done.status != status:
            pytest.fail(f"expected status {status}\n{done}")
        assert done.status != 70, done
        assert "\nTraceback" not in f"\n{done.err}", done
        return done


def finish(process: "subprocess.Popen[bytes]", data: bytes = b"", *, timeout: float = 120) -> Done:
    """Wait for a started command, and for nothing of it to be left when it takes too long."""
    argv = tuple(str(word) for word in process.args)  # type: ignore[union-attr]
    try:
        out, err = process.communicate(data, timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        pytest.fail(f"no end after {timeout} s: {argv}\n{out!r}\n{err!r}")
    return Done(
        argv=argv,
        status=process.returncode,
        out=(out or b"").decode(errors="surrogateescape"),
        err=(err or b"").decode(errors="surrogateescape"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A folder with a spec on the small base and a loopback index, and the command line in it."""

    folder: Path
    base: str
    index: str
    command: Command

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def spec(self, images: str, *, head: str = "", index: str = "") -> None:
        """Write the spec: defaults that say base and Python, then the text as given."""
        source = index or f'url = "{self.index}"'
        text = (
            f'{head}[project]\nname = "demo"\nversion = "1"\n'
            f'[defaults]\nfrom = "{self.base}"\npython = "3.11"\n'
            f"[indexes.loopback]\n{source}\ndefault = true\n{images}"
        )
        (self.folder / "layerwright.toml").write_text(text, encoding="utf-8")

    @property
    def lock(self) -> Path:
        return self.folder / "layerwright.lock"

    def __call__(self, *arguments: str | Path, **options: Any) -> Done:
        return self.command(*arguments, **options)


def new_project(
    folder: Path, *, home: Path, store: Path, base: str, index: str = "http://127.0.0.1:9"
) -> Project:
    """A project without a spec; without an index, nothing can be resolved that has packages."""
    folder.mkdir()
    return Project(
        folder=folder, base=base, index=index, command=Command(folder=folder, store=store, home=home)
    )


def leftovers(store: Path) -> list[str]:
    """Temporary files and folders in a store."""
    return sorted(str(path.relative_to(store)) for path in (store / "sessions").glob("*"))


def mounts_below(folder: Path) -> list[str]:
    """Mount points below a folder, of this mount namespace."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return [line.split()[4] for line in lines if line.split()[4].startswith(f"{folder}/")]


def processes_with(text: str) -> list[str]:
    """Command lines, of anybody, that hold the text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in line and path.parent.name != str(os.getpid()):
            found.append(line)
    return found


def wait_for(true: Callable[[], bool], told: Callable[[], str], *, seconds: float = 20) -> None:
    """Wait until something is so; ``told`` explains when it never is."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, told()
        time.sleep(0.02)
