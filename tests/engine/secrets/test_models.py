"""Rows E02 and E03: models are placed when the image is built, by digest; nothing half is ever kept."""

import base64
import hashlib
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from support.command import Project
from support.index import Index

pytestmark = pytest.mark.engine

MODEL = bytes(range(256)) * 4096
PASSWORD = "p@ss:w%rd/x9"


@dataclass
class Hub:
    """A server as huggingface.co is: the address of a file leads on to another server.

    Attributes:
        url: its own address.
        storage: where the bytes are.
        account: what its ``Authorization`` must be.
        requests: ``(server, range, Authorization)``.
        cut: after how many bytes the storage breaks the line, once for each.
    """

    url: str = ""
    storage: str = ""
    account: str = ""
    cut: list[int] = field(default_factory=list)
    requests: list[tuple[str, str, str]] = field(default_factory=list)


@contextmanager
def hub_running() -> Iterator[Hub]:  # noqa: C901 - two servers
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        name = ""

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            wanted = self.headers.get("Authorization", "")
            hub.requests.append((self.name, self.headers.get("Range", ""), wanted))
            if self.name == "hub":
                if wanted != hub.account:
                    self.reply(401, b"")
                else:
                    self.reply(302, b"", Location=f"{hub.storage}/blob?X-Amz-Signature=abc")
                return
            found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            start = int(found[1]) if found else 0
            extra = {"Content-Range": f"bytes {start}-{len(MODEL) - 1}/{len(MODEL)}"} if found else {}
            self.reply(206 if found else 200, MODEL[start:], **extra)

        def reply(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "HEAD":
                return
            if body and hub.cut:
                self.wfile.write(body[: hub.cut.pop(0)])
                self.close_connection = True
                return
            self.wfile.write(body)

    servers = []
    for name in ("hub", "storage"):
        server = ThreadingHTTPServer(("127.0.0.1", 0), type(name, (Handler,), {"name": name}))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        servers.append(server)
    hub.url, hub.storage = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    try:
        yield hub
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def image(url: str, data: bytes = MODEL) -> str:
    digest = hashlib.sha256(data).hexdigest()
    return (
        f'[images.app]\nmodels = [{{ url = "{url}", sha256 = "{digest}", to = "/models/m.onnx" }}]\n'
        'entrypoint = ["python"]\n'
    )


LOOK = "import hashlib; print(hashlib.sha256(open('/models/m.onnx', 'rb').read()).hexdigest())"


def test_e02_a_model_is_in_the_image_by_its_digest_and_needs_no_network(
    fresh_project: Project, index: Index
) -> None:
    index.files["m.onnx"] = MODEL
    fresh_project.spec(image(index.address("m.onnx")))
    fresh_project("build")
    asked = len(index.requests)
    ran = fresh_project("run", "--offline", "app", "-c", LOOK)
    assert ran.out.strip() == hashlib.sha256(MODEL).hexdigest()
    fresh_project("build", "--offline")
    # another image with the same model asks nobody either
    fresh_project.spec(image(index.address("m.onnx")).replace("/models/m.onnx", "/other/m.onnx"))
    fresh_project("lock", "--offline")
    fresh_project("build", "--offline")
    assert len(index.requests) == asked


def test_e02_other_bytes_than_the_digest_says_fail_and_are_not_kept(
    fresh_project: Project, index: Index
) -> None:
    index.files["m.onnx"] = MODEL[:-1] + b"\0"
    fresh_project.spec(image(index.address("m.onnx")))
    done = fresh_project("build", status=7)
    assert "m.onnx" in done.err
    assert "is not what the spec says" in done.err
    assert hashlib.sha256(MODEL).hexdigest() in done.err
    kept = [path for path in fresh_project.command.store.rglob("*") if path.is_file()]
    assert not [path for path in kept if path.stat().st_size == len(MODEL)]


def test_e03_a_download_that_breaks_off_is_gone_on_with_and_never_taken_for_whole(
    fresh_project: Project, index: Index
) -> None:
    index.files["m.onnx"] = MODEL
    index.cut["m.onnx"] = [300_000] * 3
    fresh_project.spec(image(index.address("m.onnx")))
    fresh_project("build")
    ranges = [
        spread for method, path, spread in index.requests if method == "GET" and path.endswith("m.onnx")
    ]
    assert ranges[0] == ""
    assert all(spread.startswith("bytes=") for spread in ranges[1:])
    assert fresh_project("run", "app", "-c", LOOK).out.strip() == hashlib.sha256(MODEL).hexdigest()


def test_e03_half_a_file_of_an_earlier_run_is_detected_and_replaced(
    fresh_project: Project, index: Index
) -> None:
    index.files["m.onnx"] = MODEL
    fresh_project.spec(image(index.address("m.onnx")))
    fresh_project("lock")
    digest = hashlib.sha256(MODEL).hexdigest()
    part = fresh_project.command.store / "partial" / f"files-{digest}"
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(os.urandom(500_000))  # of right length and wrong content, as after a crash
    fresh_project("build")
    assert not part.exists()
    assert fresh_project("run", "app", "-c", LOOK).out.strip() == digest


def test_e02_and_e03_a_model_behind_an_account_and_a_redirect(fresh_project: Project) -> None:
    with hub_running() as hub:
        hub.account = "Basic " + base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
        fresh_project.spec(image(f"{hub.url}/org/model/resolve/main/m.onnx"))
        refused = fresh_project("build", status=6)
        assert "status 401" in refused.err
        netrc = fresh_project.command.home / ".netrc"
        netrc.touch(mode=0o600)
        netrc.write_text(f"machine 127.0.0.1 login ann password {PASSWORD}\n")
        hub.cut = [300_000, 400_000]
        done = fresh_project("build")
        # the account goes to the server that it is for, and not to where that one leads
        assert {wanted for name, _, wanted in hub.requests if name == "storage"} == {""}
        ranges = [spread for name, spread, _ in hub.requests if name == "storage" and spread]
        starts = [int(spread.removeprefix("bytes=").rstrip("-")) for spread in ranges]
        assert len(starts) == 2
        assert 0 < starts[0] < starts[1] < len(MODEL)
        assert PASSWORD not in done.out + done.err
        assert "X-Amz-Signature=abc" not in done.err
    assert fresh_project("run", "app", "-c", LOOK).out.strip() == hashlib.sha256(MODEL).hexdigest()
