"""Image archives as one stream: what ``docker load`` takes, and OCI layouts in a tar.

Sizes are known before the bytes, so nothing is buffered and the stream can go into a pipe. The same images give
the same bytes.
"""

from collections.abc import Iterable, Iterator, Sequence

from layerwright.core.errors import IntegrityError
from layerwright.oci.blobs import BlobSource, verified
from layerwright.oci.digest import Digest
from layerwright.oci.fields import canonical_json
from layerwright.oci.image import Image
from layerwright.oci.layer import Layer
from layerwright.oci.layout import LAYOUT_MARK, blob_name, index_json, index_of

__all__ = ["docker_archive", "oci_archive"]

_BLOCK = 512
_END = bytes(2 * _BLOCK)


def docker_archive(
    images: Sequence[tuple[Sequence[str], Image]],
    blobs: BlobSource,
    *,
    omit: int = 0,
    check: bool = True,
) -> Iterator[bytes]:
    """An archive for ``docker load``: layers as plain tars, which the daemon unpacks faster than gzip.

    Args:
        images: with the references that each is to have.
        blobs: gives the layers.
        omit: how many layers of each image, from the bottom, the daemon has already; their files are left out
            unless a layer above has the same tar. Daemons know layers by the chain below them, and Docker asks its
            layer store before it opens the file (moby, ``image/tarexport/load.go``).
        check: compare each tar with its diff id. Needless for a daemon, which does so itself and fails on a lie;
            sizes are compared in any case.

    Yields:
        chunks of at most 1 MiB.

    Raises:
        IntegrityError: the source gave another tar than a layer names.
    """
    manifest = [
        {
            "Config": f"{image.config_digest.hex}.json",
            "Layers": [_layer_name(layer) for layer in image.layers],
            "RepoTags": list(references),
        }
        for references, image in images
    ]
    yield from _member("manifest.json", canonical_json(manifest))
    for config in {image.config_digest: image.config for _, image in images}.values():
        yield from _member(f"{Digest.of(config).hex}.json", config)
    for layer in {layer.diff_id: layer for _, image in images for layer in image.layers[omit:]}.values():
        yield from _layer(layer, blobs, check=check)
    yield _END


def oci_archive(images: Sequence[tuple[str, Image]], blobs: BlobSource) -> Iterator[bytes]:
    """An OCI layout as a tar: index and manifests first, then the layers as their blobs are.

    Args:
        images: with their names; several of one name (for several platforms) become an image index.
        blobs: gives the layers.

    Yields:
        chunks of at most 1 MiB.

    Raises:
        BuildError: two images for one platform have one name.
        IntegrityError: the source gave another blob than a layer names.
    """
    entries, indexes = index_of(images)
    yield from _member("oci-layout", LAYOUT_MARK)
    yield from _member("index.json", index_json([one.as_json() for one in entries]))
    small = {
        Digest.of(data): data
        for data in (*indexes, *(part for _, image in images for part in (image.manifest, image.config)))
    }
    for digest, data in small.items():
        yield from _member(blob_name(digest), data)
    for layer in {layer.digest: layer for _, image in images for layer in image.layers}.values():
        yield _header(blob_name(layer.digest), layer.size)
        yield from verified(
            blobs.open_blob(layer), layer.digest, size=layer.size, what=f"layer {layer.digest.short}"
        )
        yield bytes(-layer.size % _BLOCK)
    yield _END


def _layer_name(layer: Layer) -> str:
    return f"{layer.diff_id.hex}/layer.tar"


def _layer(layer: Layer, blobs: BlobSource, *, check: bool) -> Iterator[bytes]:
    # Layers from outside do not tell the size of their tar: it is counted first, in a pass of its own.
    size = layer.tar_size or sum(len(chunk) for chunk in blobs.open_tar(layer))
    what = f"the tar of layer {layer.diff_id.short}"
    yield _header(_layer_name(layer), size)
    tar = blobs.open_tar(layer)
    yield from verified(tar, layer.diff_id, size=size, what=what) if check else _exactly(tar, size, what)
    yield bytes(-size % _BLOCK)


def _exactly(chunks: Iterable[bytes], size: int, what: str) -> Iterator[bytes]:
    count = 0
    for chunk in chunks:
        count += len(chunk)
        if count > size:
            break
        yield chunk
    if count != size:
        raise IntegrityError(f"{what} has not its {size:,} bytes")


def _member(name: str, data: bytes) -> Iterator[bytes]:
    yield _header(name, len(data))
    yield data + bytes(-len(data) % _BLOCK)


def _header(name: str, size: int) -> bytes:
    """A tar header; sizes from 8 GiB on in GNU's base 256, which Go's and everybody's readers know."""
    import tarfile  # noqa: PLC0415 - start-up

    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o644
    return member.tobuf(format=tarfile.GNU_FORMAT)
