"""A finished layer, known by two digests."""

from dataclasses import dataclass

from layerwright.oci.digest import Digest

__all__ = ["GZIP_LAYER", "TAR_LAYER", "Layer"]

GZIP_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
TAR_LAYER = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer of an image.

    Attributes:
        diff_id: digest of the uncompressed tar.
        digest: digest of the (compressed) blob.
        size: bytes of the blob.
        tar_size: bytes of the uncompressed tar; 0 when not known (layers of images from outside).
        created_by: one line for people, kept in the image's history.
        media_type: OCI media type of the blob.
    """

    diff_id: Digest
    digest: Digest
    size: int
    tar_size: int
    created_by: str
    media_type: str = GZIP_LAYER
