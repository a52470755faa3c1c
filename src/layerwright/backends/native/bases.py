"""Bases: built from Debian packages, or taken from a layout, an archive, the local engine or a registry."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path

from msgspec import structs

from layerwright.backends.base import BuiltLayer
from layerwright.backends.native.blobs import blob_tar, unpack
from layerwright.backends.native.files import write_blob
from layerwright.backends.native.results import NodeResult
from layerwright.backends.native.workshop import Workshop
from layerwright.core.errors import BuildError, IntegrityError, NetworkError
from layerwright.layers import tar_to_layer
from layerwright.layers.tar import DIRECTORY, TarEntry, header
from layerwright.oci.blobs import BlobSource
from layerwright.oci.digest import Digest
from layerwright.oci.image import Image
from layerwright.oci.platform import Platform
from layerwright.plan.steps import Base

__all__ = ["import_base", "make_base", "open_base"]

_CHUNK = 1 << 20


def make_base(workshop: Workshop, step: Base) -> NodeResult:
    """Bring the locked base into the store.

    Raises:
        IntegrityError: what is there now is not what was locked.
    """
    base = step.base
    platform = Platform.parse(step.platform)
    if base.kind == "debian":
        return _debian(workshop, step, platform)
    with open_base(workshop, base.kind, base.source, platform, digest=base.digest) as (
        image,
        blobs,
        identity,
    ):
        if identity != base.digest:
            raise IntegrityError(
                f"{base.kind}:{base.source} is {identity} now; {base.digest} was locked",
                hint="run `layerwright lock --upgrade` to take the new one",
            )
        return import_base(workshop, image, blobs)


def _debian(workshop: Workshop, step: Base, platform: Platform) -> NodeResult:
    from layerwright.backends.native.debian import build_base  # noqa: PLC0415 - start-up

    base = step.base
    workshop.fetch_debs(base.debs)
    with workshop.store.scratch() as scratch:
        tar = build_base(
            base.debs,
            suite=base.source,
            platform=platform,
            store=workshop.store,
            scratch=scratch,
            host=workshop.host,
        )
        # mmdebstrap gives /dev with device nodes or not at all; engines mount over it, so it is there, and empty.
        folder = header(TarEntry(path="dev", type=DIRECTORY, mode=0o755))
        result = write_blob(
            workshop,
            f"layerwright: debian {base.source}",
            lambda out: tar_to_layer(chain((folder,), _chunks(tar)), out),
        )
    return _with_trees(workshop, result)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


@contextmanager
def open_base(
    workshop: Workshop, kind: str, source: str, platform: Platform, *, digest: str = ""
) -> Iterator[tuple[Image, BlobSource, str]]:
    """Reach a base that is an image already.

    Args:
        workshop: shared parts.
        kind: ``oci``, ``archive``, ``docker`` or ``registry``.
        source: folder, file or reference.
        platform: which of an index's images.
        digest: what was locked; empty for whatever is there now.

    Yields:
        The image, the source of its layers' bytes, and the digest the lock names it by.
    """
    match kind:
        case "oci":
            from layerwright.oci.layout import read_layout  # noqa: PLC0415 - start-up

            folder, _, name = source.partition(":")
            image, layout_blobs = read_layout(workshop.root / folder, name, platform)
            yield image, layout_blobs, image.digest
        case "archive":
            from layerwright.oci.saved import read_archive  # noqa: PLC0415 - start-up

            with workshop.store.scratch() as scratch:
                image, source_blobs = read_archive(workshop.root / source, platform=platform, scratch=scratch)
                yield image, source_blobs, image.config_digest
        case "docker":
            from layerwright.engines.docker import find_docker  # noqa: PLC0415 - start-up
            from layerwright.oci.saved import read_archive  # noqa: PLC0415 - start-up

            engine = find_docker(workshop.host)
            with workshop.store.scratch() as scratch:
                saved = scratch / "image.tar"
                with saved.open("wb") as out:
                    for chunk in engine.save(source):
                        out.write(chunk)
                image, source_blobs = read_archive(saved, platform=platform, scratch=scratch)
                yield image, source_blobs, image.config_digest
        case "registry":
            if workshop.offline:
                raise NetworkError(
                    f"the base {source} is not in the store, and --offline forbids asking for it"
                )
            from layerwright.registry import open_image  # noqa: PLC0415 - start-up

            with open_image(
                source, platform=platform, digest=digest, store=workshop.store, host=workshop.host
            ) as (image, blobs):
                yield image, blobs, image.digest
        case _:
            raise BuildError(f"no base of kind {kind!r} can be read")


def import_base(workshop: Workshop, image: Image, blobs: BlobSource) -> NodeResult:
    """Keep an image's config, blobs and trees in the store."""
    store = workshop.store
    written = 0
    for layer in image.layers:
        if not store.has("blobs", layer.digest.hex):
            with store.writer("blobs", sha256=layer.digest.hex) as out:
                for chunk in blobs.open_blob(layer):
                    out.write(chunk)
            written += layer.size
    config = image.config_digest.hex
    if not store.has("blobs", config):
        with store.writer("blobs", sha256=config) as out:
            out.write(image.config)
    layers = tuple(
        BuiltLayer(
            diff_id=layer.diff_id,
            digest=layer.digest,
            size=layer.size,
            tar_size=layer.tar_size,
            created_by=layer.created_by or "base",
            media_type=layer.media_type,
        )
        for layer in image.layers
    )
    return _with_trees(workshop, NodeResult(layers=layers, config=config, bytes_written=written))


def _with_trees(workshop: Workshop, result: NodeResult) -> NodeResult:
    """Extract every layer now: whatever is built next stands on them. Tar sizes become known on the way."""
    store = workshop.store
    layers = []
    for layer in result.layers:
        counted = _Counted(blob_tar(store, layer))
        key = layer.diff_id.hex
        if store.tree(key) is None:
            with store.make_tree(key) as folder:
                unpack(counted, folder, as_root=workshop.host.uid == 0)
        if not layer.tar_size:
            for _ in counted:  # what follows the end of the archive belongs to the tar as well
                pass
            if counted.digest() != layer.diff_id:
                raise IntegrityError(
                    f"layer {layer.digest.short} of the base unpacks to another tar than it says"
                )
        layers.append(layer if layer.tar_size else structs.replace(layer, tar_size=counted.size))
    return replace(result, layers=tuple(layers))


class _Counted:
    """Chunks, counted and hashed as they pass."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        import hashlib  # noqa: PLC0415 - start-up

        self._chunks = chunks
        self._hash = hashlib.sha256()
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.size += len(chunk)
            self._hash.update(chunk)
            yield chunk

    def digest(self) -> Digest:
        """Digest of everything that has passed."""
        return Digest.from_hex(self._hash.hexdigest())
