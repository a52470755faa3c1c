"""Layers and a config become an image among the store's blobs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from layerwright.backends.base import BuiltLayer
from layerwright.backends.native.results import decode_digest
from layerwright.core.paths import DEFAULT_PATH
from layerwright.oci.config import Settings
from layerwright.oci.digest import Digest
from layerwright.oci.fields import Fields
from layerwright.oci.image import Image, build_image
from layerwright.oci.media import CONFIG_LIMIT
from layerwright.oci.platform import Platform
from layerwright.plan.steps import CellPlan, SetConfig
from layerwright.store import Store

__all__ = ["finish_image", "image_environment", "read_image"]


_KIND = "images-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """How to make an image's bytes again: its layers with their parts."""

    layers: tuple[BuiltLayer, ...]


def image_environment(base_config: bytes, wanted: dict[str, str]) -> dict[str, str]:
    """The base's variables with the image's over them; ``PATH`` is put before the base's."""
    base = dict[str, str]()
    if base_config:
        fields = Fields.parse(base_config, what="the base's config", limit=CONFIG_LIMIT)
        base = dict(Settings.read(fields).env)
    base_path = base.get("PATH") or DEFAULT_PATH
    merged = {**base, **wanted}
    merged["PATH"] = f"{wanted['PATH']}:{base_path}" if "PATH" in wanted else base_path
    return merged


def finish_image(
    store: Store,
    cell: CellPlan,
    base_layers: Sequence[BuiltLayer],
    layers: Sequence[BuiltLayer],
    base_config: bytes,
    *,
    judge: Callable[[Image], None] | None = None,
) -> tuple[Image, int]:
    """Make the image, keep its manifest and config, and let its references name it.

    Args:
        store: where it goes.
        cell: what is built.
        base_layers: of the base, bottom first.
        layers: above the base.
        base_config: empty for a base without one.
        judge: sees the image before anything of it is kept; what it raises is the end of it.

    Returns:
        The image, and bytes that were added to the store.
    """
    config = next(node.step for node in cell.nodes if isinstance(node.step, SetConfig))
    platform = Platform.parse(cell.platform)
    base = (
        Image(
            manifest=b"",
            config=base_config,
            layers=tuple(layer.plain for layer in base_layers),
            platform=platform,
        )
        if base_config
        else None
    )
    own = layers if base is not None else [*base_layers, *layers]
    image = build_image(
        base=base,
        layers=[layer.plain for layer in own],
        env=image_environment(base_config, dict(config.env)),
        workdir=config.workdir,
        entrypoint=config.entrypoint,
        command=config.command,
        labels=config.labels,
        health=config.health,
        platform=platform,
    )
    if judge is not None:
        judge(image)
    written = 0
    for data in (image.manifest, image.config):
        digits = Digest.of(data).hex
        if not store.has("blobs", digits):
            with store.writer("blobs", sha256=digits) as out:
                out.write(data)
            written += len(data)
    everything = (*base_layers, *layers)
    record = msgspec.json.encode(_Record(layers=everything), enc_hook=str)
    if store.read_record(_KIND, image.digest.hex) != record:
        store.write_record(_KIND, image.digest.hex, record)
    kept = [layer.digest.hex for layer in everything if not layer.wheels]
    for reference in cell.references:
        if store.image(reference) != image.digest:
            store.set_image(
                reference,
                image.digest,
                needs=[("blobs", digits) for digits in (image.config_digest.hex, *kept)],
            )
    return image, written


def read_image(store: Store, reference: str) -> tuple[bytes, tuple[BuiltLayer, ...]] | None:
    """Config and layers of an image in the store, by reference; None when it is not there."""
    manifest = store.image(reference)
    if manifest is None:
        return None
    data = store.read_record(_KIND, manifest.hex)
    if data is None:
        return None
    record = msgspec.json.decode(data, type=_Record, dec_hook=decode_digest)
    body = msgspec.json.decode(store.path("blobs", manifest.hex).read_bytes())
    config = store.path("blobs", Digest.parse(body["config"]["digest"]).hex).read_bytes()
    return config, record.layers
