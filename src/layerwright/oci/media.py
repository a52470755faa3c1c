"""Media types and size limits of what comes from outside.

Types: the OCI image specification (``media-types.md``) and Docker's image manifest, version 2 schema 2.
"""

from layerwright.core.errors import BuildError
from layerwright.oci.layer import GZIP_LAYER, TAR_LAYER

__all__ = [
    "CONFIG_LIMIT",
    "DOCKER_INDEX",
    "DOCKER_MANIFEST",
    "INDEX_TYPES",
    "MANIFEST_LIMIT",
    "MANIFEST_TYPES",
    "OCI_CONFIG",
    "OCI_INDEX",
    "OCI_MANIFEST",
    "ZSTD_LAYER",
    "layer_type",
]

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
ZSTD_LAYER = "application/vnd.oci.image.layer.v1.tar+zstd"

MANIFEST_TYPES = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEX_TYPES = (OCI_INDEX, DOCKER_INDEX)

MANIFEST_LIMIT = 4 << 20
"""Bytes; what registries must take at least (OCI distribution specification, "Pushing Manifests")."""

CONFIG_LIMIT = 8 << 20
"""Bytes; a config with 125 layers and long history stays below 1 MiB."""

_LAYER_TYPES = {
    GZIP_LAYER: GZIP_LAYER,
    TAR_LAYER: TAR_LAYER,
    ZSTD_LAYER: ZSTD_LAYER,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": GZIP_LAYER,
    "application/vnd.docker.image.rootfs.diff.tar": TAR_LAYER,
    "application/vnd.docker.image.rootfs.diff.tar.zstd": ZSTD_LAYER,
}


def layer_type(media_type: str) -> str:
    """The OCI media type of a layer that OCI or Docker describes.

    Raises:
        BuildError: no layer we know, such as one that registries may not hand on.
    """
    try:
        return _LAYER_TYPES[media_type]
    except KeyError:
        raise BuildError(f"layers of type {media_type[:120]!r} are not supported") from None
