"""A few pictures with labels for a new executor to be tried on: drawn here, the same on every machine. Pure."""

import json
from collections.abc import Iterator
from typing import Final

from layerwright.ymir.png import png

__all__ = ["sample_pictures"]

_COUNT: Final = 24
_WIDTH, _HEIGHT = 160, 120
_SKY, _SEA = (214, 232, 240), (38, 92, 140)
_HORIZON: Final = 40

_Box = tuple[int, int, int, int]
"""Left, top, width, height in pixels."""


def sample_pictures() -> dict[str, bytes]:
    """Pictures of a sea with a boat on each and a buoy on every other one, and ``coco.json`` that says where."""
    files = dict[str, bytes]()
    images, annotations = list[dict[str, object]](), list[dict[str, object]]()
    for number in range(_COUNT):
        things = list(_things(number))
        name = f"{number:02}.png"
        files[name] = _png(number, things)
        images.append({"id": number, "file_name": name, "width": _WIDTH, "height": _HEIGHT})
        for category, (x, y, width, height), _ in things:
            ring = [x, y, x + width, y, x + width, y + height, x, y + height]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": category,
                    "bbox": [x, y, width, height],
                    "area": width * height,
                    "iscrowd": 0,
                    "segmentation": [ring],
                }
            )
    document = {
        "images": images,
        "categories": [{"id": 1, "name": "boat"}, {"id": 2, "name": "buoy"}],
        "annotations": annotations,
    }
    files["coco.json"] = (json.dumps(document, indent=1) + "\n").encode()
    return files


def _things(number: int) -> Iterator[tuple[int, _Box, tuple[int, int, int]]]:
    """Category, box and colour of what is on a picture; places differ a little from one to the next."""
    yield 1, (24 + number * 7 % 17, 48 + number * 5 % 11, 64, 36), (176, 48 + number * 3, 40)
    if number % 2:
        yield 2, (112 + number * 3 % 13, 70 + number * 7 % 9, 24, 24), (230, 200, 30 + number * 4)


def _png(number: int, things: list[tuple[int, _Box, tuple[int, int, int]]]) -> bytes:
    """The picture as PNG."""
    rows = bytearray()
    for y in range(_HEIGHT):
        sky = y < _HORIZON + number % 5
        row = bytearray(bytes(_SKY if sky else _SEA) * _WIDTH)
        for _, (left, top, width, height), colour in things:
            if top <= y < top + height:
                row[left * 3 : (left + width) * 3] = bytes(colour) * width
        rows += row
    return png(rows, _WIDTH, _HEIGHT, level=9)
