"""Run lengths of masks in COCO's compressed text form.

A mask is read column by column; run lengths of 0 and 1 take turns, beginning with 0. Each number from the fourth on is
stored as the difference to the one two places before; numbers are written in groups of five bits, lowest first, a
sixth bit saying that more follow, and each group as the character 48 above it (COCO API documentation, "mask api").
"""

from collections.abc import Sequence

__all__ = ["compress_runs", "expand_runs"]

_FIRST = 48
_GROUP, _MORE, _SIGN = 5, 0x20, 0x10
_LARGEST = 1 << 40


def compress_runs(runs: Sequence[int]) -> str:
    """The text of run lengths."""
    text = []
    for place, run in enumerate(runs):
        number = run - runs[place - 2] if place > 2 else run  # noqa: PLR2004 - the first three stand as they are
        more = True
        while more:
            group = number & 0x1F
            number >>= _GROUP
            more = number != -1 if group & _SIGN else number != 0
            text.append(chr(_FIRST + (group | _MORE if more else group)))
    return "".join(text)


def expand_runs(text: str) -> tuple[int, ...]:
    """The run lengths of a text.

    Raises:
        ValueError: it is none: a foreign character, an end within a number, or a length below 0.
    """
    runs: list[int] = []
    number = shift = 0
    for character in text:
        group = ord(character) - _FIRST
        if not 0 <= group < 64:  # noqa: PLR2004 - six bits
            msg = f"{character!r} stands in no run length"
            raise ValueError(msg)
        number |= (group & 0x1F) << shift
        shift += _GROUP
        if group & _MORE:
            if number > _LARGEST:
                msg = "a run length is larger than any picture"
                raise ValueError(msg)
            continue
        if group & _SIGN:
            number |= -1 << shift
        if len(runs) > 2:  # noqa: PLR2004 - see above
            number += runs[-2]
        if number < 0:
            msg = "a run length is below 0"
            raise ValueError(msg)
        runs.append(number)
        number = shift = 0
    if shift:
        msg = "the text ends within a number"
        raise ValueError(msg)
    return tuple(runs)
