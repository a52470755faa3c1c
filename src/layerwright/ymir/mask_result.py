"""infer-result.json of a segmentation: a COCO document as the platform reads it (§3.3)."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from layerwright.ymir.codes import UNEXPECTED
from layerwright.ymir.dataset import Box
from layerwright.ymir.infer_result import INFER_FILE, Dropped, InferCheck, Refused, read_json, refused
from layerwright.ymir.masks import expand_runs
from layerwright.ymir.remarks import Collector, brief
from layerwright.ymir.verdict import ResultState

__all__ = ["check_segmentation"]

_SIDES = 4
_SHORTEST_RING = 6


def check_segmentation(
    text: bytes | None, *, candidates: Sequence[str], class_names: Collection[str]
) -> InferCheck:
    """Judge the result of a semantic or instance segmentation.

    Args:
        text: the file; None when it is missing.
        candidates: base names of the pictures that were given.
        class_names: the classes that the platform knows.
    """
    reader = _Reader(candidates, class_names)
    try:
        reader.read(text)
    except Refused:
        return refused(reader.found, reader.dropped)
    return InferCheck(
        boxes={name: tuple(boxes) for name, boxes in reader.boxes.items()},
        dropped=tuple(reader.dropped),
        state=ResultState(valid=True),
        remarks=reader.found.done(),
    )


class _Reader:
    def __init__(self, candidates: Sequence[str], class_names: Collection[str]) -> None:
        self.candidates = tuple(candidates)
        self.known = {name.lower(): name for name in class_names}
        self.found = Collector(INFER_FILE)
        self.dropped: list[Dropped] = []
        self.boxes: dict[str, list[Box]] = {}
        self.vanished: set[Any] = set()

    def read(self, text: bytes | None) -> None:
        document = read_json(text, self.found)
        if not isinstance(document, dict):
            raise self._reject("", "it is no mapping", "write images, categories and annotations")
        if "detection" in document:
            self.found.add(
                "lost",
                "3.3",
                "detection",
                "a segmentation's result is a COCO document, and `detection` is not read",
                "write images, categories and annotations alone",
            )
        parts = {}
        for key in ("images", "categories", "annotations"):
            if key not in document:
                raise self._reject(
                    key, "it is missing", "write images, categories and annotations, empty ones too"
                )
            if not isinstance(document[key], list):
                raise self._reject(key, "it is no list", "write a list")
            parts[key] = document[key]
        pictures = self._pictures(parts["images"])
        categories = self._categories(parts["categories"])
        for place, one in enumerate(parts["annotations"]):
            where = f"annotations[{place}]"
            if not isinstance(one, dict):
                raise self._reject(
                    where, "it is no mapping", "write image_id, category_id, bbox, area and segmentation"
                )
            self._annotation(where, one, pictures, categories)
        missing = [name for name in self.candidates if name not in self.boxes]
        if missing:
            self.found.add(
                "fine",
                "3.3",
                "images",
                f"{len(missing)} of {len(self.candidates)} pictures are not there ({missing[0]}), which counts as "
                "nothing found in them",
                "list every picture in `images`",
            )

    def _pictures(self, images: Sequence[Any]) -> Mapping[Any, str]:
        names: dict[Any, str] = {}
        twice = set()
        for place, one in enumerate(images):
            where = f"images[{place}]"
            if not isinstance(one, dict) or not {"id", "file_name"} <= one.keys():
                raise self._reject(
                    where, "it lacks its id or its file_name", "write id, file_name, width and height"
                )
            name, identifier = str(one["file_name"]), one["id"]
            if isinstance(identifier, dict | list):
                raise self._reject(f"{where}.id", "it is no number", "number the pictures from 1 on")
            if "/" in name:
                self._lose(
                    f"{where}.file_name",
                    f"{name} is a path: every annotation of the picture vanishes",
                    f"write the base name, {name.rpartition('/')[2]}",
                    "path as file_name",
                )
                self.vanished.add(identifier)
                continue
            if identifier in names:
                twice.add(identifier)
                self._lose(
                    f"{where}.id",
                    f"the id {identifier} is that of another picture, and annotations of both are dropped",
                    "number the pictures from 1 on, each by its own number",
                    "id twice",
                )
            if name not in self.candidates:
                self._lose(
                    f"{where}.file_name",
                    f"{name} is none of the pictures that were given",
                    "use the base names of the candidate index",
                    "foreign picture",
                )
            names[identifier] = name
            self.boxes.setdefault(name, [])
        return {identifier: name for identifier, name in names.items() if identifier not in twice}

    def _categories(self, categories: Sequence[Any]) -> Mapping[Any, str]:
        names = {}
        for place, one in enumerate(categories):
            where = f"categories[{place}]"
            if (
                not isinstance(one, dict)
                or not {"id", "name"} <= one.keys()
                or isinstance(one["id"], dict | list)
            ):
                raise self._reject(where, "it lacks its id or its name", "write id and name")
            known = self.known.get(str(one["name"]).lower())
            if known is None:
                self._lose(
                    f"{where}.name",
                    f"{str(one['name'])!r} is no known class, and its annotations are dropped",
                    f"use the names in class_names: {', '.join(list(self.known.values())[:5])}",
                    "foreign class",
                )
                continue
            names[one["id"]] = known
        return names

    def _annotation(
        self, where: str, one: Mapping[str, Any], pictures: Mapping[Any, str], categories: Mapping[Any, str]
    ) -> None:
        for key in ("image_id", "category_id", "area"):
            if key not in one:
                raise self._reject(f"{where}.{key}", "it is missing", f"write {key}")
        if not isinstance(one["image_id"], dict | list) and one["image_id"] in self.vanished:
            self.dropped.append(Dropped(field=where, why="its picture's file_name is a path"))
            return
        for key, known, what in (("image_id", pictures, "picture"), ("category_id", categories, "category")):
            if isinstance(one[key], dict | list) or one[key] not in known:
                self._lose(
                    f"{where}.{key}",
                    f"there is no {what} {brief(one[key])}, and the annotation is dropped",
                    f"use an id of `{'images' if what == 'picture' else 'categories'}`",
                    f"unknown {what}",
                )
                return
        sides = self._sides(where, one.get("bbox"))
        if not isinstance(one["area"], int | float) or not math.isfinite(one["area"]):
            raise self._reject(
                f"{where}.area", f"{brief(one['area'])} is no number", "write the number of pixels"
            )
        mask, ring = self._shape(where, one)
        if sides is None:
            return
        x, y, w, h = sides
        confidence = one.get("confidence", -1)
        self.boxes[pictures[one["image_id"]]].append(
            Box(
                class_name=categories[one["category_id"]],
                x=x,
                y=y,
                w=w,
                h=h,
                confidence=float(confidence) if isinstance(confidence, int | float) else -1.0,
                is_crowd=bool(one.get("iscrowd", 0)),
                mask=mask,
                rings=(ring,) if ring else (),
            )
        )

    def _sides(self, where: str, box: object) -> tuple[int, int, int, int] | None:
        numbers = [
            float(side)
            for side in (box if isinstance(box, list) else ())
            if isinstance(side, int | float) and math.isfinite(side)
        ]
        if len(numbers) != _SIDES or not isinstance(box, list) or len(box) != _SIDES:
            self._lose(
                f"{where}.bbox",
                "it is not four numbers, and the annotation is dropped",
                "write [x, y, w, h]",
                "bbox",
            )
            return None
        x, y, w, h = (int(number) for number in numbers)
        if w <= 0 or h <= 0:
            self._lose(
                f"{where}.bbox",
                f"its width or height is {min(w, h)} in whole pixels, and the annotation is dropped",
                "leave out what is smaller than a pixel",
                "no area",
            )
            return None
        if any(number != int(number) for number in numbers):
            self.found.add(
                "fine",
                "3.3",
                f"{where}.bbox",
                "it has fractions, which are cut off",
                "round to whole pixels yourself",
                kind="fractions",
            )
        return x, y, w, h

    def _shape(self, where: str, one: Mapping[str, Any]) -> tuple[str, tuple[float, ...]]:
        field = f"{where}.segmentation"
        shape = one.get("segmentation")
        if shape is None:
            self.found.add(
                "lost",
                "3.3",
                field,
                "it is missing, and the platform keeps a box alone",
                "write a mask or one ring",
                kind="no shape",
            )
            return "", ()
        if isinstance(shape, dict):
            return self._mask(field, shape), ()
        if not isinstance(shape, list) or not shape:
            raise self._reject(
                field, "it is empty, and the platform fails on it", "leave out objects without a shape"
            )
        if len(shape) > 1:
            raise self._reject(
                field,
                f"it has {len(shape)} rings, and the platform reads one",
                "write a mask: pycocotools.mask.encode, its counts decoded to text",
            )
        ring = shape[0]
        if (
            not isinstance(ring, list)
            or len(ring) < _SHORTEST_RING
            or len(ring) % 2
            or not all(isinstance(number, int | float) and math.isfinite(number) for number in ring)
        ):
            raise self._reject(
                field, "its ring is not a list of x and y in turn", "write [[x, y, x, y, x, y, …]]"
            )
        return "", tuple(float(number) for number in ring)

    def _mask(self, field: str, shape: Mapping[str, Any]) -> str:
        counts, size = shape.get("counts"), shape.get("size")
        if isinstance(counts, list):
            raise self._reject(
                f"{field}.counts",
                "it is a list of run lengths, and the platform reads compressed text alone",
                "write pycocotools.mask.frPyObjects(…)['counts'].decode()",
            )
        if not isinstance(counts, str) or not isinstance(size, list) or len(size) != 2:  # noqa: PLR2004
            raise self._reject(field, "it is no mask", 'write {"counts": TEXT, "size": [height, width]}')
        try:
            total = sum(expand_runs(counts))
            filled = total == int(size[0]) * int(size[1])
        except (ValueError, TypeError, OverflowError):
            raise self._reject(
                f"{field}.counts", "the text is no run lengths", "write what pycocotools.mask.encode gives"
            ) from None
        if not filled:
            self.found.add(
                "lost",
                "3.3",
                field,
                f"its runs do not fill a mask of {size[0]} by {size[1]}",
                "encode a mask of the picture's own height and width",
                kind="mask size",
            )
        return counts

    def _lose(self, where: str, why: str, repair: str, kind: str) -> None:
        self.dropped.append(Dropped(field=where, why=why))
        self.found.add("lost", "3.3", where, why, repair, kind=kind)

    def _reject(self, where: str, message: str, repair: str) -> Refused:
        self.found.add("rejected", "3.3", where, message, repair, code=UNEXPECTED)
        return Refused()
