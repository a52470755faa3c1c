"""What a program prints, read as it comes: the end of it is kept, and whole lines are handed on."""

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from layerwright.host.ending import wait

if TYPE_CHECKING:
    from layerwright.host.ending import Process

__all__ = ["Lines", "drain"]

_KEPT_BYTES = 1 << 20
_LONGEST_LINE = 64 * 1024
_CHUNK = 64 * 1024
_POLL_SECONDS = 0.1


class Lines:
    """Keeps the end of both streams and hands on whole lines.

    Args:
        on_line: gets each line without its end; None when nobody wants them.
    """

    def __init__(self, on_line: Callable[[str], None] | None) -> None:
        self._on_line = on_line
        self._streams = (bytearray(), bytearray())
        self._partial = [b"", b""]

    @property
    def kept(self) -> tuple[bytes, bytes]:
        """The last MiB of standard output and of standard error."""
        return bytes(self._streams[0][-_KEPT_BYTES:]), bytes(self._streams[1][-_KEPT_BYTES:])

    def feed(self, stream: int, data: bytes) -> None:
        """Take what was read: ``stream`` is 0 for standard output, 1 for standard error."""
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
            self._on_line(text)


def drain(process: "Process", lines: Lines, *, deadline: float) -> bool:
    """Read both pipes until the program has ended; return False when the deadline comes first.

    Pipes that a left-over grandchild still holds open are given up once the program itself is gone.

    Args:
        process: a program with pipes.
        lines: takes what it prints.
        deadline: by the monotonic clock, in seconds.
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
    return wait(process, max(0.0, deadline - time.monotonic())) is not None
