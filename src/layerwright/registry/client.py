"""One registry over HTTP: addresses, authentication, retries, and errors in the registry's own words.

The protocol is the OCI distribution specification 1.1. Over ``requests`` rather than a registry library:
docs/decisions/0007-registry-client.md says why.
"""

import ipaddress
import json
import random
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from layerwright.core.errors import NetworkError
from layerwright.host.environment import HostEnvironment
from layerwright.host.http import ca_bundle, proxies
from layerwright.host.process import mask
from layerwright.oci.reference import DOCKER_HUB
from layerwright.registry.credentials import Credentials, find_credentials
from layerwright.registry.tokens import Authorizer

if TYPE_CHECKING:
    import requests

__all__ = ["ConnectionCutError", "RegistryClient", "RegistryError", "SizedBody", "is_loopback"]

_HUB_ADDRESS: Final = "registry-1.docker.io"
_TIMEOUT: Final = (15.0, 120.0)
_RENEWALS: Final = 3
"""New tokens for one request: uploads that run side by side share one, and it may end for all of them at once."""

_ATTEMPTS: Final = 5
_RETRIED: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_FIRST_PAUSE: Final = 0.4
_LONGEST_PAUSE: Final = 30.0
_ERROR_LIMIT: Final = 64 << 10
_CONNECTIONS: Final = 8


class RegistryError(NetworkError):
    """A registry refused.

    Attributes:
        status: the HTTP status.
        codes: the registry's error codes, such as ``DENIED``.
    """

    def __init__(self, what: str, *, status: int, codes: Collection[str] = (), hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.status = status
        self.codes = tuple(codes)


class ConnectionCutError(NetworkError):
    """The line broke in the middle of a request that cannot be sent again as it is."""


class SizedBody:
    """A streamed body whose length is known, so that it is sent with Content-Length rather than in HTTP chunks."""

    def __init__(self, chunks: Iterable[bytes], size: int) -> None:
        self._chunks = chunks
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._chunks)


