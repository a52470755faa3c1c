"""What the checks may look at. Everything outside comes in here, so that tests can put another machine in its place."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from layerwright.doctor.bounded import Once
from layerwright.doctor.engine_info import DockerInfo, ask_docker
from layerwright.host.environment import HostEnvironment
from layerwright.host.process import Completed, ProcessError, find_program, run

__all__ = ["Attempt", "Machine", "read_bytes"]

PROCESS_SECONDS: Final = 4.0
_LARGEST_FILE: Final = 1 << 20

Runner = Callable[..., Completed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What became of starting a program.

    Attributes:
        status: as the shell counts, ``128 + n`` for signal ``n``.
        out: standard output, undecodable bytes replaced.
        error: the last lines of standard error, or why it could not be started.
        timed_out: it took too long and was stopped.
    """

    status: int
    out: str = ""
    error: str = ""
    timed_out: bool = False

    @property
    def signal(self) -> str:
        """Name of the signal that ended it, such as ``SIGSEGV``; empty when none did."""
        import signal  # noqa: PLC0415 - start-up

        if self.status <= 128 or self.timed_out:  # noqa: PLR2004 - how shells report signals
            return ""
        try:
            return signal.Signals(self.status - 128).name
        except ValueError:
            return ""


@dataclass(kw_only=True)
class Machine:
    """A machine to look at.

    Attributes:
        host: the caller's surroundings; its search path says where programs are.
        store: folder of the store.
        root: what stands for ``/``; programs and sockets are not below it.
        offline: nothing may be asked of the network.
        runner: starts programs.
        architecture: as ``uname -m`` has it.
        now: seconds since 1970.
    """

    host: HostEnvironment
    store: Path
    root: Path = Path("/")
    offline: bool = False
    runner: Runner = field(default=run, repr=False)
    architecture: str = field(default_factory=lambda: os.uname().machine)
    now: Callable[[], float] = time.time
    _docker: Once[DockerInfo] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Prepare what several checks ask for."""
        self._docker = Once(lambda: ask_docker(self.host))

    @property
    def docker(self) -> DockerInfo:
        """What the Docker engine says of itself; asked once."""
        return self._docker()

    def path(self, name: str) -> Path:
        """A path of this machine."""
        return self.root / name.lstrip("/")

    def read(self, name: str, *, limit: int = _LARGEST_FILE) -> str:
        """The beginning of a text file, undecodable bytes replaced; empty when it cannot be read."""
        return read_bytes(self.path(name), limit=limit).decode(errors="replace")

    def names(self, folder: str) -> tuple[str, ...]:
        """Names in a folder, sorted; none when it cannot be read."""
        try:
            return tuple(sorted(os.listdir(self.path(folder))))  # noqa: PTH208 - only the names
        except OSError:
            return ()

    def program(self, name: str) -> Path | None:
        """A program on the caller's path."""
        return find_program(name, self.host.path)

    def start(
        self,
        argv: Sequence[str],
        *,
        seconds: float = PROCESS_SECONDS,
        variables: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> Attempt:
        """Run a program to its end, whatever that is. Its messages are asked for in English.

        Args:
            argv: program and arguments.
            seconds: until it is stopped.
            variables: put over the caller's environment.
            data: its standard input.
        """
        env = {**self.host.variables, "PATH": self.host.path, "LC_ALL": "C.UTF-8", **(variables or {})}
        try:
            done = self.runner(argv, env=env, timeout=seconds, check=False, input=data)
        except ProcessError as error:
            return Attempt(status=error.status, error=error.output or error.what, timed_out=error.timed_out)
        text = done.stderr[-2000:].decode(errors="replace").strip()
        return Attempt(status=done.status, out=done.text, error=text)


def read_bytes(path: Path, *, limit: int = _LARGEST_FILE) -> bytes:
    """The beginning of a file; nothing when it cannot be read. Pipes and devices are never opened."""
    import stat  # noqa: PLC0415 - start-up

    try:
        # A pipe in a configuration folder would otherwise make us wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        with open(descriptor, "rb", closefd=False) as stream:
            return stream.read(limit)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
