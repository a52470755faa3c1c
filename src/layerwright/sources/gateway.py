"""A door on the loopback through which uv asks the indexes that need an account or certificates of their own.

uv starts the build back ends of sdists when it asks them what they need: others' code, as the caller, with uv's whole
environment and whatever files it was given. So uv is given neither account nor certificate. It asks this server, whose
addresses hold a random word; the account stays in this process and goes to the index's own server alone. Pages of an
index are handed on with the links to its own server pointed here; links to other servers stay.
"""

import base64
import binascii
import hashlib
import hmac
import html
import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import quote, unquote, urljoin, urlsplit

from layerwright.core.errors import LayerwrightError, NetworkError
from layerwright.host.http import HttpClient, HttpStatusError
from layerwright.sources.choose import same_host
from layerwright.sources.indexes import PAGE_LIMIT, Site

__all__ = ["Gateway", "open_gateway"]

_METADATA: Final = ".metadata"
_FIRST_PORT: Final = 20_000
_PORTS: Final = 10_000
_PASSED_ON: Final = (
    "Content-Type",
    "Content-Length",
    "Content-Range",
    "Accept-Ranges",
    "ETag",
    "Last-Modified",
)
_PARTIAL: Final = 206
_OK: Final = 200
_FAILED: Final = 424
"""Not one of the statuses after which uv asks again: we have tried often enough."""
_REFUSED: Final = (401, 403)


class Gateway:
    """What uv is told instead of the indexes' own addresses, and back.

    Attributes:
        sites: as uv may know them.
        troubles: why the indexes could not be asked, in the order in which that happened.
    """

    def __init__(self, root: str, sites: Sequence[Site], http: HttpClient) -> None:
        self.root = root
        self.http = http
        self.troubles: list[str] = []
        self._real = tuple(sites)
        self.sites = tuple(
            replace(site, url=self._page(number, site), credentials=None, ca=None, insecure="")
            if needs_gateway(site)
            else site
            for number, site in enumerate(sites)
        )
        self._file = re.compile(re.escape(f"{root}/file/") + r"([0-9]+)/([A-Za-z0-9_=-]+)/[^\s\"'<>#,)]*")

    def restored(self, text: str) -> str:
        """A text of uv's with the indexes' own addresses in it."""
        if self.root not in text:
            return text
        text = self._file.sub(lambda match: _decoded(match[2]), text)
        for number, site in enumerate(self._real):
            if needs_gateway(site):
                text = text.replace(self._page(number, site), site.url.rstrip("/"))
        return text

    def page(self, number: int, name: str, accept: str) -> tuple[bytes, str]:
        """A page of an index, its links pointed here, and its media type.

        Args:
            number: of the site.
            name: of the package, empty for the page of a flat index.
            accept: media types that uv takes.
        """
        site = self._real[number]
        url = f"{site.url.rstrip('/')}/{quote(name)}/" if name else site.url
        body = self.http.get(url, limit=PAGE_LIMIT, accept=accept, credentials=site.credentials)
        if body.content_type.endswith("json"):
            return self._json(number, site, body.data, body.url), body.content_type
        return self._html(number, site, body.data, body.url), "text/html"

    def target(self, number: int, encoded: str, *, metadata: bool) -> tuple[str, Site]:
        """The own address of a file, and its site; refused for addresses that this server did not hand out."""
        site = self._real[number]
        url = _decoded(encoded)
        if not same_host(url, site.url):
            raise NetworkError("no file of this index")
        return (f"{url.partition('#')[0]}{_METADATA}" if metadata else url.partition("#")[0]), site

    def _page(self, number: int, site: Site) -> str:
        return f"{self.root}/{'simple' if site.format == 'simple' else 'flat'}/{number}"

    def _link(self, number: int, site: Site, address: str) -> str:
        plain, mark, fragment = address.partition("#")
        if not same_host(plain, site.url):
            return address
        encoded = base64.urlsafe_b64encode(plain.encode()).decode()
        name = quote(unquote(urlsplit(plain).path).rpartition("/")[2])
        return f"{self.root}/file/{number}/{encoded}/{name}{mark}{fragment}"

    def _json(self, number: int, site: Site, data: bytes, base: str) -> bytes:
        try:
            document = json.loads(data)
            for row in document["files"]:
                row["url"] = self._link(number, site, urljoin(base, str(row["url"])))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise NetworkError("no index page as PEP 691 describes it") from error
        return json.dumps(document).encode()

    def _html(self, number: int, site: Site, data: bytes, base: str) -> bytes:
        parser = _Anchors(base)
        try:
            parser.feed(data.decode("utf-8", "replace"))
        except ValueError as error:
            raise NetworkError("no index page: its base is no address") from error
        lines = ["<!DOCTYPE html>", "<html><body>"]
        for found in parser.anchors:
            try:
                address = urljoin(parser.base, str(found.get("href")))
                shown = {**found, "href": self._link(number, site, address)}
            except ValueError:
                continue  # no address: uv could not follow it either
            words = " ".join(
                name if value is None else f'{name}="{html.escape(value)}"' for name, value in shown.items()
            )
            name = unquote(urlsplit(address).path).rpartition("/")[2]
            lines.append(f"<a {words}>{html.escape(name)}</a>")
        return "\n".join([*lines, "</body></html>"]).encode()


