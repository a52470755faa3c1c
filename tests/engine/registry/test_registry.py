"""Push and pull against a real registry: plain, with accounts, with TLS, over a line that breaks."""

import base64
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerwright.core.errors import IntegrityError, NetworkError
from layerwright.host.environment import HostEnvironment
from layerwright.oci.image import Image, build_image
from layerwright.oci.platform import Platform
from layerwright.oci.validate import validate
from layerwright.registry import (
    Credentials,
    Pusher,
    RegistryClient,
    RegistryError,
    open_image,
    push_image,
    resolve_digest,
)
from layerwright.store import Store
from support.change import replace
from support.oci import MemoryBlobs, tar_of_files
from support.registry import BreakingLine, Registry, have_registry, make_certificate, running_registry

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not have_registry(), reason="docker-registry is not installed"),
]
AMD64 = Platform.parse("linux/amd64")
SECRET = "correct horse: battery"


def make_image(*sizes: int, seed: int = 0) -> tuple[Image, MemoryBlobs]:
    blobs = MemoryBlobs()
    generator = random.Random(seed)
    layers = [
        blobs.add(tar_of_files({f"data{number}": generator.randbytes(size)}))
        for number, size in enumerate(sizes)
    ]
    return build_image(layers=layers), blobs


def host_for(home: Path, **variables: str) -> HostEnvironment:
    host = HostEnvironment.gather({"HOME": str(home), "PATH": "/usr/bin:/bin", **variables})
    return replace(host, path=variables.get("PATH", host.path))


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry") / "plain") as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(
        tmp_path_factory.mktemp("registry") / "guarded", account=("ann", SECRET)
    ) as running:
        yield running


def test_what_is_pushed_comes_back_the_same(registry: Registry, tmp_path: Path) -> None:
    image, blobs = make_image(3_000_000, 1_000, 0)
    host = host_for(tmp_path)
    names = [f"{registry.address}/team/app:1.0", f"{registry.address}/team/app:stable"]
    seen: list[int] = []
    report = push_image(image, blobs, names, host=host, progress=seen.append)
    assert (report.digest, report.sent, report.present) == (image.digest, 4, 0)
    assert sum(seen) >= sum(layer.size for layer in image.layers)
    for name in names:
        assert resolve_digest(name, AMD64, host=host) == image.digest
    with (
        Store(tmp_path / "store") as store,
        open_image(names[0], platform=AMD64, digest=image.digest, store=store, host=host) as (pulled, source),
    ):
        assert (pulled.manifest, pulled.config) == (image.manifest, image.config)
        for layer in image.layers:
            assert b"".join(source.open_blob(layer)) == blobs.blobs[layer.digest]
            assert b"".join(source.open_tar(layer)) == blobs.tars[layer.diff_id]


def test_blobs_that_are_there_are_not_sent(registry: Registry, tmp_path: Path) -> None:
    image, blobs = make_image(50_000, 60_000, seed=1)
    name = f"{registry.address}/twice/app:1"
    push_image(image, blobs, [name], host=host_for(tmp_path))
    blobs.opened.clear()
    report = push_image(image, blobs, [name], host=host_for(tmp_path))
    assert (report.sent, report.present, report.sent_bytes) == (0, 3, 0)
    assert blobs.opened == []


def test_another_repository_gets_blobs_by_mount(registry: Registry, tmp_path: Path) -> None:
    image, blobs = make_image(70_000, 80_000, seed=2)
    pusher = Pusher(host=host_for(tmp_path))
    pusher.push(image, blobs, [f"{registry.address}/mount/one:1"])
    blobs.opened.clear()
    report = pusher.push(image, blobs, [f"{registry.address}/mount/two:1"])
    assert (report.sent, report.mounted) == (0, 3)
    assert blobs.opened == []
    told = Pusher(host=host_for(tmp_path), mount_from={registry.address: ["mount/two"]})
    assert told.push(image, blobs, [f"{registry.address}/mount/three:1"]).mounted == 3


