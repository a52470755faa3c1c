"""The end of programs that were started: how it is waited for, told, and brought about."""

import contextlib
import os
import signal
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import subprocess

__all__ = ["Process", "shell_status", "signal_group", "stop_group", "wait"]

Process: TypeAlias = "subprocess.Popen[bytes]"

_GRACE_SECONDS = 2.0


def shell_status(returncode: int | None) -> int:
    """Return a status as shells count it."""
    if returncode is None:
        return 128 + signal.SIGKILL
    return 128 - returncode if returncode < 0 else returncode


def wait(process: Process, seconds: float) -> int | None:
    """A program's exit status as the shell counts, waited for at most this long; None while it runs."""
    import subprocess  # noqa: PLC0415  start-up

    try:
        return shell_status(process.wait(seconds))
    except subprocess.TimeoutExpired:
        return None


def stop_group(process: Process) -> None:
    """End a program and its process group: politely, then after a grace time by force.

    What it started in other groups ends with it: Podman does not always stop the container that a step runs in.
    """
    from layerwright.host.descendants import descendants, kill_descendants  # noqa: PLC0415  start-up

    below = descendants(process.pid)
    try:
        if process.poll() is None:
            signal_group(process.pid, signal.SIGTERM)
            wait(process, _GRACE_SECONDS)
    finally:
        signal_group(process.pid, signal.SIGKILL)
        kill_descendants(below)
        process.wait()


def signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal to a process group; no error when it has ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
