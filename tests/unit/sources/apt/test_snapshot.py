"""Locked packages that Debian's mirrors no longer have, from a mirror and an archive of everything on the loopback."""

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from layerwright.core.errors import IntegrityError, NetworkError, ResolveError
from layerwright.core.events import BytesMoved, Event, Notice, TaskEnded
from layerwright.host.http import HttpClient
from layerwright.lock.model import Deb
from layerwright.sources.apt import DebianMirror, fetch_debs
from layerwright.store import Store
from support.change import replace

NOWHERE = "http://127.0.0.1:9"  # the port of "discard", which nothing here listens on


@dataclass
class Servers:
    """A mirror below ``/debian`` and the archive of everything below ``/snapshot``.

    Attributes:
        mirrored: what the mirror has, by path.
        kept: what the archive has: name, version, architecture, bytes.
        wrong: the archive sends other bytes of the same length.
        answer: what the archive says of every package, when not the truth.
        failures: statuses that the archive answers with first.
        asked: paths of requests in the order seen, escapes kept.
        peak: most requests to the archive under way at once.
    """

    mirrored: dict[str, bytes] = field(default_factory=dict)
    kept: list[tuple[str, str, str, bytes]] = field(default_factory=list)
    wrong: bool = False
    answer: bytes = b""
    failures: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url: str = ""
    peak: int = 0
    busy: int = 0
    guard: threading.Lock = field(default_factory=threading.Lock)

    @property
    def mirror(self) -> DebianMirror:
        return DebianMirror.parse(f"{self.url}/debian", snapshot=f"{self.url}/snapshot/")

    def to_archive(self) -> list[str]:
        return [path for path in self.asked if path.startswith("/snapshot")]

    def respond(self, path: str) -> tuple[int, bytes]:
        self.asked.append(path)
        if not path.startswith("/snapshot/"):
            data = self.mirrored.get(unquote(path))
            return (404, b"gone") if data is None else (200, data)
        with self.guard:
            self.busy += 1
            self.peak = max(self.peak, self.busy)
        try:
            time.sleep(0.01)  # so that requests meet here, if they do
            return self._archive(path.removeprefix("/snapshot"))
        finally:
            with self.guard:
                self.busy -= 1

    def _archive(self, path: str) -> tuple[int, bytes]:
        if self.failures:
            return self.failures.pop(0), b"not now"
        if path.startswith("/file/"):
            for *_, data in self.kept:
                if path == f"/file/{sha1(data)}":
                    return 200, data[::-1] if self.wrong else data
            return 404, b"no such file"
        if self.answer:
            return 200, self.answer
        _, mr, binary, name, version, what = path.split("/")
        assert (mr, binary, what) == ("mr", "binary", "binfiles?fileinfo=1")
        found = [row for row in self.kept if row[:2] == (unquote(name), unquote(version))]
        if not found:
            return 404, b"no such package"
        return 200, json.dumps(
            {
                "_comment": "as snapshot.debian.org answers",
                "binary": unquote(name),
                "binary_version": unquote(version),
                "result": [{"architecture": row[2], "hash": sha1(row[3])} for row in found],
                "fileinfo": {
                    sha1(row[3]): [
                        {
                            "archive_name": archive,
                            "first_seen": "20230101T000000Z",
                            "name": "x.deb",
                            "path": "/pool/main/x",
                            "size": len(row[3]),
                        }
                        for archive in ("debian", "debian-security")
                    ]
                    for row in found
                },
            }
        ).encode()


def sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


@pytest.fixture
def servers() -> Iterator[Servers]:
    told = Servers()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, data = told.respond(self.path)
            with contextlib.suppress(ConnectionError):  # who has seen the status may hang up
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield told
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store") as made:
        yield made


def deb(name: str, version: str, data: bytes, *, architecture: str = "amd64", path: str = "") -> Deb:
    path = (
        path or f"pool/main/{name[0]}/{name}/{name}_{version.partition(':')[2] or version}_{architecture}.deb"
    )
    return Deb(
        name=name,
        version=version,
        architecture=architecture,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        path=path,
    )


def fetch(
    debs: list[Deb],
    store: Store,
    mirror: DebianMirror,
    events: list[Event] | None = None,
    http: HttpClient | None = None,
) -> None:
    client = http or HttpClient(variables={}, attempts=2, sleep=lambda _: None)
    fetch_debs(debs, store, http=client, mirror=mirror, reporter=([] if events is None else events).append)


