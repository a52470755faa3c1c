"""OCI image layouts: a folder of blobs with an index (OCI image specification, ``image-layout.md``)."""

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from layerwright.core.errors import BuildError, IntegrityError
from layerwright.oci.blobs import BlobSource, tar_of, verified
from layerwright.oci.descriptor import NAME_ANNOTATION, Descriptor, choose, parse_index
from layerwright.oci.digest import Digest
from layerwright.oci.fields import Fields, canonical_json, check_digest
from layerwright.oci.files import Files, FolderFiles
from layerwright.oci.image import Image, parse_image, parse_manifest
from layerwright.oci.layer import Layer
from layerwright.oci.media import CONFIG_LIMIT, MANIFEST_LIMIT, OCI_INDEX
from layerwright.oci.platform import Platform
from layerwright.oci.reference import Reference

__all__ = [
    "LAYOUT_MARK",
    "LayoutBlobs",
    "blob_name",
    "index_json",
    "index_of",
    "read_layout",
    "resolve_layout",
    "write_layout",
]

LAYOUT_MARK = b'{"imageLayoutVersion":"1.0.0"}'
"""Contents of the file ``oci-layout``."""

_CONTAINERD_NAME = (
    "io.containerd.image.name"  # full reference, in archives of Docker 25 and later and of containerd
)
_DEEPEST = 4  # indexes within indexes


def blob_name(digest: Digest) -> str:
    """Where a blob stands in a layout."""
    return f"blobs/sha256/{digest.hex}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutBlobs:
    """The layers' bytes out of a layout, verified (a ``BlobSource``)."""

    files: Files

    def open_blob(self, layer: Layer) -> Iterator[bytes]:
        """The blob as ``layer.digest`` names it."""
        chunks = self.files.stream(blob_name(layer.digest))
        return verified(
            chunks, layer.digest, size=layer.size, what=f"layer {layer.digest.short} in {self.files.what}"
        )

    def open_tar(self, layer: Layer) -> Iterator[bytes]:
        """The uncompressed tar as ``layer.diff_id`` names it."""
        return tar_of(layer, self.files.stream(blob_name(layer.digest)))


