"""``run``'s way of starting a program: its signals, its terminal, and what is left when somebody is killed."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from layerwright.sandbox.model import Capabilities
from support import sandbox_run

pytestmark = pytest.mark.engine

SOURCE = Path(__file__).parents[3] / "src"
PROGRAM = sandbox_run.__file__


@pytest.fixture
def start(
    lower: Path, capabilities: Capabilities, tmp_path: Path
) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    started: list[subprocess.Popen[str]] = []
    code = tmp_path / "code"
    code.mkdir()
    # There from the start and written in place: without mounts only that is seen from outside at once.
    for name in ("ready", "beat", "count"):
        (code / name).write_text("")

    def starter(script: str, mode: str = "foreground", **options: object) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, PROGRAM, mode, capabilities.runners[0], lower, tmp_path, script],
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            text=True,
            **{"stdout": subprocess.PIPE, **options},  # type: ignore[call-overload]
        )
        started.append(process)
        return process

    yield starter
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def filled(file: Path) -> bool:
    return file.stat().st_size > 0


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("nothing happened for 20 seconds")


def test_a_signal_reaches_the_program_and_its_status_comes_back(
    start: Callable[..., "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    process = start("trap 'exit 42' TERM; echo >> ready; while :; do sleep 0.05; done")
    wait_for(lambda: filled(tmp_path / "code" / "ready"))
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 42


def test_orphans_are_reaped_and_do_not_keep_us(start: Callable[..., "subprocess.Popen[str]"]) -> None:
    process = start("(sleep 600 &) ; exit 3")
    assert process.wait(timeout=20) == 3


def test_input_reaches_the_program(start: Callable[..., "subprocess.Popen[str]"]) -> None:
    process = start("cat", stdin=subprocess.PIPE)
    output, _ = process.communicate("through\n", timeout=20)
    assert output == "through\n"


def test_ctrl_c_on_a_terminal_arrives_once(
    start: Callable[..., "subprocess.Popen[str]"], capabilities: Capabilities, tmp_path: Path
) -> None:
    if capabilities.runners == ("runc",):
        pytest.skip("runc gives the program a terminal of its own")
    with terminal() as (master, slave):
        script = """
            trap 'echo >> count' INT; test -t 0 || exit 9; echo >> ready
            for i in 1 2 3 4 5; do sleep 0.1; done; exit 5
        """
        process = start(
            script,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=controlling(slave),
        )
        wait_for(lambda: filled(tmp_path / "code" / "ready"))
        os.write(master, b"\x03")
        assert process.wait(timeout=20) == 5
        assert (tmp_path / "code" / "count").read_text() == "\n"


@pytest.mark.parametrize("mode", ["foreground", "captured"])
def test_kill_9_leaves_no_process_and_no_mount(
    start: Callable[..., "subprocess.Popen[str]"], tmp_path: Path, mode: str
) -> None:
    process = start("while :; do date +%N >> beat; sleep 0.05; done", mode=mode)
    beat = tmp_path / "code" / "beat"
    wait_for(lambda: filled(beat))
    process.kill()
    process.wait()

    def still() -> bool:
        before = beat.stat().st_mtime_ns
        time.sleep(0.3)
        return beat.stat().st_mtime_ns == before

    wait_for(still)
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    master, slave = pty.openpty()
    try:
        yield master, slave
    finally:
        os.close(master)
        os.close(slave)


def controlling(slave: int) -> Callable[[], None]:
    """Make the terminal the new session's own, as a shell's is."""

    def inside() -> None:
        import fcntl
        import termios

        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    return inside
