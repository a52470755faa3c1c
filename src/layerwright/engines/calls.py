"""Calls to a Docker engine by ``http.client``: with a body, line by line, as a stream, over TCP and TLS."""

import http.client
import socket
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path

from layerwright.core.errors import EngineError
from layerwright.engines.connection import BODY_LIMIT, Answer, lost, unreachable
from layerwright.engines.endpoint import Endpoint

__all__ = ["Calls"]

_LINE_LIMIT = 1 << 20


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Calls:
    """Calls of every kind to one engine; a connection of its own for each.

    ``silence`` is how many seconds the engine may say nothing until a call is given up.
    """

    def __init__(self, endpoint: Endpoint, *, silence: float) -> None:
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
        connection = self._connect()
        try:
            response = self._send(connection, method, path, body, headers)
            data = response.read(BODY_LIMIT + 1)
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error, f"{method} {path.partition('?')[0]}") from error
        finally:
            connection.close()
        if len(data) > BODY_LIMIT:
            raise EngineError(f"the Docker engine's answer to {path} is longer than {BODY_LIMIT} bytes")
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(status=response.status, headers=found, body=data)

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
        what = f"{method} {path.partition('?')[0]}"
        connection = self._connect()
        try:
            response = self._send(connection, method, path, body, headers)
            if response.status >= HTTPStatus.BAD_REQUEST:
                answer = Answer(status=response.status, body=response.read(BODY_LIMIT))
                raise EngineError(f"the Docker engine refused {what}: {answer.message}")
            while line := response.readline(_LINE_LIMIT):
                if line.strip():
                    yield line
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error, what) from error
        finally:
            connection.close()

    def stream(self, path: str) -> Iterator[bytes]:
        """GET something large in pieces of at most 1 MiB.

        Raises:
            EngineError: the engine cannot be reached, refused, or died.
        """
        connection = self._connect()
        try:
            response = self._send(connection, "GET", path, None, None)
            if response.status >= HTTPStatus.BAD_REQUEST:
                answer = Answer(status=response.status, body=response.read(BODY_LIMIT))
                raise EngineError(f"the Docker engine refused {path}: {answer.message}")
            while data := response.read(1 << 20):
                yield data
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error, f"GET {path}") from error
        finally:
            connection.close()

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None,
        headers: Mapping[str, str] | None,
    ) -> http.client.HTTPResponse:
        try:
            # An iterable without a length goes out with chunked transfer encoding.
            connection.request(method, path, body=body, headers=dict(headers or {}))
        except (BrokenPipeError, ConnectionResetError):
            # The engine may answer, with the reason, before it has read everything.
            if connection.sock is None:
                raise
        return connection.getresponse()

    def _connect(self) -> http.client.HTTPConnection:
        endpoint = self._endpoint
        connection: http.client.HTTPConnection
        if endpoint.local:
            connection = _UnixConnection(endpoint.address.removeprefix("unix://"), self._silence)
        else:
            address = endpoint.address.removeprefix("tcp://")
            if endpoint.certificates is None:
                connection = http.client.HTTPConnection(address, timeout=self._silence)
            else:
                connection = _tls_connection(
                    address, endpoint.certificates, verify=endpoint.verify, silence=self._silence
                )
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise unreachable(endpoint, error) from error
        return connection

    def _lost(self, error: Exception, what: str) -> EngineError:
        return lost(self._endpoint, error, what, self._silence)


def _tls_connection(
    address: str, folder: Path, *, verify: bool, silence: float
) -> http.client.HTTPSConnection:
    import ssl  # noqa: PLC0415 - only engines behind TLS need it

    try:
        authority = folder / "ca.pem"
        context = ssl.create_default_context(cafile=str(authority) if authority.exists() else None)
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if (folder / "cert.pem").exists():
            context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    except OSError as error:
        raise EngineError(f"the TLS certificates for Docker in {folder} cannot be read: {error}") from error
    return http.client.HTTPSConnection(address, timeout=silence, context=context)
