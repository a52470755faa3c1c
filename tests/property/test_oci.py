"""Laws of the image nouns."""

import gzip
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import isal_zlib

from layerwright.oci.archive import docker_archive
from layerwright.oci.compression import gunzip
from layerwright.oci.digest import Digest
from layerwright.oci.image import build_image, parse_image
from layerwright.oci.reference import Reference
from layerwright.store.sealed import seal, unseal
from support.oci import MemoryBlobs, tar_of_files

pytestmark = pytest.mark.property

PART = st.from_regex(r"[a-z0-9]{1,8}((\.|_|__|-{1,3})[a-z0-9]{1,8}){0,2}", fullmatch=True)
HOST = st.from_regex(r"(localhost|[a-zA-Z0-9]{1,8}\.[a-z]{1,5})(:[0-9]{1,5})?", fullmatch=True)
TAG = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
DIGEST = st.binary(min_size=0, max_size=8).map(Digest.of)
NAMES = st.text("ABCXYZ_名", min_size=1, max_size=6)
TEXTS = st.text(max_size=12)


@given(digest=DIGEST)
def test_digests_come_back(digest: Digest) -> None:
    assert Digest.parse(str(digest)) == digest == Digest.from_hex(digest.hex)


@given(
    registry=st.one_of(st.just("docker.io"), HOST),
    path=st.lists(PART, min_size=1, max_size=4),
    tag=st.one_of(st.just(""), TAG),
    digest=st.one_of(st.just(""), DIGEST),
)
def test_references_come_back(registry: str, path: list[str], tag: str, digest: str) -> None:
    text = f"{registry}/{'/'.join(path)}" + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    reference = Reference.parse(text)
    assert (reference.tag, reference.digest) == (tag, digest)
    assert Reference.parse(str(reference)) == reference
    if "." not in path[0] and path[0] != "localhost":
        assert Reference.parse(reference.familiar) == reference


@given(text=st.text(max_size=40))
def test_any_text_is_a_reference_or_a_clear_error(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except ValueError as error:
        assert "reference" in str(error)  # noqa: PT017  (either way is right)
    else:
        assert Reference.parse(str(reference)) == reference


@given(
    env=st.dictionaries(NAMES, TEXTS, max_size=6),
    labels=st.dictionaries(NAMES, TEXTS, max_size=6),
    seed=st.integers(),
    base=st.booleans(),
)
def test_the_order_of_settings_does_not_change_the_image(
    env: dict[str, str], labels: dict[str, str], seed: int, base: bool
) -> None:
    def mixed(values: dict[str, str]) -> dict[str, str]:
        pairs = list(values.items())
        random.Random(seed).shuffle(pairs)
        return dict(pairs)

    origin = build_image(env={"PATH": "/bin", "A": "1"}, labels={"A": "1"}) if base else None
    layers = [MemoryBlobs().add(tar_of_files({"a": b"1"}))]
    one = build_image(base=origin, layers=layers, env=env, labels=labels)
    two = build_image(base=origin, layers=layers, env=mixed(env), labels=mixed(labels))
    assert (one.manifest, one.config) == (two.manifest, two.config)
    settings = parse_image(one.manifest, one.config).settings
    assert {**settings.env} == {**({"PATH": "/bin", "A": "1"} if base else {}), **env}
    assert {**settings.labels} == {**({"A": "1"} if base else {}), **labels}


@given(
    parts=st.lists(st.binary(max_size=300), max_size=8),
    step=st.integers(min_value=1, max_value=500),
    level=st.integers(min_value=0, max_value=9),
)
def test_members_come_out_as_one_stream(parts: list[bytes], step: int, level: int) -> None:
    blob = b"".join(gzip.compress(part, level) for part in parts)
    for codec in (zlib, isal_zlib):
        chunks = (blob[at : at + step] for at in range(0, len(blob), step))
        assert b"".join(gunzip(chunks, codec=codec)) == b"".join(parts)


@given(files=st.lists(st.dictionaries(PART, st.binary(max_size=600), max_size=3), min_size=1, max_size=3))
def test_a_docker_archive_is_whole_blocks(files: list[dict[str, bytes]]) -> None:
    blobs = MemoryBlobs()
    image = build_image(layers=[blobs.add(tar_of_files(some)) for some in files])
    archive = b"".join(docker_archive([(["x:1"], image)], blobs))
    assert len(archive) % 512 == 0


@given(
    name=st.text(max_size=10),
    data=st.binary(max_size=200),
    place=st.integers(min_value=0),
    bit=st.integers(0, 7),
)
def test_a_sealed_record_comes_back_whole_or_not_at_all(name: str, data: bytes, place: int, bit: int) -> None:
    sealed = bytearray(seal(name, data))
    assert unseal(name, bytes(sealed)) == data
    sealed[place % len(sealed)] ^= 1 << bit
    assert unseal(name, bytes(sealed)) is None
    assert unseal(name + "x", seal(name, data)) is None
