"""Ways into a real Docker engine."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerwright.core.errors import EngineError, IntegrityError
from layerwright.core.events import Event, Notice
from layerwright.engines import delivery
from layerwright.engines.client import find_builder
from layerwright.engines.delivery import deliver, writes_tars_like_ours
from layerwright.engines.docker import DockerEngine, find_docker
from layerwright.engines.loopback import serve
from layerwright.host.environment import HostEnvironment
from layerwright.layers.tar import (
    DIRECTORY,
    END_OF_ARCHIVE,
    SYMBOLIC_LINK,
    TarEntry,
    header,
    padding,
    walk_order,
)
from layerwright.oci.image import Image, build_image
from layerwright.oci.layer import Layer
from support.oci import MemoryBlobs, tar_of_files

pytestmark = pytest.mark.engine
HOST = HostEnvironment.gather(os.environ)
PYTHON = "/usr/bin/python3"


@pytest.fixture(scope="module")
def engine() -> DockerEngine:
    try:
        return find_docker(HOST)
    except EngineError as error:
        pytest.skip(f"no Docker engine answers: {error}")


@pytest.fixture
def name(engine: DockerEngine) -> Iterator[str]:
    reference = f"layerwright-test-delivery:{uuid.uuid4().hex}"
    yield reference
    engine.remove(reference)


def our_tar(entries: dict[str, bytes | str | None]) -> bytes:
    """A tar as wheel layers are written: bytes are files, texts are links, None a folder."""
    parts = []
    for path in sorted(entries, key=walk_order):
        content = entries[path]
        if content is None:
            parts.append(header(TarEntry(path=path, type=DIRECTORY, mode=0o755)))
        elif isinstance(content, str):
            parts.append(header(TarEntry(path=path, type=SYMBOLIC_LINK, mode=0o777, link=content)))
        else:
            mode = 0o755 if content.startswith(b"#!") else 0o644
            parts += [
                header(TarEntry(path=path, size=len(content), mode=mode)),
                content,
                padding(len(content)),
            ]
    return b"".join([*parts, END_OF_ARCHIVE])


def difficult_entries(mark: str) -> dict[str, bytes | str | None]:
    """Names that take every road through a tar header."""
    folders = [
        "opt",
        "opt/t",
        "opt/t/a",
        "opt/t/" + "d" * 90,
        "opt/t/中文",
        "opt/t/" + "q" * 120,
        "opt/t/empty",
    ]
    files: dict[str, bytes | str | None] = dict.fromkeys(folders)
    files |= {
        "opt/t/mark": mark.encode(),
        "opt/t/a-b": b"x" * 513,
        "opt/t/a/x": b"#!/bin/sh\n",
        "opt/t/" + "d" * 90 + "/" + "e" * 120: b"long",
        "opt/t/中文/檔案.txt": b"",
        "opt/t/" + "q" * 120 + "/" + "é" * 60: b"both",
        "opt/t/link": "a/x",
        "opt/t/long-link": "/" + "l" * 130,
    }
    return files


def test_a_load_sends_only_what_is_missing(engine: DockerEngine, name: str) -> None:
    blobs = MemoryBlobs()
    low, high, other = (
        blobs.add(tar_of_files({uuid.uuid4().hex: part})) for part in (b"low", b"high", b"other")
    )
    first = build_image(layers=[low, high])
    assert deliver(engine, first, blobs, [name]).sent == 2
    blobs.opened.clear()
    second = build_image(layers=[low, other])
    done = deliver(engine, second, blobs, [name])
    if engine.version.containerd_store:  # which may not be given less than everything
        assert (done.how, done.sent) == ("load", 2)
    else:
        assert (done.how, done.sent) == ("load", 1)
        assert blobs.opened == [other.diff_id]
    assert done.identifier == engine.identifier_of(second)
    assert deliver(engine, second, blobs, [name]).how == "present"
    loaded = engine.inspect(name)
    assert loaded is not None
    assert loaded.layers == (low.diff_id, other.diff_id)
    engine.remove(engine.identifier_of(first))  # which lost its name to the second


def test_a_layer_that_lies_is_refused(engine: DockerEngine, name: str) -> None:
    blobs = MemoryBlobs()
    image = build_image(layers=[blobs.add(tar_of_files({"a": b"1234"}))])
    (layer,) = image.layers
    blobs.tars[layer.diff_id] = blobs.tars[layer.diff_id].replace(b"1234", b"4321")
    blobs.blobs[layer.digest] = blobs.blobs[layer.digest][:-8] + bytes(8)
    with pytest.raises((EngineError, IntegrityError)):
        deliver(engine, image, blobs, [name])
    assert engine.inspect(name) is None


def test_everything_is_sent_when_the_missing_alone_is_not_taken(
    engine: DockerEngine, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = MemoryBlobs()
    image = build_image(layers=[blobs.add(tar_of_files({uuid.uuid4().hex: b""})) for _ in range(2)])
    if engine.version.containerd_store:
        pytest.skip("this store is always given everything")
    # As if the lower layer was removed after we asked.
    monkeypatch.setattr(engine, "leading_layers", lambda *_, **__: 1)
    seen: list[Event] = []
    deliver(engine, image, blobs, [name], reporter=seen.append)
    assert [event for event in seen if isinstance(event, Notice)]
    lowest = image.layers[0]
    assert sum(one in {lowest.diff_id, lowest.digest} for one in blobs.opened) == 1
    assert engine.inspect(engine.identifier_of(image)) is not None


@pytest.mark.parametrize("layers", ["tar", "blob"])
def test_the_engine_pulls_from_the_loopback_registry(engine: DockerEngine, name: str, layers: str) -> None:
    blobs = MemoryBlobs()
    parts = [
        blobs.add(tar_of_files({uuid.uuid4().hex: os.urandom(200_000)}), packing="members") for _ in range(3)
    ]
    image = build_image(layers=parts)
    with serve(image, blobs, layers=layers) as served:
        engine.pull(served.reference)
        engine.tag(served.reference, name)
        engine.remove(served.reference)
        assert served.failures == []
    pulled = engine.inspect(name)
    assert pulled is not None
    assert pulled.identifier == (served.digest if engine.version.containerd_store else image.config_digest)


@pytest.fixture(scope="module")
def base(engine: DockerEngine) -> Iterator[tuple[Layer, MemoryBlobs]]:
    try:
        find_builder(HOST)
    except EngineError as error:
        pytest.skip(str(error))
    if not Path(PYTHON).exists():
        pytest.skip("this machine has no Python of the system's")
    with tempfile.TemporaryDirectory() as folder:
        yield pythons_own(Path(folder))


class TestBuild:
    """Layers that BuildKit unpacks, in a file system made of this machine's own Python."""

    def image(self, base: tuple[Layer, MemoryBlobs], *layers: bytes) -> tuple[Image, MemoryBlobs]:
        layer, blobs = base
        return build_image(layers=[layer, *(blobs.add(tar, packing="none") for tar in layers)]), blobs

    def test_the_layers_are_ours_to_the_byte(
        self,
        engine: DockerEngine,
        name: str,
        base: tuple[Layer, MemoryBlobs],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(delivery, "_LARGE_LAYER", 1)
        monkeypatch.setattr(delivery, "_LARGE_BUILD", 1)
        image, blobs = self.image(
            base,
            our_tar(difficult_entries(name)),
            our_tar({"opt": None, "opt/t": None, "opt/t/mark": b"over", "opt/t/a-b": "mark"}),
        )
        seen: list[Event] = []
        done = deliver(
            engine,
            image,
            blobs,
            [name],
            host=HOST,
            plain={layer.diff_id for layer in image.layers[1:]},
            interpreter=PYTHON,
            reporter=seen.append,
        )
        assert [event for event in seen if isinstance(event, Notice)] == []
        assert done.how == ("build" if writes_tars_like_ours(engine.version) else "load")
        loaded = engine.inspect(name)
        assert loaded is not None
        assert loaded.identifier == engine.identifier_of(image)
        usage = engine._transport.request("GET", f"{engine.version.api}/system/df").body.decode()
        assert image.layers[2].diff_id not in usage.partition('"BuildCache"')[2]

    def test_layers_that_docker_writes_otherwise_are_loaded_and_remembered(
        self,
        engine: DockerEngine,
        name: str,
        base: tuple[Layer, MemoryBlobs],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(delivery, "_LARGE_LAYER", 1)
        monkeypatch.setattr(delivery, "_LARGE_BUILD", 1)
        if not writes_tars_like_ours(engine.version):
            pytest.skip(f"Docker {engine.version.version} is known to write tars in another way")
        tar = our_tar({"opt": None, f"opt/{uuid.uuid4().hex}": b"", "opt/b": b""})
        image, blobs = self.image(base, tar + bytes(512))
        memory = Memory()
        for expected in ("this Docker writes layers in another way", None):
            seen: list[Event] = []
            done = deliver(
                engine,
                image,
                blobs,
                [name],
                host=HOST,
                plain={image.layers[1].diff_id},
                interpreter=PYTHON,
                memory=memory,
                reporter=seen.append,
            )
            assert done.how == "load"
            notices = [event.message for event in seen if isinstance(event, Notice)]
            assert [expected in notice for notice in notices] == ([True] if expected else [])
            engine.remove(name)


class Memory:
    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], bytes] = {}

    def read_record(self, kind: str, key: str) -> bytes | None:
        return self.kept.get((kind, key))

    def write_record(self, kind: str, key: str, data: bytes) -> None:
        self.kept[kind, key] = data


