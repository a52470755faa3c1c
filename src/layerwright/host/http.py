"""HTTP for every room: retries, certificates and proxies from the caller's environment, limits, resumed downloads.

A thin layer over ``requests``. Nothing is read from the process's own environment, so that the
library behaves the same in tests, in ``cli`` and inside other programs. Addresses in errors are masked.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from layerwright.core.addresses import mask_credentials, split_userinfo
from layerwright.core.errors import IntegrityError, NetworkError

if TYPE_CHECKING:
    import requests

__all__ = ["Body", "HttpClient", "HttpStatusError", "RangesRefusedError", "Stream", "ca_bundle", "proxies"]

_SYSTEM_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
)
_BUNDLE_VARIABLES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_RETRIED: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_CHUNK: Final = 1 << 18
_CONNECTIONS: Final = 16
_LONGEST_PAUSE: Final = 30.0
_OK: Final = 200
_PARTIAL: Final = 206
_UNAUTHORIZED: Final = (401, 403)
_NOT_SATISFIABLE: Final = 416
_FIRST_ERROR: Final = 400

Credentials = tuple[str, str]
_Result = TypeVar("_Result")


class _AgainError(Exception):
    """An attempt failed in a way that may pass; ``pause`` is how many seconds the server asks to wait."""

    def __init__(self, reason: str, *, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.pause = pause


class HttpStatusError(NetworkError):
    """A server answered with an error status.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, what: str, *, status: int, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.status = status


