"""Reading image archives: ``docker save`` of every age, and OCI layouts in a tar."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from layerwright.core.errors import BuildError, IntegrityError
from layerwright.oci.blobs import BlobSource, tar_of, verified
from layerwright.oci.compression import gunzip
from layerwright.oci.config import history_texts
from layerwright.oci.descriptor import Descriptor
from layerwright.oci.digest import Digest
from layerwright.oci.fields import Fields, canonical_json
from layerwright.oci.files import Files, TarFiles
from layerwright.oci.image import Image, parse_image
from layerwright.oci.layer import GZIP_LAYER, TAR_LAYER, Layer
from layerwright.oci.layout import LayoutBlobs, resolve_layout
from layerwright.oci.media import CONFIG_LIMIT, MANIFEST_LIMIT, OCI_CONFIG, OCI_MANIFEST
from layerwright.oci.platform import Platform
from layerwright.oci.reference import Reference

__all__ = ["ArchiveBlobs", "read_archive"]

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveBlobs:
    """The layers' bytes out of a Docker archive, verified (a ``BlobSource``).

    Attributes:
        files: the archive.
        names: the layer's file in it, by the layer's ``digest``.
    """

    files: Files
    names: Mapping[Digest, str] = field(default_factory=dict)

    def open_blob(self, layer: Layer) -> Iterator[bytes]:
        """The blob as ``layer.digest`` names it."""
        chunks = self.files.stream(self.names[layer.digest])
        return verified(
            chunks, layer.digest, size=layer.size, what=f"layer {layer.digest.short} in {self.files.what}"
        )

    def open_tar(self, layer: Layer) -> Iterator[bytes]:
        """The uncompressed tar as ``layer.diff_id`` names it."""
        return tar_of(layer, self.files.stream(self.names[layer.digest]))


def read_archive(
    path: Path, reference: str = "", platform: Platform | None = None, *, scratch: Path | None = None
) -> tuple[Image, BlobSource]:
    """Read an image out of an archive; layers stay where they are until asked for.

    Args:
        path: the archive; must stay as it is while the blobs are used.
        reference: the image's name in it; empty when there is just one.
        platform: linux/amd64 when not given.
        scratch: a folder to unpack an archive into that is gzipped as a whole; must outlive the blobs.

    Raises:
        BuildError: no archive, no such image, or more than one to choose from.
        IntegrityError: digests, sizes or fields are not what they should be.
    """
    try:
        files = TarFiles.index(_plain(path, scratch))
    except OSError as error:
        raise BuildError(f"cannot read the image archive {path}: {error.strerror}") from error
    wanted = platform or Platform()
    if files.size("oci-layout") >= 0 and files.size("index.json") >= 0:
        return resolve_layout(files, reference, wanted), LayoutBlobs(files=files)
    if files.size("manifest.json") < 0:
        raise BuildError(f"{path} is no image archive: it has neither manifest.json nor index.json")
    image, names = _docker_image(files, reference)
    if image.platform != wanted:
        raise BuildError(f"the image in {path} is for {image.platform}, not for {wanted}")
    return image, ArchiveBlobs(files=files, names=names)


def _plain(path: Path, scratch: Path | None) -> Path:
    with path.open("rb") as file:
        if file.read(len(_GZIP)) != _GZIP:
            return path
        if scratch is None:
            raise BuildError(f"{path} is compressed as a whole", hint=f"gunzip {path}")
        file.seek(0)
        unpacked = scratch / "archive.tar"
        with unpacked.open("wb") as out:
            for chunk in gunzip(iter(lambda: file.read(1 << 20), b"")):
                out.write(chunk)
    return unpacked


def _docker_image(files: Files, reference: str) -> tuple[Image, Mapping[Digest, str]]:
    """The image that ``manifest.json`` describes. Docker archives have no OCI manifest: one is made."""
    entry = _entry(files, reference)
    config = files.read(entry.text("Config"), limit=CONFIG_LIMIT)
    fields = Fields.parse(config, what=f"the config in {files.what}", limit=CONFIG_LIMIT)
    diff_ids = fields.child("rootfs").texts("diff_ids")
    names = entry.texts("Layers")
    if len(diff_ids) != len(names):
        raise IntegrityError(f"{files.what} has {len(names)} layers, and {len(diff_ids)} in its config")
    texts = history_texts(fields, len(names))
    layers: list[Layer] = []
    for name, diff_id, text in zip(names, diff_ids, texts, strict=True):
        try:
            layers.append(_layer(files, name, Digest.parse(diff_id), text))
        except ValueError as error:
            raise IntegrityError(f"the config in {files.what}: in rootfs.diff_ids: {error}") from error
    manifest = canonical_json(
        {
            "config": Descriptor(media_type=OCI_CONFIG, digest=Digest.of(config), size=len(config)).as_json(),
            "layers": [
                Descriptor(media_type=layer.media_type, digest=layer.digest, size=layer.size).as_json()
                for layer in layers
            ],
            "mediaType": OCI_MANIFEST,
            "schemaVersion": 2,
        }
    )
    image = parse_image(manifest, config, what=f"the image in {files.what}")
    return replace(image, layers=tuple(layers)), {
        layer.digest: name for layer, name in zip(layers, names, strict=True)
    }


def _layer(files: Files, name: str, diff_id: Digest, text: str) -> Layer:
    """A layer of a Docker archive: nearly always a plain tar; some tools write gzip, whose digest must be taken."""
    size = files.size(name)
    if size < 0:
        raise IntegrityError(f"layer {name[:200]} is missing in {files.what}")
    first = next(files.stream(name), b"")
    if not first.startswith(_GZIP):
        return Layer(
            diff_id=diff_id, digest=diff_id, size=size, tar_size=size, created_by=text, media_type=TAR_LAYER
        )
    hashed = hashlib.sha256()
    for chunk in files.stream(name):
        hashed.update(chunk)
    digest = Digest.from_hex(hashed.hexdigest())
    return Layer(
        diff_id=diff_id, digest=digest, size=size, tar_size=0, created_by=text, media_type=GZIP_LAYER
    )


def _entry(files: Files, reference: str) -> Fields:
    what = f"manifest.json in {files.what}"
    data = files.read("manifest.json", limit=MANIFEST_LIMIT)
    try:
        raw = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{what} is not JSON: {error}") from error
    entries = Fields(values={"images": raw}, what=what).children("images")
    names = sorted(name for entry in entries for name in entry.texts("RepoTags"))
    there = f"there are {', '.join(names)}" if names else ""
    if reference:
        for entry in entries:
            if _same(reference, entry):
                return entry
        raise BuildError(f"{files.what} has no image named {reference}", hint=there)
    if len(entries) != 1:
        raise BuildError(f"{files.what} has {len(entries)} images; name one of them", hint=there)
    return entries[0]


def _same(reference: str, entry: Fields) -> bool:
    names = {*entry.texts("RepoTags"), entry.text("Config")}
    return bool(_spellings(reference) & {spelling for name in names for spelling in _spellings(name)})


def _spellings(name: str) -> set[str]:
    """The name as it is and in full; an image id also as the name of its config."""
    found = {name, name.removeprefix("sha256:").removesuffix(".json").removeprefix("blobs/sha256/")}
    with suppress(ValueError):
        found.add(str(Reference.parse(name)))
    return found
