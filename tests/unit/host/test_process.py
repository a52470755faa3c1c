import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from layerwright.host.foreground import foreground
from layerwright.host.process import ProcessError, find_program, mask, run

PYTHON = sys.executable


def python(code: str) -> list[str]:
    return [PYTHON, "-c", code]


def test_output_is_captured_apart() -> None:
    done = run(["sh", "-c", "echo out; echo err >&2"], timeout=10)
    assert (done.status, done.stdout, done.stderr) == (0, b"out\n", b"err\n")


def test_lines_come_live_and_masked() -> None:
    seen: list[tuple[float, str]] = []
    start = time.monotonic()
    run(
        ["sh", "-c", "echo token=hunter2; sleep 1; printf 'x\\rlast'"],
        timeout=20,
        on_line=lambda line: seen.append((time.monotonic() - start, line)),
        masked=["hunter2"],
    )
    assert [line for _, line in seen] == ["token=***", "last"]
    assert seen[1][0] - seen[0][0] > 0.5


def test_only_the_end_of_much_output_is_kept() -> None:
    done = run(python("import sys; sys.stdout.write('a' * 5_000_000 + 'end')"), timeout=30)
    assert len(done.stdout) == 1 << 20
    assert done.stdout.endswith(b"end")


def test_input_reaches_a_program_and_blocks_none_that_does_not_read_it() -> None:
    data = b"x" * 1_000_000
    assert run(["cat"], input=data, timeout=10).stdout == data[: 1 << 20]
    assert run(["true"], input=data, timeout=10).status == 0


def test_failure_shows_command_status_and_last_lines_without_secrets() -> None:
    with pytest.raises(ProcessError) as caught:
        run(["sh", "-c", "echo no hunter2 >&2; exit 3", "hunter2"], timeout=10, masked=["hunter2"])
    error = caught.value
    assert error.status == 3
    assert error.output == "no ***"
    assert "hunter2" not in error.what
    assert "status 3" in error.what
    assert "hunter2" not in str(error.argv)


def test_status_of_a_signal_counts_as_shells_count() -> None:
    assert run(["sh", "-c", "kill -9 $$"], timeout=10, check=False).status == 137


@pytest.mark.parametrize(
    ("argv", "status"), [(["/nonesuch/program"], 127), (["/etc/passwd"], 126)], ids=["missing", "no-program"]
)
def test_a_program_that_cannot_be_started(argv: list[str], status: int) -> None:
    with pytest.raises(ProcessError) as caught:
        run(argv, timeout=10)
    assert caught.value.status == status


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="no such folder"):
        run(["true"], cwd=tmp_path / "none", timeout=10)


def test_time_out_ends_the_whole_group(tmp_path: Path) -> None:
    child = tmp_path / "child"
    with pytest.raises(ProcessError) as caught:
        run(["sh", "-c", f"sleep 600 & echo $! > {child}; wait"], timeout=1)
    assert caught.value.timed_out
    assert dies(int(child.read_text()))


def test_what_left_the_group_ends_too(tmp_path: Path) -> None:
    """As the container of a build step does, that Podman does not stop."""
    file = tmp_path / "pid"
    script = f"setsid sh -c 'echo $$ > {file}; sleep 300' & wait"
    with pytest.raises(ProcessError, match="took longer"):
        run(["sh", "-c", script], timeout=1)
    pid = int(file.read_text())
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.05)
    pytest.fail("it goes on")


def test_ctrl_c_ends_the_whole_group(tmp_path: Path) -> None:
    child = tmp_path / "child"

    def interrupt() -> None:
        while not (child.exists() and child.read_text().strip()):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", f"sleep 600 & echo $! > {child}; wait"], timeout=60)
    thread.join()
    assert dies(int(child.read_text()))


def test_a_left_over_child_that_holds_the_pipe_does_not_block() -> None:
    start = time.monotonic()
    done = run(["sh", "-c", "sleep 30 & echo done"], timeout=20)
    assert done.stdout == b"done\n"
    assert time.monotonic() - start < 10


def test_a_long_command_is_shortened_in_errors() -> None:
    with pytest.raises(ProcessError) as caught:
        run(["false", "x" * 10_000], timeout=10)
    assert len(caught.value.what) < 2_000


def test_foreground_gives_status_and_inherits_output(capfd: pytest.CaptureFixture[str]) -> None:
    assert foreground(["sh", "-c", "echo seen; exit 7"]) == 7
    assert foreground(["sh", "-c", "kill -TERM $$"]) == 143
    assert capfd.readouterr().out == "seen\n"


def test_foreground_passes_a_signal_on(tmp_path: Path) -> None:
    ready = tmp_path / "ready"

    def send() -> None:
        while not ready.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=send)
    thread.start()
    handler = signal.getsignal(signal.SIGTERM)
    # The thread must not take the signal itself: it is sent to the process, which waits for it.
    status = foreground(["sh", "-c", f"trap 'exit 9' TERM; touch {ready}; while :; do sleep 0.05; done"])
    thread.join()
    assert status == 9
    assert signal.getsignal(signal.SIGTERM) is handler


def test_programs_are_found_on_the_given_path_only(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_text("")
    assert find_program("tool", str(tmp_path)) is None
    tool.chmod(0o755)
    assert find_program("tool", f"/nonesuch:{tmp_path}") == tool
    (tmp_path / "folder").mkdir()
    assert find_program("folder", str(tmp_path)) is None


def test_longer_secrets_are_masked_first() -> None:
    assert mask("abc abcdef", ["abc", "abcdef", ""]) == "*** ***"


def dies(process: int) -> bool:
    """Whether the process ends within seconds; one that only waits to be reaped has ended."""
    for _ in range(500):
        try:
            if "\nState:\tZ" in Path(f"/proc/{process}/status").read_text():
                return True
        except (FileNotFoundError, ProcessLookupError):  # gone before or while it was read
            return True
        time.sleep(0.01)
    return False
