"""A small registry with a token service and a limit on bodies: what ``docker-registry`` alone does not have."""

import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass(slots=True)
class TokenRegistry:
    """State of a running one.

    Attributes:
        body_limit: bytes of a request's body from which on the answer is 413.
        uses: how many requests a token is good for.
        busy: how many requests are answered with 503 first.
        account: the Authorization header that the token service wants, empty for none.
    """

    address: str = ""
    body_limit: int = 1 << 30
    uses: int = 1 << 30
    busy: int = 0
    account: str = ""
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    sessions: dict[str, bytearray] = field(default_factory=dict)
    tokens: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    log: list[tuple[str, str]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: TokenRegistry

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def work(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.state.lock:
            self.state.log.append((self.command, self.path))
            self.handle_request(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = work  # noqa: N815  names of http.server

    def handle_request(self, body: bytes) -> None:
        state, path, query = self.state, urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path == "/token":
            self.give_token(query)
        elif not self.may(path):
            challenge = (
                f'Bearer realm="http://{state.address}/token",service="tests",scope="repository:a:pull"'
            )
            words = json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]})
            self.answer(401, words.encode(), WWW_Authenticate=challenge)
        elif state.busy:
            state.busy -= 1
            self.answer(503, Retry_After="0")
        elif len(body) > state.body_limit:
            self.answer(413, b"<html>Request Entity Too Large</html>")
        else:
            self.serve(path, query, body)

    def give_token(self, query: dict[str, list[str]]) -> None:
        if self.state.account and self.headers.get("Authorization") != self.state.account:
            self.answer(401)
            return
        token = f"token-{len(self.state.tokens)}"
        self.state.tokens[token] = self.state.uses, query.get("scope", [])
        self.answer(200, json.dumps({"token": token}).encode())

    def may(self, path: str) -> bool:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        left, scopes = self.state.tokens.get(token, (0, []))
        if not left:
            return False
        self.state.tokens[token] = left - 1, scopes
        name = re.match(r"/v2/(.+)/(?:blobs|manifests)/", path)
        action = "pull" if self.command in {"GET", "HEAD"} else "push"
        return name is None or any(
            scope.startswith(f"repository:{name[1]}:") and action in scope for scope in scopes
        )

    def serve(self, path: str, query: dict[str, list[str]], body: bytes) -> None:
        state = self.state
        kept = state.manifests if "/manifests/" in path else state.blobs
        name = path.rpartition("/")[2]
        if path == "/v2/":
            self.answer(200)
        elif self.command == "POST":
            session = str(len(state.sessions))
            state.sessions[session] = bytearray()
            self.answer(202, Location=f"/v2/a/blobs/uploads/{session}?state=x")
        elif self.command == "PATCH":
            first = int(self.headers["Content-Range"].partition("-")[0])
            if first != len(state.sessions[name]):
                self.answer(416)
                return
            state.sessions[name] += body
            self.answer(202, Location=f"/v2/a/blobs/uploads/{name}?state=y")
        elif self.command == "PUT" and "/uploads/" in path:
            state.sessions[name] += body
            data = bytes(state.sessions.pop(name))
            digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
            if digest != query["digest"][0]:
                self.answer(400, b'{"errors": [{"code": "DIGEST_INVALID", "message": "wrong"}]}')
                return
            state.blobs[digest] = data
            self.answer(201, Docker_Content_Digest=digest)
        elif self.command == "PUT":
            state.manifests[name] = body
            self.answer(201)
        elif name in kept:
            self.answer(200, kept[name])
        else:
            self.answer(404, b'{"errors": [{"code": "NAME_UNKNOWN", "message": "unknown"}]}')


@contextlib.contextmanager
def token_registry() -> Iterator[TokenRegistry]:
    state = TokenRegistry()
    handler = type("Handler", (_Handler,), {"state": state})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        state.address = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