class RegistryClient:
    """Asks one registry; safe to use from several threads.

    Args:
        registry: host, with port where given; ``docker.io`` for Docker Hub.
        host: whose certificates, proxies and accounts count.
        credentials: the account; None looks for it in Docker's configuration.
        sleep: waits between attempts.
    """

    def __init__(
        self,
        registry: str,
        *,
        host: HostEnvironment,
        credentials: Credentials | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.registry = registry
        self._host = host
        self._sleep = sleep
        self._session = _session()
        self._loopback = is_loopback(registry)
        self._address = ""
        self._credentials = credentials if credentials is not None else find_credentials(registry, host)
        for secret in self._credentials.secrets:
            host.seen.add(f"account of the registry {registry}", secret)
        self._authorizer = Authorizer(
            registry=registry,
            credentials=self._credentials,
            get=lambda url, **rest: self._send("GET", url, **rest),
            post=lambda url, **rest: self._send("POST", url, **rest),
            insecure=self._loopback,
        )

    def url(self, path: str) -> str:
        """Address of ``/v2/…``; the first call asks the registry how it wants to be spoken to.

        Raises:
            NetworkError: it cannot be reached, or is no registry.
        """
        if not self._address:
            self._address = self._begin()
        return f"{self._address}{path}"

    def request(
        self,
        method: str,
        url: str,
        *,
        what: str,
        scopes: tuple[str, ...],
        headers: Mapping[str, str] | None = None,
        body: Callable[[], "bytes | SizedBody"] | None = None,
        accepted: Collection[int] = (HTTPStatus.OK,),
        stream: bool = False,
    ) -> "requests.Response":
        """Send one request, again when the line or the registry fails in a way that may pass.

        Args:
            method: HTTP method.
            url: whole address.
            what: what it is for, for errors: ``the manifest of debian:12``.
            scopes: ``repository:name:pull`` and the like, for tokens.
            headers: beside the authorization.
            body: makes the body, anew for every attempt.
            accepted: statuses that are good answers.
            stream: leave the answer's body unread.

        Raises:
            RegistryError: it refused.
            NetworkError: it cannot be reached.
        """
        renewed = 0
        for attempt in range(1, _ATTEMPTS + 1):
            last = attempt == _ATTEMPTS
            sent = {**(headers or {}), **self._authorization(url, scopes)}
            try:
                response = self._send(method, url, headers=sent, data=body() if body else None, stream=stream)
            except _connection_errors() as error:
                if last:
                    raise self._unreachable(error, what) from error
                self._pause(attempt, "")
                continue
            if response.status_code in accepted:
                return response
            if response.status_code == HTTPStatus.UNAUTHORIZED and renewed < _RENEWALS and not last:
                # A challenge for other scopes than thought, or a token that ended, perhaps in others' hands.
                renewed += 1
                if self._authorizer.learn(response.headers.get("WWW-Authenticate", "")):
                    response.close()
                    self._authorizer.header(scopes, renew=True)
                    continue
            if response.status_code in _RETRIED and not last:
                response.close()
                self._pause(attempt, response.headers.get("Retry-After", ""))
                continue
            raise self.refused(response, what)
        raise AssertionError(attempt)  # pragma: no cover - the last attempt returns or raises

    def request_once(
        self,
        method: str,
        url: str,
        *,
        what: str,
        scopes: tuple[str, ...],
        headers: Mapping[str, str],
        body: "bytes | SizedBody",
        accepted: Collection[int],
    ) -> "requests.Response":
        """Send a request whose body exists once; arguments as for ``request``.

        Raises:
            ConnectionCutError: the line broke.
            RegistryError: the registry refused; after 401 the next request has a new token.
        """
        sent = {**headers, **self._authorization(url, scopes)}
        try:
            response = self._send(method, url, headers=sent, data=body, allow_redirects=False)
        except _connection_errors() as error:
            raise ConnectionCutError(self._unreachable(error, what).what) from error
        if response.status_code in accepted:
            return response
        if response.status_code == HTTPStatus.UNAUTHORIZED and self._authorizer.learn(
            response.headers.get("WWW-Authenticate", "")
        ):
            self._authorizer.header(scopes, renew=True)
        raise self.refused(response, what)

    def location(self, response: "requests.Response") -> str:
        """Where an upload goes on; registries give whole and relative addresses.

        Raises:
            NetworkError: there is none, or it leads away from TLS.
        """
        target = response.headers.get("Location", "")
        found = urljoin(response.url, target) if target else ""
        parts = urlsplit(found)
        secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.netloc))
        if not secure:
            raise NetworkError(f"{self.registry} gives no usable upload address: {target[:200]!r}")
        return found

    def refused(self, response: "requests.Response", what: str) -> RegistryError:
        """The error for an answer, with the registry's own words and no secret."""
        status = response.status_code
        codes, words = _own_words(response)
        response.close()
        text = f"{self.registry} refused {what}: {status} {words or _phrase(status)}"
        return RegistryError(
            mask(text, self._authorizer.secrets), status=status, codes=codes, hint=self._hint(status)
        )

    def _hint(self, status: int) -> str:
        account = self._credentials
        login = f"docker login {self.registry}"
        if status == HTTPStatus.UNAUTHORIZED:
            if account.source:
                return f"the account from {account.source} was not accepted; log in again: {login}"
            return account.trouble or f"log in: {login}"
        if status == HTTPStatus.FORBIDDEN:
            whose = f"the account {account.user!r}" if account.user else "visitors without an account"
            return f"this is not allowed to {whose}; ask for the right, or log in as somebody else: {login}"
        if status == HTTPStatus.NOT_FOUND:
            return "check the name and tag; some registries also say this to accounts that may not see it"
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return f"the registry limits requests; wait, or log in for a higher limit: {login}"
        return ""

    def _authorization(self, url: str, scopes: tuple[str, ...]) -> dict[str, str]:
        """The header for our own registry only: uploads and downloads may lead to other hosts."""
        if not self._address or urlsplit(url).netloc != urlsplit(self._address).netloc:
            return {}
        return self._authorizer.header(scopes)

    def _begin(self) -> str:
        """Find scheme and challenge by the end-point check of the specification (GET /v2/)."""
        netloc = _HUB_ADDRESS if self.registry == DOCKER_HUB else self.registry
        response = self._first_answer(netloc)
        address = response.url.partition("/v2/")[0]
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            if not self._authorizer.learn(response.headers.get("WWW-Authenticate", "")):
                raise self.refused(response, "to say how to log in")
        elif response.status_code >= HTTPStatus.BAD_REQUEST and response.status_code != HTTPStatus.NOT_FOUND:
            raise self.refused(response, "the first question (GET /v2/)")
        response.close()
        return address

    def _first_answer(self, netloc: str) -> "requests.Response":
        attempt = 1
        while True:
            last = attempt == _ATTEMPTS
            try:
                response = self._ping(netloc)
            except _connection_errors() as error:
                if last or _is_permanent(error):
                    raise self._unreachable(error, "") from error
                self._pause(attempt, "")
            else:
                if last or response.status_code not in _RETRIED:
                    return response
                self._pause(attempt, response.headers.get("Retry-After", ""))
            attempt += 1

    def _ping(self, netloc: str) -> "requests.Response":
        """HTTPS; on the loopback plain HTTP as well, where the registry speaks no TLS at all."""
        import requests  # noqa: PLC0415  start-up

        try:
            return self._send("GET", f"https://{netloc}/v2/", allow_redirects=False)
        except requests.exceptions.SSLError as error:
            if not self._loopback or "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise
        except requests.exceptions.ConnectionError:
            if not self._loopback:
                raise
        return self._send("GET", f"http://{netloc}/v2/", allow_redirects=False)

    def _send(self, method: str, url: str, **rest: object) -> "requests.Response":
        return self._session.request(
            method,
            url,
            timeout=_TIMEOUT,
            proxies=proxies(self._host.variables, url),
            verify=ca_bundle(self._host.variables) or True,
            **rest,  # type: ignore[arg-type]
        )

    def _unreachable(self, error: Exception, what: str) -> NetworkError:
        text = mask(str(error), self._authorizer.secrets)
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return NetworkError(
                f"the certificate of {self.registry} is not trusted, so it was not asked for {what or 'anything'}",
                hint="name the certificates of a private authority in SSL_CERT_FILE",
            )
        return NetworkError(
            f"{self.registry} cannot be reached{f' for {what}' if what else ''}: {_reason(text)}",
            hint="check the name, the network and the proxy settings",
        )

    def _pause(self, attempt: int, retry_after: str) -> None:
        asked = float(retry_after) if retry_after.isdecimal() else 0.0
        pause = _FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.8, 1.2)  # noqa: S311  spreads load, no secret
        self._sleep(min(max(pause, asked), _LONGEST_PAUSE))


