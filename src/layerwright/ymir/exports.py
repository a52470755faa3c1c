"""Datasets as the platform writes them into /in: index files and every annotation form, byte for byte (§2.4, §2.5)."""

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal
from xml.sax.saxutils import escape

from msgspec import Struct

from layerwright.core.errors import UsageError
from layerwright.ymir.dataset import Box, Dataset, Picture, asset_path
from layerwright.ymir.environment import version_parts
from layerwright.ymir.masks import expand_runs

__all__ = ["FORMS", "AnnotationForm", "ark_text", "coco_document", "export_files", "parse_form", "voc_text"]

AnnotationForm = Literal["ark", "voc", "coco", "none"]
"""What is written: text files, XML files, one COCO document, or nothing."""

FORMS: Final[Mapping[str, AnnotationForm]] = {
    "ark": "ark",
    "det-ark": "ark",
    "voc": "voc",
    "det-voc": "voc",
    "seg-coco": "coco",
    "coco": "coco",
    "none": "none",
}
"""Names of platform 2.5; any other counts as none, silently (§2.5)."""

_COCO_FILE = "/in/annotations/coco-annotations.json"
_TEXT_EXTENSION: Final[Mapping[AnnotationForm, str]] = {"ark": "txt", "voc": "xml"}


class Form(Struct, frozen=True, kw_only=True):
    """An ``export_format`` that was read.

    Attributes:
        form: what is written.
        name: the annotation part, in small letters.
        known: the platform knows the name; if not, it writes nothing and says nothing.
    """

    form: AnnotationForm
    name: str
    known: bool


def parse_form(text: str) -> Form:
    """Read an ``export_format``.

    Raises:
        UsageError: the platform fails on it (169999).
    """
    parts = text.lower().split(":")
    if len(parts) != 2:  # noqa: PLR2004 - annotation:asset
        raise UsageError(
            f"export_format is {text!r}, and the platform fails on it (169999, rule 2.5)",
            hint="write ANNOTATION:ASSET with one colon, such as ark:raw or voc:raw",
        )
    name, asset = parts
    if asset != "raw":
        raise UsageError(
            f"export_format is {text!r}: the platform has not made {asset!r} (rule 2.5)",
            hint=f"write {name}:raw",
        )
    return Form(form=FORMS.get(name, "none"), name=name, known=name in FORMS)


def export_files(
    dataset: Dataset, form: AnnotationForm, *, training: bool, protocol: str
) -> dict[str, bytes]:
    """Index files and annotations.

    Args:
        dataset: what to write.
        form: how.
        training: or for mining and infer, which get one list of candidates.
        protocol: versions before 1.0.0 write five columns of ark text.

    Returns:
        Contents by path in the container, all below /in.
    """
    if not training:
        return {"/in/candidate-index.tsv": _lines(asset_path(one) for one in dataset.candidates)}
    files: dict[str, bytes] = {}
    labelled: tuple[tuple[str, tuple[Picture, ...]], ...] = (
        ("train", dataset.training),
        ("val", dataset.validation),
        ("test", dataset.test),
    )
    every = dataset.pictures
    for name, pictures in labelled:
        files[f"/in/{name}-index.tsv"] = _index(pictures, form, "/in/annotations")
        files[f"/in/pred-{name}-index.tsv"] = b""
    files["/in/idx-assets.tsv"] = _lines(asset_path(one) for one in every)
    files["/in/idx-gt.tsv"] = _index(every, form, "/in/annotations")
    files["/in/idx-pred.tsv"] = b""
    if form == "coco":
        files[_COCO_FILE] = json.dumps(coco_document(every, dataset.class_names)).encode()
    elif form != "none":
        columns = 7 if version_parts(protocol) >= (1, 0, 0) else 5
        for one in every:
            path = asset_path(one, "/in/annotations", _TEXT_EXTENSION[form])
            text = (
                ark_text(one, dataset.class_names, columns=columns)
                if form == "ark"
                else voc_text(one, dataset.class_names)
            )
            files[path] = text.encode()
    return files


def _index(pictures: Iterable[Picture], form: AnnotationForm, folder: str) -> bytes:
    if form == "none":
        return b""
    if form == "coco":
        return _lines(f"{asset_path(one)}\t{_COCO_FILE}" for one in pictures)
    extension = _TEXT_EXTENSION[form]
    return _lines(f"{asset_path(one)}\t{asset_path(one, folder, extension)}" for one in pictures)


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def ark_text(picture: Picture, class_names: Sequence[str], *, columns: int = 7) -> str:
    """One line a box: class id, inclusive corners, quality and angle as 32-bit floats (§2.5.1)."""
    ids = {name: number for number, name in enumerate(class_names)}
    rows = []
    for box in _known(picture, ids):
        corners = (box.x, box.y, box.x + box.w - 1, box.y + box.h - 1)
        fields = (ids[box.class_name], *corners, _single(box.quality), _single(box.rotate_angle))
        rows.append(", ".join(str(field) for field in fields[:columns]) + "\n")
    return "".join(rows)


