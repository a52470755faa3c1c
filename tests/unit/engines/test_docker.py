"""What is asked of an engine, against a recorded one."""

import json
from collections.abc import Iterable, Iterator, Mapping

import pytest

from layerwright.core.errors import EngineError
from layerwright.core.events import BytesMoved
from layerwright.engines.connection import Answer
from layerwright.engines.docker import DockerEngine
from layerwright.engines.endpoint import Endpoint
from layerwright.oci.digest import Digest
from layerwright.oci.image import build_image
from support.oci import MemoryBlobs, tar_of_files

UNIX = Endpoint(address="unix:///run/test.sock")


class FakeEngine:
    """A transport with canned answers; ``asked`` is what came."""

    def __init__(self, images: Mapping[str, tuple[str, ...]] | None = None, **version: object) -> None:
        self.images = {Digest.of(name.encode()): (name, layers) for name, layers in (images or {}).items()}
        self.version = {
            "ApiVersion": "1.41",
            "MinAPIVersion": "1.12",
            "Version": "20.10.24",
            "Arch": "amd64",
        } | version
        self.info: dict[str, object] = {"ID": "ABCD", "Driver": "overlay2", "DriverStatus": []}
        self.asked: list[tuple[str, str]] = []
        self.sent = b""
        self.answer_lines: list[bytes] = []

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        self.asked.append((method, path))
        if path == "/version":
            return self.json(self.version)
        if path == "/info":
            return self.json(self.info)
        if path.endswith("/images/json"):
            return self.json([{"Id": digest} for digest in self.images])
        name = path.partition("/images/")[2].rpartition("/")[0]
        for digest, (reference, layers) in self.images.items():
            if name in {digest, reference}:
                return self.json(
                    {
                        "Id": digest,
                        "RepoTags": [reference],
                        "RootFS": {"Layers": list(layers)},
                        "Config": {"Cmd": None},
                    }
                )
        return Answer(status=404, body=b'{"message": "No such image"}')

    def json(self, document: object) -> Answer:
        return Answer(status=200, body=json.dumps(document).encode())

    def lines(
        self,
        method: str,
        path: str,
        *,
        body: Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[bytes]:
        self.asked.append((method, path))
        self.sent = b"".join(body or ())
        yield from self.answer_lines

    def stream(self, path: str) -> Iterator[bytes]:
        self.asked.append(("GET", path))
        yield b"data"


def layer_ids(*names: str) -> tuple[Digest, ...]:
    return tuple(Digest.of(name.encode()) for name in names)


@pytest.mark.parametrize(
    ("newest", "least", "used"),
    [
        ("1.41", "1.12", "/v1.41"),
        ("1.54", "1.44", "/v1.44"),
        ("1.50", "1.24", "/v1.41"),
        ("1.39", "1.12", "/v1.39"),
    ],
)
def test_the_api_version_is_one_that_the_engine_speaks(newest: str, least: str, used: str) -> None:
    fake = FakeEngine(ApiVersion=newest, MinAPIVersion=least)
    assert DockerEngine(fake, UNIX).version.api == used


def test_the_image_store_is_told_apart() -> None:
    fake = FakeEngine()
    assert not DockerEngine(fake, UNIX).version.containerd_store
    fake.info = {"Driver": "overlayfs", "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}
    assert DockerEngine(fake, UNIX).version.containerd_store


def test_what_is_no_engine_is_refused() -> None:
    fake = FakeEngine()
    fake.version = {"hello": "world"}
    with pytest.raises(EngineError, match="no Docker engine"):
        DockerEngine(fake, UNIX)


def test_only_a_common_beginning_of_layers_counts() -> None:
    ours = layer_ids("base", "a", "b")
    fake = FakeEngine(
        {"x:1": layer_ids("base", "b", "a"), "y:1": layer_ids("base", "a"), "z:1": layer_ids("a", "b")}
    )
    engine = DockerEngine(fake, UNIX)
    assert engine.leading_layers(ours) == 2
    assert engine.leading_layers(layer_ids("other")) == 0
    assert engine.leading_layers(()) == 0


def test_a_likely_image_spares_looking_at_the_others() -> None:
    ours = layer_ids("base", "a")
    fake = FakeEngine({"x:1": layer_ids("c"), "y:1": layer_ids("base", "a", "b")})
    engine = DockerEngine(fake, UNIX)
    fake.asked.clear()
    assert engine.leading_layers(ours, likely=["y:1"]) == 2
    assert fake.asked == [("GET", "/v1.41/images/y:1/json")]


def test_a_load_sends_what_is_missing_and_tells_progress() -> None:
    blobs = MemoryBlobs()
    image = build_image(layers=[blobs.add(tar_of_files({name: name.encode() * 999})) for name in "ab"])
    fake = FakeEngine()
    fake.answer_lines = [
        b'{"status":"Loading layer","id":"x","progressDetail":{"current":10,"total":30}}\n',
        b'{"status":"Loading layer","id":"x","progressDetail":{"current":30,"total":30}}\n',
        b'{"stream":"Loaded image: t:1"}\n',
    ]
    seen: list[object] = []
    DockerEngine(fake, UNIX).load(image, blobs, ["t:1"], omit=1, reporter=seen.append, task="here")
    assert seen == [BytesMoved(task="here", amount=10), BytesMoved(task="here", amount=20)]
    assert blobs.opened == [image.layers[1].diff_id]
    assert image.config in fake.sent
    assert b"b" * 999 in fake.sent
    assert b"a" * 999 not in fake.sent


def test_a_failure_that_comes_after_the_status_is_one() -> None:
    blobs = MemoryBlobs()
    image = build_image(layers=[blobs.add(tar_of_files({"a": b""}))])
    fake = FakeEngine()
    fake.answer_lines = [
        b'{"errorDetail":{"message":"no space left on device"},"error":"no space left on device"}\n'
    ]
    with pytest.raises(EngineError, match="cannot load the image: no space left on device"):
        DockerEngine(fake, UNIX).load(image, blobs, ["t:1"])


def test_a_description_that_cannot_be_read_is_an_error() -> None:
    fake = FakeEngine({"x:1": ("sha256:short",)})
    with pytest.raises(EngineError, match="cannot be read"):
        DockerEngine(fake, UNIX).inspect("x:1")


def test_pull_names_a_tag_or_a_digest() -> None:
    fake = FakeEngine()
    engine = DockerEngine(fake, UNIX)
    engine.pull("127.0.0.1:5000/a/b:1")
    engine.pull("127.0.0.1:5000/a/b@sha256:" + "0" * 64)
    assert [path for _, path in fake.asked[2:]] == [
        "/v1.41/images/create?fromImage=127.0.0.1%3A5000%2Fa%2Fb&tag=1",
        "/v1.41/images/create?fromImage=127.0.0.1%3A5000%2Fa%2Fb&tag=sha256%3A" + "0" * 64,
    ]
