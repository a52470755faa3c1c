"""The bytes and the extracted trees of built layers, made from the store when they are asked for."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from layerwright.backends.base import BuiltLayer, WheelPart
from layerwright.core.errors import BuildError, EngineError, IntegrityError
from layerwright.layers import WheelFile, emit_blob, emit_tar, extract_layer, wheel_layer
from layerwright.layers.formats import LAYER_FORMAT
from layerwright.oci.compression import unpacked
from layerwright.oci.digest import Digest
from layerwright.oci.layer import Layer
from layerwright.store import Store

__all__ = ["StoreBlobs", "blob_tar", "layer_trees", "unpack", "wheel_files", "wheel_tree_key"]

_CHUNK = 1 << 20


def wheel_files(store: Store, wheels: Sequence[WheelPart]) -> tuple[WheelFile, ...]:
    """The parts as files of the store."""
    return tuple(
        WheelFile(
            path=store.path("wheels", part.sha256),
            sha256=part.sha256,
            file=part.file,
            name=part.name,
            version=part.version,
            requested=part.requested,
            direct_url=part.direct_url,
        )
        for part in wheels
    )


def blob_tar(store: Store, layer: BuiltLayer | Layer) -> Iterator[bytes]:
    """The uncompressed tar of a layer whose blob is kept."""
    path = store.path("blobs", layer.digest.hex)
    tar = unpacked(layer.media_type, _read(path))
    if tar is None:
        raise BuildError(f"layer {layer.digest[:19]} is of type {layer.media_type}, which cannot be unpacked")
    return tar


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


class StoreBlobs:
    """Gives the bytes of the layers of some images (an ``oci.blobs.BlobSource``)."""

    def __init__(self, store: Store, layers: Sequence[BuiltLayer]) -> None:
        self.store = store
        self.layers: Mapping[str, BuiltLayer] = {layer.digest: layer for layer in layers}

    def open_blob(self, layer: Layer) -> Iterator[bytes]:
        """The blob as its digest names it.

        Raises:
            IntegrityError: the store's bytes give another digest.
        """
        built = self.layers[layer.digest]
        if not built.wheels:
            return self.store.read("blobs", built.digest.hex)
        files = wheel_files(self.store, built.wheels)
        return emit_blob(files, prefix=built.prefix, python=built.python, expected=built.digest)

    def open_tar(self, layer: Layer) -> Iterator[bytes]:
        """The tar as its diff id names it.

        Raises:
            IntegrityError: the store's bytes give another diff id.
        """
        built = self.layers[layer.digest]
        if not built.wheels:
            return blob_tar(self.store, built)
        files = wheel_files(self.store, built.wheels)
        extracted = {
            part.sha256: tree
            for part, key in zip(built.wheels, built.trees, strict=False)
            if (tree := self.store.tree(key)) is not None
        }
        return emit_tar(
            files, prefix=built.prefix, python=built.python, expected=built.diff_id, trees=extracted
        )


def wheel_tree_key(part: WheelPart, *, prefix: str, python: str) -> str:
    """Store key of a wheel's extracted tree."""
    from layerwright.plan.nodes import canonical  # noqa: PLC0415 - start-up

    fields = [LAYER_FORMAT, part.sha256, part.requested, part.direct_url, prefix, python]
    return "wheel-" + Digest.of(canonical(fields)).hex


def layer_trees(store: Store, layer: BuiltLayer, *, as_root: bool) -> tuple[Path, ...]:
    """The layer's extracted trees, bottom first; what is missing is extracted now."""
    paths = [store.tree(key) for key in layer.trees]
    if layer.trees and all(paths):
        return tuple(path for path in paths if path is not None)
    if layer.wheels and len(layer.trees) == len(layer.wheels):
        return tuple(
            path if path is not None else _extract_wheel(store, layer, part, key)
            for path, part, key in zip(paths, layer.wheels, layer.trees, strict=True)
        )
    key = layer.diff_id.hex
    found = store.tree(key)
    if found is None:
        with store.make_tree(key) as folder:
            unpack(StoreBlobs(store, [layer]).open_tar(layer.plain), folder, as_root=as_root)
        found = store.tree(key)
    if found is None:
        raise IntegrityError(f"the tree of layer {layer.diff_id.short} vanished while it was being used")
    return (found,)


def unpack(tar: Iterable[bytes], folder: Path, *, as_root: bool) -> None:
    """Extract a layer's tar into an empty folder, as a lower of an overlay.

    Raises:
        EngineError: the layer deletes files of those below, and the kernel lets us make no mark for that.
    """
    unpacked = extract_layer(tar, folder, as_root=as_root)
    if unpacked.whiteouts or unpacked.opaque:
        first = (*unpacked.whiteouts, *unpacked.opaque)[0]
        raise EngineError(
            f"a layer deletes files of the layers below it (such as {first}), and the kernel lets this user make no "
            "mark for that",
            hint="run as root, or start from a base with one layer",
        )


def _extract_wheel(store: Store, layer: BuiltLayer, part: WheelPart, key: str) -> Path:
    (file,) = wheel_files(store, [part])
    with store.make_tree(key) as folder:
        wheel_layer([file], prefix=layer.prefix, python=layer.python, trees={part.sha256: folder})
    found = store.tree(key)
    if found is None:
        raise IntegrityError(f"the tree of {part.file} vanished while it was being used")
    return found
