"""Reading labels that people have: COCO documents, VOC files, YOLO text."""

import json
import math
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import yaml
from msgspec import Struct, field

from layerwright.core.errors import UsageError
from layerwright.ymir.dataset import Box
from layerwright.ymir.masks import compress_runs, expand_runs

__all__ = ["CocoLabels", "YoloData", "read_coco", "read_voc", "read_yolo", "read_yolo_data"]

_MOST_PIXELS = 1 << 31


class CocoLabels(Struct, frozen=True, kw_only=True):
    """What a COCO document says.

    Attributes:
        class_names: in the order of their category ids.
        boxes: by ``file_name``, every picture of the document.
    """

    class_names: tuple[str, ...]
    boxes: Mapping[str, tuple[Box, ...]]


class YoloData(Struct, frozen=True, kw_only=True):
    """What a ``data.yaml`` says.

    Attributes:
        class_names: in the order of their ids.
        parts: where pictures lie, by ``train``, ``val`` and ``test``; a folder or a list file each.
        root: folder that these start from; empty for the file's own.
    """

    class_names: tuple[str, ...]
    parts: Mapping[str, str] = field(default_factory=dict)
    root: str = ""


def read_coco(text: bytes, file: str) -> CocoLabels:
    """Read a COCO document: boxes, polygons and masks; key points and captions are left.

    Raises:
        UsageError: it is none, or an annotation names a picture or category that it lacks.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(file, f"it is no JSON: {error}") from error
    try:
        names = {int(one["id"]): str(one["name"]) for one in _list(document, "categories")}
        files = {_key(one["id"]): str(one["file_name"]) for one in _list(document, "images")}
        sizes = {_key(one["id"]): one for one in _list(document, "images")}
        boxes: dict[str, list[Box]] = {name: [] for name in files.values()}
        for place, one in enumerate(_list(document, "annotations") if "annotations" in document else []):
            where = f"annotations[{place}]"
            picture, category = _key(one["image_id"]), int(one["category_id"])
            if picture not in files:
                raise _wrong(file, f"{where} is of the picture {picture!r}, which `images` does not hold")
            if category not in names:
                raise _wrong(file, f"{where} is of the category {category}, which `categories` does not hold")
            found = _coco_box(one, names[category], sizes[picture], f"{file}: {where}")
            if found is not None:
                boxes[files[picture]].append(found)
    except KeyError as error:
        raise _wrong(file, f"a part of it lacks {error}") from error
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise _wrong(file, f"a part of it has another form ({error})") from error
    _unique(names.values(), file)
    return CocoLabels(
        class_names=tuple(names[number] for number in sorted(names)),
        boxes={name: tuple(found) for name, found in boxes.items()},
    )


def _key(value: object) -> int | str:
    if isinstance(value, int | str):
        return value
    msg = f"{value!r} is no id"
    raise ValueError(msg)


def _list(document: Any, key: str) -> Sequence[Any]:  # noqa: ANN401 - from JSON
    found = document[key]
    if not isinstance(found, list):
        msg = f"`{key}` is no list"
        raise TypeError(msg)
    return found


def _coco_box(one: Mapping[str, Any], name: str, picture: Mapping[str, Any], where: str) -> Box | None:
    shape = one.get("segmentation")
    rings: tuple[tuple[float, ...], ...] = ()
    mask = ""
    if isinstance(shape, dict) and shape:
        counts = shape["counts"]
        mask = counts if isinstance(counts, str) else compress_runs([int(number) for number in counts])
        height, width = (int(side) for side in shape["size"])
        if sum(expand_runs(mask)) != width * height:
            raise _wrong(where, f"its mask does not fill a picture of {width} by {height}")
        expected = picture.get("height"), picture.get("width")
        if expected not in {(None, None), (height, width)}:
            raise _wrong(
                where, f"its mask is made for another size than the picture's {expected[1]} by {expected[0]}"
            )
    elif isinstance(shape, list):
        rings = tuple(tuple(_finite(number) for number in ring) for ring in shape if ring)
    sides = one.get("bbox") or ()
    if not sides and rings:
        xs = [number for ring in rings for number in ring[::2]]
        ys = [number for ring in rings for number in ring[1::2]]
        sides = (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
    if len(sides) != 4:  # noqa: PLR2004 - x, y, w, h
        return None
    x, y, w, h = (_pixel(side) for side in sides)
    if w < 1 or h < 1:
        return None
    return Box(
        class_name=name, x=x, y=y, w=w, h=h, is_crowd=bool(one.get("iscrowd", 0)), rings=rings, mask=mask
    )


def _finite(value: Any) -> float:  # noqa: ANN401 - from JSON
    number = float(value)
    if not math.isfinite(number):
        msg = f"{value!r} is no coordinate"
        raise ValueError(msg)
    return number


def _pixel(value: Any) -> int:  # noqa: ANN401 - from JSON or text
    number = round(_finite(value))
    if abs(number) > _MOST_PIXELS:
        msg = f"{value!r} is outside of every picture"
        raise ValueError(msg)
    return number


def read_voc(text: bytes, file: str) -> tuple[str, tuple[Box, ...]]:
    """Read a VOC file.

    Returns:
        The picture's name, and the boxes; corners are inclusive.

    Raises:
        UsageError: it is none.
    """
    try:
        root = ET.fromstring(text)  # noqa: S314 - see the import
        if root.tag != "annotation":
            raise _wrong(file, f"its root is <{root.tag}> in place of <annotation>")
        boxes = []
        for place, one in enumerate(root.iter("object"), start=1):
            corners = one.find("bndbox")
            name = (one.findtext("name") or "").strip()
            if corners is None or not name:
                raise _wrong(file, f"object {place} lacks its name or its box")
            left, top, right, bottom = (
                _pixel(corners.findtext(side) or "") for side in ("xmin", "ymin", "xmax", "ymax")
            )
            if right >= left and bottom >= top:
                boxes.append(Box(class_name=name, x=left, y=top, w=right - left + 1, h=bottom - top + 1))
    except ET.ParseError as error:
        raise _wrong(file, f"it is no XML: {error}") from error
    except (ValueError, OverflowError) as error:
        raise _wrong(file, f"a corner of a box is no number ({error})") from error
    return (root.findtext("filename") or "").strip(), tuple(boxes)


_YOLO_COLUMNS: Final = 5


def read_yolo(
    text: str, file: str, *, class_names: Sequence[str], width: int, height: int
) -> tuple[Box, ...]:
    """Read a YOLO label file: ``class xc yc w h`` as shares of the picture, or ``class x y x y x y …`` for an outline.

    Raises:
        UsageError: a line is none, or names a class that there is not.
    """
    boxes = []
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split()
        if not fields:
            continue
        where = f"{file}:{number}"
        try:
            index = int(fields[0])
            shares = [_finite(one) for one in fields[1:]]
        except ValueError as error:
            raise _wrong(where, "a column is no number") from error
        if not 0 <= index < len(class_names):
            raise _wrong(where, f"there is no class {index}, since {len(class_names)} are named")
        if len(fields) == _YOLO_COLUMNS or len(fields) == _YOLO_COLUMNS + 1:
            centre_x, centre_y, w, h = shares[:4]
            left, top = (centre_x - w / 2) * width, (centre_y - h / 2) * height
            right, bottom = (centre_x + w / 2) * width, (centre_y + h / 2) * height
            ring: tuple[float, ...] = ()
        elif len(shares) >= 6 and len(shares) % 2 == 0:  # noqa: PLR2004 - three points at least
            xs, ys = [one * width for one in shares[::2]], [one * height for one in shares[1::2]]
            left, top, right, bottom = min(xs), min(ys), max(xs), max(ys)
            ring = tuple(side for point in zip(xs, ys, strict=True) for side in point)
        else:
            raise _wrong(where, f"it has {len(fields)} columns in place of {_YOLO_COLUMNS}")
        x, y = max(0, round(left)), max(0, round(top))
        w_pixels, h_pixels = min(width, round(right)) - x, min(height, round(bottom)) - y
        if w_pixels > 0 and h_pixels > 0:
            boxes.append(
                Box(
                    class_name=class_names[index],
                    x=x,
                    y=y,
                    w=w_pixels,
                    h=h_pixels,
                    rings=(ring,) if ring else (),
                )
            )
    return tuple(boxes)


def read_yolo_data(text: str, file: str) -> YoloData:
    """Read a ``data.yaml``.

    Raises:
        UsageError: it is none, or names no classes.
    """
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _wrong(file, f"it is no YAML: {' '.join(str(error).split())}") from error
    names = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, dict) and all(isinstance(key, int) for key in names):
        names = [names[key] for key in sorted(names)]
    if (
        not isinstance(names, list)
        or not names
        or not all(isinstance(one, str | int | float) for one in names)
    ):
        raise _wrong(file, "it names no classes (`names`)")
    _unique((str(name) for name in names), file)
    parts = {key: document[key] for key in ("train", "val", "test") if isinstance(document.get(key), str)}
    root = document.get("path")
    return YoloData(
        class_names=tuple(str(name) for name in names),
        parts=parts,
        root=root if isinstance(root, str) else "",
    )


def _unique(names: Iterable[str], file: str) -> None:
    known = list(names)
    twice = [name for name in known if known.count(name) > 1]
    if twice:
        raise _wrong(file, f"two classes are called {twice[0]!r}")


def _wrong(file: str, why: str) -> UsageError:
    return UsageError(
        f"{file} cannot be read as labels: {why}", hint="mend the file, or choose another form: --format"
    )