class RangesRefusedError(NetworkError):
    """A server cannot send a piece of a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """An answer held in memory.

    Attributes:
        data: the decoded body.
        content_type: media type without parameters, in lower case.
        url: address after redirects.
    """

    data: bytes
    content_type: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """An answer whose body has not come yet.

    Attributes:
        status: 200 or 206.
        headers: as they came; names without regard to case.
        chunks: the body.
    """

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


def ca_bundle(variables: Mapping[str, str]) -> str:
    """Path of the certificates to trust: named by the environment, else the system's; empty for the library's own."""
    for name in _BUNDLE_VARIABLES:
        if variables.get(name):
            return variables[name]
    return next((path for path in _SYSTEM_BUNDLES if Path(path).is_file()), "")


def proxies(variables: Mapping[str, str], url: str) -> dict[str, str]:
    """The proxy for an address by ``https_proxy``, ``all_proxy`` and ``no_proxy``, as requests wants it."""
    from urllib.parse import urlsplit  # noqa: PLC0415  # start-up
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # noqa: PLC0415  # start-up

    def variable(name: str) -> str:
        return variables.get(name.lower()) or variables.get(name.upper()) or ""

    parts = urlsplit(url)
    # urllib's own rules for NO_PROXY (suffixes, ports, "*"), given the list instead of os.environ
    if proxy_bypass_environment(parts.netloc, {"no": variable("no_proxy")}):
        return {}
    proxy = variable(f"{parts.scheme}_proxy") or variable("all_proxy")
    return {parts.scheme: proxy} if proxy else {}


@dataclass(kw_only=True, slots=True)
class HttpClient:
    """Asks servers; safe to use from several threads.

    Attributes:
        variables: the caller's environment, for certificates and proxies.
        trust: origins (``https://host`` or ``https://host:port``) with certificates of their own: path of a file with
            the only ones to trust, or False to take any. Redirects to other origins are judged by the usual ones.
        offline: refuse every request with an error that says what was wanted.
        downgrade: an https address may send us on to an http one. What has a digest is safe with it.
        attempts: how often a request is tried when the line or the server fails.
        first_pause: seconds to wait after a first failure; doubled after every further one.
        connect_timeout, read_timeout: seconds without an answer until an attempt counts as failed.
        sleep: waits between attempts.
    """

    variables: Mapping[str, str] = field(repr=False)
    trust: Mapping[str, str | bool] = field(default_factory=dict)
    offline: bool = False
    downgrade: bool = True
    attempts: int = 5
    first_pause: float = 0.4
    connect_timeout: float = 15.0
    read_timeout: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    _session: "requests.Session | None" = field(default=None, init=False, repr=False)

    def get(
        self,
        url: str,
        *,
        limit: int,
        accept: str = "*/*",
        credentials: Credentials | None = None,
    ) -> Body:
        """The body of an address.

        Args:
            url: address; userinfo in it is taken as credentials.
            limit: bytes of the decoded body that are too many.
            accept: ``Accept`` header.
            credentials: user and password for Basic auth.

        Raises:
            HttpStatusError: the server refused for good.
            NetworkError: no answer, an answer above the limit, or ``offline``.
        """

        def attempt() -> Body:
            with self._request("GET", url, headers={"Accept": accept}, credentials=credentials) as response:
                data = bytearray()
                for chunk in response.iter_content(_CHUNK):
                    data += chunk
                    if len(data) > limit:
                        raise NetworkError(f"{mask_credentials(url)} answers with more than {limit} bytes")
                kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                return Body(data=bytes(data), content_type=kind, url=response.url)

        return self._retry(url, attempt)

    def read_range(
        self, url: str, begin: int, size: int, *, total: int, credentials: Credentials | None = None
    ) -> bytes:
        """A piece of a file.

        Args:
            url: address.
            begin: place of the first byte.
            size: bytes, at least one.
            total: bytes of the whole file, as the caller knows it.
            credentials: user and password for Basic auth.

        Raises:
            RangesRefusedError: the server would send the whole file; nothing of it was read.
            IntegrityError: the file has another size.
            HttpStatusError, NetworkError: as for ``get``.
        """
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={begin}-{begin + size - 1}"}

        def attempt() -> bytes:
            with self._request("GET", url, headers=headers, credentials=credentials) as response:
                if response.status_code != _PARTIAL:
                    raise RangesRefusedError(f"{mask_credentials(url)} cannot be read in pieces")
                stated = response.headers.get("Content-Range", "")
                if not _starts_at(stated, begin):
                    raise RangesRefusedError(f"{mask_credentials(url)} sends another piece than asked")
                whole = stated.rpartition("/")[2].strip()
                if whole.isdecimal() and int(whole) != total:
                    raise IntegrityError(f"{mask_credentials(url)} has {whole} bytes, not {total}")
                data = bytearray()
                for chunk in response.iter_content(_CHUNK):
                    data += chunk
                    if len(data) > size:
                        raise RangesRefusedError(f"{mask_credentials(url)} sends more than was asked")
                if len(data) < size:
                    raise _AgainError(
                        f"{mask_credentials(url)} sends {len(data)} bytes where {size} were asked"
                    )
                return bytes(data)

        return self._retry(url, attempt)

    @contextmanager
    def stream(
        self, method: str, url: str, *, headers: Mapping[str, str], credentials: Credentials | None = None
    ) -> Iterator[Stream]:
        """An answer to be handed on as it comes; one attempt, for whoever asks will ask again.

        Raises:
            HttpStatusError: the server refuses.
            NetworkError: it cannot be reached, or the line is cut.
        """
        import requests  # noqa: PLC0415  # start-up
        import urllib3  # noqa: PLC0415  # start-up

        try:
            with self._request(method, url, headers=headers, credentials=credentials) as response:
                yield Stream(
                    status=response.status_code,
                    headers=response.headers,
                    chunks=response.iter_content(_CHUNK),
                )
        except _AgainError as error:
            raise NetworkError(error.reason) from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            raise NetworkError(f"{mask_credentials(url)} cannot be reached: {_reason(error)}") from error

    def size(self, url: str, *, credentials: Credentials | None = None) -> int:
        """Size in bytes that a server states for an address; 0 when it does not say.

        Raises:
            HttpStatusError, NetworkError: as for ``get``.
        """

        def attempt() -> int:
            headers = {"Accept-Encoding": "identity"}
            with self._request("HEAD", url, headers=headers, credentials=credentials) as response:
                length = response.headers.get("Content-Length", "")
                return int(length) if length.isdecimal() else 0

        return self._retry(url, attempt)

    def download(
        self,
        url: str,
        part: Path,
        *,
        size: int = 0,
        limit: int = 0,
        progress: Callable[[int], None] | None = None,
        credentials: Credentials | None = None,
    ) -> int:
        """Fill a file from an address, going on where an earlier download stopped.

        What the file holds afterwards is *not* verified: compare its digest before trusting it.

        Args:
            url: address.
            part: file to write; bytes already there are kept when the server can resume.
            size: exact size when known; a longer body is an error.
            limit: greatest size when the exact one is not known, 0 for none.
            progress: called with the number of bytes gained; a negative number says that bytes were thrown
                away because the server cannot resume.
            credentials: user and password for Basic auth.

        Returns:
            Size of the file in bytes.

        Raises:
            IntegrityError: the body is longer than ``size`` or ``limit``.
            HttpStatusError, NetworkError: as for ``get``.
        """
        moved = progress or _ignore

        def attempt() -> int:
            present = part.stat().st_size if part.exists() else 0
            if size and present == size:
                return present
            if size and present > size:
                part.write_bytes(b"")
                moved(-present)
                present = 0
            return self._transfer(url, part, present, size or limit, moved, credentials)

        return self._retry(url, attempt, progressing=lambda: part.stat().st_size if part.exists() else 0)

    def _transfer(
        self,
        url: str,
        part: Path,
        present: int,
        limit: int,
        moved: Callable[[int], None],
        credentials: Credentials | None,
    ) -> int:
        headers = {"Accept-Encoding": "identity"}
        if present:
            headers["Range"] = f"bytes={present}-"
        with self._request(
            "GET", url, headers=headers, credentials=credentials, allowed=_NOT_SATISFIABLE
        ) as response:
            if response.status_code == _NOT_SATISFIABLE or (present and response.status_code == _OK):
                # it cannot go on from there: what we have is thrown away
                part.write_bytes(b"")
                moved(-present)
                if response.status_code == _NOT_SATISFIABLE:
                    raise _AgainError(f"{mask_credentials(url)} cannot be resumed")
                present = 0
            elif present and not _starts_at(response.headers.get("Content-Range", ""), present):
                part.write_bytes(b"")
                moved(-present)
                raise _AgainError(f"{mask_credentials(url)} resumes at another place than asked")
            with part.open("ab") as file:
                for chunk in response.iter_content(_CHUNK):
                    present += len(chunk)
                    if limit and present > limit:
                        raise IntegrityError(f"{mask_credentials(url)} is longer than {limit} bytes")
                    file.write(chunk)
                    moved(len(chunk))
        return present

    @contextmanager
    def _request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        credentials: Credentials | None,
        allowed: int = 0,
    ) -> Iterator["requests.Response"]:
        if self.offline:
            raise NetworkError(f"{mask_credentials(url)} is needed, but --offline forbids the network")
        plain, user, password = split_userinfo(url)
        response = self._opened().request(
            method,
            plain,
            headers=dict(headers),
            auth=_basic(credentials or ((user, password) if user else None)),
            timeout=(self.connect_timeout, self.read_timeout),
            proxies=proxies(self.variables, plain),
            verify=ca_bundle(self.variables) or True,
            stream=True,
            allow_redirects=True,
        )
        try:
            if not self.downgrade and plain.startswith("https:"):
                _refuse_downgrade(plain, response)
            status = response.status_code
            if status in _RETRIED:
                raise _AgainError(
                    f"{mask_credentials(url)} answers with status {status}",
                    pause=_retry_after(response.headers),
                )
            if status >= _FIRST_ERROR and status != allowed:
                raise HttpStatusError(
                    f"{mask_credentials(url)} answers with status {status}",
                    status=status,
                    hint=_status_hint(status),
                )
            yield response
        finally:
            response.close()

    def _retry(
        self, url: str, attempt: Callable[[], _Result], *, progressing: Callable[[], int] | None = None
    ) -> _Result:
        """Try until it works, the server refuses for good, or ``attempts`` in a row gained nothing."""
        import requests  # noqa: PLC0415  # start-up
        import urllib3  # noqa: PLC0415  # start-up

        failed = 0
        while True:
            before = progressing() if progressing else 0
            try:
                return attempt()
            except requests.exceptions.SSLError as error:
                raise NetworkError(
                    f"{mask_credentials(url)} is not trusted: {_reason(error)}",
                    hint="name the certificates of a private authority in SSL_CERT_FILE, or for one index: "
                    'ca = "FILE"',
                ) from error
            except (requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL) as error:
                raise NetworkError(f"{mask_credentials(url)} is no address that can be fetched") from error
            except _AgainError as error:
                reason, pause = error.reason, error.pause
                cause: Exception = error
            except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
                reason = f"{mask_credentials(url)} cannot be reached: {_reason(error)}"
                pause, cause = 0.0, error
            failed = 1 if progressing and progressing() > before else failed + 1
            if failed >= self.attempts:
                raise NetworkError(reason) from cause
            self.sleep(min(max(pause, self.first_pause * 2 ** (failed - 1)), _LONGEST_PAUSE))

    def _opened(self) -> "requests.Session":
        if self._session is None:
            import requests  # noqa: PLC0415  # start-up
            from requests.adapters import HTTPAdapter  # noqa: PLC0415  # start-up

            session = requests.Session()
            # the caller's environment is ours to read: netrc and proxies are decided in this project
            session.trust_env = False
            for scheme in ("https://", "http://"):
                session.mount(scheme, HTTPAdapter(pool_connections=_CONNECTIONS, pool_maxsize=_CONNECTIONS))
            for origin, verify in self.trust.items():
                session.mount(f"{origin}/", _trusting(verify))
            session.headers["User-Agent"] = "layerwright"
            self._session = session
        return self._session


def _trusting(verify: str | bool) -> "requests.adapters.HTTPAdapter":
    """An adapter that judges certificates its own way, whatever the request says."""
    from requests.adapters import HTTPAdapter  # noqa: PLC0415  # start-up

    class Adapter(HTTPAdapter):
        """For one origin; redirects to others find theirs."""

        def send(
            self,
            request: "requests.PreparedRequest",
            *args: Any,  # noqa: ANN401 - handed on
            **options: Any,  # noqa: ANN401 - handed on
        ) -> "requests.Response":
            """Send with the origin's own judgement."""
            options["verify"] = verify
            if verify is False:
                import warnings  # noqa: PLC0415  # start-up

                with warnings.catch_warnings():  # who opted in is told by us, once
                    warnings.simplefilter("ignore")
                    return super().send(request, *args, **options)
            return super().send(request, *args, **options)

    return Adapter(pool_connections=_CONNECTIONS, pool_maxsize=_CONNECTIONS)


def _basic(credentials: Credentials | None) -> "requests.auth.HTTPBasicAuth | None":
    """User and password in UTF-8 (RFC 7617), for which requests has Latin-1."""
    if credentials is None:
        return None
    from requests.auth import HTTPBasicAuth  # noqa: PLC0415  # start-up

    return HTTPBasicAuth(credentials[0].encode(), credentials[1].encode())


def _refuse_downgrade(url: str, response: "requests.Response") -> None:
    for one in (*response.history, response):
        if not one.url.startswith("https:"):
            raise NetworkError(
                f"{mask_credentials(url)} sends us on to {mask_credentials(one.url)}, which is not encrypted",
                hint="anybody on the way can change what comes; state its digest, or take another address",
            )


def _ignore(_amount: int) -> None:
    """Take no progress."""


def _starts_at(content_range: str, position: int) -> bool:
    return content_range.lower().startswith(f"bytes {position}-")


def _retry_after(headers: Mapping[str, str]) -> float:
    value = headers.get("Retry-After", "")
    # the other form, a date, is rare and its clock not ours: the usual pause does
    return float(value) if value.isdecimal() else 0.0


def _status_hint(status: int) -> str:
    if status in _UNAUTHORIZED:
        return "check the credentials of this index or address"
    return ""


def _reason(error: Exception) -> str:
    """The innermost words of a chain of errors, without addresses and object names."""
    import re  # noqa: PLC0415  # start-up

    inner: BaseException = error
    while True:
        reason = getattr(inner, "reason", None)
        following = reason if isinstance(reason, BaseException) else inner.__cause__ or inner.__context__
        nested = next((item for item in inner.args if isinstance(item, BaseException)), None)
        found = following if isinstance(reason, BaseException) else nested or following
        if found is None or found is inner:
            break
        inner = found
    text = re.sub(r"<[^<>]* object at 0x[0-9a-f]+>:?\s*", "", str(inner)) or type(inner).__name__
    return mask_credentials(text)
