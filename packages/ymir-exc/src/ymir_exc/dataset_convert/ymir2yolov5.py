"""Ark text as YOLOv5 reads it (§5.8)."""

from __future__ import annotations

import os
from typing import Any, Iterable

from ymir_exc import _files, _formats
from ymir_exc.dataset_convert.ark import Box, image_size, index_rows, read_boxes

__all__ = ["convert_ymir_to_yolov5", "img2label_paths"]

_SPLITS = ("train", "val", "test")


def convert_ymir_to_yolov5(cfg: Any, out_dir: str | None = None) -> str:
    """Write ``data.yaml``, and for training ``images`` (a link), ``labels`` and index files.

    May be called again: what is there is written anew.

    Args:
        cfg: what ``util.get_merged_config`` gave.
        out_dir: where to; the output folder of the task when it is not given.

    Returns:
        The path of data.yaml.

    Raises:
        ValueError: export_format is not ark, or an annotation or image cannot be read.
        FileExistsError: ``images`` is there and is something else.

    """
    import yaml  # noqa: PLC0415 - start-up

    folder = out_dir or cfg.ymir.output.root_dir
    os.makedirs(folder, exist_ok=True)
    if cfg.ymir.run_training:
        if not _formats.is_ark(cfg):
            told = cfg.param.get("export_format")
            msg = f"export_format is {told!r}, and labels are made of ark text alone; set it to 'ark:raw'"
            raise ValueError(msg)
        _link(cfg.ymir.input.assets_dir, os.path.join(folder, "images"))
        _write_split(cfg, folder, "train", cfg.ymir.input.training_index_file)
        _write_split(cfg, folder, "val", cfg.ymir.input.val_index_file)
    names = [str(name) for name in cfg.param.get("class_names") or []]
    document = {
        "path": folder,
        "nc": len(names),
        "names": names,
        **{each: f"{each}-index.txt" for each in _SPLITS},
    }
    path = os.path.join(folder, "data.yaml")
    _files.write_text(path, yaml.safe_dump(document, allow_unicode=True))
    return path


def img2label_paths(img_paths: Iterable[str]) -> list[str]:
    """Paths of labels: ``labels`` in place of the last ``images`` folder, and ``.txt`` in place of the ending."""
    images, labels = f"{os.sep}images{os.sep}", f"{os.sep}labels{os.sep}"
    return [os.path.splitext(labels.join(path.rsplit(images, 1)))[0] + ".txt" for path in img_paths]


def _link(assets: str, place: str) -> None:
    try:
        os.symlink(assets, place)
    except FileExistsError:
        if os.path.realpath(place) != os.path.realpath(assets):
            msg = (
                f"{place} is there already and is not a link to {assets}; give a folder of its own as out_dir"
            )
            raise FileExistsError(msg) from None


def _write_split(cfg: Any, folder: str, split: str, index: str) -> None:
    images = []
    for asset, annotation in index_rows(index):
        image = os.path.join(folder, "images", os.path.relpath(asset, cfg.ymir.input.assets_dir))
        label = img2label_paths([image])[0]
        os.makedirs(os.path.dirname(label), exist_ok=True)
        boxes = read_boxes(annotation)
        size = image_size(asset) if boxes else (1, 1)
        with open(label, "w", encoding="utf-8") as file:
            file.writelines(_line(box, *size) for box in boxes)
        images.append(image)
    _files.write_text(os.path.join(folder, f"{split}-index.txt"), "\n".join(images))


def _line(box: Box, width: int, height: int) -> str:
    center = (box.x1 + box.x2) / 2 / width, (box.y1 + box.y2) / 2 / height
    size = (box.x2 - box.x1) / width, (box.y2 - box.y1) / height
    return " ".join(map(str, (box.class_id, *center, *size))) + "\n"