def test_what_the_mirror_no_longer_has_comes_from_the_archive_of_everything(
    servers: Servers, store: Store
) -> None:
    there, gone, older = b"still there", b"gone" * 100, b"older" * 100
    debs = [
        deb("libstdc++6", "1:12.2.0-14+deb12u1~x", gone),
        deb("tzdata", "2023c-1", older, architecture="all"),
        deb("zlib1g", "1.2", there),
    ]
    servers.mirrored[f"/debian/{debs[2].path}"] = there
    servers.kept = [
        ("libstdc++6", "1:12.2.0-14+deb12u1~x", "arm64", b"elsewhere" * 60),
        ("libstdc++6", "1:12.2.0-14+deb12u1~x", "amd64", gone),
        ("tzdata", "2023c-1", "all", older),
    ]
    events: list[Event] = []
    fetch(debs, store, servers.mirror, events)
    for item, data in zip(debs, (gone, older, there), strict=True):
        assert store.path("debs", item.sha256).read_bytes() == data
    assert sorted(servers.to_archive()) == sorted(
        [
            "/snapshot/mr/binary/libstdc%2B%2B6/1%3A12.2.0-14%2Bdeb12u1~x/binfiles?fileinfo=1",
            f"/snapshot/file/{sha1(gone)}",
            "/snapshot/mr/binary/tzdata/2023c-1/binfiles?fileinfo=1",
            f"/snapshot/file/{sha1(older)}",
        ]
    )
    label = servers.url.removeprefix("http://") + "/snapshot"
    assert [event.message for event in events if isinstance(event, Notice)] == [
        f"2 packages are no longer on the mirror; fetching from {label} instead"
    ]
    assert sum(event.amount for event in events if isinstance(event, BytesMoved)) == sum(
        item.size for item in debs
    )
    assert [event.failed for event in events if isinstance(event, TaskEnded)] == [False]


def test_a_mirror_that_has_all_leaves_the_archive_alone(servers: Servers, store: Store) -> None:
    item = deb("a", "1", b"a")
    servers.mirrored[f"/debian/{item.path}"] = b"a"
    events: list[Event] = []
    fetch([item], store, servers.mirror, events)
    assert servers.to_archive() == []
    assert not any(isinstance(event, Notice) for event in events)


@pytest.mark.parametrize(
    "kept",
    [
        [],
        [("a", "1", "arm64", b"ours")],
        [("a", "1", "amd64", b"of another size")],
    ],
    ids=["not at all", "for another machine", "of another size"],
)
def test_what_the_archive_does_not_have_either(
    servers: Servers, store: Store, kept: list[tuple[str, str, str, bytes]]
) -> None:
    servers.kept = kept
    with pytest.raises(ResolveError, match="a 1 is no longer in the archive") as caught:
        fetch([deb("a", "1", b"ours")], store, servers.mirror)
    assert f"{servers.url}/debian/pool/main/a/a/a_1_amd64.deb" in caught.value.what
    assert "/snapshot does not have it either" in caught.value.what
    assert "layerwright lock --upgrade" in caught.value.hint
    assert not any("/file/" in path for path in servers.asked)


def test_a_file_that_is_listed_but_lost(servers: Servers, store: Store) -> None:
    servers.kept = [("a", "1", "amd64", b"ours")]
    item = deb("a", "1", b"lost")
    servers.answer = json.dumps(
        {
            "result": [{"architecture": "amd64", "hash": sha1(b"lost")}],
            "fileinfo": {sha1(b"lost"): [{"size": 4}]},
        }
    ).encode()
    with pytest.raises(ResolveError, match="does not have it either"):
        fetch([item], store, servers.mirror)


def test_wrong_bytes_are_refused_and_not_kept(servers: Servers, store: Store) -> None:
    item = deb("a", "1", b"ours")
    servers.kept, servers.wrong = [("a", "1", "amd64", b"ours")], True
    with pytest.raises(IntegrityError, match=r"a 1 from .*/snapshot/file/.* is not what the lock says"):
        fetch([item], store, servers.mirror)
    assert not store.has("debs", item.sha256)
    servers.wrong = False
    fetch([item], store, servers.mirror)
    assert store.path("debs", item.sha256).read_bytes() == b"ours"


def test_a_file_that_is_too_long_leaves_nothing_to_go_on_from(servers: Servers, store: Store) -> None:
    item = deb("a", "1", bytes(600_000))
    other = b"x" * 700_000
    servers.answer = json.dumps(
        {
            "result": [{"architecture": "amd64", "hash": sha1(other)}],
            "fileinfo": {sha1(other): [{"size": item.size}]},
        }
    ).encode()
    servers.kept = [("a", "1", "amd64", other)]
    with pytest.raises(IntegrityError, match="is longer than 600000 bytes"):
        fetch([item], store, servers.mirror)
    assert store.part_path("debs", item.sha256).stat().st_size == 0


def test_of_two_builds_the_locked_one_is_taken(servers: Servers, store: Store) -> None:
    item = deb("a", "1", b"ours")
    servers.kept = [("a", "1", "amd64", b"port"), ("a", "1", "amd64", b"ours")]
    fetch([item], store, servers.mirror)
    assert store.path("debs", item.sha256).read_bytes() == b"ours"


def test_an_archive_that_cannot_be_reached_is_told_with_both_addresses(
    servers: Servers, store: Store
) -> None:
    mirror = replace(servers.mirror, snapshot=NOWHERE)
    with pytest.raises(NetworkError, match="a 1 is no longer in the archive") as caught:
        fetch([deb("a", "1", b"ours")], store, mirror)
    assert f"{servers.url}/debian/pool" in caught.value.what
    assert f"{NOWHERE}/mr/binary/a/1/binfiles?fileinfo=1 cannot be reached" in caught.value.what
    assert "layerwright lock --upgrade" in caught.value.hint
    assert "LAYERWRIGHT_DEBIAN_SNAPSHOT" in caught.value.hint