def _single(number: float) -> float:
    """The number as a 32-bit float holds it."""
    value: float = struct.unpack("<f", struct.pack("<f", number))[0]
    return value


def _known(picture: Picture, ids: Mapping[str, int]) -> list[Box]:
    return [box for box in picture.boxes if box.class_name in ids]


def voc_text(picture: Picture, class_names: Sequence[str]) -> str:
    """One line of XML without declaration or white space (§2.5.2)."""
    known = {name: number for number, name in enumerate(class_names)}
    parts = [
        _element("folder", "folder"),
        _element("filename", asset_path(picture)),
        "<source>",
        _element("annotation", "unknown"),
        _element("image", "unknown"),
        "</source><size>",
        _element("width", picture.width),
        _element("height", picture.height),
        _element("depth", picture.depth),
        "</size>",
        _element("segmented", 0),
        _mapping("cks", picture.tags),
        _element("image_quality", f"{picture.quality:.4f}"),
    ]
    for box in _known(picture, known):
        parts += [
            "<object>",
            _element("name", box.class_name),
            _element("pose", "unknown"),
            _element("truncated", "unknown"),
            _element("occluded", 0),
            "<bndbox>",
            _element("xmin", box.x),
            _element("ymin", box.y),
            _element("xmax", box.x + box.w - 1),
            _element("ymax", box.y + box.h - 1),
            _element("rotate_angle", f"{box.rotate_angle:.4f}"),
            "</bndbox>",
            _element("difficult", 0),
            _mapping("tags", box.tags),
            _element("box_quality", f"{box.quality:.4f}"),
            _element("confidence", f"{box.confidence:.4f}"),
            "</object>",
        ]
    return f"<annotation>{''.join(parts)}</annotation>"


def _element(name: str, value: object) -> str:
    return f"<{name}>{escape(str(value))}</{name}>"


def _mapping(name: str, values: Mapping[str, str]) -> str:
    if not values:
        return ""
    return f"<{name}>{''.join(_element(key, value) for key, value in values.items())}</{name}>"


def coco_document(pictures: Sequence[Picture], class_names: Sequence[str]) -> dict[str, Any]:
    """All pictures of a task in one document (§2.5.3); category ids count from 0, picture ids from 1.

    The contract names neither the texts of ``licenses`` and ``date_captured`` nor how several rings of one object are
    written; the former are empty here, the latter stand side by side as COCO has them.

    Args:
        pictures: in the order of asset ids.
        class_names: in the order of their ids.
    """
    ids = {name: number for number, name in enumerate(class_names)}
    annotations: list[dict[str, Any]] = []
    for number, picture in enumerate(pictures, start=1):
        for box in _known(picture, ids):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": ids[box.class_name],
                    "iscrowd": int(box.is_crowd),
                    "bbox": [box.x, box.y, box.w, box.h],
                    "confidence": _single(box.confidence),
                    "area": _area(box),
                    "segmentation": _segmentation(picture, box),
                }
            )
    return {
        "images": [
            {
                "id": number,
                "file_name": picture.name,
                "width": picture.width,
                "height": picture.height,
                "date_captured": "",
                "license": 1,
                "coco_url": "",
                "flickr_url": "",
            }
            for number, picture in enumerate(pictures, start=1)
        ],
        "licenses": [{"id": 1, "name": "", "url": ""}],
        "categories": [
            {"id": number, "name": name, "supercategory": "object"} for name, number in ids.items()
        ],
        "annotations": annotations,
    }


def _area(box: Box) -> int:
    """Pixels of the object: of its mask, of its rings, or else of its box."""
    if box.mask:
        return sum(expand_runs(box.mask)[1::2])
    if box.rings:
        return round(sum(_ring_area(ring) for ring in box.rings))
    return box.w * box.h


def _ring_area(ring: Sequence[float]) -> float:
    """The shoelace formula."""
    points = list(zip(ring[::2], ring[1::2], strict=False))
    following = [*points[1:], *points[:1]]
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(points, following, strict=True))) / 2


def _segmentation(picture: Picture, box: Box) -> object:
    if box.mask:
        return {"counts": box.mask, "size": [picture.height, picture.width]}
    return [list(ring) for ring in box.rings] if box.rings else {}
