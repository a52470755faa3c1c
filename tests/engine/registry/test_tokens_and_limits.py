"""Tokens, busy registries, and registries that refuse a blob at once, against a small server of our own."""

import base64
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerwright.host.environment import HostEnvironment
from layerwright.oci.image import Image, build_image
from layerwright.registry import Credentials, Pusher, RegistryClient, RegistryError
from support.oci import MemoryBlobs, tar_of_files
from support.token_registry import TokenRegistry, token_registry

pytestmark = pytest.mark.engine


@pytest.fixture
def registry() -> Iterator[TokenRegistry]:
    with token_registry() as running:
        yield running


@pytest.fixture
def image() -> tuple[Image, MemoryBlobs]:
    blobs = MemoryBlobs()
    layers = [
        blobs.add(tar_of_files({"data": random.Random(number).randbytes(size)}))
        for number, size in enumerate((20_000_000, 1000))
    ]
    return build_image(layers=layers), blobs


def push(
    registry: TokenRegistry,
    image: tuple[Image, MemoryBlobs],
    home: Path,
    *,
    credentials: Credentials | None = None,
    repository: str = "a",
) -> None:
    host = HostEnvironment.gather({"HOME": str(home), "PATH": "/usr/bin"})

    def make_client(name: str, *, host: HostEnvironment) -> RegistryClient:
        return RegistryClient(name, host=host, credentials=credentials or Credentials(), sleep=lambda _: None)

    Pusher(host=host, make_client=make_client).push(*image, [f"{registry.address}/{repository}:1"])


def stored(registry: TokenRegistry, image: tuple[Image, MemoryBlobs]) -> bool:
    wanted = {layer.digest for layer in image[0].layers} | {image[0].config_digest}
    return wanted == set(registry.blobs) and registry.manifests == {"1": image[0].manifest}


def test_an_anonymous_token_is_asked_for_once_for_each_scope(
    registry: TokenRegistry, image: tuple[Image, MemoryBlobs], tmp_path: Path
) -> None:
    push(registry, image, tmp_path)
    assert stored(registry, image)
    assert [scopes for _, scopes in registry.tokens.values()] == [["repository:a:pull,push"]]


def test_tokens_that_end_are_renewed(
    registry: TokenRegistry, image: tuple[Image, MemoryBlobs], tmp_path: Path
) -> None:
    registry.uses = 4
    push(registry, image, tmp_path)
    assert stored(registry, image)
    assert len(registry.tokens) > 2


def test_the_account_goes_to_the_token_service_alone(
    registry: TokenRegistry, image: tuple[Image, MemoryBlobs], tmp_path: Path
) -> None:
    registry.account = "Basic " + base64.b64encode(b"ann:secret").decode()
    push(registry, image, tmp_path, credentials=Credentials(user="ann", password="secret", source="a test"))
    assert stored(registry, image)


def test_an_account_that_is_refused(
    registry: TokenRegistry, image: tuple[Image, MemoryBlobs], tmp_path: Path
) -> None:
    registry.account = "Basic nothing"
    with pytest.raises(Exception, match="does not accept the account from a test") as caught:
        push(
            registry, image, tmp_path, credentials=Credentials(user="ann", password="secret", source="a test")
        )
    assert "secret" not in str(caught.value)


def test_a_busy_registry_is_asked_again(
    registry: TokenRegistry, image: tuple[Image, MemoryBlobs], tmp_path: Path
) -> None:
    registry.busy = 3
    push(registry, image, tmp_path)
    assert stored(registry, image)


def test_a_blob_that_is_too_large_at_once_goes_in_pieces(
    registry: TokenRegistry, image: tuple[Image, MemoryBlobs], tmp_path: Path
) -> None:
    registry.body_limit = 9_000_000
    push(registry, image, tmp_path)
    assert stored(registry, image)
    assert len([1 for method, _ in registry.log if method == "PATCH"]) >= 3


def test_a_limit_that_pieces_break_too_is_told(
    registry: TokenRegistry, image: tuple[Image, MemoryBlobs], tmp_path: Path
) -> None:
    registry.body_limit = 1_000_000
    with pytest.raises(RegistryError) as caught:
        push(registry, image, tmp_path)
    assert caught.value.status == 413
    assert "<html>" not in caught.value.what