def is_loopback(registry: str) -> bool:
    """Whether a registry is on this machine: 127.0.0.0/8, ::1 or localhost; only these may do without TLS."""
    name = urlsplit(f"//{registry}").hostname or ""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _session() -> "requests.Session":
    import requests  # noqa: PLC0415  start-up
    from requests.adapters import HTTPAdapter  # noqa: PLC0415  start-up

    session = requests.Session()
    session.trust_env = False  # netrc and proxies: the caller's are given, not the process's
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_connections=_CONNECTIONS, pool_maxsize=_CONNECTIONS))
    session.headers["User-Agent"] = "layerwright"
    # Blobs are compressed already, and their digests are of the bytes as they are.
    session.headers["Accept-Encoding"] = "identity"
    return session


def _connection_errors() -> tuple[type[Exception], ...]:
    import requests  # noqa: PLC0415  start-up
    import urllib3  # noqa: PLC0415  start-up

    return (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError)


def _is_permanent(error: Exception) -> bool:
    text = str(error)
    return "CERTIFICATE_VERIFY_FAILED" in text or "Name or service not known" in text


def _reason(text: str) -> str:
    """The end of urllib3's chain of reasons: ``…: [Errno 111] Connection refused'))``."""
    inner = text.rpartition("Caused by ")[2].rpartition(">: ")[2].rstrip("')\"")
    # Since urllib3 2.3 objects are told by host and port: "HTTPConnection(host='…', port=9): Failed to …".
    return inner.rpartition("): ")[2] or text


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _own_words(response: "requests.Response") -> tuple[tuple[str, ...], str]:
    """Codes and text of the specification's error document, or the beginning of whatever else came."""
    try:
        data = next(response.iter_content(_ERROR_LIMIT), b"")
    except _connection_errors():
        return (), ""
    try:
        errors = [entry for entry in json.loads(data)["errors"] if isinstance(entry, dict)]
    except (ValueError, KeyError, TypeError):
        text = data[:200].decode(errors="replace").strip()
        return (), "" if text.startswith("<") else text
    codes = tuple(str(entry.get("code", "")) for entry in errors)
    texts = [f"{entry.get('code', '')} {entry.get('message', '')}".strip() for entry in errors]
    return codes, "; ".join(texts)[:500]
