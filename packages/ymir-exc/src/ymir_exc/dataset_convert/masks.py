"""Masks as COCO has them, without pycocotools: compressed run lengths, and the area of an annotation."""

from __future__ import annotations

from typing import Any

__all__ = ["area_of", "run_lengths"]

_OFFSET = 48
_VALUE, _MORE, _SIGN = 0x1F, 0x20, 0x10
_BITS = 5


def run_lengths(counts: str) -> list[int]:
    """The lengths of runs, empty first, down the columns, from COCO's text.

    Each number is written in groups of five bits, lowest first, from the character '0' on; from the third on, a number
    is the difference to the one two before it (COCO API, ``maskApi``; its documentation calls it a variant of LEB128).

    Raises:
        ValueError: the text is cut off, or no such text.

    """
    lengths: list[int] = []
    value = shift = 0
    for character in counts:
        group = ord(character) - _OFFSET
        if not 0 <= group <= (_VALUE | _MORE):
            msg = f"{character!r} is no part of run lengths"
            raise ValueError(msg)
        value |= (group & _VALUE) << shift
        shift += _BITS
        if group & _MORE:
            continue
        if group & _SIGN:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))  # noqa: PLR2004 - see above
        value = shift = 0
    if shift or any(each < 0 for each in lengths):
        msg = "the run lengths are cut off" if shift else "a run length is negative"
        raise ValueError(msg)
    return lengths


def area_of(annotation: dict[str, Any]) -> float:
    """The pixels that an annotation covers: counted from run lengths, else its ``area``, else that of its polygons."""
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, dict) and segmentation.get("counts"):
        counts = segmentation["counts"]
        return float(sum((run_lengths(counts) if isinstance(counts, str) else counts)[1::2]))
    if annotation.get("area") is not None:
        return float(annotation["area"])
    rings = segmentation if isinstance(segmentation, list) else []
    return sum(_ring_area(ring) for ring in rings)


def _ring_area(ring: list[float]) -> float:
    """The area of a polygon ``[x, y, x, y, …]``, by the shoelace formula."""
    points = list(zip(ring[::2], ring[1::2]))
    pairs = zip(points, points[1:] + points[:1])
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs)) / 2
