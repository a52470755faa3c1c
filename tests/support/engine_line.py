"""A line to the Docker engine that counts what is sent, and breaks when told."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ENGINE = Path("/var/run/docker.sock")


@dataclass(slots=True)
class EngineLine:
    """A socket in front of the engine's.

    Attributes:
        path: where it listens.
        sent: bytes that went to the engine.
        break_after: bytes to the engine after which every connection breaks, 0 for never.
    """

    path: Path
    sent: int = 0
    break_after: int = 0
    _open: list[socket.socket] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"unix://{self.path}"

    def carry(self, near: socket.socket, far: socket.socket, *, up: bool) -> None:
        with contextlib.suppress(OSError):
            while data := near.recv(1 << 16):
                if up:
                    self.sent += len(data)
                    if self.break_after and self.sent > self.break_after:
                        for end in (near, far):
                            end.shutdown(socket.SHUT_RDWR)
                        return
                far.sendall(data)
            far.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def engine_line(path: Path) -> Iterator[EngineLine]:
    """Listen until the block ends."""
    line = EngineLine(path)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    server.listen()
    threads: list[threading.Thread] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = server.accept()
                far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                line._open += [near, far]
                far.connect(str(ENGINE))
                for source, sink, up in ((near, far, True), (far, near, False)):
                    threads.append(
                        threading.Thread(
                            target=line.carry, args=(source, sink), kwargs={"up": up}, daemon=True
                        )
                    )
                    threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield line
    finally:
        server.shutdown(socket.SHUT_RDWR)
        acceptor.join()
        for one in line._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)
        for one in (*line._open, server):
            one.close()