class _Anchors(HTMLParser):
    """The attributes of every ``<a>`` with an address, and the page's own base."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base
        self.anchors: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take one tag."""
        named = dict(attrs)
        if tag == "a" and named.get("href"):
            self.anchors.append(named)
        elif tag == "base" and named.get("href"):
            self.base = urljoin(self.base, str(named["href"]))


def needs_gateway(site: Site) -> bool:
    """Whether uv could not, or may not, ask this index by itself."""
    return site.folder is None and bool(site.credentials or site.ca or site.insecure == "certificate")


@contextmanager
def open_gateway(sites: Sequence[Site], http: HttpClient, *, key: bytes) -> Iterator[Gateway]:
    """Serve until the block ends; without an index that needs it, nothing is opened.

    Args:
        sites: all indexes; which of them need it is decided here.
        http: asks them.
        key: makes the random word, and a port to try first: as long as it stays, uv knows the indexes by the same
            addresses and finds again in its cache what it has learned of them.
    """
    if not any(map(needs_gateway, sites)):
        yield Gateway("", sites, http)
        return
    mark = hmac.new(key, repr([site.url for site in sites]).encode(), hashlib.sha256).digest()
    word = base64.urlsafe_b64encode(mark[:24]).decode()
    handler = type("Handler", (_Handler,), {"word": word})
    server = _listen(handler, _FIRST_PORT + int.from_bytes(mark[24:28]) % _PORTS)
    gateway = Gateway(f"http://127.0.0.1:{server.server_address[1]}/{word}", sites, http)
    handler.gateway = gateway  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield gateway
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


def _listen(handler: type[BaseHTTPRequestHandler], port: int) -> ThreadingHTTPServer:
    try:
        return _Server(("127.0.0.1", port), handler)
    except OSError:
        return _Server(("127.0.0.1", 0), handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    word: str
    gateway: Gateway

    def do_GET(self) -> None:
        """Answer with the body."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Answer without it."""
        self._answer(body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        """Say nothing."""

    def _answer(self, *, body: bool) -> None:
        parts = urlsplit(self.path).path.split("/")
        if len(parts) < 4 or not hmac.compare_digest(parts[1].encode(), self.word.encode()):  # noqa: PLR2004
            self._send(404, b"", "text/plain", body=body)
            return
        try:
            match parts[2:]:
                case ["simple", number, name, ""]:
                    self._send(_OK, *self._page(number, unquote(name)), body=body)
                case ["flat", number]:
                    self._send(_OK, *self._page(number, ""), body=body)
                case ["file", number, encoded, name]:
                    self._file(int(number), encoded, body=body, metadata=name.endswith(_METADATA))
                case _:
                    self._send(404, b"", "text/plain", body=body)
        except HttpStatusError as error:
            if error.status in _REFUSED:
                self.gateway.troubles.append(error.what)
            self._send(error.status, b"", "text/plain", body=body)
        except (LayerwrightError, ValueError, IndexError) as error:
            self.gateway.troubles.append(
                error.what if isinstance(error, LayerwrightError) else "no such page"
            )
            self._send(_FAILED, b"", "text/plain", body=body)

    def _page(self, number: str, name: str) -> tuple[bytes, str]:
        return self.gateway.page(int(number), name, self.headers.get("Accept", "*/*"))

    def _send(self, status: int, data: bytes, kind: str, *, body: bool) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)

    def _file(self, number: int, encoded: str, *, body: bool, metadata: bool) -> None:
        url, site = self.gateway.target(number, encoded, metadata=metadata)
        headers = {"Accept-Encoding": "identity"}
        if self.headers.get("Range"):
            headers["Range"] = self.headers["Range"]
        method = "GET" if body else "HEAD"
        with self.gateway.http.stream(method, url, headers=headers, credentials=site.credentials) as answer:
            self.send_response(_PARTIAL if answer.status == _PARTIAL else _OK)
            for name in _PASSED_ON:
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            counted = "Content-Length" in answer.headers
            if not counted:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            for chunk in answer.chunks if body else ():
                self.wfile.write(chunk)


def _decoded(encoded: str) -> str:
    try:
        return base64.urlsafe_b64decode(encoded).decode()
    except (binascii.Error, ValueError) as error:
        raise NetworkError("no file of this index") from error
