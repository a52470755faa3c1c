"""The images of a YMIR task with their annotations, in each form that the platform writes."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as rle
from ymir_exc import dataset_reader
from ymir_exc.code import ExecutorReturnCode
from ymir_exc.env import DatasetType

from digits.detector import read_picture
from digits.training import Example


class DatasetError(ValueError):
    """There is nothing to train on."""

    return_code = ExecutorReturnCode.RC_EXEC_DATASET_ERROR


def read_ark(path: str) -> tuple[list[Sequence[float]], list[int]]:
    """Boxes and class numbers of an ark file; its corners are both inside of the box."""
    boxes, labels = [], []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        columns = [column.strip() for column in line.split(",")]
        if len(columns) >= 5:
            x1, y1, x2, y2 = (float(value) for value in columns[1:5])
            boxes.append((x1, y1, x2 + 1, y2 + 1))
            labels.append(int(columns[0]))
    return boxes, labels


def read_voc(path: str, names: Sequence[str]) -> tuple[list[Sequence[float]], list[int]]:
    """Boxes and class numbers of a VOC file; its corners are both inside of the box."""
    boxes, labels = [], []
    for each in ET.parse(path).getroot().iter("object"):
        name = (each.findtext("name") or "").strip()
        if name in names:
            x1, y1, x2, y2 = (
                float(each.findtext(f"bndbox/{key}") or 0) for key in ("xmin", "ymin", "xmax", "ymax")
            )
            boxes.append((x1, y1, x2 + 1, y2 + 1))
            labels.append(names.index(name))
    return boxes, labels


class CocoFile:
    """The one COCO document of a task: annotations by the base name of the image."""

    def __init__(self, path: str, names: Sequence[str]) -> None:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        files = {image["id"]: image["file_name"] for image in document["images"]}
        classes = {
            each["id"]: names.index(each["name"]) for each in document["categories"] if each["name"] in names
        }
        self._found: dict[str, list[tuple[dict[str, Any], int]]] = {}
        for each in document["annotations"]:
            if each["category_id"] in classes and each["image_id"] in files:
                found = self._found.setdefault(files[each["image_id"]], [])
                found.append((each, classes[each["category_id"]]))

    def of(self, asset: str, size: tuple[int, int]) -> tuple[list[Sequence[float]], list[int], np.ndarray]:
        """Boxes, class numbers and masks of an image."""
        boxes, labels, masks = [], [], []
        for each, label in self._found.get(Path(asset).name, ()):
            x, y, width, height = each["bbox"]
            boxes.append((x, y, x + width, y + height))
            labels.append(label)
            masks.append(_mask(each.get("segmentation"), boxes[-1], size))
        return boxes, labels, np.array(masks, dtype=bool).reshape(-1, *size)


def _mask(segmentation: Any, box: Sequence[float], size: tuple[int, int]) -> np.ndarray:
    """A mask from run lengths or polygons; the whole box where there is neither."""
    height, width = size
    if isinstance(segmentation, dict) and segmentation.get("counts"):
        made = rle.decode({**segmentation, "size": [int(side) for side in segmentation["size"]]})
        return made[:height, :width].astype(bool)
    if isinstance(segmentation, list) and segmentation:
        return rle.decode(rle.merge(rle.frPyObjects(segmentation, height, width))).astype(bool)
    mask = np.zeros(size, dtype=bool)
    mask[int(box[1]) : int(box[3]), int(box[0]) : int(box[2])] = True
    return mask


def read_examples(kind: DatasetType, export_format: str, names: Sequence[str]) -> list[Example]:
    """The examples of a set; pictures that cannot be read are told and left out.

    Args:
        kind: training or validation.
        export_format: as in config.yaml, such as `seg-coco:raw`; VOC when empty, as the platform has it.
        names: `class_names` of the task.
    """
    form = (export_format or "voc:raw").lower().partition(":")[0].removeprefix("det-").removeprefix("seg-")
    if form not in ("ark", "voc", "coco"):
        raise DatasetError(
            f"export_format is {export_format!r}: this executor reads ark, voc, coco and seg-coco"
        )
    coco: CocoFile | None = None
    examples = []
    for asset, annotation in dataset_reader.item_paths(kind):
        if not asset:
            continue
        picture = read_picture(asset)
        if picture is None:
            print(f"broken picture, left out: {asset}", flush=True)
            continue
        boxes, labels = [], []
        masks = np.zeros((0, *picture.shape), dtype=bool) if form == "coco" else None
        if not annotation:
            print(f"no annotation, taken as empty: {asset}", flush=True)
        elif form == "coco":
            coco = coco or CocoFile(annotation, names)
            boxes, labels, masks = coco.of(asset, picture.shape)
        elif form == "ark":
            boxes, labels = read_ark(annotation)
        else:
            boxes, labels = read_voc(annotation, names)
        examples.append(
            Example(picture, np.array(boxes, dtype=float).reshape(-1, 4), np.array(labels, dtype=int), masks)
        )
    return examples
