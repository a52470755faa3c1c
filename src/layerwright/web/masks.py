"""Masks of a result as a picture to lay over another: PNG with transparency."""

from collections.abc import Iterable, Sequence

from layerwright.ymir.dataset import Box
from layerwright.ymir.masks import expand_runs
from layerwright.ymir.png import png

__all__ = ["mask_png", "palette"]

palette: Sequence[tuple[int, int, int]] = (
    (0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233), (160, 90, 60),
    (90, 90, 90),
)  # fmt: skip
"""Colours that people with any colour vision tell apart (Okabe and Ito, 2008), and two more."""

_ALPHA = 110
_MOST_PIXELS = 64_000_000


def mask_png(boxes: Iterable[Box], colours: Iterable[int], width: int, height: int) -> bytes:
    """Draw the masks of some boxes.

    Args:
        boxes: those without a mask are left out.
        colours: place in ``palette`` of each.
        width: of the picture, pixels.
        height: likewise.

    Raises:
        ValueError: the picture is too large to draw on, or a mask is not of its size.
    """
    if width * height > _MOST_PIXELS or width < 1 or height < 1:
        raise ValueError(f"a picture of {width} x {height} pixels is not drawn on")
    pixels = bytearray(4 * width * height)
    for box, colour in zip(boxes, colours, strict=True):
        if box.mask:
            _fill(
                pixels, expand_runs(box.mask), bytes((*palette[colour % len(palette)], _ALPHA)), width, height
            )
    return png(pixels, width, height)


def _fill(pixels: bytearray, runs: Sequence[int], colour: bytes, width: int, height: int) -> None:
    if sum(runs) != width * height:
        raise ValueError(f"a mask of {sum(runs)} pixels does not fit a picture of {width} x {height}")
    place = 0
    for index, run in enumerate(runs):
        if index % 2:
            for one in range(place, place + run):  # column by column
                at = 4 * (one % height * width + one // height)
                pixels[at : at + 4] = colour
        place += run
