"""Ark text as COCO (§5.8)."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from typing import Any

from ymir_exc import _files, _formats, util
from ymir_exc.dataset_convert.ark import Box, image_size, index_rows, read_boxes

__all__ = ["convert_ymir_to_coco"]

_FOLDER = "ymir_dataset"
_CHOICE = "cat_id_from_zero.txt"
"""The file that says how a finished folder counts its categories."""


def convert_ymir_to_coco(cat_id_from_zero: bool = False) -> dict[str, dict[str, str]]:
    """Write ``<out>/ymir_dataset/ymir_train.json`` and ``ymir_val.json``, once.

    Of several processes the first (RANK 0) writes, and the folder appears when it is whole; others find it finished.
    A folder that counts categories in another way is written anew.

    Args:
        cat_id_from_zero: whether the first category is 0; else 1.

    Returns:
        ``{"train": {"img_dir": …, "ann_file": …}, "val": …}``.

    Raises:
        AssertionError: export_format is not ``ark:raw`` or ``det-ark:raw``, or there is no finished folder and RANK is
            neither 0, -1 nor absent.
        ValueError: an annotation or an image cannot be read.

    """
    cfg = util.get_merged_config()
    told = str(cfg.param.get("export_format") or "")
    if not (_formats.is_ark(cfg) and told.lower().endswith(":raw")):
        msg = (
            f"export_format is {told!r}, and boxes are converted from 'ark:raw' or 'det-ark:raw'; "
            "set it in the template"
        )
        raise AssertionError(msg)
    folder = os.path.join(cfg.ymir.output.root_dir, _FOLDER)
    answer = {
        split: {"img_dir": cfg.ymir.input.assets_dir, "ann_file": os.path.join(folder, f"ymir_{split}.json")}
        for split in ("train", "val")
    }
    if _finished(folder, from_zero=cat_id_from_zero):
        return answer
    rank = os.environ.get("RANK", "-1")
    if rank not in ("0", "-1", ""):
        msg = (
            f"RANK is {rank}, and only the first process converts; let it call convert_ymir_to_coco before the others, "
            "with a barrier after it"
        )
        raise AssertionError(msg)
    indexes = {"train": cfg.ymir.input.training_index_file, "val": cfg.ymir.input.val_index_file}
    temporary = os.path.join(
        cfg.ymir.output.root_dir, f".{_FOLDER}.{uuid.uuid4().hex}{_files.TEMPORARY_SUFFIX}"
    )
    os.makedirs(temporary)
    try:
        for split, index in indexes.items():
            document = _coco(index, list(cfg.param.get("class_names") or []), 0 if cat_id_from_zero else 1)
            with open(os.path.join(temporary, f"ymir_{split}.json"), "w", encoding="utf-8") as file:
                json.dump(document, file)
        with open(os.path.join(temporary, _CHOICE), "w", encoding="utf-8") as file:
            file.write(f"{bool(cat_id_from_zero)}\n")
        if os.path.isdir(folder):
            shutil.rmtree(folder)
        os.rename(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return answer


def _finished(folder: str, *, from_zero: bool) -> bool:
    """Whether the folder is there and counts categories so, as far as it says."""
    try:
        with open(os.path.join(folder, _CHOICE), encoding="utf-8") as file:
            return file.read().strip() == str(bool(from_zero))
    except OSError:
        return os.path.isdir(folder)


def _coco(index: str, class_names: list[str], first: int) -> dict[str, Any]:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (asset, annotation) in enumerate(index_rows(index) if index else ()):
        width, height = image_size(asset)
        images.append({"id": image_id, "file_name": asset, "width": width, "height": height})
        first_id = len(annotations)
        objects = [{"image_id": image_id, **_object(box, first)} for box in read_boxes(annotation)]
        annotations.extend({"id": first_id + number, **each} for number, each in enumerate(objects))
    return {
        "images": images,
        "annotations": annotations,
        "categories": [
            {"id": number + first, "name": name, "supercategory": "none"}
            for number, name in enumerate(class_names)
        ],
        "licenses": [],
    }


def _object(box: Box, first: int) -> dict[str, Any]:
    """A box as COCO has it; width and height are one less than the pixels that it covers, as in the SDKs."""
    width, height = box.x2 - box.x1, box.y2 - box.y1
    return {
        "category_id": box.class_id + first,
        "bbox": [box.x1, box.y1, width, height],
        "area": width * height,
        "segmentation": [[box.x1, box.y1, box.x1, box.y2, box.x2, box.y2, box.x2, box.y1]],
        "iscrowd": 0,
        "score": 1.0,
        "bbox_quality": int(box.quality) if box.quality.isdecimal() else 1,
    }