def test_a_pull_takes_only_what_the_store_lacks(registry: Registry, tmp_path: Path) -> None:
    image, blobs = make_image(90_000, 10_000, seed=3)
    name = f"{registry.address}/again/app:1"
    host = host_for(tmp_path)
    push_image(image, blobs, [name], host=host)
    with Store(tmp_path / "store") as store:
        with open_image(name, platform=AMD64, digest="", store=store, host=host):
            pass
        before = registry.log().count("GET /v2/again/app/blobs")
        with open_image(name, platform=AMD64, digest=image.digest, store=store, host=host) as (pulled, _):
            assert pulled.digest == image.digest
        assert registry.log().count("GET /v2/again/app/blobs") == before


def test_what_is_not_there_says_so(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(RegistryError) as caught:
        resolve_digest(f"{registry.address}/no/such:tag", AMD64, host=host_for(tmp_path))
    assert caught.value.status == 404
    assert "MANIFEST_UNKNOWN" in caught.value.what
    assert caught.value.exit_code == 6


def test_a_registry_that_is_not_there_says_so(tmp_path: Path) -> None:
    client = RegistryClient("127.0.0.1:9", host=host_for(tmp_path), sleep=lambda _: None)
    with pytest.raises(NetworkError, match=r"127\.0\.0\.1:9 cannot be reached"):
        resolve_digest("127.0.0.1:9/a/b:1", AMD64, host=host_for(tmp_path), client=client)


def test_bytes_that_lie_are_refused(registry: Registry, tmp_path: Path) -> None:
    image, blobs = make_image(40_000, seed=4)
    layer = image.layers[0]
    blobs.blobs[layer.digest] = bytes(len(blobs.blobs[layer.digest]))
    with pytest.raises(IntegrityError):
        push_image(image, blobs, [f"{registry.address}/lies/app:1"], host=host_for(tmp_path))
    assert not registry.blob_path(layer.digest).exists()


def test_a_damaged_registry_is_found_out(registry: Registry, tmp_path: Path) -> None:
    image, blobs = make_image(45_000, seed=5)
    name = f"{registry.address}/damaged/app:1"
    push_image(image, blobs, [name], host=host_for(tmp_path))
    stored = registry.blob_path(image.layers[0].digest)
    stored.write_bytes(bytes(stored.stat().st_size))
    with (
        Store(tmp_path / "store") as store,
        pytest.raises(IntegrityError),
        open_image(name, platform=AMD64, digest="", store=store, host=host_for(tmp_path)),
    ):
        pass


class TestAccounts:
    def write_config(self, home: Path, config: object) -> None:
        (home / ".docker").mkdir()
        (home / ".docker" / "config.json").write_text(json.dumps(config))

    def test_from_docker_login(self, guarded: Registry, tmp_path: Path) -> None:
        pair = base64.b64encode(f"ann:{SECRET}".encode()).decode()
        self.write_config(tmp_path, {"auths": {guarded.address: {"auth": pair}}})
        image, blobs = make_image(20_000, seed=6)
        push_image(image, blobs, [f"{guarded.address}/mine/app:1"], host=host_for(tmp_path))
        assert resolve_digest(f"{guarded.address}/mine/app:1", AMD64, host=host_for(tmp_path)) == image.digest

    @pytest.mark.parametrize("where", ["credHelpers", "credsStore"])
    def test_from_a_helper(self, guarded: Registry, tmp_path: Path, where: str) -> None:
        programs = tmp_path / "bin"
        programs.mkdir()
        helper = programs / "docker-credential-tests"
        answer = json.dumps({"ServerURL": guarded.address, "Username": "ann", "Secret": SECRET})
        helper.write_text(
            f'#!/bin/sh\nread -r server\n[ "$1 $server" = "get {guarded.address}" ] || exit 1\necho \'{answer}\'\n'
        )
        helper.chmod(0o755)
        config = (
            {"credHelpers": {guarded.address: "tests"}} if where == "credHelpers" else {"credsStore": "tests"}
        )
        self.write_config(tmp_path, config)
        host = host_for(tmp_path, PATH=f"{programs}:/usr/bin:/bin")
        image, blobs = make_image(21_000, seed=7)
        assert push_image(image, blobs, [f"{guarded.address}/{where.lower()}/app:1"], host=host).sent == 2

    def test_none(self, guarded: Registry, tmp_path: Path) -> None:
        with pytest.raises(RegistryError) as caught:
            resolve_digest(f"{guarded.address}/mine/app:1", AMD64, host=host_for(tmp_path))
        assert caught.value.status == 401
        assert caught.value.hint == f"log in: docker login {guarded.address}"

    def test_a_wrong_one_is_not_shown(self, guarded: Registry, tmp_path: Path) -> None:
        pair = base64.b64encode(b"ann:wrong-password").decode()
        self.write_config(tmp_path, {"auths": {guarded.address: {"auth": pair}}})
        with pytest.raises(RegistryError) as caught:
            resolve_digest(f"{guarded.address}/mine/app:1", AMD64, host=host_for(tmp_path))
        shown = f"{caught.value.what} {caught.value.hint} {caught.value!r}"
        assert caught.value.status == 401
        assert "was not accepted" in caught.value.hint
        assert "wrong-password" not in shown
        assert pair not in shown


class TestTls:
    def test_with_its_authority_named(self, tmp_path: Path) -> None:
        certificate = make_certificate(tmp_path / "certificate")
        with running_registry(tmp_path / "tls", certificate=certificate) as registry:
            host = host_for(tmp_path, SSL_CERT_FILE=str(certificate[0]))
            image, blobs = make_image(30_000, seed=8)
            name = f"{registry.address}/tls/app:1"
            push_image(image, blobs, [name], host=host)
            assert resolve_digest(name, AMD64, host=host) == image.digest
            with pytest.raises(NetworkError, match="is not trusted") as caught:
                resolve_digest(name, AMD64, host=host_for(tmp_path))
            assert "SSL_CERT_FILE" in caught.value.hint


class TestBreakingLine:
    def client(self, line: BreakingLine, home: Path) -> RegistryClient:
        return RegistryClient(
            line.address, host=host_for(home), credentials=Credentials(), sleep=lambda _: None
        )

    def test_a_download_goes_on_where_it_was_cut(self, registry: Registry, tmp_path: Path) -> None:
        image, blobs = make_image(2_000_000, seed=9)
        push_image(image, blobs, [f"{registry.address}/cut/down:1"], host=host_for(tmp_path))
        port = int(registry.address.rpartition(":")[2])
        with BreakingLine(target=port, down=[700_000, 700_000]) as line, Store(tmp_path / "store") as store:
            name = f"{line.address}/cut/down:1"
            with open_image(
                name,
                platform=AMD64,
                digest=image.digest,
                store=store,
                host=host_for(tmp_path),
                client=self.client(line, tmp_path),
            ) as (pulled, source):
                assert validate(pulled, source) is None
            assert line.broken == 2
        partial = [row for row in registry.log().splitlines() if "/cut/down/blobs" in row and " 206 " in row]
        assert len(partial) == 2

    def test_an_upload_begins_again(self, registry: Registry, tmp_path: Path) -> None:
        image, blobs = make_image(2_500_000, seed=10)
        port = int(registry.address.rpartition(":")[2])
        seen: list[int] = []
        with BreakingLine(target=port, up=[600_000, 600_000]) as line:
            pusher = Pusher(host=host_for(tmp_path), make_client=lambda *_, **__: self.client(line, tmp_path))
            pusher.push(image, blobs, [f"{line.address}/cut/up:1"], progress=seen.append)
            assert line.broken == 2
        assert registry.blob_path(image.layers[0].digest).read_bytes() == blobs.blobs[image.layers[0].digest]
        assert sum(seen) == image.layers[0].size + len(image.config)
