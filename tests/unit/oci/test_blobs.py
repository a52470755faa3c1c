import gzip
import os
import zlib
from dataclasses import replace
from types import ModuleType

import pytest
from isal import isal_zlib

from layerwright.core.errors import BuildError, IntegrityError
from layerwright.oci.blobs import tar_of, verified
from layerwright.oci.compression import gunzip, unzstd, zstd_module
from layerwright.oci.digest import Digest
from layerwright.oci.layer import Layer
from layerwright.oci.media import ZSTD_LAYER
from support.oci import MemoryBlobs, pack, tar_of_files

CODECS = pytest.mark.parametrize("codec", [zlib, isal_zlib])


@CODECS
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_gunzip_of_many_members(codec: ModuleType, step: int) -> None:
    data = os.urandom(20_000) + bytes(50_000)
    blob = pack(data, "members")
    chunks = [blob[start : start + step] for start in range(0, len(blob), step)]
    assert b"".join(gunzip(chunks, codec=codec)) == data


@CODECS
def test_gunzip_of_empty_members_and_padding(codec: ModuleType) -> None:
    data = os.urandom(2000)
    padded = [gzip.compress(data), b"", gzip.compress(b""), bytes(1000), bytes(7)]
    assert b"".join(gunzip(padded, codec=codec)) == data
    assert list(gunzip([], codec=codec)) == []


@CODECS
@pytest.mark.parametrize("size", [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, (3 << 20) + 257, 20 << 20])
def test_gunzip_gives_small_pieces_of_a_bomb(codec: ModuleType, size: int) -> None:
    bomb = gzip.compress(bytes(size), mtime=0)
    for chunks in ([bomb], [bomb[:-8], bomb[-8:]], [bomb[:-9], bomb[-9:-1], bomb[-1:]]):
        pieces = [len(piece) for piece in gunzip(chunks, codec=codec)]
        assert max(pieces) <= 1 << 20
        assert sum(pieces) == size


@CODECS
@pytest.mark.parametrize("cut", [1, 5, 12, 500])
def test_gunzip_of_less_than_all(codec: ModuleType, cut: int) -> None:
    for data in (os.urandom(1000), bytes(1 << 20), bytes(600_000)):
        with pytest.raises(IntegrityError, match="ends early"):
            list(gunzip([gzip.compress(data)[:-cut]], codec=codec))


@CODECS
def test_gunzip_of_something_else(codec: ModuleType) -> None:
    for junk in (b"no gzip at all", gzip.compress(b"x") + b"more than ten bytes of junk"):
        with pytest.raises(IntegrityError, match="damaged"):
            list(gunzip([junk], codec=codec))
    flipped = bytearray(gzip.compress(b"x" * 1000))
    flipped[-6] ^= 1
    with pytest.raises(IntegrityError, match="damaged"):
        list(gunzip([bytes(flipped)], codec=codec))


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


@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_unzstd_of_many_frames(step: int) -> None:
    """zstd:chunked puts a table into a frame that carries no data, and files into frames of their own."""
    data = os.urandom(20_000) + bytes(5_000_000)
    skipped = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"table"
    compress = zstd_module().compress
    blob = compress(data[:10_000]) + compress(b"") + skipped + compress(data[10_000:]) + skipped
    pieces = list(unzstd([blob[start : start + step] for start in range(0, len(blob), step)]))
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= 1 << 20


@pytest.mark.parametrize("cut", [1, 3, 10, -1])
def test_unzstd_of_what_is_cut_or_damaged(cut: int) -> None:
    blob = zstd_module().compress(os.urandom(1000))
    with pytest.raises(IntegrityError, match="ends early"):
        list(unzstd([blob[:cut]]))
    with pytest.raises(IntegrityError, match="damaged"):
        list(unzstd([blob + b"what follows"]))


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
    packed = zstd_module().compress(tar)
    other = Layer(
        diff_id=layer.diff_id,
        digest=Digest.of(packed),
        size=len(packed),
        tar_size=len(tar),
        created_by="",
        media_type=ZSTD_LAYER,
    )
    assert b"".join(tar_of(other, [packed])) == tar
    unknown = replace(other, media_type="application/x-lz4")
    with pytest.raises(BuildError, match="x-lz4") as caught:
        tar_of(unknown, [b""])
    assert "skopeo" in caught.value.hint
