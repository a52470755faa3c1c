"""Segmentation: blank areas, and masks as mmsegmentation reads them (§5.8)."""

from __future__ import annotations

import json
import os
import random
import re
from typing import TYPE_CHECKING, Any, Mapping

from ymir_exc import _files, _formats, util
from ymir_exc.dataset_convert.ark import index_rows
from ymir_exc.dataset_convert.masks import area_of, run_lengths

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "convert_rgb_to_label_id",
    "convert_ymir_to_mmseg",
    "find_blank_area_in_dataset",
    "train_with_black_area_or_not",
]

NO_LABEL = 255
"""The label of pixels that belong to no class; mmsegmentation's usual ignore index."""

_VARIABLE = "WITH_BLANK_AREA"


def train_with_black_area_or_not(cfg: Any, max_sample_num: int = 100) -> bool:
    """Whether training should have a class for pixels without a label.

    Decided once and kept in the environment (WITH_BLANK_AREA), so that the processes this one starts agree.

    Args:
        cfg: what ``util.get_merged_config`` gave; with ``ignore_blank_area`` true the answer is no.
        max_sample_num: how many images are looked at.

    Raises:
        ValueError: WITH_BLANK_AREA is neither true nor false.

    """
    if util.get_bool(cfg, "ignore_blank_area", default_value=False):
        return False
    told = os.environ.get(_VARIABLE)
    if told is None:
        answer = find_blank_area_in_dataset(cfg, max_sample_num)
        os.environ[_VARIABLE] = str(answer).upper()
        return answer
    if told.lower() not in ("true", "false"):
        msg = f"{_VARIABLE} is {told!r}, and true or false is wanted"
        raise ValueError(msg)
    return told.lower() == "true"


def find_blank_area_in_dataset(cfg: Any, max_sample_num: int = 100) -> bool:
    """Whether one of some images has pixels that no annotation covers.

    Looks at the COCO file of the first training image; which images are looked at is the same each time.

    Args:
        cfg: what ``util.get_merged_config`` gave.
        max_sample_num: how many images are looked at.

    Raises:
        ValueError: there is no training image, or its annotations are no COCO file.

    """
    document = _coco_file(cfg.ymir.input.training_index_file)
    images = document["images"]
    if len(images) > max_sample_num:
        images = random.Random(0).sample(images, max_sample_num)  # noqa: S311 - a sample
    areas = {image["id"]: 0.0 for image in images}
    for annotation in document["annotations"]:
        if annotation["image_id"] in areas:
            areas[annotation["image_id"]] += area_of(annotation)
    return any(areas[image["id"]] < image["width"] * image["height"] for image in images)


def convert_rgb_to_label_id(rgb: Any, colors: Mapping[tuple[int, int, int], int]) -> NDArray[np.uint8]:
    """A picture in which each class has a colour as one of class numbers; 255 where the colour is none of them.

    Args:
        rgb: rows x columns x 3, 0 to 255.
        colors: red, green, blue → class number.

    Needs numpy.

    """
    import numpy as np  # noqa: PLC0415 - start-up

    pixels = np.asarray(rgb, dtype=np.uint32)
    codes = (pixels[..., 0] << 16) | (pixels[..., 1] << 8) | pixels[..., 2]
    labels = np.full(codes.shape, NO_LABEL, dtype=np.uint8)
    for (red, green, blue), number in colors.items():
        labels[codes == ((red << 16) | (green << 8) | blue)] = number
    return labels


def convert_ymir_to_mmseg(cfg: Any) -> dict[str, str]:
    """Masks with class numbers, and an index of images and masks for each split.

    From ``seg-coco`` (platform 2.1 and newer) and ``seg-mask`` (2.0, coloured masks with labelmap.txt). Masks stand in
    ``<out>/ymir_dataset/masks``; pixels of no class have 255. Needs numpy and Pillow.

    Args:
        cfg: what ``util.get_merged_config`` gave.

    Returns:
        ``{"train": <index file>, "val": <index file>}``; lines are image, tab, mask.

    Raises:
        ValueError: export_format is another one, or annotations cannot be read.

    """
    form = _formats.annotation_form(cfg)
    if form not in ("seg-coco", "coco", "seg-mask"):
        told = cfg.param.get("export_format")
        msg = f"export_format is {told!r}, and masks are made of 'seg-coco:raw' or 'seg-mask:raw'; set that"
        raise ValueError(msg)
    folder = os.path.join(cfg.ymir.output.root_dir, "ymir_dataset")
    os.makedirs(os.path.join(folder, "masks"), exist_ok=True)
    answer = {}
    for split, index in (
        ("train", cfg.ymir.input.training_index_file),
        ("val", cfg.ymir.input.val_index_file),
    ):
        rows = _recolored(index, cfg, folder) if form == "seg-mask" else _drawn(index, folder)
        answer[split] = os.path.join(folder, f"{split}-index.tsv")
        _files.write_text(answer[split], "".join(f"{image}\t{mask}\n" for image, mask in rows))
    return answer


