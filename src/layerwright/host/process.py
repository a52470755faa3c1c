"""Starting other programs: the only place that does.

Every call has a time-out, output kept in memory has a limit, and a program's whole process group
ends when the call is given up (time-out, Ctrl-C), so that no build step outlives its build.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING

from msgspec import Struct

from layerwright.core.errors import BuildError

if TYPE_CHECKING:
    import subprocess

__all__ = [
    "Background",
    "Completed",
    "ProcessError",
    "background",
    "find_program",
    "foreground",
    "mask",
    "quote",
    "run",
]

_KEPT_BYTES = 1 << 20
_LAST_LINES = 20
_LONGEST_COMMAND = 1000
_LONGEST_LINE = 64 * 1024
_CHUNK = 64 * 1024
_POLL_SECONDS = 0.1
_GRACE_SECONDS = 2.0
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
_SI_KERNEL = 0x80  # asm-generic/siginfo.h: sent by the kernel, such as by the terminal driver
_FORWARDED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
)


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
    lines = _Lines(on_line, masked)
    with _interrupts_held() as held:
        process = _start(argv, shown, env=env, cwd=cwd, input_bytes=input, pass_fds=pass_fds)
    try:
        if held:
            raise KeyboardInterrupt  # noqa: TRY301 - cleared up as one that comes later is
        finished = _drain(process, lines, deadline=time.monotonic() + timeout)
    except BaseException:
        _stop_group(process)
        raise
    finally:
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    stdout, stderr = lines.kept
    if not finished:
        _stop_group(process)
        raise ProcessError(
            f"command took longer than {timeout:g} s and was stopped",
            argv=shown,
            status=_status(process.returncode),
            output=_last_lines(stderr or stdout, masked),
            timed_out=True,
        )
    status = _status(process.returncode)
    if check and status != 0:
        raise ProcessError(
            f"command failed with status {status}",
            argv=shown,
            status=status,
            output=_last_lines(stderr if stderr.strip() else stdout, masked),
        )
    return Completed(argv=tuple(argv), status=status, stdout=stdout, stderr=stderr)


def foreground(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
    masked: Sequence[str] = (),
) -> int:
    """Run a program in our place: it gets our input, output and terminal, and the signals sent to us.

    Must be called from the main thread. The program stays in our process group, so the terminal's own
    signals (Ctrl-C) reach it without us; those are told by their code and not sent a second time.

    Returns:
        Its exit status; ``128 + n`` when signal ``n`` ended it.

    Raises:
        ProcessError: it could not be started.
    """
    shown = tuple(mask(argument, masked) for argument in argv)
    early: list[int] = []
    terminal = _own_terminal()

    def remember(number: int, _frame: FrameType | None) -> None:
        early.append(number)

    # Handlers, not a blocked mask, stand while the program starts: a mask would be inherited.
    previous = {number: signal.signal(number, remember) for number in _FORWARDED}
    try:
        process = _start(argv, shown, env=env, cwd=cwd, input_bytes=None, pass_fds=pass_fds, own_group=False)
        awaited = {*_FORWARDED, signal.SIGCHLD}
        old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
        try:
            for number in early:
                process.send_signal(number)
            while process.poll() is None:
                # A time limit, since a SIGCHLD that came before the mask is not queued.
                info = signal.sigtimedwait(awaited, _POLL_SECONDS)
                if info is not None and info.si_signo != signal.SIGCHLD and info.si_code != _SI_KERNEL:
                    process.send_signal(info.si_signo)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            signal.pthread_sigmask(signal.SIG_SETMASK, old_mask)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if terminal >= 0:
        _take_back(terminal)
    return _status(process.returncode)


class Background:
    """A program that runs beside us, in a session of its own; whoever started it looks after it.

    Attributes:
        argv: what was started, secrets masked.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", argv: tuple[str, ...]) -> None:
        self.argv = argv
        self._process = process

    def poll(self) -> int | None:
        """Its exit status as the shell counts, or None while it runs."""
        code = self._process.poll()
        return None if code is None else _status(code)

    def wait(self, seconds: float) -> int | None:
        """Its exit status, waited for at most this long."""
        import subprocess  # noqa: PLC0415  start-up

        try:
            return _status(self._process.wait(seconds))
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End it and its process group by force; no error when it has ended."""
        _signal_group(self._process.pid, signal.SIGKILL)
        self._process.wait()


def background(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    output: IO[bytes],
    pass_fds: Sequence[int] = (),
    masked: Sequence[str] = (),
) -> Background:
    """Start a program that writes its standard output and error to a file, and come back at once.

    Args:
        argv: program and arguments, never a shell string.
        env: its whole environment; None hands ours on.
        output: takes both streams as they are.
        pass_fds: file descriptors it inherits.
        masked: secrets; replaced by ``***`` in errors.

    Raises:
        ProcessError: it could not be started.
    """
    shown = tuple(mask(argument, masked) for argument in argv)
    with _interrupts_held() as held:
        process = _start(argv, shown, env=env, cwd=None, input_bytes=None, pass_fds=pass_fds, output=output)
    started = Background(process, shown)
    if held:
        started.kill()
        raise KeyboardInterrupt
    return started


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


class _Lines:
    """Keeps the end of both streams and hands on whole lines."""

    def __init__(self, on_line: Callable[[str], None] | None, masked: Sequence[str]) -> None:
        self._on_line = on_line
        self._masked = masked
        self._streams = (bytearray(), bytearray())
        self._partial = [b"", b""]

    @property
    def kept(self) -> tuple[bytes, bytes]:
        """The last MiB of standard output and of standard error."""
        return bytes(self._streams[0][-_KEPT_BYTES:]), bytes(self._streams[1][-_KEPT_BYTES:])

    def feed(self, stream: int, data: bytes) -> None:
        kept = self._streams[stream]
        kept += data
        if len(kept) > 2 * _KEPT_BYTES:
            del kept[:-_KEPT_BYTES]
        if self._on_line is None:
            return
        *whole, rest = (self._partial[stream] + data).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            whole.append(rest)
            rest = b""
        self._partial[stream] = rest
        for line in whole:
            self._emit(line)

    def finish(self) -> None:
        """Hand on what was printed without a line end."""
        for stream, rest in enumerate(self._partial):
            self._partial[stream] = b""
            if rest:
                self._emit(rest)

    def _emit(self, line: bytes) -> None:
        if self._on_line is not None:
            # A carriage return redraws a progress bar: what stands after the last one is the line.
            text = line.rstrip(b"\r").rpartition(b"\r")[2].decode(errors="replace")
            self._on_line(mask(text, self._masked))


@contextlib.contextmanager
def _interrupts_held() -> Iterator[list[int]]:
    """Note a Ctrl-C instead of raising it: raised while a program is being started, it would leave the program behind.

    Only the main thread gets signals; elsewhere nothing is held.
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


