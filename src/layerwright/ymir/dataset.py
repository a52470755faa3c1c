"""A labelled set of pictures as the platform knows it: assets by the sha1 of their bytes, boxes in whole pixels."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

__all__ = ["EXTENSIONS", "Box", "Dataset", "Picture", "asset_path"]

EXTENSIONS: Final = ("jpg", "png", "bmp")
"""Kinds of pictures that the platform takes (§2.4)."""


class Box(Struct, frozen=True, kw_only=True):
    """One labelled object.

    Attributes:
        class_name: as in the dataset.
        x, y, w, h: left, top, width and height in pixels.
        quality: of the box; -1 when unknown.
        rotate_angle: in radians; 0 for an upright box.
        confidence: -1 for ground truth.
        is_crowd: it stands for many objects (COCO's ``iscrowd``).
        rings: polygons as ``(x, y, x, y, …)``, outer lines of the object.
        mask: compressed run lengths (``ymir.masks``), for the whole picture.
        tags: free words of the annotation.
    """

    class_name: str
    x: int
    y: int
    w: int
    h: int
    quality: float = -1.0
    rotate_angle: float = 0.0
    confidence: float = -1.0
    is_crowd: bool = False
    rings: tuple[tuple[float, ...], ...] = ()
    mask: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


class Picture(Struct, frozen=True, kw_only=True):
    """One picture.

    Attributes:
        asset_id: sha1 of its bytes, 40 hexadecimal digits.
        extension: ``jpg``, ``png`` or ``bmp``.
        width, height, depth: pixels, and channels.
        boxes: in file order.
        quality: of the picture; -1 when unknown.
        tags: free words of the picture (VOC's ``cks``).
        source: the file it came from, for people.
    """

    asset_id: str
    extension: str
    width: int
    height: int
    depth: int = 3
    boxes: tuple[Box, ...] = ()
    quality: float = -1.0
    tags: Mapping[str, str] = field(default_factory=dict)
    source: str = ""

    @property
    def name(self) -> str:
        """The base name in /in/assets."""
        return f"{self.asset_id}.{self.extension}"


class Dataset(Struct, frozen=True, kw_only=True):
    """Pictures with the classes they may show.

    Attributes:
        class_names: a class's id is its place.
        training, validation, test, candidates: each in the order of their index file.
    """

    class_names: tuple[str, ...]
    training: tuple[Picture, ...] = ()
    validation: tuple[Picture, ...] = ()
    test: tuple[Picture, ...] = ()
    candidates: tuple[Picture, ...] = ()

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Every picture once, in the order of asset ids."""
        every = {
            one.asset_id: one for one in (*self.training, *self.validation, *self.test, *self.candidates)
        }
        return tuple(every[asset] for asset in sorted(every))


def asset_path(picture: Picture, folder: str = "/in/assets", extension: str = "") -> str:
    """A picture's path in the container: a folder named by the id's last two digits, then the id."""
    return f"{folder}/{picture.asset_id[-2:]}/{picture.asset_id}.{extension or picture.extension}"
