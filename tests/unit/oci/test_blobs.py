import gzip
import os

import pytest

from layerwright.core.errors import BuildError, IntegrityError
from layerwright.oci.blobs import BlobSources, tar_of, verified
from layerwright.oci.compression import gunzip
from layerwright.oci.digest import Digest
from layerwright.oci.layer import Layer
from layerwright.oci.media import ZSTD_LAYER
from support.oci import MemoryBlobs, pack, random_image, tar_of_files


def test_gunzip_of_many_members() -> None:
    data = os.urandom(20_000) + bytes(50_000)
    for step in (1, 7, 100_000):
        blob = pack(data, "members")
        chunks = [blob[start : start + step] for start in range(0, len(blob), step)]
        assert b"".join(gunzip(chunks)) == data
    assert b"".join(gunzip([gzip.compress(data), b"", gzip.compress(b""), bytes(1000)])) == data
    assert list(gunzip([])) == []


def test_gunzip_gives_small_pieces_of_a_bomb() -> None:
    bomb = gzip.compress(bytes(50 << 20))
    total = 0
    for chunk in gunzip([bomb]):
        assert len(chunk) <= 1 << 20
        total += len(chunk)
    assert total == 50 << 20


@pytest.mark.parametrize("cut", [1, 5, 12, 500])
def test_gunzip_of_less_than_all(cut: int) -> None:
    with pytest.raises(IntegrityError, match="ends early"):
        list(gunzip([gzip.compress(os.urandom(1000))[:-cut]]))


def test_gunzip_of_something_else() -> None:
    for junk in (b"no gzip at all", gzip.compress(b"x") + b"junk"):
        with pytest.raises(IntegrityError, match="damaged"):
            list(gunzip([junk]))
    flipped = bytearray(gzip.compress(b"x" * 1000))
    flipped[-6] ^= 1
    with pytest.raises(IntegrityError, match="damaged"):
        list(gunzip([bytes(flipped)]))


def test_verified_only_ends_well_with_the_right_bytes() -> None:
    digest = Digest.of(b"abc")
    assert b"".join(verified([b"a", b"bc"], digest, size=3, what="it")) == b"abc"
    assert b"".join(verified([b"a", b"bc"], digest, what="it")) == b"abc"
    for chunks, words in (([b"ab"], "2 bytes"), ([b"abx"], "digest"), ([b"abc", b"d"], "more than")):
        with pytest.raises(IntegrityError, match=words):
            list(verified(chunks, digest, size=3, what="it"))
    endless = verified(iter(lambda: b"x" * 100, None), digest, size=3, what="it")
    with pytest.raises(IntegrityError, match="more than"):
        next(endless)


def test_tars_come_out_of_blobs() -> None:
    blobs = MemoryBlobs()
    tar = tar_of_files({"a": os.urandom(5000)})
    for packing in ("gzip", "members", "none"):
        layer = blobs.add(tar, packing=packing)  # type: ignore[arg-type]
        assert b"".join(tar_of(layer, blobs.open_blob(layer))) == tar
    lie = Layer(
        diff_id=Digest.of(b""),
        digest=layer.digest,
        size=1,
        tar_size=0,
        created_by="",
        media_type=layer.media_type,
    )
    with pytest.raises(IntegrityError, match="tar of layer"):
        list(tar_of(lie, [tar]))
    zstd = Layer(
        diff_id=Digest.of(b""), digest=layer.digest, size=1, tar_size=0, created_by="", media_type=ZSTD_LAYER
    )
    with pytest.raises(BuildError, match="zstd") as caught:
        tar_of(zstd, [b""])
    assert "skopeo" in caught.value.hint


def test_several_sources_are_one() -> None:
    one, first = random_image(1)
    two, second = random_image(2)
    sources = BlobSources(
        {layer.digest: source for image, source in ((one, first), (two, second)) for layer in image.layers}
    )
    for image, source in ((one, first), (two, second)):
        for layer in image.layers:
            assert b"".join(sources.open_blob(layer)) == source.blobs[layer.digest]
            assert b"".join(sources.open_tar(layer)) == source.tars[layer.diff_id]
