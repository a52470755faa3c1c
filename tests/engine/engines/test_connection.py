"""Engines that die or refuse in the middle, played by a socket of our own."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from layerwright.core.errors import EngineError
from layerwright.engines.connection import Connection
from layerwright.engines.endpoint import Endpoint

pytestmark = pytest.mark.engine


@contextlib.contextmanager
def playing(path: Path, play: Callable[[socket.socket], None]) -> Iterator[Connection]:
    """An engine that does with each connection what ``play`` says."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    server.listen()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = server.accept()
                with near:
                    play(near)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield Connection(Endpoint(address=f"unix://{path}"))
    finally:
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        server.close()


def body(pieces: int) -> Iterator[bytes]:
    for _ in range(pieces):
        yield bytes(1 << 20)


def test_an_engine_that_dies_while_we_send(tmp_path: Path) -> None:
    def die(near: socket.socket) -> None:
        near.recv(1 << 16)

    with (
        playing(tmp_path / "sock", die) as connection,
        pytest.raises(EngineError, match="broke off") as caught,
    ):
        list(connection.lines("POST", "/images/load?quiet=0", body=body(64)))
    assert "POST /images/load" in caught.value.what
    assert "dockerd still runs" in caught.value.hint


def test_an_engine_that_dies_while_it_answers(tmp_path: Path) -> None:
    def die(near: socket.socket) -> None:
        near.recv(1 << 16)
        near.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n\n")

    with playing(tmp_path / "sock", die) as connection, pytest.raises(EngineError, match="broke off"):
        list(connection.lines("GET", "/events"))


def test_a_refusal_before_everything_was_sent_is_heard(tmp_path: Path) -> None:
    def refuse(near: socket.socket) -> None:
        near.recv(1 << 16)
        near.sendall(b'HTTP/1.1 500 Oh\r\nContent-Length: 29\r\n\r\n{"message": "no space left"}\n')
        near.shutdown(socket.SHUT_WR)
        while near.recv(1 << 20):
            pass

    with playing(tmp_path / "sock", refuse) as connection, pytest.raises(EngineError, match="no space left"):
        list(connection.lines("POST", "/images/load", body=body(8)))


def test_no_engine_says_what_to_do(tmp_path: Path) -> None:
    connection = Connection(Endpoint(address=f"unix://{tmp_path}/none.sock", source="DOCKER_HOST"))
    with pytest.raises(EngineError, match="no Docker engine answers") as caught:
        connection.request("GET", "/version")
    assert "DOCKER_HOST" in caught.value.what
    assert caught.value.exit_code == 5


def test_an_answer_without_end_is_cut(tmp_path: Path) -> None:
    def flood(near: socket.socket) -> None:
        near.recv(1 << 16)
        near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                near.sendall(bytes(1 << 20))

    with playing(tmp_path / "sock", flood) as connection, pytest.raises(EngineError, match="longer than"):
        connection.request("GET", "/version")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"", "ended too early"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n", "ended too early"),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"ID": ', "not whole"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", "not whole"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 twohundred\r\n\r\n", "twohundred|two"),
    ],
)
def test_an_answer_that_is_not_whole(tmp_path: Path, said: bytes, reason: str) -> None:
    def answer(near: socket.socket) -> None:
        near.recv(1 << 16)
        near.sendall(said)

    with playing(tmp_path / "sock", answer) as connection, pytest.raises(EngineError, match=reason) as caught:
        connection.request("GET", "/info")
    assert "broke off" in caught.value.what
    assert "GET /info" in caught.value.what


def test_a_question_and_its_answer(tmp_path: Path) -> None:
    heard = []

    def answer(near: socket.socket) -> None:
        heard.append(near.recv(1 << 16))
        near.sendall(b"HTTP/1.0 404 Not Found\r\nApi-Version: 1.41\r\nContent-Length: 20\r\n\r\n")
        near.sendall(b'{"message": "no it"}')

    with playing(tmp_path / "sock", answer) as connection:
        found = connection.request("POST", "/images/x/tag?repo=y")
    assert (found.status, found.headers["api-version"], found.message) == (404, "1.41", "no it")
    assert heard == [b"POST /images/x/tag?repo=y HTTP/1.0\r\nHost: docker\r\nContent-Length: 0\r\n\r\n"]


def test_an_answer_to_head_has_a_length_and_no_body(tmp_path: Path) -> None:
    def answer(near: socket.socket) -> None:
        near.recv(1 << 16)
        near.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 125\r\n\r\n")

    with playing(tmp_path / "sock", answer) as connection:
        got = connection.request("HEAD", "/containers/1/archive?path=/img-man")
    assert (got.status, got.body) == (404, b"")


def test_an_answer_to_get_that_is_cut_off_is_none(tmp_path: Path) -> None:
    def answer(near: socket.socket) -> None:
        near.recv(1 << 16)
        near.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 125\r\n\r\n{}")

    with playing(tmp_path / "sock", answer) as connection, pytest.raises(EngineError, match="not whole"):
        connection.request("GET", "/info")
