"""What stands in a library's constant data: names of libraries it may open, use of NumPy, code for GPUs.

DT_NEEDED misses what a program opens by name (``dlopen``): cuDNN's parts, NVRTC. It also misses what was struck out of
it after linking, as the CUDA libraries of ONNX Runtime up to 1.15 were. Such names stand in the file as strings, among
its constants or in the table of names, so a name here is a hint of a need, not proof of one.
"""

import re
from typing import Final, NamedTuple

from layerwright.facts.access import Access
from layerwright.facts.elf_tables import Header, Section, Segment
from layerwright.facts.fatbin import FATBIN_SECTIONS, read_fatbin, sort_capabilities

__all__ = ["Contents", "read_contents"]

_LOAD: Final = 1  # p_type
_PROGBITS, _STRTAB = 1, 3  # sh_type
_ALLOC, _EXECINSTR = 2, 4  # sh_flags
_NO_TEXT: Final = FATBIN_SECTIONS | {
    ".eh_frame",
    ".eh_frame_hdr",
    ".gcc_except_table",
    ".got",
    ".got.plt",
    ".interp",
}

_SUFFIX: Final = b".so"
_NAME_BYTES: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-."
_VERSIONS: Final = re.compile(rb"\.so((?:\.[0-9]{1,9}){0,4})(?![A-Za-z0-9_+-]|\.[A-Za-z0-9_])")
_LONGEST: Final = 128
_AFTER: Final = 48
_MOST_NAMES: Final = 512
_MOST_HITS: Final = 1 << 18

_NUMPY_2: Final = b"numpy._core._multiarray_umath"
_NUMPY_1: Final = b"numpy.core._multiarray_umath"


class Contents(NamedTuple):
    """What was found; fields as in ``Library``, ``names`` with those that it links too."""

    names: tuple[str, ...]
    sm: tuple[str, ...]
    ptx: tuple[str, ...]
    numpy_api: int


def read_contents(
    access: Access, header: Header, segments: tuple[Segment, ...], sections: tuple[Section, ...]
) -> Contents:
    """Search the constant data.

    Args:
        access: the file.
        header: its header.
        segments: searched where the file has no section headers.
        sections: those with data that is no code are searched.
    """
    cubin: set[str] = set()
    ptx: set[str] = set()
    places: list[tuple[int, int]] = []
    for section in sections:
        if section.kind not in (_PROGBITS, _STRTAB) or not section.flags & _ALLOC:
            continue
        if section.name in FATBIN_SECTIONS and header.order == "<":
            found = read_fatbin(access, section.offset, section.size)
            cubin |= found[0]
            ptx |= found[1]
        elif not section.flags & _EXECINSTR and section.name not in _NO_TEXT:
            places.append((section.offset, section.offset + section.size))
    if not sections:
        for segment in segments:
            if segment.kind == _LOAD:
                places.append((segment.offset, segment.offset + segment.size))
                found = read_fatbin(access, segment.offset, segment.size)
                cubin |= found[0]
                ptx |= found[1]
    joined = _joined(places, access.size)
    names: dict[str, None] = {}
    numpy_1 = numpy_2 = False
    for begin, end in joined:
        _names(access, begin, end, names)
        numpy_2 = numpy_2 or access.find(_NUMPY_2, begin, end) >= 0
        numpy_1 = numpy_1 or access.find(_NUMPY_1, begin, end) >= 0
    return Contents(
        names=tuple(sorted(names)),
        sm=sort_capabilities(cubin),
        ptx=sort_capabilities(ptx),
        # headers of NumPy 2 look for numpy._core first and for numpy.core then; those of NumPy 1 know the latter only
        numpy_api=2 if numpy_2 else 1 if numpy_1 else 0,
    )


def _joined(places: list[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """Places in order, those that overlap as one: a hostile file cannot have one place searched many times."""
    joined: list[tuple[int, int]] = []
    for begin, end in sorted((begin, min(end, size)) for begin, end in places):
        if begin >= end:
            continue
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    return joined


def _names(access: Access, begin: int, end: int, names: dict[str, None]) -> None:
    """Collect names such as ``libcudnn.so.9`` that stand alone, in a path or in a sentence."""
    at = begin
    for _ in range(_MOST_HITS):
        at = access.find(_SUFFIX, at, end)
        if at < 0 or len(names) >= _MOST_NAMES:
            return
        first = max(begin, at - _LONGEST)
        text = access.read(first, min(at + _AFTER, end) - first)
        here = at - first
        start = len(text[:here].rstrip(_NAME_BYTES))
        match = _VERSIONS.match(text, here)
        if match and text.startswith(b"lib", start) and (start or first == begin):
            names[text[start : match.end()].decode("ascii")] = None
        at += len(_SUFFIX)
