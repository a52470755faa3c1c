"""Descriptors and image indexes: what points at a manifest, a config or a layer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from layerwright.core.errors import BuildError
from layerwright.oci.digest import Digest
from layerwright.oci.fields import Fields
from layerwright.oci.media import INDEX_TYPES, MANIFEST_LIMIT, MANIFEST_TYPES, OCI_MANIFEST
from layerwright.oci.platform import Platform

__all__ = ["NAME_ANNOTATION", "Descriptor", "choose", "parse_index"]

NAME_ANNOTATION = "org.opencontainers.image.ref.name"
"""Key of the annotation that holds an image's name in a layout (OCI image specification, ``annotations.md``)."""

_VARIANTS = {"amd64": ("", "v1"), "arm64": ("", "v8")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """Points at a blob.

    Attributes:
        media_type: what the blob is.
        digest: its digest.
        size: its bytes.
        platform: ``os/architecture[/variant]`` as text, empty when not stated: indexes hold platforms unknown to us.
        annotations: free texts.
    """

    media_type: str
    digest: Digest
    size: int
    platform: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, fields: Fields, *, default_type: str = "") -> "Descriptor":
        """Read a descriptor.

        Raises:
            IntegrityError: a field is missing or of a wrong type.
        """
        platform = fields.child("platform")
        parts = (platform.text("os", ""), platform.text("architecture", ""), platform.text("variant", ""))
        return cls(
            media_type=fields.text("mediaType", default_type or None),
            digest=fields.digest("digest"),
            size=fields.number("size"),
            platform="/".join(part for part in parts if part),
            annotations=fields.table("annotations"),
        )

    def as_json(self) -> dict[str, object]:
        """As it stands in manifests and indexes."""
        value: dict[str, object] = {"digest": self.digest, "mediaType": self.media_type, "size": self.size}
        if self.platform:
            value["platform"] = dict(
                zip(("os", "architecture", "variant"), self.platform.split("/"), strict=False)
            )
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        return value

    @property
    def is_index(self) -> bool:
        """Whether it points at an image index."""
        return self.media_type in INDEX_TYPES

    @property
    def is_image(self) -> bool:
        """Whether it points at an image's manifest, and not at an attestation or another artifact."""
        return self.media_type in MANIFEST_TYPES and self.platform != "unknown/unknown"

    def suits(self, platform: Platform) -> bool:
        """Whether it states the platform, or none at all."""
        names = {
            f"{platform}/{variant}".rstrip("/") for variant in _VARIANTS.get(platform.architecture, ("",))
        }
        return not self.platform or self.platform in names


def parse_index(data: bytes, *, what: str) -> tuple[Descriptor, ...]:
    """The descriptors in an image index, OCI's or Docker's.

    Raises:
        IntegrityError: it is none, or too long.
    """
    fields = Fields.parse(data, what=what, limit=MANIFEST_LIMIT)
    return tuple(Descriptor.read(child, default_type=OCI_MANIFEST) for child in fields.children("manifests"))


def choose(descriptors: Sequence[Descriptor], platform: Platform, *, what: str) -> Descriptor:
    """The one for the platform; the first when several suit, as container engines do.

    Raises:
        BuildError: none suits; the hint names those that are there.
    """
    suiting = [one for one in descriptors if (one.is_image or one.is_index) and one.suits(platform)]
    stated = [one for one in suiting if one.platform]
    for one in stated or suiting:
        return one
    there = sorted({one.platform for one in descriptors if one.platform and one.is_image})
    raise BuildError(
        f"{what} has no image for {platform}",
        hint=f"it has {', '.join(there)}" if there else "it has no image at all",
    )
