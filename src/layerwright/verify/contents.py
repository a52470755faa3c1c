"""A whole image in one pass over its layers, several at a time."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from functools import cached_property
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from layerwright.oci.blobs import BlobSource
from layerwright.oci.fields import Fields
from layerwright.oci.image import Image
from layerwright.oci.layer import Layer
from layerwright.oci.media import CONFIG_LIMIT
from layerwright.verify.entries import Entry, LayerIndex
from layerwright.verify.layer import FileScanner, read_layer
from layerwright.verify.secrets.model import Hit
from layerwright.verify.tree import Tree

__all__ = ["Contents", "read_contents"]

_MOST_WORKERS: Final = 8


class Contents(Struct, frozen=True, kw_only=True, dict=True):
    """What an image holds.

    Attributes:
        image: manifest, config, layers.
        layers: one for each layer, bottom first.
        config_secrets: what the scan saw in config and history.
    """

    image: Image
    layers: tuple[LayerIndex, ...]
    config_secrets: tuple[Hit, ...] = ()

    @cached_property
    def tree(self) -> Tree:
        """All layers merged."""
        tree = Tree()
        for index in self.layers:
            tree.apply(index)
        return tree


def read_contents(
    image: Image,
    blobs: BlobSource,
    *,
    scratch: Path,
    scanner: FileScanner | None = None,
    progress: Callable[[int], None] | None = None,
    workers: int = 0,
) -> Contents:
    """Read every layer once.

    Args:
        image: what to read.
        blobs: gives the layers, several at a time.
        scratch: an existing folder for temporary files.
        scanner: looks for secrets.
        progress: gets bytes of tars as they pass, from several threads.
        workers: layers at a time; 0 for one a processor.

    Raises:
        IntegrityError: a layer is no sound tar, or not what its digest says.
        BuildError: a layer is compressed in a way that cannot be read.
    """
    # The bytes of a layer that occurs twice are the same: it is read once.
    first = {layer.diff_id: number for number, layer in reversed(list(enumerate(image.layers)))}
    order = sorted(
        first.values(), key=lambda number: -(image.layers[number].tar_size or image.layers[number].size)
    )

    def one(number: int) -> LayerIndex:
        folder = scratch / f"layer-{number}"
        folder.mkdir()
        layer = image.layers[number]
        return read_layer(
            blobs.open_tar(layer),
            number=number,
            layer=layer,
            spool=folder,
            scanner=scanner,
            progress=progress,
        )

    most = min(workers or len(os.sched_getaffinity(0)), _MOST_WORKERS, max(1, len(order)))
    with ThreadPoolExecutor(most, thread_name_prefix="layer") as pool:
        running: dict[int, Future[LayerIndex]] = {number: pool.submit(one, number) for number in order}
        done, waiting = wait(running.values(), return_when=FIRST_EXCEPTION)
        for future in waiting:
            future.cancel()
        for future in done:
            future.result()
    found = {number: future.result() for number, future in running.items()}
    return Contents(
        image=image,
        layers=tuple(
            _numbered(found[first[layer.diff_id]], number, layer) for number, layer in enumerate(image.layers)
        ),
        config_secrets=tuple(_config_hits(image, scanner)) if scanner is not None else (),
    )


def _numbered(index: LayerIndex, number: int, layer: Layer) -> LayerIndex:
    """The layer at its place, for one that occurs twice; its entries know that place."""
    if index.number == number:
        return index
    entries: dict[str, Entry] = {}
    placed: dict[int, Entry] = {}
    for path, entry in index.entries.items():
        key = id(entry)
        if key not in placed:
            placed[key] = replace(entry, layer=number)
        entries[path] = placed[key]
    return replace(index, number=number, layer=layer, entries=entries)


def _config_hits(image: Image, scanner: FileScanner) -> Sequence[Hit]:
    found: list[Hit] = []
    for name, text in config_texts(image):
        found.extend(scanner.scan_text(name, text))
    return found


def config_texts(image: Image) -> Sequence[tuple[str, str]]:
    """Every text of a config that people can put something into, with what to call it.

    What has a name comes as ``NAME=value``: some rules go by the name.
    """
    config = Fields.parse(image.config, what="the image's config", limit=CONFIG_LIMIT)
    settings = image.settings
    texts = [(f"env {name}", f"{name}={value}") for name, value in settings.env.items()]
    texts += [(f"label {name}", f"{name}={value}") for name, value in settings.labels.items()]
    texts += [("entrypoint", part) for part in settings.entrypoint]
    texts += [("cmd", part) for part in settings.command]
    texts += [("workdir", settings.workdir), ("author", config.text("author", ""))]
    for number, step in enumerate(config.children("history"), 1):
        texts += [
            (f"history {number} {key}", step.text(key, "")) for key in ("created_by", "comment", "author")
        ]
    manifest = Fields.parse(image.manifest, what="the image's manifest", limit=CONFIG_LIMIT)
    annotations = manifest.table("annotations")
    texts += [(f"annotation {name}", f"{name}={value}") for name, value in annotations.items()]
    return [(name, text) for name, text in texts if text]
