"""How the Docker engine is reached: where it listens, and HTTP over that.

The engine's own HTTP API (https://docs.docker.com/reference/api/engine/) rather than its client: a client start
costs 40 to 60 ms, the API 1 ms, and a load can be streamed and watched.
"""

import http.client
import json
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from layerwright.core.errors import EngineError
from layerwright.host.environment import HostEnvironment

__all__ = [
    "Answer",
    "Connection",
    "Endpoint",
    "Transport",
    "find_endpoint",
]

_DEFAULT_SOCKET = "/var/run/docker.sock"
_BODY_LIMIT = 64 << 20
_LINE_LIMIT = 1 << 20
_SILENCE_SECONDS = 1800.0
"""The longest silence in a long call. An engine registers a layer of several GB without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where an engine listens.

    Attributes:
        address: ``unix:///path``, or ``tcp://host:port``.
        certificates: folder with ``ca.pem``, ``cert.pem`` and ``key.pem`` for TLS; None without TLS.
        verify: check the engine's certificate.
        source: what named it, for people.
    """

    address: str
    certificates: Path | None = None
    verify: bool = True
    source: str = "default"

    @property
    def local(self) -> bool:
        """Whether the engine is reached through a socket of this machine."""
        return self.address.startswith("unix://")


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


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


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
        connection = self._connect()
        try:
            response = self._send(connection, method, path, body, headers)
            data = response.read(_BODY_LIMIT + 1)
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error, f"{method} {path.partition('?')[0]}") from error
        finally:
            connection.close()
        if len(data) > _BODY_LIMIT:
            raise EngineError(f"the Docker engine's answer to {path} is longer than {_BODY_LIMIT} bytes")
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
            if response.status >= http.HTTPStatus.BAD_REQUEST:
                answer = Answer(status=response.status, body=response.read(_BODY_LIMIT))
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
            if response.status >= http.HTTPStatus.BAD_REQUEST:
                answer = Answer(status=response.status, body=response.read(_BODY_LIMIT))
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
            raise _unreachable(endpoint, error) from error
        return connection

    def _lost(self, error: Exception, what: str) -> EngineError:
        if isinstance(error, TimeoutError):
            reason = f"said nothing for {self._silence:.0f} s"
        else:
            reason = f"broke off ({type(error).__name__}: {error})"
        return EngineError(
            f"the Docker engine at {self._endpoint.address} {reason} during {what}",
            hint="see whether dockerd still runs and its disk has room (docker info, df), then try again",
        )


def _tls_connection(
    address: str, folder: Path, *, verify: bool, silence: float
) -> http.client.HTTPSConnection:
    import ssl  # noqa: PLC0415  start-up: only engines behind TLS need it

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


def _unreachable(endpoint: Endpoint, error: OSError) -> EngineError:
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


def find_endpoint(host: HostEnvironment) -> Endpoint:
    """Find the engine as Docker's own client does: ``DOCKER_HOST``, then the context, then the usual sockets.

    Raises:
        EngineError: the address is of a kind that is not supported, or the context is unknown.
    """
    variables = host.variables
    if address := variables.get("DOCKER_HOST", ""):
        certificates = None
        if variables.get("DOCKER_TLS_VERIFY") or variables.get("DOCKER_TLS"):
            folder = variables.get("DOCKER_CERT_PATH", "") or str(_client_folder(host))
            certificates = Path(folder)
        return _checked(
            Endpoint(
                address=address,
                certificates=certificates,
                verify=bool(variables.get("DOCKER_TLS_VERIFY")),
                source="DOCKER_HOST",
            )
        )
    context = variables.get("DOCKER_CONTEXT", "") or _current_context(host)
    if context and context != "default":
        return _checked(_context_endpoint(host, context))
    candidates = [_DEFAULT_SOCKET]
    if runtime := variables.get("XDG_RUNTIME_DIR", ""):
        candidates.append(f"{runtime}/docker.sock")  # a rootless engine
    for path in candidates:
        if Path(path).is_socket():
            return Endpoint(address=f"unix://{path}")
    return Endpoint(address=f"unix://{_DEFAULT_SOCKET}")


def _client_folder(host: HostEnvironment) -> Path:
    """Folder of Docker's client configuration; as ``registry.docker_config`` has it, without that room's cost."""
    return Path(host.variables.get("DOCKER_CONFIG", "") or host.home / ".docker")


def _current_context(host: HostEnvironment) -> str:
    if not (_client_folder(host) / "config.json").exists():
        return ""
    from layerwright.registry.docker_config import read_config  # noqa: PLC0415 - start-up

    return str(read_config(host).get("currentContext", ""))


def _context_endpoint(host: HostEnvironment, name: str) -> Endpoint:
    """Read a context as ``docker context`` stores it: a folder named by the sha256 of the name."""
    import hashlib  # noqa: PLC0415  start-up

    digits = hashlib.sha256(name.encode()).hexdigest()
    contexts = _client_folder(host) / "contexts"
    try:
        document = json.loads((contexts / "meta" / digits / "meta.json").read_bytes())
        settings = document["Endpoints"]["docker"]
        address = str(settings["Host"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(
            f"the Docker context {name!r} cannot be read from {contexts}",
            hint="docker context ls shows what there is; DOCKER_CONTEXT=default uses the local engine",
        ) from error
    tls = contexts / "tls" / digits / "docker"
    return Endpoint(
        address=address,
        certificates=tls if tls.is_dir() else None,
        verify=not settings.get("SkipTLSVerify", False),
        source=f"context {name}",
    )


def _checked(endpoint: Endpoint) -> Endpoint:
    scheme, separator, rest = endpoint.address.partition("://")
    if separator and rest and scheme in {"unix", "tcp"}:
        return endpoint
    raise EngineError(
        f"Docker engines at {endpoint.address!r} ({endpoint.source}) are not supported",
        hint="give unix:///path/of/docker.sock or tcp://host:port; for ssh, forward the socket: "
        "ssh -NL /tmp/docker.sock:/var/run/docker.sock HOST",
    )