def _start(
    argv: Sequence[str],
    shown: tuple[str, ...],
    *,
    env: Mapping[str, str] | None,
    cwd: Path | None,
    input_bytes: bytes | None,
    pass_fds: Sequence[int],
    own_group: bool = True,
    output: IO[bytes] | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a program: captured or with its output in a file and in a session of its own, or in our place."""
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


def _drain(process: "subprocess.Popen[bytes]", lines: _Lines, *, deadline: float) -> bool:
    """Read both pipes until the program has ended; return False when the deadline comes first.

    Pipes that a left-over grandchild still holds open are given up once the program itself is gone.
    """
    import selectors  # noqa: PLC0415  start-up

    with selectors.DefaultSelector() as selector:
        for stream, pipe in enumerate((process.stdout, process.stderr)):
            if pipe is not None:
                selector.register(pipe.fileno(), selectors.EVENT_READ, stream)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            ended = process.poll() is not None
            events = selector.select(0 if ended else min(left, _POLL_SECONDS))
            if ended and not events:
                break
            for key, _ in events:
                data = os.read(key.fd, _CHUNK)
                if data:
                    lines.feed(key.data, data)
                else:
                    selector.unregister(key.fd)
    lines.finish()
    import subprocess  # noqa: PLC0415  start-up

    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True


def _stop_group(process: "subprocess.Popen[bytes]") -> None:
    """End a program and its process group: politely, then after a grace time by force.

    What it started in other groups ends with it: Podman does not always stop the container that a step runs in.
    """
    import subprocess  # noqa: PLC0415  start-up

    from layerwright.host.descendants import descendants, kill_descendants  # noqa: PLC0415  start-up

    below = descendants(process.pid)
    try:
        if process.poll() is None:
            _signal_group(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_SECONDS)
    finally:
        _signal_group(process.pid, signal.SIGKILL)
        kill_descendants(below)
        process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def _own_terminal() -> int:
    """Return the descriptor of the terminal we are in the foreground of, or -1."""
    for descriptor in (0, 1, 2):
        try:
            if os.tcgetpgrp(descriptor) == os.getpgrp():
                return descriptor
        except OSError:
            continue
    return -1


def _take_back(terminal: int) -> None:
    """Become the terminal's foreground group again: a shell that ended may have kept it."""
    previous = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        with contextlib.suppress(OSError):
            os.tcsetpgrp(terminal, os.getpgrp())
    finally:
        signal.signal(signal.SIGTTOU, previous)


def _status(returncode: int | None) -> int:
    """Return a status as shells count it."""
    if returncode is None:
        return 128 + signal.SIGKILL
    return 128 - returncode if returncode < 0 else returncode


def _shortened(command: str) -> str:
    if len(command) <= _LONGEST_COMMAND:
        return command
    return f"{command[: _LONGEST_COMMAND // 2]} … {command[-_LONGEST_COMMAND // 2 :]}"


def _last_lines(output: bytes, masked: Sequence[str]) -> str:
    lines = output.decode(errors="replace").replace("\r\n", "\n").rstrip().split("\n")
    return mask("\n".join(line.rpartition("\r")[2] for line in lines[-_LAST_LINES:]), masked)
