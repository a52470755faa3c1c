"""Boxes in ark text (§2.5.1), and the sizes of images."""

from __future__ import annotations

from typing import Iterator, NamedTuple

__all__ = ["Box", "image_size", "index_rows", "read_boxes"]

_LEAST_COLUMNS = 5


class Box(NamedTuple):
    """A box with inclusive corners; ``quality`` is the text of the sixth column, '' where there is none."""

    class_id: int
    x1: int
    y1: int
    x2: int
    y2: int
    quality: str = ""


def read_boxes(path: str) -> list[Box]:
    """The boxes of one annotation file; none for an empty path or an empty file.

    Raises:
        ValueError: a line is no box.

    """
    if not path:
        return []
    with open(path, encoding="utf-8") as file:
        return [_box(line, path, number) for number, line in enumerate(file, 1) if line.strip()]


def index_rows(path: str) -> Iterator[tuple[str, str]]:
    """The images of an index file and their annotations, '' where it has one column."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.strip():
                asset, _, rest = line.rstrip("\r\n").partition("\t")
                yield asset, rest.partition("\t")[0]


def image_size(path: str) -> tuple[int, int]:
    """Width and height of an image, from its header.

    Raises:
        ValueError: it is no image of a kind that is known.

    """
    import imagesize  # noqa: PLC0415 - start-up

    width, height = imagesize.get(path)
    if width <= 0 or height <= 0:
        msg = (
            f"{path} is no image whose size can be read; dataset_reader.filter_broken_images finds such files"
        )
        raise ValueError(msg)
    return int(width), int(height)


def _box(line: str, path: str, number: int) -> Box:
    columns = [each.strip() for each in line.split(",")]
    try:
        class_id, x1, y1, x2, y2 = (int(float(each)) for each in columns[:_LEAST_COLUMNS])
    except (ValueError, OverflowError):
        msg = f"{path}:{number}: {line.strip()!r} is no box; 'class_id, xmin, ymin, xmax, ymax, …' is wanted"
        raise ValueError(msg) from None
    return Box(class_id, x1, y1, x2, y2, columns[_LEAST_COLUMNS] if len(columns) > _LEAST_COLUMNS else "")
