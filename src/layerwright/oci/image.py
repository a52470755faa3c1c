"""An image: its manifest, its config and its layers; making one, and reading one that came from outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from layerwright.core.errors import BuildError, IntegrityError
from layerwright.oci.config import EPOCH, ConfigChanges, Settings, change_config, history_texts
from layerwright.oci.descriptor import Descriptor
from layerwright.oci.digest import Digest
from layerwright.oci.fields import Fields, canonical_json, check_digest
from layerwright.oci.layer import Layer
from layerwright.oci.media import (
    CONFIG_LIMIT,
    MANIFEST_LIMIT,
    MANIFEST_TYPES,
    OCI_CONFIG,
    OCI_MANIFEST,
    layer_type,
)
from layerwright.oci.platform import Platform

__all__ = ["LAYER_LIMIT", "Image", "Manifest", "build_image", "parse_image", "parse_manifest"]

LAYER_LIMIT = 125
"""Layers that Docker takes; with 127 it says "max depth exceeded" (``layer.maxLayerDepth`` in moby)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image for one platform.

    Attributes:
        manifest: its bytes, whose digest names the image in registries and layouts.
        config: its bytes, whose digest is the image id in Docker.
        layers: bottom first.
        platform: what it runs on.
    """

    manifest: bytes
    config: bytes
    layers: tuple[Layer, ...]
    platform: Platform

    @property
    def digest(self) -> Digest:
        """Digest of the manifest."""
        return Digest.of(self.manifest)

    @property
    def config_digest(self) -> Digest:
        """Digest of the config."""
        return Digest.of(self.config)

    @property
    def media_type(self) -> str:
        """Media type of the manifest."""
        return parse_manifest(self.manifest).media_type

    @property
    def settings(self) -> Settings:
        """What the config says about running it."""
        return Settings.read(Fields.parse(self.config, what="the image's config", limit=CONFIG_LIMIT))

    @property
    def descriptor(self) -> Descriptor:
        """Points at the manifest."""
        return Descriptor(
            media_type=self.media_type,
            digest=self.digest,
            size=len(self.manifest),
            platform=str(self.platform),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest as it came: where the config and the layers are, before either has been read."""

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]


def build_image(
    *,
    base: Image | None = None,
    layers: Sequence[Layer] = (),
    env: Mapping[str, str] | None = None,
    workdir: str = "",
    entrypoint: Sequence[str] = (),
    command: Sequence[str] = (),
    user: str = "",
    labels: Mapping[str, str] | None = None,
    health: Sequence[str] = (),
    platform: Platform | None = None,
    created: str = EPOCH,
) -> Image:
    """Put layers and settings on a base, or on nothing. The same arguments give the same bytes.

    Args:
        base: what to start from; its layers, settings and history are kept.
        layers: to be added, bottom first.
        env: added to the base's environment, over it where names meet.
        workdir: empty keeps the base's, as for all that follow.
        entrypoint: a new one drops the base's command, as in a Dockerfile.
        command: default arguments.
        user: ``name``, ``uid`` or ``uid:gid``.
        labels: added to the base's, over them where names meet.
        health: command of the health check.
        platform: the base's when not given, else linux/amd64.
        created: time of creation as RFC 3339 text.

    Raises:
        BuildError: too many layers for Docker, or the base is for another platform.
    """
    wanted = platform or (base.platform if base is not None else Platform())
    if base is not None and base.platform != wanted:
        raise BuildError(f"the base is for {base.platform}, the image for {wanted}")
    whole = (*(base.layers if base is not None else ()), *layers)
    if len(whole) > LAYER_LIMIT:
        raise BuildError(
            f"the image would have {len(whole)} layers; Docker takes {LAYER_LIMIT}",
            hint="give fewer copy, run and model entries, or start from a base with fewer layers",
        )
    changes = ConfigChanges(
        env=dict(env or {}),
        workdir=workdir,
        entrypoint=tuple(entrypoint),
        command=tuple(command),
        user=user,
        labels=dict(labels or {}),
        health=tuple(health),
    )
    config = canonical_json(
        change_config(
            base=Fields.parse(base.config, what="the base's config", limit=CONFIG_LIMIT) if base else None,
            base_layers=base.layers if base is not None else (),
            layers=layers,
            changes=changes,
            platform=wanted,
            created=created,
        )
    )
    manifest = {
        "config": Descriptor(media_type=OCI_CONFIG, digest=Digest.of(config), size=len(config)).as_json(),
        "layers": [
            Descriptor(media_type=layer.media_type, digest=layer.digest, size=layer.size).as_json()
            for layer in whole
        ],
        "mediaType": OCI_MANIFEST,
        "schemaVersion": 2,
    }
    return Image(manifest=canonical_json(manifest), config=config, layers=whole, platform=wanted)


