"""Programs that run beside us."""

import signal
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING

from layerwright.host.ending import shell_status, signal_group, wait
from layerwright.host.process import interrupts_held, mask, start_program

if TYPE_CHECKING:
    from layerwright.host.ending import Process

__all__ = ["Background", "background"]


class Background:
    """A program that runs beside us, in a session of its own; whoever started it looks after it.

    Attributes:
        argv: what was started, secrets masked.
    """

    def __init__(self, process: "Process", argv: tuple[str, ...]) -> None:
        self.argv = argv
        self._process = process

    def poll(self) -> int | None:
        """Its exit status as the shell counts, or None while it runs."""
        code = self._process.poll()
        return None if code is None else shell_status(code)

    def wait(self, seconds: float) -> int | None:
        """Its exit status, waited for at most this long."""
        return wait(self._process, seconds)

    def kill(self) -> None:
        """End it and its process group by force; no error when it has ended."""
        signal_group(self._process.pid, signal.SIGKILL)
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
    with interrupts_held() as held:
        process = start_program(
            argv, shown, env=env, cwd=None, input_bytes=None, pass_fds=pass_fds, output=output
        )
    started = Background(process, shown)
    if held:
        started.kill()
        raise KeyboardInterrupt
    return started
