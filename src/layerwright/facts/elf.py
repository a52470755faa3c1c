"""What an ELF file says of itself, read at the places that its own headers name; never the whole file.

As the dynamic loader does: from the program headers to PT_DYNAMIC, from there to names and symbol versions. Section
headers are not needed for that and often damaged; they only narrow the search for names of libraries that the
file opens itself, and for code for GPUs. Both word sizes and both byte orders are read.

Sources: System V ABI, chapters 4 and 5; Linux Standard Base Core 5.0, 10.7 (symbol versions); the GNU C library's
``elf/dl-load.c`` for how paths are taken apart.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from msgspec.structs import replace

from layerwright.core.errors import IntegrityError
from layerwright.facts.access import Access, BeyondError, Readable, access_to
from layerwright.facts.contents import read_contents
from layerwright.facts.elf_tables import Header, Section, Segment
from layerwright.facts.model import Library

__all__ = [
    "MAGIC",
    "Dynamic",
    "ElfError",
    "library_of",
    "read_dynamic",
    "read_header",
    "read_library",
    "read_sections",
    "read_segments",
]

MAGIC: Final = b"\x7fELF"

_MACHINES: Final = {
    3: "i386",
    8: "mips",
    20: "ppc",
    21: "ppc64",
    22: "s390x",
    40: "arm",
    62: "x86_64",
    183: "aarch64",
    190: "cuda",
    224: "amdgpu",
    243: "riscv",
    247: "bpf",
    258: "loongarch",
}
_LITTLE_PPC: Final = "ppc64le"

_LOAD, _DYNAMIC = 1, 2  # p_type
_NOBITS = 8  # sh_type
_NEEDED, _STRTAB, _STRSZ, _SONAME, _RPATH, _RUNPATH = 1, 5, 10, 14, 15, 29  # d_tag
_VERDEF, _VERDEFNUM, _VERNEED, _VERNEEDNUM = 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF
_BASE, _WEAK = 1, 2  # flags of versions: the file's own name; its absence is no error

_LONGEST_NAME: Final = 1 << 14
_LONGEST_SECTION_NAME: Final = 128
_MOST_NAMES: Final = 1 << 22
"""Bytes of names in one file; libraries with a thousand symbol versions have some 20 KiB."""

_MOST_DYNAMIC: Final = 1 << 16
_MOST_VERSIONS: Final = 1 << 14
_MOST_SECTIONS: Final = 1 << 16
_EXTENDED: Final = 0xFFFF
"""The count stands elsewhere; no library has so many."""


class ElfError(IntegrityError):
    """A file begins as an ELF file does, and then contradicts itself or ends too early."""


class Dynamic(NamedTuple):
    """What the dynamic section leads to; fields as in ``Library``."""

    soname: str
    needed: tuple[str, ...]
    rpath: tuple[str, ...]
    runpath: tuple[str, ...]
    versions_needed: dict[str, tuple[str, ...]]
    versions_defined: tuple[str, ...]


def read_library(
    source: Readable | Access, *, path: str = "", contents: bool = True, label: str = ""
) -> Library | None:
    """What an ELF file says of itself; None when it is no ELF file.

    Args:
        source: bytes, a map of memory (the fastest for large files), or a file that can seek.
        path: for the result.
        contents: look for names of further libraries, code for GPUs and use of NumPy as well, which reads the file's
            constant data. Without it the result is not ``whole``.
        label: the file in errors; ``path`` when not given.

    Raises:
        ElfError: the file is damaged.
    """
    access = access_to(source)
    if access.read(0, 4) != MAGIC:
        return None
    try:
        header = read_header(access)
        segments = read_segments(access, header)
        sections = _sections_or_none(access, header)
        dynamic = read_dynamic(access, header, segments, sections)
    except ElfError as error:
        raise ElfError(f"{label or path or 'an ELF file'} is damaged: {error.what}") from error
    library = library_of(path, header, dynamic)
    if not contents:
        return library
    found = read_contents(access, header, segments, sections)
    own = {dynamic.soname, *dynamic.needed, *dynamic.versions_defined, path.rpartition("/")[2]}
    return replace(
        library,
        opens=tuple(name for name in found.names if name not in own),
        sm=found.sm,
        ptx=found.ptx,
        numpy_api=found.numpy_api,
        whole=True,
    )


def library_of(path: str, header: Header, dynamic: Dynamic) -> Library:
    """What header and dynamic section say; not ``whole``."""
    return Library(
        path=path,
        machine=header.machine,
        soname=dynamic.soname,
        needed=dynamic.needed,
        rpath=dynamic.rpath,
        runpath=dynamic.runpath,
        versions_needed=dynamic.versions_needed,
        versions_defined=dynamic.versions_defined,
        whole=False,
    )


def read_header(access: Access) -> Header:
    """The file header.

    Raises:
        ElfError: it is cut short or of an unknown class or byte order.
    """
    data = access.read(0, 64)
    if len(data) < 16:  # noqa: PLR2004 - e_ident
        raise ElfError("its header is cut short")
    if data[4] not in (1, 2) or data[5] not in (1, 2):
        raise ElfError(f"its class is {data[4]} and its byte order {data[5]}, which do not exist")
    wide, order = data[4] == 2, "<" if data[5] == 1 else ">"  # noqa: PLR2004 - ELFCLASS64
    layout = struct.Struct(order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"))
    if len(data) < 16 + layout.size:
        raise ElfError("its header is cut short")
    kind, machine, _, _, phoff, shoff, _, _, phsize, phnum, shsize, shnum, names = layout.unpack_from(
        data, 16
    )
    name = _MACHINES.get(machine, f"machine {machine}")
    if name == "ppc64" and order == "<":
        name = _LITTLE_PPC
    elif name in {"riscv", "loongarch"}:
        name += "64" if wide else "32"
    return Header(order, wide, name, kind, phoff, phsize, phnum, shoff, shsize, shnum, names)


def read_segments(access: Access, header: Header) -> tuple[Segment, ...]:
    """The program headers; empty in files that are not loaded (``.o``).

    Raises:
        ElfError: they lie outside the file or are too many.
    """
    if not header.segments_at or not header.segment_count:
        return ()
    layout = struct.Struct(header.order + ("IIQQQQQQ" if header.wide else "IIIIIIII"))
    if header.segment_count == _EXTENDED:
        raise ElfError("it has more program headers than any library")
    if header.segment_size < layout.size:
        raise ElfError(f"its program headers have {header.segment_size} bytes, not {layout.size}")
    data = access.read(header.segments_at, header.segment_size * header.segment_count)
    if len(data) < header.segment_size * header.segment_count:
        raise ElfError("its program headers lie beyond its end")
    found = []
    for at in range(0, len(data), header.segment_size):
        fields = layout.unpack_from(data, at)
        if header.wide:
            kind, flags, offset, address, _, size, _, _ = fields
        else:
            kind, offset, address, _, size, _, flags, _ = fields
        found.append(Segment(kind, flags, offset, address, size))
    return tuple(found)


def read_sections(access: Access, header: Header) -> tuple[Section, ...]:
    """The section headers; empty when the file has none.

    Raises:
        ElfError: they lie outside the file or are too many.
    """
    if not header.sections_at:
        return ()
    layout = struct.Struct(header.order + ("IIQQQQIIQQ" if header.wide else "IIIIIIIIII"))
    if header.section_size < layout.size:
        raise ElfError(f"its section headers have {header.section_size} bytes, not {layout.size}")
    count, names_at = header.section_count, header.section_names
    if not count or names_at == _EXTENDED:  # the true numbers stand in the first section header
        first = access.read(header.sections_at, layout.size)
        if len(first) < layout.size:
            raise ElfError("its section headers lie beyond its end")
        fields = layout.unpack(first)
        count = count or fields[5]
        names_at = fields[6] if names_at == _EXTENDED else names_at
    if count > _MOST_SECTIONS:
        raise ElfError(f"it has {count} section headers")
    data = access.read(header.sections_at, header.section_size * count)
    if len(data) < header.section_size * count:
        raise ElfError("its section headers lie beyond its end")
    rows = [layout.unpack_from(data, at) for at in range(0, len(data), header.section_size)]
    strings = b""
    if names_at < len(rows):
        strings = access.read(rows[names_at][4], min(rows[names_at][5], 1 << 20))
    return tuple(Section(_section_name(strings, row[0]), *row[1:6]) for row in rows)


def _section_name(strings: bytes, at: int) -> str:
    end = strings.find(b"\0", at, at + _LONGEST_SECTION_NAME)
    return strings[at:end].decode("ascii", "replace") if end >= 0 else ""


def _sections_or_none(access: Access, header: Header) -> tuple[Section, ...]:
    """Section headers where they can be read: the loader does without them, and so do we."""
    try:
        return read_sections(access, header)
    except (ElfError, BeyondError):
        return ()


def read_dynamic(
    access: Access, header: Header, segments: tuple[Segment, ...], sections: tuple[Section, ...] = ()
) -> Dynamic:
    """What the dynamic section names; empty when the file has none (static programs, debug files).

    Raises:
        ElfError: it is damaged.
    """
    place = next((segment for segment in segments if segment.kind == _DYNAMIC), None)
    if place is None or not place.size or _is_stripped(place, sections):
        return Dynamic("", (), (), (), {}, ())
    single: dict[int, int] = {}
    needed: list[int] = []
    for tag, value in _dynamic_entries(access, header, place):
        if tag == _NEEDED:
            needed.append(value)
        else:
            single.setdefault(tag, value)
    if _STRTAB not in single:
        if needed or _SONAME in single:
            raise ElfError("its dynamic section has names but no table of strings")
        return Dynamic("", (), (), (), {}, ())
    start = _offset(segments, single[_STRTAB])
    strings = _Strings(access, start, min(single.get(_STRSZ, access.size), access.size - start))
    return Dynamic(
        soname=strings.at(single[_SONAME]) if _SONAME in single else "",
        needed=tuple(strings.at(value) for value in needed),
        rpath=_folders(strings, single.get(_RPATH)),
        runpath=_folders(strings, single.get(_RUNPATH)),
        versions_needed=_versions_needed(access, header, segments, single, strings),
        versions_defined=_versions_defined(access, header, segments, single, strings),
    )


def _is_stripped(place: Segment, sections: tuple[Section, ...]) -> bool:
    """Whether the dynamic section was left out of the file, as in debug files, whose program headers still point."""
    return any(
        section.name == ".dynamic" and section.kind == _NOBITS and section.address == place.address
        for section in sections
    )


def _dynamic_entries(access: Access, header: Header, place: Segment) -> Iterator[tuple[int, int]]:
    layout = struct.Struct(header.order + ("QQ" if header.wide else "II"))
    if place.offset + place.size > access.size:
        raise ElfError("its dynamic section lies beyond its end")
    size = place.size - place.size % layout.size
    if size > _MOST_DYNAMIC * layout.size:
        raise ElfError(f"its dynamic section has {place.size} bytes")
    for tag, value in layout.iter_unpack(access.read(place.offset, size)):
        if tag == 0:
            return
        yield tag, value


class _Strings:
    """A table of strings, read where it is asked."""

    def __init__(self, access: Access, start: int, size: int) -> None:
        self._access = access
        self._start = start
        self._size = size
        self._known: dict[int, str] = {}
        self._left = _MOST_NAMES

    def at(self, index: int) -> str:
        known = self._known.get(index)
        if known is not None:
            return known
        if index >= self._size:
            raise ElfError("a name lies outside its table of strings")
        limit = min(self._size - index, _LONGEST_NAME)
        for size in (64, 512, limit):
            data = self._access.read(self._start + index, min(size, limit))
            end = data.find(b"\0")
            if end >= 0:
                self._left -= end
                if self._left < 0:
                    raise ElfError("its names are longer than those of any library")
                text = data[:end].decode("utf-8", "backslashreplace")
                self._known[index] = text
                return text
            if size >= limit:
                break
        raise ElfError("a name in its table of strings has no end")


def _folders(strings: _Strings, index: int | None) -> tuple[str, ...]:
    text = strings.at(index) if index is not None else ""
    return tuple(text.split(":")) if text else ()


def _offset(segments: tuple[Segment, ...], address: int) -> int:
    """Where the bytes of an address stand in the file."""
    for segment in segments:
        if segment.kind == _LOAD and segment.address <= address < segment.address + segment.size:
            return segment.offset + address - segment.address
    raise ElfError("its dynamic section points outside what is loaded")


def _versions_needed(
    access: Access,
    header: Header,
    segments: tuple[Segment, ...],
    single: dict[int, int],
    strings: _Strings,
) -> dict[str, tuple[str, ...]]:
    """By library, the symbol versions the loader insists on; weak ones, whose absence it forgives, are left out."""
    if not single.get(_VERNEED):
        return {}
    layout, inner = struct.Struct(header.order + "HHIII"), struct.Struct(header.order + "IHHII")
    found: dict[str, list[str]] = {}
    at, left = _offset(segments, single[_VERNEED]), _MOST_VERSIONS
    for _ in range(min(single.get(_VERNEEDNUM, 0), _MOST_VERSIONS)):
        _, count, file, first, following = _unpacked(access, layout, at)
        names = found.setdefault(strings.at(file), [])
        place = at + first
        for _ in range(count):
            left -= 1
            if left < 0:
                raise ElfError("it needs more symbol versions than any library")
            _, flags, _, name, step = _unpacked(access, inner, place)
            if not flags & _WEAK:
                names.append(strings.at(name))
            if not step:
                break
            place += step
        if not following:
            break
        at += following
    return {library: tuple(dict.fromkeys(names)) for library, names in found.items()}


def _versions_defined(
    access: Access,
    header: Header,
    segments: tuple[Segment, ...],
    single: dict[int, int],
    strings: _Strings,
) -> tuple[str, ...]:
    """The symbol versions the file defines, without the entry for the file itself."""
    if not single.get(_VERDEF):
        return ()
    layout, inner = struct.Struct(header.order + "HHHHIII"), struct.Struct(header.order + "II")
    found: list[str] = []
    at = _offset(segments, single[_VERDEF])
    for _ in range(min(single.get(_VERDEFNUM, 0), _MOST_VERSIONS)):
        _, flags, _, count, _, first, following = _unpacked(access, layout, at)
        if count and not flags & _BASE:
            found.append(strings.at(_unpacked(access, inner, at + first)[0]))
        if not following:
            break
        at += following
    return tuple(dict.fromkeys(found))


def _unpacked(access: Access, layout: struct.Struct, at: int) -> tuple[int, ...]:
    data = access.read(at, layout.size)
    if len(data) < layout.size:
        raise ElfError("its symbol versions lie beyond its end")
    return layout.unpack(data)
