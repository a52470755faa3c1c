"""Entries of an ELF file's own tables, as numbers; what they mean is told by those who read them.

Source: System V ABI, chapters 4 and 5.
"""

from typing import NamedTuple

__all__ = ["Header", "Section", "Segment"]


class Header(NamedTuple):
    """The file header.

    Attributes:
        order: ``<`` little endian, ``>`` big endian, as ``struct`` wants it.
        wide: 64 bits.
        machine: name of the processor.
        kind: ``e_type``: 1 relocatable, 2 program, 3 shared object, 4 core.
    """

    order: str
    wide: bool
    machine: str
    kind: int
    segments_at: int
    segment_size: int
    segment_count: int
    sections_at: int
    section_size: int
    section_count: int
    section_names: int


class Segment(NamedTuple):
    """A program header."""

    kind: int
    flags: int
    offset: int
    address: int
    size: int


class Section(NamedTuple):
    """A section header."""

    name: str
    kind: int
    flags: int
    address: int
    offset: int
    size: int
