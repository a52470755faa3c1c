"""Starting other programs, and running them to their end: the only place that starts any.

Every run has a time-out, output kept in memory has a limit, and a program's whole process group
ends when the run is given up (time-out, Ctrl-C), so that no build step outlives its build.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from layerwright.core.errors import BuildError
from layerwright.host.capture import Lines, drain
from layerwright.host.ending import shell_status, stop_group

if TYPE_CHECKING:
    from layerwright.host.ending import Process

__all__ = [
    "Completed",
    "ProcessError",
    "find_program",
    "interrupts_held",
    "mask",
    "quote",
    "run",
    "start_program",
]

_LAST_LINES = 20
_LONGEST_COMMAND = 1000
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


class Completed(Struct, frozen=True, kw_only=True):
    """A program that has ended.

    Attributes:
        argv: what was started.
        status: exit status; ``128 + n`` when signal ``n`` ended it.
        stdout, stderr: the last MiB of each.
    """

    argv: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """The standard output as text, undecodable bytes replaced."""
        return self.stdout.decode(errors="replace")


class ProcessError(BuildError):
    """A program failed, could not be started, or took too long.

    Attributes:
        argv: the command, secrets masked.
        status: exit status as the shell counts; 127 and 126 when it could not be started.
        output: the last lines it printed (standard error, else standard output), secrets masked.
        timed_out: it was stopped after its time-out.
    """

    def __init__(
        self,
        what: str,
        *,
        argv: tuple[str, ...],
        status: int,
        output: str = "",
        timed_out: bool = False,
        hint: str = "",
    ) -> None:
        super().__init__(f"{what}: {_shortened(quote(argv))}" + (f"\n{output}" if output else ""), hint=hint)
        self.argv = argv
        self.status = status
        self.output = output
        self.timed_out = timed_out


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    input: bytes | None = None,  # noqa: A002  the word of the standard library
    timeout: float,
    on_line: Callable[[str], None] | None = None,
    pass_fds: Sequence[int] = (),
    check: bool = True,
    masked: Sequence[str] = (),
) -> Completed:
    """Run a program to its end with its output captured.

    Args:
        argv: program and arguments, never a shell string.
        env: its whole environment; None hands ours on.
        cwd: its working folder.
        input: its standard input; None gives it an empty one.
        timeout: seconds until its process group is stopped.
        on_line: gets each line of its standard output and error as it comes, without the line end.
        pass_fds: file descriptors it inherits.
        check: raise when the status is not 0.
        masked: secrets; replaced by ``***`` in lines and errors.

    Raises:
        ProcessError: could not be started, took too long, or failed while ``check`` is set.
    """
    shown = tuple(mask(argument, masked) for argument in argv)
    lines = Lines(None if on_line is None else lambda line: on_line(mask(line, masked)))
    with interrupts_held() as held:
        process = start_program(argv, shown, env=env, cwd=cwd, input_bytes=input, pass_fds=pass_fds)
    try:
        if held:
            raise KeyboardInterrupt  # noqa: TRY301 - cleared up as one that comes later is
        finished = drain(process, lines, deadline=time.monotonic() + timeout)
    except BaseException:
        stop_group(process)
        raise
    finally:
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    stdout, stderr = lines.kept
    if not finished:
        stop_group(process)
        raise ProcessError(
            f"command took longer than {timeout:g} s and was stopped",
            argv=shown,
            status=shell_status(process.returncode),
            output=_last_lines(stderr or stdout, masked),
            timed_out=True,
        )
    status = shell_status(process.returncode)
    if check and status != 0:
        raise ProcessError(
            f"command failed with status {status}",
            argv=shown,
            status=status,
            output=_last_lines(stderr if stderr.strip() else stdout, masked),
        )
    return Completed(argv=tuple(argv), status=status, stdout=stdout, stderr=stderr)


def find_program(name: str, path: str) -> Path | None:
    """Return the first executable file called ``name`` in the folders of ``path``, or None."""
    for folder in path.split(":"):
        candidate = os.path.join(folder, name)  # noqa: PTH118  start-up: called for many names
        if folder and os.access(candidate, os.X_OK) and not os.path.isdir(candidate):  # noqa: PTH112
            return Path(candidate)
    return None


def quote(argv: Sequence[str]) -> str:
    """Return a command as one would type it into a shell."""
    import shlex  # noqa: PLC0415  start-up: only errors and verbose output need it

    return shlex.join(argv)


def mask(text: str, masked: Sequence[str]) -> str:
    """Return ``text`` with every secret replaced by ``***``."""
    for secret in sorted(masked, key=len, reverse=True):
        if secret:
            text = text.replace(secret, "***")
    return text


@contextlib.contextmanager
def interrupts_held() -> Iterator[list[int]]:
    """Note a Ctrl-C instead of raising it: raised while a program is being started, it would leave the program behind.

    Only the main thread gets signals; elsewhere nothing is held.

    Yields:
        The signals that came.
    """
    held: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield held
        return
    previous = signal.signal(signal.SIGINT, lambda number, _frame: held.append(number))
    try:
        yield held
    finally:
        signal.signal(signal.SIGINT, previous if previous is not None else signal.SIG_DFL)


def start_program(
    argv: Sequence[str],
    shown: tuple[str, ...],
    *,
    env: Mapping[str, str] | None,
    cwd: Path | None,
    input_bytes: bytes | None,
    pass_fds: Sequence[int],
    own_group: bool = True,
    output: IO[bytes] | None = None,
) -> "Process":
    """Start a program: captured or with its output in a file and in a session of its own, or in our place.

    Args:
        argv: program and arguments.
        shown: the same, secrets masked.
        env: its whole environment; None hands ours on.
        cwd: its working folder; None for ours.
        input_bytes: its standard input in a session of its own; None gives it an empty one.
        pass_fds: file descriptors it inherits.
        own_group: a session of its own; without it, our group, input and output.
        output: takes both streams; None for pipes.

    Raises:
        ProcessError: it could not be started.
    """
    import subprocess  # noqa: PLC0415  start-up

    stdin: IO[bytes] | int | None = None
    if own_group:
        stdin = subprocess.DEVNULL
        if input_bytes is not None:
            import tempfile  # noqa: PLC0415  start-up

            # A file, not a pipe: nothing to feed, so a program that never reads cannot block us.
            stdin = tempfile.TemporaryFile()  # noqa: SIM115  closed below
            stdin.write(input_bytes)
            stdin.seek(0)
    pipe: IO[bytes] | int | None = output if output is not None else subprocess.PIPE if own_group else None
    try:
        return subprocess.Popen(
            list(argv),
            env=None if env is None else dict(env),
            cwd=cwd,
            stdin=stdin,
            stdout=pipe,
            stderr=pipe,
            pass_fds=tuple(pass_fds),
            start_new_session=own_group,
            bufsize=0,
        )
    except FileNotFoundError as error:
        if cwd is not None and not cwd.is_dir():
            raise ProcessError(f"no such folder: {cwd}", argv=shown, status=_NOT_FOUND) from error
        raise ProcessError("program not found", argv=shown, status=_NOT_FOUND) from error
    except OSError as error:
        what = f"program cannot be started ({error.strerror})"
        raise ProcessError(what, argv=shown, status=_NOT_EXECUTABLE) from error
    finally:
        if stdin is not None and not isinstance(stdin, int):
            stdin.close()


def _shortened(command: str) -> str:
    if len(command) <= _LONGEST_COMMAND:
        return command
    return f"{command[: _LONGEST_COMMAND // 2]} … {command[-_LONGEST_COMMAND // 2 :]}"


def _last_lines(output: bytes, masked: Sequence[str]) -> str:
    lines = output.decode(errors="replace").replace("\r\n", "\n").rstrip().split("\n")
    return mask("\n".join(line.rpartition("\r")[2] for line in lines[-_LAST_LINES:]), masked)
