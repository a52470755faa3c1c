"""infer-result.json of a detection as the platform reads it, and what it loses on the way (§3.3)."""

import json
import math
import posixpath
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from layerwright.ymir.codes import NO_RESULT, UNEXPECTED
from layerwright.ymir.dataset import Box
from layerwright.ymir.remarks import MISSING, Collector, Remark
from layerwright.ymir.verdict import ResultState

__all__ = ["INFER_FILE", "Dropped", "InferCheck", "check_detections"]

INFER_FILE: Final = "/out/infer-result.json"

_BOX_KEYS: Final = frozenset({"x", "y", "w", "h", "rotate_angle"})
_INT32 = 1 << 31


class Dropped(Struct, frozen=True, kw_only=True):
    """An entry of a result that the platform takes without keeping it.

    Attributes:
        field: where it stands.
        why: in words.
    """

    field: str
    why: str


class InferCheck(Struct, frozen=True, kw_only=True):
    """A judged result file.

    Attributes:
        boxes: by the base name of the picture, what the platform keeps; empty when it refuses the file.
        dropped: what it does not keep.
        state: for the verdict.
        remarks: worst first.
    """

    boxes: Mapping[str, tuple[Box, ...]]
    dropped: tuple[Dropped, ...]
    state: ResultState
    remarks: tuple[Remark, ...]


class Refused(Exception):  # noqa: N818 - ends the reading; the remark is made already
    """The platform fails on the file."""


def check_detections(
    text: bytes | None,
    *,
    candidates: Sequence[str],
    class_names: Collection[str],
    boxes_key: str = "boxes",
) -> InferCheck:
    """Judge the result of a detection.

    Args:
        text: the file; None when it is missing.
        candidates: base names of the pictures that were given.
        class_names: the classes that the platform knows, in its spelling.
        boxes_key: ``boxes``, or ``annotations`` for protocols before 1.0.0.
    """
    reader = _Reader(candidates, class_names, boxes_key)
    try:
        reader.read(text)
    except Refused:
        return refused(reader.found, reader.dropped)
    return InferCheck(
        boxes=reader.boxes,
        dropped=tuple(reader.dropped),
        state=ResultState(valid=True),
        remarks=reader.found.done(),
    )


def refused(found: Collector, dropped: Sequence[Dropped]) -> InferCheck:
    """The check of a file that the platform fails on, by the first remark that says so."""
    remarks = found.done()
    first = next(remark for remark in remarks if remark.outcome == "rejected")
    where = f" ({first.field})" if first.field else ""
    return InferCheck(
        boxes={},
        dropped=tuple(dropped),
        state=ResultState(
            valid=False, code=first.code, why=f"infer-result.json is not valid{where}: {first.message}"
        ),
        remarks=remarks,
    )


def read_json(text: bytes | None, found: Collector) -> object:
    """The document.

    Raises:
        Refused: the file is missing or no JSON (169999).
    """
    if text is None:
        found.add(
            "rejected",
            "3.3",
            "",
            MISSING,
            "write it with ymir_exc.result_writer.write_infer_result, also when nothing was found",
            code=UNEXPECTED,
        )
        raise Refused
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        found.add(
            "rejected",
            "3.3",
            "",
            f"it is no JSON: {error}",
            "write it with json.dump into a temporary file, and rename that",
            code=UNEXPECTED,
        )
        raise Refused from error
    return document


