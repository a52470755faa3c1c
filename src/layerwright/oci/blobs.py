"""Where the bytes of layers come from."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Protocol

from layerwright.core.errors import BuildError, IntegrityError
from layerwright.oci.compression import unpacked
from layerwright.oci.digest import Digest
from layerwright.oci.layer import Layer

__all__ = ["BlobSource", "tar_of", "verified"]


class BlobSource(Protocol):
    """Gives the bytes of layers, any number of times, in chunks of at most 1 MiB.

    Both methods raise ``IntegrityError`` when the bytes are not those of the layer's digests, at the latest at the end
    of the stream: only a stream read to its end is to be trusted.
    """

    def open_blob(self, layer: Layer) -> Iterator[bytes]:
        """The blob as ``layer.digest`` names it."""

    def open_tar(self, layer: Layer) -> Iterator[bytes]:
        """The uncompressed tar as ``layer.diff_id`` names it."""


def verified(chunks: Iterable[bytes], digest: Digest, *, size: int = 0, what: str) -> Iterator[bytes]:
    """The chunks; the end is only reached when all of them together have the digest.

    Args:
        chunks: a stream.
        digest: what it must have.
        size: its bytes, 0 when unknown; a longer stream fails at once.
        what: the stream, for messages.

    Raises:
        IntegrityError: another digest or size.
    """
    hashed = hashlib.sha256()
    count = 0
    for chunk in chunks:
        count += len(chunk)
        if size and count > size:
            raise IntegrityError(f"{what} has more than its {size:,} bytes")
        hashed.update(chunk)
        yield chunk
    if size and count != size:
        raise IntegrityError(f"{what} has {count:,} bytes, not {size:,}")
    if hashed.hexdigest() != digest.hex:
        raise IntegrityError(f"{what} has digest sha256:{hashed.hexdigest()}, not {digest}")


def tar_of(layer: Layer, blob: Iterable[bytes]) -> Iterator[bytes]:
    """The verified tar in a blob.

    Raises:
        BuildError: it is compressed in a way that we cannot read.
        IntegrityError: it is not the tar that the layer names.
    """
    what = f"the tar of layer {layer.digest.short}"
    tar = unpacked(layer.media_type, blob)
    if tar is not None:
        return verified(tar, layer.diff_id, size=layer.tar_size, what=what)
    raise BuildError(
        f"layer {layer.digest.short} is of type {layer.media_type}, which cannot be unpacked",
        hint="copy the image with gzip layers: skopeo copy --dest-compress-format gzip …",
    )
