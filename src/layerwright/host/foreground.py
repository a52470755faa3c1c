"""Programs that run in our place, with our terminal."""

import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from layerwright.host.ending import shell_status
from layerwright.host.process import mask, start_program

__all__ = ["foreground"]

_POLL_SECONDS = 0.1
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
        process = start_program(
            argv, shown, env=env, cwd=cwd, input_bytes=None, pass_fds=pass_fds, own_group=False
        )
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
    return shell_status(process.returncode)


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
