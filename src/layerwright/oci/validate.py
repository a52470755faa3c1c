"""Does an image agree with itself, down to the last byte of its layers?"""

from layerwright.core.errors import IntegrityError
from layerwright.oci.blobs import BlobSource, verified
from layerwright.oci.image import Image, parse_image
from layerwright.oci.layer import Layer

__all__ = ["validate"]


def validate(image: Image, blobs: BlobSource) -> None:
    """Read every layer both ways and compare digests, sizes, diff ids and the two documents.

    Raises:
        IntegrityError: something does not agree; the message names it.
    """
    read = parse_image(image.manifest, image.config)
    if read.platform != image.platform:
        raise IntegrityError(f"the config is for {read.platform}, the image for {image.platform}")
    if [_identity(layer) for layer in read.layers] != [_identity(layer) for layer in image.layers]:
        raise IntegrityError("the image's layers are not those of its manifest and config")
    for layer in image.layers:
        what = f"layer {layer.digest.short}"
        for _ in verified(blobs.open_blob(layer), layer.digest, size=layer.size, what=what):
            pass
        for _ in verified(
            blobs.open_tar(layer), layer.diff_id, size=layer.tar_size, what=f"the tar of {what}"
        ):
            pass


def _identity(layer: Layer) -> tuple[str, str, int, str]:
    return layer.diff_id, layer.digest, layer.size, layer.media_type