def parse_manifest(data: bytes, *, what: str = "the manifest") -> Manifest:
    """Read a manifest of OCI's or of Docker's second kind.

    Raises:
        BuildError: Docker's first kind, or another artifact than an image.
        IntegrityError: a field is missing or wrong, or the manifest is too long.
    """
    fields = Fields.parse(data, what=what, limit=MANIFEST_LIMIT)
    if fields.values.get("schemaVersion") == 1:
        raise BuildError(
            f"{what} is of Docker's schema 1, which cannot be verified",
            hint="push the image again with a Docker of 2016 or later",
        )
    media_type = fields.text("mediaType", OCI_MANIFEST)
    if media_type not in MANIFEST_TYPES:
        raise BuildError(f"{what} is of type {media_type[:120]!r}, not an image's manifest")
    if "config" not in fields.values:
        raise IntegrityError(f"{what}: 'config' is missing")
    return Manifest(
        media_type=media_type,
        config=Descriptor.read(fields.child("config")),
        layers=tuple(Descriptor.read(child) for child in fields.children("layers")),
    )


def parse_image(manifest: bytes, config: bytes, *, what: str = "the image") -> Image:
    """Read an image that came from outside; its bytes are kept as they are.

    Layers get ``tar_size`` 0 (not known before they are unpacked) and their line of the history.

    Args:
        manifest: its bytes; the caller has compared them with the digest it asked for.
        config: bytes that the manifest points at.
        what: the image, for messages.

    Raises:
        BuildError: a platform or a kind of layer that is not supported.
        IntegrityError: manifest and config do not fit each other, or lie about themselves.
    """
    read = parse_manifest(manifest, what=f"the manifest of {what}")
    if read.config.size != len(config):
        raise IntegrityError(
            f"the config of {what} has {len(config):,} bytes; its manifest says {read.config.size:,}"
        )
    check_digest(config, read.config.digest, what=f"the config of {what}")
    fields = Fields.parse(config, what=f"the config of {what}", limit=CONFIG_LIMIT)
    diff_ids = _diff_ids(fields)
    if len(diff_ids) != len(read.layers):
        raise IntegrityError(
            f"{what} has {len(read.layers)} layers in its manifest and {len(diff_ids)} in its config"
        )
    texts = history_texts(fields, len(diff_ids))
    return Image(
        manifest=manifest,
        config=config,
        layers=tuple(
            Layer(
                diff_id=diff_id,
                digest=one.digest,
                size=one.size,
                tar_size=0,
                created_by=text,
                media_type=layer_type(one.media_type),
            )
            for one, diff_id, text in zip(read.layers, diff_ids, texts, strict=True)
        ),
        platform=config_platform(fields, what=what),
    )


def config_platform(fields: Fields, *, what: str) -> Platform:
    """The platform that a config states.

    Raises:
        BuildError: one that is not supported.
    """
    try:
        return Platform.parse(f"{fields.text('os', 'linux')}/{fields.text('architecture')}")
    except ValueError as error:
        raise BuildError(f"{what}: {error}") from error


def _diff_ids(fields: Fields) -> tuple[Digest, ...]:
    texts = fields.child("rootfs").texts("diff_ids")
    try:
        return tuple(Digest.parse(text) for text in texts)
    except ValueError as error:
        raise IntegrityError(f"{fields.what}: in rootfs.diff_ids: {error}") from error
