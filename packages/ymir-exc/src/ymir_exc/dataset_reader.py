"""The images of a task: its index files (§2.4, §5.5)."""

from __future__ import annotations

from typing import Any, Iterable, Iterator

from ymir_exc import env
from ymir_exc._formats import is_ark
from ymir_exc.env import DatasetType

__all__ = ["bboxes_count", "filter_broken_images", "images_count", "item_paths", "items_count"]

_FIELDS = {
    DatasetType.TRAINING: "training_index_file",
    DatasetType.VALIDATION: "val_index_file",
    DatasetType.CANDIDATE: "candidate_index_file",
}
_SPLITS = {
    "train": "training_index_file",
    "training": "training_index_file",
    "val": "val_index_file",
    "validation": "val_index_file",
    "test": "candidate_index_file",
    "infer": "candidate_index_file",
    "candidate": "candidate_index_file",
}


def item_paths(dataset_type: DatasetType) -> Iterator[tuple[str, str]]:
    """The images of a set and their annotation files, one by one; nothing is read before the first is asked for.

    The annotation is ``''`` where the index has one column; a blank line gives ``('', '')``.

    Raises:
        KeyError: there is no index for this kind of set.
        ValueError: the task has no such set.

    """
    path = _index_path(dataset_type)
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield _columns(line)


def items_count(dataset_type: DatasetType) -> int:
    """How many lines the index of a set has.

    Raises:
        KeyError: there is no index for this kind of set.
        ValueError: the task has no such set.

    """
    return _count_lines(_index_path(dataset_type))


def images_count(cfg: Any, split: str) -> int:
    """How many lines the index of a split has.

    Args:
        cfg: what ``util.get_merged_config`` gave.
        split: ``train``, ``training``, ``val``, ``validation``, ``test``, ``infer`` or ``candidate``.

    Raises:
        ValueError: there is no such split, or the task has none.

    """
    return _count_lines(_split_path(cfg, split))


def bboxes_count(cfg: Any, split: str) -> int:
    """How many boxes the annotations of a split have; only for ark text (§2.5.1).

    Args:
        cfg: what ``util.get_merged_config`` gave.
        split: ``train``, ``training``, ``val`` or ``validation``.

    Raises:
        ValueError: there is no such split, the task has none, or its annotations are of another form.

    """
    if _SPLITS.get(split) == "candidate_index_file":
        msg = f"the split {split!r} has no annotations; boxes are counted for 'train' and 'val'"
        raise ValueError(msg)
    path = _split_path(cfg, split)
    if not is_ark(cfg):
        msg = (
            f"export_format is {cfg.param.get('export_format')!r}, and boxes are counted in ark text only; "
            "set export_format to 'ark:raw' in the template"
        )
        raise ValueError(msg)
    count = 0
    with open(path, encoding="utf-8") as file:
        for line in file:
            annotation = _columns(line)[1]
            count += _count_lines(annotation) if annotation else 0
    return count


def filter_broken_images(image_files: Iterable[str]) -> list[str]:
    """The images that Pillow can open and verify; the others are printed.

    Raises:
        ImportError: Pillow is not installed.

    """
    try:
        from PIL import Image  # noqa: PLC0415 - start-up
    except ImportError as error:
        msg = "looking for broken images needs Pillow; pip install 'layerwright-ymir-exc[images]'"
        raise ImportError(msg) from error

    def whole(path: str) -> bool:
        try:
            with Image.open(path) as image:
                image.verify()
        except Exception as error:  # noqa: BLE001 - decoders raise anything from SyntaxError to struct.error
            print(f"broken image {path}: {error}")  # noqa: T201 - as the SDKs do
            return False
        return True

    return [path for path in image_files if whole(path)]


def _columns(line: str) -> tuple[str, str]:
    if not line.strip():
        return "", ""
    asset, _, rest = line.rstrip("\r\n").partition("\t")
    return asset, rest.partition("\t")[0]


def _index_path(dataset_type: DatasetType) -> str:
    try:
        field = _FIELDS[dataset_type]
    except KeyError:
        names = ", ".join(each.name for each in _FIELDS)
        msg = f"there is no index of images for {dataset_type!r}; there are {names}"
        raise KeyError(msg) from None
    return _told_path(getattr(env.get_current_env().input, field), field)


def _split_path(cfg: Any, split: str) -> str:
    field = _SPLITS.get(split)
    if field is None:
        msg = f"there is no split {split!r}; splits are {', '.join(_SPLITS)}"
        raise ValueError(msg)
    return _told_path(getattr(cfg.ymir.input, field), field)


def _told_path(path: str, field: str) -> str:
    if path:
        return path
    msg = f"this task has no such set of images: input.{field} is empty in env.yaml"
    raise ValueError(msg)


def _count_lines(path: str) -> int:
    with open(path, encoding="utf-8") as file:
        return sum(1 for _ in file)
