"""HTTP to a Docker engine.

The engine's own HTTP API (https://docs.docker.com/reference/api/engine/) rather than its client: a client start
costs 40 to 60 ms, the API 1 ms, and a load can be streamed and watched.
"""

import json
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from layerwright.core.errors import EngineError
from layerwright.engines.endpoint import Endpoint

if TYPE_CHECKING:
    from layerwright.engines.calls import Calls

__all__ = ["BODY_LIMIT", "Answer", "Connection", "Transport", "lost", "unreachable"]

BODY_LIMIT = 64 << 20
"""Bytes that an answer read as a whole may have."""

_SILENCE_SECONDS = 1800.0
"""The longest silence in a long call. An engine registers a layer of several GB without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the engine said.

    Attributes:
        status: HTTP status.
        headers: lower-case names.
        body: at most 64 MiB.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> object:
        """The body as JSON.

        Raises:
            EngineError: it is none.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise EngineError(f"the Docker engine's answer is no JSON: {self.body[:80]!r}") from error

    @property
    def message(self) -> str:
        """The engine's own words for a failure."""
        try:
            document = json.loads(self.body)
        except ValueError:
            return self.body[:500].decode(errors="replace").strip()
        return str(document.get("message", document)) if isinstance(document, dict) else str(document)


class Transport(Protocol):
    """Sends requests to an engine; tests put a recorder here."""

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and read the whole answer."""

    def lines(
        self,
        method: str,
        path: str,
        *,
        body: Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[bytes]:
        """Send one request and hand on the lines of the answer as they come."""

    def stream(self, path: str) -> Iterator[bytes]:
        """GET something large, in pieces."""


class Connection:
    """HTTP to one engine; a new connection for every request, so threads may share it.

    ``silence`` is how many seconds the engine may say nothing until a call is given up.
    """

    def __init__(self, endpoint: Endpoint, *, silence: float = _SILENCE_SECONDS) -> None:
        self._endpoint = endpoint
        self._silence = silence

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and read the whole answer.

        Raises:
            EngineError: the engine cannot be reached, died, or answers without end.
        """
        if self._endpoint.local and body is None and not headers:
            return self._question(method, path)
        return self._calls().request(method, path, body=body, headers=headers)

    def lines(
        self,
        method: str,
        path: str,
        *,
        body: Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[bytes]:
        """Send one request and hand on the lines of the answer as they come.

        Raises:
            EngineError: the engine cannot be reached, refused, or died.
        """
        return self._calls().lines(method, path, body=body, headers=headers)

    def stream(self, path: str) -> Iterator[bytes]:
        """GET something large in pieces of at most 1 MiB.

        Raises:
            EngineError: the engine cannot be reached, refused, or died.
        """
        return self._calls().stream(path)

    def _calls(self) -> "Calls":
        from layerwright.engines.calls import Calls  # noqa: PLC0415 - start-up

        return Calls(self._endpoint, silence=self._silence)

    def _question(self, method: str, path: str) -> Answer:
        """A request without a body, over a socket of this machine, as HTTP/1.0: the answer ends with the connection.

        It is all that a start asks, and ``http.client`` takes 15 ms to import.
        """
        length = "" if method == "GET" else "Content-Length: 0\r\n"
        words = f"{method} {path} HTTP/1.0\r\nHost: docker\r\n{length}\r\n".encode("ascii")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as near:
            near.settimeout(self._silence)
            try:
                near.connect(self._endpoint.address.removeprefix("unix://"))
            except OSError as error:
                raise unreachable(self._endpoint, error) from error
            what = f"{method} {path.partition('?')[0]}"
            try:
                near.sendall(words)
                data = bytearray()
                while len(data) <= BODY_LIMIT and (more := near.recv(1 << 16)):
                    data += more
                answer = _read_answer(data, method)
            except (OSError, ValueError) as error:
                raise lost(self._endpoint, error, what, self._silence) from error
        if len(answer.body) > BODY_LIMIT or len(data) > BODY_LIMIT:
            raise EngineError(f"the Docker engine's answer to {path} is longer than {BODY_LIMIT} bytes")
        return answer


def _read_answer(data: bytes | bytearray, method: str) -> Answer:
    """Take an answer apart.

    Args:
        data: all that came.
        method: of the request. An answer to HEAD tells the length that GET would have and brings nothing of it
            (RFC 9110, section 9.3.2); Docker does so when a path is not in the container.

    Raises:
        ValueError: it is no answer, or not all of one.
    """
    head, end, body = bytes(data).partition(b"\r\n\r\n")
    first, *rows = head.decode("latin-1").split("\r\n")
    version, _, status = first.partition(" ")
    if not end or not version.startswith("HTTP/1."):
        raise ValueError("the connection ended too early" if not end else "this is no HTTP")
    headers = {name.strip().lower(): value.strip() for name, _, value in (row.partition(":") for row in rows)}
    length = headers.get("content-length")
    if method == "HEAD":
        return Answer(status=int(status[:3]), headers=headers, body=b"")
    if "transfer-encoding" in headers or (length is not None and int(length) > len(body)):
        raise ValueError("the answer is not whole")
    return Answer(status=int(status[:3]), headers=headers, body=body)


def lost(endpoint: Endpoint, error: Exception, what: str, silence: float) -> EngineError:
    """The error for a call that broke off.

    Args:
        endpoint: the engine.
        error: what happened.
        what: the call, for people.
        silence: seconds that were waited at most.
    """
    if isinstance(error, TimeoutError):
        reason = f"said nothing for {silence:.0f} s"
    else:
        reason = f"broke off ({type(error).__name__}: {error})"
    return EngineError(
        f"the Docker engine at {endpoint.address} {reason} during {what}",
        hint="see whether dockerd still runs and its disk has room (docker info, df), then try again",
    )


def unreachable(endpoint: Endpoint, error: OSError) -> EngineError:
    """The error for an engine that does not answer."""
    where = f"no Docker engine answers at {endpoint.address} ({endpoint.source})"
    if isinstance(error, PermissionError):
        return EngineError(
            f"{where}: permission denied",
            hint="add yourself to the group that owns the socket (usually docker) and log in again",
        )
    return EngineError(
        f"{where}: {error.strerror or error}",
        hint="start Docker or set DOCKER_HOST; building to oci:DIR and running natively need no engine",
    )