def write_layout(
    folder: Path,
    images: Sequence[tuple[str, Image]],
    blobs: BlobSource,
    *,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Write images into a layout; what else is in it stays, under other names.

    Each file appears whole or not at all, ``index.json`` last. Blobs that are there are not written again. Several
    writers of one folder take turns.

    Args:
        folder: made when it is not there.
        images: names and images; several of one name (for several platforms) become an image index.
        blobs: gives the layers.
        progress: called with bytes of layers done, whether written or found.

    Raises:
        BuildError: the folder holds something else.
        IntegrityError: the source gave other bytes than a layer names.
    """
    if folder.exists() and not folder.is_dir():
        raise BuildError(f"{folder} is a file, not a folder", hint="give another folder")
    if folder.exists() and not (folder / "oci-layout").exists() and any(folder.iterdir()):
        raise BuildError(f"{folder} is neither empty nor an OCI layout", hint="give another folder")
    try:
        (folder / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            _write(folder, images, blobs, progress or (lambda _: None))
        finally:
            os.close(handle)
    except OSError as error:
        raise BuildError(f"cannot write the OCI layout {folder}: {error.strerror}") from error


def _write(
    folder: Path, images: Sequence[tuple[str, Image]], blobs: BlobSource, progress: Callable[[int], None]
) -> None:
    files = FolderFiles(folder=folder)
    for left_over in (folder / "blobs" / "sha256").glob(".*"):
        left_over.unlink()  # of a writer that was killed: whoever lives waits for the lock
    entries, indexes = index_of(images)
    for layer in {layer.digest: layer for _, image in images for layer in image.layers}.values():
        if files.size(blob_name(layer.digest)) == layer.size:
            progress(layer.size)
        else:
            _write_blob(folder, layer.digest, layer.size, blobs.open_blob(layer), progress)
    for data in (*indexes, *(part for _, image in images for part in (image.config, image.manifest))):
        digest = Digest.of(data)
        if files.size(blob_name(digest)) != len(data):
            _write_blob(folder, digest, len(data), [data], lambda _: None)
    _write_file(folder / "oci-layout", LAYOUT_MARK)
    names = {name for name, _ in images}
    kept = [
        entry.values
        for entry in _raw_index(files)
        if entry.table("annotations").get(NAME_ANNOTATION) not in names
    ]
    _write_file(folder / "index.json", index_json([*kept, *(one.as_json() for one in entries)]))


def index_of(images: Sequence[tuple[str, Image]]) -> tuple[tuple[Descriptor, ...], tuple[bytes, ...]]:
    """The entries of ``index.json`` for named images, and the image indexes that they point at.

    Images of one name become one entry for an index of their platforms.
    """
    by_name: dict[str, list[Descriptor]] = {}
    for name, image in images:
        group = by_name.setdefault(name, [])
        if image.descriptor not in group:
            group.append(image.descriptor)
    entries: list[Descriptor] = []
    indexes: list[bytes] = []
    for name, group in by_name.items():
        annotations = {NAME_ANNOTATION: name}
        if len(group) == 1:
            (one,) = group
            entries.append(
                Descriptor(
                    media_type=one.media_type,
                    digest=one.digest,
                    size=one.size,
                    platform=one.platform,
                    annotations=annotations,
                )
            )
            continue
        if len({one.platform for one in group}) != len(group):
            raise BuildError(
                f"two images for one platform have the name {name}", hint="give each cell a name of its own"
            )
        data = index_json([one.as_json() for one in sorted(group, key=lambda one: one.platform)])
        indexes.append(data)
        entries.append(
            Descriptor(media_type=OCI_INDEX, digest=Digest.of(data), size=len(data), annotations=annotations)
        )
    return tuple(entries), tuple(indexes)


def read_layout(
    folder: Path, reference: str = "", platform: Platform | None = None
) -> tuple[Image, LayoutBlobs]:
    """Read an image out of a layout.

    Args:
        folder: the layout.
        reference: its name there; empty when the layout has just one image (for the platform).
        platform: linux/amd64 when not given.

    Raises:
        BuildError: no layout, no such image, or more than one to choose from.
        IntegrityError: a digest or size is not what it should be.
    """
    files = FolderFiles(folder=folder)
    if files.size("index.json") < 0:
        raise BuildError(f"{folder} is not an OCI layout: it has no index.json")
    return resolve_layout(files, reference, platform or Platform()), LayoutBlobs(files=files)


def resolve_layout(files: Files, reference: str, platform: Platform) -> Image:
    """The image of a layout, wherever its files are; manifest and config verified."""
    found = _entry(files, reference, platform)
    for _ in range(_DEEPEST):
        data = check_digest(
            files.read(blob_name(found.digest), limit=MANIFEST_LIMIT),
            found.digest,
            what=f"manifest {found.digest.short} in {files.what}",
        )
        if len(data) != found.size:
            raise IntegrityError(
                f"manifest {found.digest.short} in {files.what} has {len(data):,} bytes; the index says {found.size:,}"
            )
        if not found.is_index:
            return _image(files, data, platform)
        found = choose(
            parse_index(data, what=f"an index in {files.what}"), platform, what=reference or files.what
        )
    raise IntegrityError(f"{files.what} has indexes within indexes, more than {_DEEPEST} deep")


def _image(files: Files, manifest: bytes, platform: Platform) -> Image:
    config = parse_manifest(manifest, what=f"a manifest in {files.what}").config
    image = parse_image(
        manifest, files.read(blob_name(config.digest), limit=CONFIG_LIMIT), what=f"the image in {files.what}"
    )
    if image.platform != platform:
        raise BuildError(f"the image in {files.what} is for {image.platform}, not for {platform}")
    for layer in image.layers:
        size = files.size(blob_name(layer.digest))
        if size != layer.size:
            has = "is missing" if size < 0 else f"has {size:,} bytes, not {layer.size:,}"
            raise IntegrityError(f"layer {layer.digest.short} in {files.what} {has}")
    return image


def _entry(files: Files, reference: str, platform: Platform) -> Descriptor:
    entries = [one for one in _index(files) if one.is_image or one.is_index]
    if reference:
        named = [one for one in entries if _answers_to(one, reference)]
        if named:
            return choose(named, platform, what=f"{reference} in {files.what}")
    suiting = {one.digest: one for one in entries if one.suits(platform)}
    if len(suiting) == 1 and not reference:
        return next(iter(suiting.values()))
    names = sorted({_name(one) or one.digest for one in entries})
    there = f"there are {', '.join(names)}" if names else ""
    if reference:
        raise BuildError(f"{files.what} has no image named {reference}", hint=there)
    if not suiting:
        raise BuildError(f"{files.what} has no image for {platform}", hint=there)
    raise BuildError(f"{files.what} has several images; name one of them", hint=there)


def _answers_to(one: Descriptor, reference: str) -> bool:
    names = {
        one.annotations.get(NAME_ANNOTATION, ""),
        one.annotations.get(_CONTAINERD_NAME, ""),
        str(one.digest),
    }
    return reference in names or _full(reference) in {_full(name) for name in names if name}


def _full(name: str) -> str:
    """The name as a full reference, or as it is when it is none."""
    try:
        return str(Reference.parse(name))
    except ValueError:
        return name


def _name(one: Descriptor) -> str:
    return one.annotations.get(_CONTAINERD_NAME, "") or one.annotations.get(NAME_ANNOTATION, "")


def _index(files: Files) -> tuple[Descriptor, ...]:
    return parse_index(files.read("index.json", limit=MANIFEST_LIMIT), what=f"index.json in {files.what}")


def _raw_index(files: Files) -> tuple[Fields, ...]:
    """The entries with all that other tools wrote into them; none when there is no index yet."""
    if files.size("index.json") < 0:
        return ()
    data = files.read("index.json", limit=MANIFEST_LIMIT)
    return Fields.parse(data, what=f"index.json in {files.what}", limit=MANIFEST_LIMIT).children("manifests")


def index_json(manifests: Sequence[Mapping[str, object]]) -> bytes:
    """An image index over descriptors as JSON values."""
    return canonical_json({"manifests": list(manifests), "mediaType": OCI_INDEX, "schemaVersion": 2})


def _write_blob(
    folder: Path, digest: Digest, size: int, chunks: Iterable[bytes], progress: Callable[[int], None]
) -> None:
    path = folder / blob_name(digest)
    temporary = path.with_name(f".{digest.hex[:16]}")
    try:
        with temporary.open("wb") as file:
            for chunk in verified(chunks, digest, size=size, what=f"blob {digest.short}"):
                file.write(chunk)
                progress(len(chunk))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _write_file(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}-{os.urandom(4).hex()}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