@pytest.mark.parametrize("answer", [b"<html>log in first</html>", b'{"result": {}}'])
def test_an_answer_of_another_kind_is_no_crash(servers: Servers, store: Store, answer: bytes) -> None:
    servers.answer = answer
    with pytest.raises(NetworkError, match=r"does not answer as snapshot\.debian\.org does"):
        fetch([deb("a", "1", b"ours")], store, servers.mirror)


def test_an_answer_cannot_lead_elsewhere(servers: Servers, store: Store) -> None:
    name = "../mr/secret"
    servers.answer = json.dumps(
        {"result": [{"architecture": "amd64", "hash": name}], "fileinfo": {name: [{"size": 4}]}}
    ).encode()
    with pytest.raises(ResolveError, match="does not have it either"):
        fetch([deb("a", "1", b"ours")], store, servers.mirror)
    assert len(servers.to_archive()) == 1


def test_others_packages_are_not_asked_for(servers: Servers, store: Store) -> None:
    servers.kept = [("tool", "1", "amd64", b"ours")]
    item = deb("tool", "1", b"ours", path=f"{servers.url}/third/tool_1_amd64.deb")
    with pytest.raises(ResolveError, match="tool 1 is no longer in the archive") as caught:
        fetch([item], store, servers.mirror)
    assert "layerwright lock --upgrade" in caught.value.hint
    assert servers.to_archive() == []


def test_whose_packages_are_debian_s() -> None:
    mirror = DebianMirror.parse("http://me:hunter2@m.example/debian")
    for path in (
        "pool/main/a/a_1_all.deb",
        "http://deb.debian.org/debian/pool/main/a/a_1_all.deb",
        "https://security.debian.org/debian-security/pool/updates/main/a/a_1_all.deb",
        "http://ftp.de.debian.org/debian/pool/main/a/a_1_all.deb",
        "http://m.example/debian/pool/main/a/a_1_all.deb",
        "http://m.example/debian-security/pool/updates/main/a/a_1_all.deb",
    ):
        assert mirror.has(path), path
    for path in (
        "http://archive.ubuntu.com/ubuntu/pool/main/a/a_1_all.deb",
        "https://deb.debian.org.example/debian/pool/main/a/a_1_all.deb",
        "https://people.debian.org/~x/a_1_all.deb",
        "http://m.example/debian-other/a_1_all.deb",
        "https://developer.download.nvidia.com/compute/cuda/repos/debian12/x86_64/a_1_all.deb",
    ):
        assert not mirror.has(path), path


def test_at_most_two_requests_at_once_for_all_cells_together(servers: Servers, tmp_path: Path) -> None:
    items = [deb(f"p{number}", "1", b"%d" % number) for number in range(8)]
    servers.kept = [(item.name, "1", "amd64", b"%d" % number) for number, item in enumerate(items)]
    with Store(tmp_path / "one") as one, Store(tmp_path / "two") as two:
        threads = [
            threading.Thread(target=fetch, args=(items, store, servers.mirror)) for store in (one, two)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(store.has("debs", item.sha256) for store in (one, two) for item in items)
    assert len(servers.to_archive()) == 32
    assert servers.peak <= 2


def test_a_busy_archive_is_asked_again_after_longer_pauses_and_not_for_ever(
    servers: Servers, store: Store
) -> None:
    pauses: list[float] = []
    client = HttpClient(variables={}, sleep=pauses.append)
    item = deb("a", "1", b"ours")
    servers.kept, servers.failures = [("a", "1", "amd64", b"ours")], [429, 503]
    fetch([item], store, servers.mirror, http=client)
    assert store.has("debs", item.sha256)
    assert pauses == [2.0, 4.0]
    servers.failures = [503] * 20
    with pytest.raises(NetworkError, match="status 503"):
        fetch([deb("b", "1", b"b")], store, servers.mirror, http=client)
    assert len(servers.failures) == 17


def test_after_an_error_what_is_left_is_not_asked_for(servers: Servers, store: Store) -> None:
    items = [deb(f"p{number}", "1", b"%d" % number) for number in range(20)]
    with pytest.raises(ResolveError, match="does not have it either"):
        fetch(items, store, servers.mirror)
    assert len(servers.to_archive()) < 20


def test_a_mirror_s_password_is_in_no_message(servers: Servers, store: Store) -> None:
    address = servers.url.replace("://", "://me:hunter2@")
    mirror = DebianMirror.parse(f"{address}/debian", snapshot=f"{address}/snapshot")
    events: list[Event] = []
    with pytest.raises(ResolveError) as caught:
        fetch([deb("a", "1", b"ours")], store, mirror, events)
    assert "hunter2" not in f"{caught.value.what}{caught.value.hint}{events}"
