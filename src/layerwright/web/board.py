"""TensorBoard of the page's jobs: a program of its own, started when somebody asks for it."""

import socket
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from layerwright.host.background import Background, background
from layerwright.host.environment import HostEnvironment
from layerwright.host.process import find_program, quote

__all__ = ["Board"]

_START_SECONDS: Final = 30.0
_SAID: Final = 500
"""Bytes of its output that are shown when it does not start."""


class Board:
    """TensorBoard on the loopback address; it ends with the page.

    Attributes:
        runs: folder whose event files it shows.
        program: None when it is not installed.
        fault: why it does not run although somebody asked for it; empty when there is nothing to tell.
    """

    def __init__(self, runs: Path, host: HostEnvironment) -> None:
        self.runs = runs
        self.program = find_program("tensorboard", host.path)
        self._variables = host.variables
        self.fault = ""
        self._running: Background | None = None
        self._port = 0
        self._lock = threading.Lock()

    @property
    def available(self) -> bool:
        """Whether it can be started."""
        return self.program is not None

    @property
    def command(self) -> str:
        """What a person would type."""
        return quote(["tensorboard", "--logdir", str(self.runs)])

    @property
    def address(self) -> str:
        """Where it answers; empty while it does not."""
        if self._running is None or self._running.poll() is not None:
            return ""
        return f"http://127.0.0.1:{self._port}/"

    @property
    def port(self) -> int:
        """Where it listens, on this machine alone."""
        return self._port

    def start(self) -> None:
        """Start it and wait until it answers; nothing when it runs already or is not installed."""
        with self._lock:
            if self.program is not None and not self.address:
                self.fault = self._start()

    def _start(self) -> str:
        """Start it; why it does not answer, empty when it does."""
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        argv = [
            str(self.program),
            "--logdir",
            str(self.runs),
            "--host",
            "127.0.0.1",
            "--port",
            str(self._port),
        ]
        with tempfile.TemporaryFile() as output:
            running = self._running = background(argv, env=self._variables, output=output)
            end = time.monotonic() + _START_SECONDS
            while time.monotonic() < end and running.poll() is None:
                with closing(socket.socket()) as probe:
                    if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                        return ""
                time.sleep(0.1)
            code = running.poll()
            self.stop()
            output.seek(0)
            said = output.read().decode(errors="replace").strip()[-_SAID:]
        why = f"did not answer within {_START_SECONDS:.0f} s" if code is None else f"ended with {code}"
        return f"TensorBoard {why}: {said or 'it said nothing'}"

    def stop(self) -> None:
        """End it."""
        if self._running is not None:
            self._running.kill()
            self._running = None
