"""A real registry on a free port of the loopback, with accounts and TLS, and a line that breaks."""

import contextlib
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """A running ``docker-registry``."""

    address: str
    folder: Path

    def blob_path(self, digest: str) -> Path:
        digits = digest.removeprefix("sha256:")
        return self.folder / "data/docker/registry/v2/blobs/sha256" / digits[:2] / digits / "data"

    def log(self) -> str:
        return (self.folder / "log").read_text()


def have_registry() -> bool:
    return shutil.which("docker-registry") is not None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running_registry(
    folder: Path, *, account: tuple[str, str] | None = None, certificate: tuple[Path, Path] | None = None
) -> Iterator[Registry]:
    """Start a registry in a folder; stopped by its own process at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = [
        "version: 0.1",
        f"storage: {{filesystem: {{rootdirectory: {folder / 'data'}}}, delete: {{enabled: true}}}}",
        "http:",
        f"  addr: 127.0.0.1:{port}",
        "  secret: only-for-tests",
    ]
    if certificate:
        config += ["  tls:", f"    certificate: {certificate[0]}", f"    key: {certificate[1]}"]
    if account:
        made = subprocess.run(["htpasswd", "-Bbn", *account], capture_output=True, check=True, timeout=20)
        (folder / "htpasswd").write_bytes(made.stdout)
        config += ["auth:", "  htpasswd:", "    realm: tests", f"    path: {folder / 'htpasswd'}"]
    (folder / "config.yml").write_text("\n".join(config) + "\n")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "config.yml")], stdout=log, stderr=log
        )
    try:
        _wait_for(port, process)
        yield Registry(address=f"127.0.0.1:{port}", folder=folder)
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError("the registry does not start")


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "cert.pem", folder / "key.pem"
    argv = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
    ]
    argv += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(argv, capture_output=True, check=True, timeout=60)
    return certificate, key


@dataclass(slots=True, kw_only=True)
class BreakingLine:
    """Hands a port on to another and breaks connections.

    Attributes:
        target: port behind it.
        up, down: bytes after which a connection breaks, for each of the next connections that reach it; then none do.
    """

    target: int
    up: list[int] = field(default_factory=list)
    down: list[int] = field(default_factory=list)
    broken: int = 0
    port: int = 0
    _socket: socket.socket | None = None
    _open: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._socket is not None
        self._open.append(self._socket)
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for one in self._open:
            one.close()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        self._threads.append(threading.Thread(target=work, args=arguments, daemon=True))
        self._threads[-1].start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _accept(self) -> None:
        assert self._socket is not None
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._socket.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                ends = (near, far)
                self._open += ends
                self._start(self._copy, near, far, ends, self.up)
                self._start(self._copy, far, near, ends, self.down)

    def _copy(
        self, source: socket.socket, sink: socket.socket, ends: tuple[socket.socket, ...], limits: list[int]
    ) -> None:
        count = 0
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 14):
                sink.sendall(data)
                count += len(data)
                if limits and count > limits[0]:
                    limits.pop(0)
                    self.broken += 1
                    for end in ends:
                        end.shutdown(socket.SHUT_RDWR)
                    return
            sink.shutdown(socket.SHUT_WR)
