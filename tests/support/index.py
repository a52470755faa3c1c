"""A package index on the loopback: PEP 503 pages, PEP 691 JSON, flat pages, and ways to misbehave."""

import base64
import contextlib
import hashlib
import html
import json
import re
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
_DISTRIBUTION = re.compile(r"(.+?)-\d[^-]*(-.+)?\.(whl|tar\.gz|zip)$")


@dataclass
class Index:
    """What the server offers and how it behaves; change it between requests as a test needs.

    Attributes:
        files: file name to bytes of wheels, sdists and other downloads.
        yanked: file name to reason.
        credentials: ``user:password`` that Basic auth must bring, empty for none.
        json: offer PEP 691 JSON (sizes included) beside HTML.
        sizes: state sizes in the JSON.
        hashes: state hashes.
        ranges: answer Range requests with 206.
        metadata: wheel to what stands beside it as ``.metadata`` (PEP 658).
        metadata_hashes: state the digests of these.
        cut: file name to how many bytes of a body are sent before the line is cut; used once per entry given.
        wrong: files whose bytes arrive damaged.
        failures: path to a list of statuses answered first.
        requests: ``(method, path, range or "")`` in the order seen.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    yanked: dict[str, str] = field(default_factory=dict)
    requires_python: dict[str, str] = field(default_factory=dict)
    credentials: str = ""
    json: bool = True
    sizes: bool = True
    hashes: bool = True
    ranges: bool = True
    metadata: dict[str, bytes] = field(default_factory=dict)
    metadata_hashes: bool = True
    cut: dict[str, list[int]] = field(default_factory=dict)
    wrong: set[str] = field(default_factory=set)
    failures: dict[str, list[int]] = field(default_factory=dict)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    url: str = ""

    @property
    def simple(self):
        """Address of the simple index."""
        return f"{self.url}/simple"

    def add(self, *packages):
        """Offer packages given as ``(file name, bytes)``."""
        self.files.update(packages)
        return self

    def address(self, file):
        """Address of a file."""
        return f"{self.url}/files/{file}"

    def sha256(self, file):
        """The true digest of a file."""
        return hashlib.sha256(self.files[file]).hexdigest()

    def metadata_sha256(self, file):
        """The true digest of what stands beside a wheel."""
        return hashlib.sha256(self.metadata[file]).hexdigest()

    def downloads(self):
        """Names of the files whose bytes were asked for (GET), in order."""
        return [
            path.rpartition("/")[2]
            for method, path, _ in self.requests
            if method == "GET" and "/files/" in path
        ]

    def project_files(self, name):
        found = []
        for file in sorted(self.files):
            match = _DISTRIBUTION.match(file)
            if match and re.sub(r"[-_.]+", "-", match[1]).lower() == name:
                found.append(file)
        return found


@contextlib.contextmanager
def serve(index=None, *, certificate: tuple[Path, Path] | None = None):
    """Serve an index until the block ends; ``certificate`` (chain, key) makes it TLS."""
    index = index or Index()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"index": index}))
    server.daemon_threads = True
    scheme = "http"
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    index.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    index: Index

    def do_GET(self):
        self._answer(body=True)

    def do_HEAD(self):
        self._answer(body=False)

    def log_message(self, *args):
        pass

    def _answer(self, *, body):
        index = self.index
        path = unquote(urlsplit(self.path).path)
        index.requests.append((self.command, path, self.headers.get("Range", "")))
        if index.credentials:
            wanted = "Basic " + base64.b64encode(index.credentials.encode()).decode()
            if self.headers.get("Authorization") != wanted:
                return self._send(
                    401, b"who are you", body=body, extra={"WWW-Authenticate": 'Basic realm="index"'}
                )
        if index.failures.get(path):
            return self._send(index.failures[path].pop(0), b"not now", body=body)
        if path.startswith("/files/"):
            return self._file(path.removeprefix("/files/"), body=body)
        if path == "/flat/":
            return self._page("flat", sorted(index.files), body=body)
        match = re.fullmatch(r"/simple/([^/]+)/", path)
        if match and index.project_files(match[1]):
            return self._page(match[1], index.project_files(match[1]), body=body)
        return self._send(404, b"no such thing", body=body)

    def _page(self, name, files, *, body):
        index = self.index
        if index.json and JSON_TYPE in self.headers.get("Accept", ""):
            rows = []
            for file in files:
                row = {"filename": file, "url": index.address(file), "hashes": {}}
                if index.hashes:
                    row["hashes"] = {"sha256": index.sha256(file)}
                if index.sizes:
                    row["size"] = len(index.files[file])
                if file in index.yanked:
                    row["yanked"] = index.yanked[file] or True
                if file in index.requires_python:
                    row["requires-python"] = index.requires_python[file]
                if file in index.metadata:
                    row["core-metadata"] = (
                        {"sha256": index.metadata_sha256(file)} if index.metadata_hashes else True
                    )
                rows.append(row)
            document = {"meta": {"api-version": "1.1"}, "name": name, "files": rows, "versions": []}
            return self._send(200, json.dumps(document).encode(), body=body, kind=JSON_TYPE)
        links = []
        for file in files:
            fragment = f"#sha256={index.sha256(file)}" if index.hashes else ""
            yanked = f' data-yanked="{html.escape(index.yanked[file])}"' if file in index.yanked else ""
            python = index.requires_python.get(file, "")
            python = f' data-requires-python="{html.escape(python)}"' if python else ""
            beside = ""
            if file in index.metadata:
                stated = f"sha256={index.metadata_sha256(file)}" if index.metadata_hashes else "true"
                beside = f' data-core-metadata="{stated}"'
            links.append(f'<a href="../../files/{file}{fragment}"{yanked}{python}{beside}>{file}</a><br>')
        text = "<!DOCTYPE html><html><body>" + "\n".join(links) + "</body></html>"
        return self._send(200, text.encode(), body=body, kind="text/html")

    def _file(self, file, *, body):
        index = self.index
        data = index.files.get(file)
        if data is None and file.endswith(".metadata"):
            data = index.metadata.get(file.removesuffix(".metadata"))
        if data is None:
            return self._send(404, b"no such file", body=body)
        if file in index.wrong:
            data = data[:-1] + bytes([data[-1] ^ 1])
        status, extra = 200, {"Accept-Ranges": "bytes"} if index.ranges else {}
        whole = len(data)
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if match and index.ranges:
            start = int(match[1])
            if start >= whole:
                return self._send(416, b"", body=body, extra={"Content-Range": f"bytes */{whole}"})
            end = min(int(match[2]) + 1, whole) if match[2] else whole
            data, status = data[start:end], 206
            extra["Content-Range"] = f"bytes {start}-{end - 1}/{whole}"
        cut = index.cut.get(file)
        return self._send(status, data, body=body, extra=extra, cut=cut.pop(0) if body and cut else -1)

    def _send(self, status, data, *, body, kind="application/octet-stream", extra=None, cut=-1):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(data if cut < 0 else data[:cut])
        if cut >= 0:
            self.wfile.flush()
            self.close_connection = True