def pythons_own(folder: Path) -> tuple[Layer, MemoryBlobs]:
    """A base with the system's Python: its files and libraries, and the places engines mount over."""
    program = os.path.realpath(PYTHON)
    show = "print(*(m.__file__ for m in sys.modules.values() if getattr(m, '__file__', None)), sep='\\n')"
    listed = subprocess.run(
        [PYTHON, "-IBc", f"import sys, typing, urllib.request, encodings.idna; {show}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    libraries = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout.split()
    wanted = {program, *listed, *(word for word in libraries if word.startswith("/"))}
    for extension in [name for name in listed if name.endswith(".so")]:
        words = subprocess.run(["ldd", extension], capture_output=True, text=True, check=True).stdout.split()
        wanted |= {word for word in words if word.startswith("/")}
    for name in wanted:
        target = folder / name.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(name, target)
    (folder / PYTHON.lstrip("/")).exists() or (folder / PYTHON.lstrip("/")).symlink_to(program)
    for name in ("dev", "proc", "sys", "etc", "opt", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    for name in ("hosts", "resolv.conf"):
        (folder / "etc" / name).write_text("")
    tar = subprocess.run(
        ["tar", "-c", "--sort=name", "--owner=0", "--group=0", "."],
        cwd=folder,
        capture_output=True,
        check=True,
    )
    blobs = MemoryBlobs()
    return blobs.add(tar.stdout, packing="none"), blobs
