"""Why an image is as big as it is: by layer, package, folder and kind, what nobody sees, and what could go."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from layerwright.verify.inspection import Inspection
from layerwright.verify.measure import Measured
from layerwright.verify.savings import Saving, find_savings
from layerwright.verify.shipped import Shipped, shipped_files

__all__ = ["LayerSize", "Part", "SizeReport", "measure_image"]

_DEPTH: Final = 3


class Part(Struct, frozen=True, kw_only=True):
    """Something that takes space.

    Attributes:
        name: what people call it.
        bytes: unpacked.
        compressed: share of the blobs.
        files: how many.
    """

    name: str
    bytes: int
    compressed: int
    files: int = 0


class LayerSize(Struct, frozen=True, kw_only=True):
    """One layer.

    Attributes:
        number: 1 for the bottom.
        created_by: its line of the history.
        diff_id: of its tar.
        digest: of its blob.
        bytes: of its files, unpacked.
        compressed: of its blob; exact.
        hidden: bytes of its files that later layers delete or replace.
        files: how many.
    """

    number: int
    created_by: str
    diff_id: str
    digest: str
    bytes: int
    compressed: int
    hidden: int
    files: int


class SizeReport(Struct, frozen=True, kw_only=True):
    """Where the bytes are; every list is complete, largest first, layers bottom first.

    Attributes:
        image: its name.
        digest: of its manifest.
        platform: ``linux/amd64``.
        bytes: files of all layers, unpacked; a file of several names counts once.
        compressed: blobs of all layers; exact. What a machine without any of them downloads.
        visible: bytes that a container sees.
        packed: False when blobs are not compressed, as in what ``docker save`` writes: then ``compressed`` says
            nothing about a registry.
        layers, packages, folders, kinds, largest: of what a container sees, but for layers.
        gpu: code for GPUs by generation, inside shared libraries; compressed sizes are not known.
        savings: what could go.
    """

    image: str
    digest: str
    platform: str
    bytes: int
    compressed: int
    visible: int
    packed: bool
    layers: tuple[LayerSize, ...]
    packages: tuple[Part, ...]
    folders: tuple[Part, ...]
    kinds: tuple[Part, ...]
    largest: tuple[Part, ...]
    gpu: tuple[Part, ...]
    savings: tuple[Saving, ...]


def measure_image(image: Inspection, measured: Mapping[str, Measured]) -> SizeReport:
    """Everything at once.

    Args:
        image: read by way of ``MeasuredBlobs``.
        measured: by diff id, what these saw.
    """
    shipped = tuple(shipped_files(image, measured))
    seen = [one for one in shipped if not one.hidden]
    own = image.contents.image
    return SizeReport(
        image=image.name,
        digest=str(own.digest),
        platform=str(own.platform),
        bytes=sum(one.size for one in shipped),
        compressed=sum({layer.digest: layer.size for layer in own.layers}.values()),
        visible=sum(one.size for one in seen),
        packed=any(layer.media_type.endswith(("gzip", "zstd")) for layer in own.layers),
        layers=tuple(_layers(image, shipped)),
        packages=_parts(seen, lambda one: one.owner),
        folders=_parts(seen, _folder),
        kinds=_parts(seen, lambda one: one.kind),
        largest=_parts(seen, lambda one: f"/{one.path}"),
        gpu=_gpu(seen, image, measured),
        savings=find_savings(image, shipped, measured),
    )


def _layers(image: Inspection, shipped: Iterable[Shipped]) -> Iterator[LayerSize]:
    by_layer: dict[int, list[Shipped]] = defaultdict(list)
    for one in shipped:
        by_layer[one.entry.layer].append(one)
    for index in image.contents.layers:
        files = by_layer[index.number]
        yield LayerSize(
            number=index.number + 1,
            created_by=" ".join(index.layer.created_by.split()),
            diff_id=str(index.layer.diff_id),
            digest=str(index.layer.digest),
            bytes=sum(one.size for one in files),
            compressed=index.layer.size,
            hidden=sum(one.size for one in files if one.hidden),
            files=len(files),
        )


def _folder(one: Shipped) -> str:
    """The folder that people know: ``/usr/lib/x86_64-linux-gnu``, or the whole of a Python's site folder."""
    parts = one.path.split("/")[:-1]
    for number, part in enumerate(parts):
        if part in ("site-packages", "dist-packages"):
            return "/" + "/".join(parts[: number + 1])
    return "/" + "/".join(parts[:_DEPTH])


def _parts(files: Iterable[Shipped], name_of: Callable[[Shipped], str]) -> tuple[Part, ...]:
    """Files put together by name, largest first; those without a name are left out."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for one in files:
        name = name_of(one)
        if name:
            total = sums[name]
            total[0] += one.size
            total[1] += one.compressed
            total[2] += 1
    parts = (
        Part(name=name, bytes=size, compressed=compressed, files=count)
        for name, (size, compressed, count) in sums.items()
        if size
    )
    return tuple(sorted(parts, key=lambda part: (-part.bytes, part.name)))


def _gpu(seen: Iterable[Shipped], image: Inspection, measured: Mapping[str, Measured]) -> tuple[Part, ...]:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for one in seen:
        layer = measured.get(image.layer_digest(one.entry.layer))
        for (capability, kind), size in (layer.gpu.get(one.path, {}) if layer is not None else {}).items():
            total = sums[f"compute capability {capability}" + (", PTX" if kind == "PTX" else "")]
            total[0] += size
            total[1] += 1
    parts = (Part(name=name, bytes=size, compressed=0, files=count) for name, (size, count) in sums.items())
    return tuple(sorted(parts, key=lambda part: (-part.bytes, part.name)))