def _coco_file(index: str) -> dict[str, Any]:
    """The COCO document that the lines of an index name."""
    path = next((annotation for _, annotation in index_rows(index)), "")
    if not path:
        msg = f"{index} names no annotations; set export_format to 'seg-coco:raw' in the template"
        raise ValueError(msg)
    with open(path, encoding="utf-8") as file:
        try:
            document = json.load(file)
            return {key: list(document[key]) for key in ("images", "annotations", "categories")}
        except (ValueError, KeyError, TypeError) as error:
            msg = f"{path} is no COCO file ({error}); set export_format to 'seg-coco:raw' in the template"
            raise ValueError(msg) from None


def _drawn(index: str, folder: str) -> list[tuple[str, str]]:
    rows = list(index_rows(index))
    if not rows:
        return []
    document = _coco_file(index)
    images = {image["file_name"]: image for image in document["images"]}
    objects: dict[Any, list[dict[str, Any]]] = {}
    for each in document["annotations"]:
        objects.setdefault(each["image_id"], []).append(each)
    answer = []
    for asset, annotation in rows:
        image = images.get(os.path.basename(asset))
        if image is None:
            msg = f"{annotation} has no image {os.path.basename(asset)}, which {index} names"
            raise ValueError(msg)
        place = _mask_place(folder, asset)
        _draw(image["width"], image["height"], objects.get(image["id"], []), place)
        answer.append((asset, place))
    return answer


def _draw(width: int, height: int, objects: list[dict[str, Any]], place: str) -> None:
    import numpy as np  # noqa: PLC0415 - start-up
    from PIL import Image, ImageDraw  # noqa: PLC0415 - start-up

    mask = np.full((height, width), NO_LABEL, dtype=np.uint8)
    for each in objects:
        segmentation = each.get("segmentation")
        if isinstance(segmentation, dict) and segmentation.get("counts"):
            lengths = run_lengths(segmentation["counts"])
            flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
            rows, columns = segmentation["size"]
            mask[flat.reshape((columns, rows)).T[:height, :width]] = each["category_id"]
        elif segmentation:
            layer = Image.new("1", (width, height))
            for ring in segmentation:
                ImageDraw.Draw(layer).polygon([float(value) for value in ring], fill=1)
            mask[np.asarray(layer)] = each["category_id"]
    Image.fromarray(mask).save(place)


def _recolored(index: str, cfg: Any, folder: str) -> list[tuple[str, str]]:
    import numpy as np  # noqa: PLC0415 - start-up
    from PIL import Image  # noqa: PLC0415 - start-up

    rows = list(index_rows(index))
    if not rows:
        return []
    colors = _colors(
        os.path.join(cfg.ymir.input.annotations_dir, "labelmap.txt"), list(cfg.param.class_names)
    )
    answer = []
    for asset, annotation in rows:
        place = _mask_place(folder, asset)
        with Image.open(annotation) as picture:
            labels = convert_rgb_to_label_id(np.asarray(picture.convert("RGB")), colors)
        Image.fromarray(labels).save(place)
        answer.append((asset, place))
    return answer


def _mask_place(folder: str, asset: str) -> str:
    return os.path.join(folder, "masks", os.path.splitext(os.path.basename(asset))[0] + ".png")


def _colors(path: str, class_names: list[str]) -> dict[tuple[int, int, int], int]:
    """The colours of classes from labelmap.txt: ``name:red,green,blue::`` a line (CVAT's "Segmentation mask" form)."""
    colors = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            match = re.match(r"([^#].*?)\s*[:\s]\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)", line)
            if match and match[1] in class_names:
                colors[int(match[2]), int(match[3]), int(match[4])] = class_names.index(match[1])
    return colors
