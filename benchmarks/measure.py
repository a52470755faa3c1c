"""Timing of commands, and what a number is made of."""

import os
import statistics
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_SAMPLE_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command line, where it runs, and words that its output must have."""

    argv: Sequence[str | Path]
    env: Mapping[str, str]
    cwd: Path
    expect: str = ""


@dataclass(slots=True, kw_only=True)
class Memory:
    """Most memory of a command.

    Attributes:
        together: largest sum of PSS over the process and all its descendants, in bytes; a page that several share
            counts once.
        alone: largest resident size of the process itself.
    """

    together: int = 0
    alone: int = 0


def run(command: Command) -> str:
    """Run to the end and give the output.

    Raises:
        SystemExit: the command failed, or did not print what it must: a number that measures a failure is worse
            than none.
    """
    done = subprocess.run(
        [str(word) for word in command.argv],
        env=dict(command.env),
        cwd=command.cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    text = done.stdout.decode(errors="replace")
    if done.returncode != 0 or command.expect not in text:
        words = " ".join(str(word) for word in command.argv)
        raise SystemExit(f"status {done.returncode}, wanted {command.expect!r}: {words}\n{text[-4000:]}")
    return text


def timed(command: Command) -> float:
    """Wall seconds from before the process starts until after it has ended, with earlier writes on the disk."""
    os.sync()
    begin = time.perf_counter()
    run(command)
    return time.perf_counter() - begin


def watched(command: Command) -> Memory:
    """Run and sample memory meanwhile; too disturbing to time the same run."""
    memory = Memory()
    process = subprocess.Popen(
        [str(word) for word in command.argv],
        env=dict(command.env),
        cwd=command.cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    over = threading.Event()

    def sample() -> None:
        while not over.wait(_SAMPLE_SECONDS):
            memory.together = max(memory.together, sum(map(_pss, _family(process.pid))))
            memory.alone = max(memory.alone, _high_water(process.pid))

    thread = threading.Thread(target=sample)
    thread.start()
    status = process.wait()
    over.set()
    thread.join()
    if status != 0:
        raise SystemExit(f"status {status}: {' '.join(map(str, command.argv))}")
    return memory


def _family(pid: int) -> list[int]:
    """The process and its descendants."""
    found = [pid]
    for parent in found:
        with suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def _pss(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _high_water(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


@dataclass(slots=True)
class Samples:
    """Repeated measurements of one thing, in seconds (or any other unit)."""

    values: list[float] = field(default_factory=list)

    def add(self, value: float) -> None:
        """One more."""
        self.values.append(value)

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    def text(self, unit: str = "s") -> str:
        """``1.23 s (1.20 to 1.31)``; ``n=1`` in place of the spread where there is none."""
        if not self.values:
            return "-"
        spread = f"{_number(min(self.values))} to {_number(max(self.values))}" if self.values[1:] else "n=1"
        return f"{_number(self.median)} {unit} ({spread})"


def _number(value: float) -> str:
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"