class _Reader:
    def __init__(self, candidates: Sequence[str], class_names: Collection[str], boxes_key: str) -> None:
        self.candidates = frozenset(candidates)
        self.ordered = tuple(candidates)
        self.known = {name.lower(): name for name in class_names}
        self.boxes_key = boxes_key
        self.found = Collector(INFER_FILE)
        self.dropped: list[Dropped] = []
        self.boxes: dict[str, tuple[Box, ...]] = {}

    def read(self, text: bytes | None) -> None:
        document = read_json(text, self.found)
        detection = document.get("detection") if isinstance(document, dict) else None
        if not isinstance(detection, dict):
            self.found.add(
                "rejected",
                "3.3",
                "detection",
                "there is no mapping `detection`",
                'write {"detection": {"NAME.jpg": {"boxes": [...]}}}',
                code=NO_RESULT,
            )
            raise Refused
        for key, entry in detection.items():
            self._picture(str(key), entry)
        missing = [name for name in self.ordered if name not in self.boxes]
        if missing:
            self.found.add(
                "fine",
                "3.3",
                f"detection.{missing[0]}",
                f"{len(missing)} of {len(self.ordered)} pictures are not there, which counts as nothing found in them",
                "name every picture, with an empty list where nothing was found",
            )

    def _picture(self, key: str, entry: object) -> None:
        where = f"detection.{key}"
        name = posixpath.basename(key)
        if name != key:
            self.found.add(
                "fine",
                "3.3",
                where,
                f"{key} is a path, and the platform takes the base name",
                "write the base name",
                kind="path as key",
            )
        if name in self.boxes:
            self._lose(
                where,
                f"two entries are of {name}, and one replaces the other",
                "name each picture once",
                "twice",
            )
        if name not in self.candidates:
            self._lose(
                where,
                f"{name} is none of the pictures that were given",
                "use the base names of the candidate index",
                "foreign picture",
            )
        boxes = self._list(where, entry)
        read = []
        for place, one in enumerate(boxes):
            box = self._annotation(f"{where}.{self.boxes_key}[{place}]", one)
            if box is not None:
                read.append(box)
        self.boxes[name] = tuple(read)

    def _list(self, where: str, entry: object) -> Sequence[object]:
        other = "annotations" if self.boxes_key == "boxes" else "boxes"
        if isinstance(entry, dict):
            for key in (self.boxes_key, other):
                found = entry.get(key)
                if isinstance(found, list):
                    if key == "annotations" and self.boxes_key == "boxes":
                        self.found.add(
                            "fine",
                            "3.3",
                            where,
                            "the boxes are called `annotations`, the name of protocols before 1.0.0",
                            "write `boxes`",
                            kind="old key",
                        )
                    return found
        self.found.add(
            "unknown",
            "3.3",
            where,
            f"the picture has no list `{self.boxes_key}`, and the contract does not say what the platform makes of it",
            f'write {{"{self.boxes_key}": []}} where nothing was found',
            kind="no list",
        )
        return ()

    def _annotation(self, where: str, one: object) -> Box | None:
        if not isinstance(one, dict):
            raise self._reject(where, "the entry is no mapping", "write box, class_name and score")
        if "box" not in one:
            raise self._reject(
                where, "the entry has no `box`", 'write "box": {"x": 1, "y": 2, "w": 3, "h": 4}'
            )
        x, y, w, h, angle = self._box(f"{where}.box", one["box"])
        score = self._score(where, one)
        if score is None:
            return None
        name = one.get("class_name")
        if name is None:
            self.found.add(
                "unknown",
                "3.3",
                f"{where}.class_name",
                "it is missing, and the contract does not say what the platform makes of it",
                "write the name of a class",
                kind="no class",
            )
            return None
        known = self.known.get(str(name).lower())
        if known is None:
            self._lose(
                f"{where}.class_name",
                f"{str(name)!r} is no known class, and the platform drops the box",
                f"use the names in class_names: {', '.join(list(self.known.values())[:5])}",
                f"class {name}",
            )
            return None
        if known != name:
            self.found.add(
                "fine",
                "3.3",
                f"{where}.class_name",
                f"{name!r} is taken for {known!r}",
                "write the class as class_names has it",
                kind=f"case {name}",
            )
        return Box(class_name=known, x=x, y=y, w=w, h=h, rotate_angle=angle, confidence=score)

    def _box(self, where: str, box: object) -> tuple[int, int, int, int, float]:
        if not isinstance(box, dict):
            raise self._reject(
                where, f"it is {_shown(box)}, not a mapping", 'write {"x": 1, "y": 2, "w": 3, "h": 4}'
            )
        for key in box:
            if key not in _BOX_KEYS:
                raise self._reject(
                    f"{where}.{key}", f"{key} is no key of a box", "write x, y, w, h and no other key"
                )
        sides = {key: self._whole(f"{where}.{key}", box[key]) for key in ("x", "y", "w", "h") if key in box}
        for key in ("w", "h"):
            if sides.get(key, 0) <= 0:
                said = f"it is {sides[key]}" if key in sides else "it is missing and counts as 0"
                self.found.add(
                    "lost",
                    "3.3",
                    f"{where}.{key}",
                    f"{said}: nothing checks it, and people get a box without area",
                    "leave out boxes without area, and write corners in order",
                    kind="no area",
                )
        angle = box.get("rotate_angle", 0.0)
        if isinstance(angle, bool) or _number(angle) is None:
            raise self._reject(f"{where}.rotate_angle", f"{_shown(angle)} is no number", "write a number")
        return (
            sides.get("x", 0),
            sides.get("y", 0),
            sides.get("w", 0),
            sides.get("h", 0),
            _number(angle) or 0.0,
        )

    def _whole(self, where: str, value: Any) -> int:  # noqa: ANN401 - from JSON
        """A whole number as protobuf's JSON reader takes it: 1, 1.0 and "1"; not 1.5, true or NaN."""
        number = None if isinstance(value, bool) else _number(value)
        if (
            number is None
            or not math.isfinite(number)
            or number != int(number)
            or not -_INT32 <= number < _INT32
        ):
            fraction = number is not None and math.isfinite(number) and number != int(number)
            raise self._reject(
                where,
                f"{_shown(value)} is no whole number",
                f"round it: {round(number or 0)}" if fraction else "write a whole number of pixels",
            )
        return int(number)

    def _score(self, where: str, one: Mapping[str, Any]) -> float | None:
        if "score" not in one:
            self._lose(
                f"{where}.score",
                "the entry has no `score`, and the platform drops it",
                "write a score",
                "no score",
            )
            return None
        number = _number(one["score"])
        if number is None:
            raise self._reject(f"{where}.score", f"{_shown(one['score'])} is no number", "write float(score)")
        if math.isnan(number):
            self.found.add(
                "lost", "3.3", f"{where}.score", "the score is NaN, and boxes cannot be ranked by it",
                "leave the box out, or end with code 300201", kind="NaN",
            )  # fmt: skip
        elif not 0 <= number <= 1:
            self.found.add(
                "fine",
                "3.3",
                f"{where}.score",
                f"the score is {number:g}, which the platform takes as it is",
                "write a probability, from 0 to 1",
                kind="score range",
            )
        return number

    def _lose(self, where: str, why: str, repair: str, kind: str) -> None:
        self.dropped.append(Dropped(field=where, why=why))
        self.found.add("lost", "3.3", where, why, repair, kind=kind)

    def _reject(self, where: str, message: str, repair: str) -> Refused:
        self.found.add("rejected", "3.3", where, message, repair, code=UNEXPECTED)
        return Refused()


def _number(value: object) -> float | None:
    if isinstance(value, bool | int | float | str):
        try:
            return float(value)
        except (ValueError, OverflowError):
            return None
    return None


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004 - what fits a line
