"""ELF files made to order, laid out as GNU ld does: names and versions early, the dynamic section late."""

import struct
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Elf:
    """What the file is to say; ``bytes(elf)`` makes it.

    Attributes:
        versions: library to symbol versions that it wants from there; ``!`` at the end of one makes it weak.
        defines: symbol versions it defines; the file's own name is put before them.
        constants: its constant data.
        fatbin: pairs of kind (1 PTX, 2 cubin), architecture and flags.
        padding: bytes between the names and the dynamic section.
        sections: write section headers.
        moved: as patchelf leaves it: names at the end, Z where they stood.
        strings_last: versions before names, as lld has it.
    """

    soname: str = ""
    needed: tuple[str, ...] = ()
    rpath: str = ""
    runpath: str = ""
    versions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    defines: tuple[str, ...] = ()
    constants: bytes = b""
    fatbin: tuple[tuple[int, int, int], ...] = ()
    padding: int = 0
    wide: bool = True
    order: str = "<"
    machine: int = 62
    sections: bool = True
    moved: bool = False
    strings_last: bool = False

    def __bytes__(self):
        return _Builder(self).build()


def version_hash(name):
    value = 0
    for byte in name.encode():
        value = (value << 4) + byte
        high = value & 0xF0000000
        value = (value ^ high >> 24) & ~high & 0xFFFFFFFF
    return value


class _Builder:
    def __init__(self, elf):
        self.elf = elf
        self.strings = bytearray(b"\0" + b"".join(b"_ZN4demo%d\0" % number for number in range(40)))
        self.known = {}

    def name(self, text):
        if text not in self.known:
            self.known[text] = len(self.strings)
            self.strings += text.encode() + b"\0"
        return self.known[text]

    def pack(self, layout, *values):
        return struct.pack(self.elf.order + layout, *values)

    def word(self, *values):
        return self.pack(("Q" if self.elf.wide else "I") * len(values), *values)

    def build(self):
        elf = self.elf
        needed = [self.name(item) for item in elf.needed]
        soname = self.name(elf.soname) if elf.soname else 0
        rpath = self.name(elf.rpath) if elf.rpath else 0
        runpath = self.name(elf.runpath) if elf.runpath else 0
        verdef, verneed = self.definitions(), self.needs()
        strings = bytes(self.strings)
        head = 64 + 56 * 3 if elf.wide else 52 + 32 * 3
        data = bytearray(head)
        places = {}

        def put(name, content):
            data.extend(b"\0" * (-len(data) % 8))
            places[name] = (len(data), len(content))
            data.extend(content)

        if elf.moved:
            put("wiped", b"Z" * len(strings))
        elif not elf.strings_last:
            put("strings", strings)
        put("versym", b"\0\0" * 8)
        put("verdef", verdef)
        put("verneed", verneed)
        if elf.strings_last and not elf.moved:
            put("strings", strings)
        put("rela", struct.pack("<QQQ", 0x1000, 8, 0) * 4)
        put(".text", b"\xc3" * 64)
        put(".rodata", elf.constants)
        put(".nv_fatbin", self.container() if elf.fatbin else b"")
        data.extend(bytes(elf.padding))
        if elf.moved:
            put("strings", strings)
        entries = [(1, value) for value in needed]
        entries += [(tag, value) for tag, value in ((14, soname), (15, rpath), (29, runpath)) if value]
        entries += [(5, places["strings"][0]), (10, len(strings))]
        if elf.versions:
            entries += [(0x6FFFFFFE, places["verneed"][0]), (0x6FFFFFFF, len(elf.versions))]
        if elf.defines:
            entries += [(0x6FFFFFFC, places["verdef"][0]), (0x6FFFFFFD, len(elf.defines) + 1)]
        put(".dynamic", b"".join(self.word(*entry) for entry in [*entries, (0, 0)]))
        sections_at = self.sections(data, places) if elf.sections else 0
        self.headers(data, places, sections_at)
        return bytes(data)

    def definitions(self):
        names = [self.elf.soname or "own", *self.elf.defines] if self.elf.defines else []
        out = b""
        for number, name in enumerate(names):
            following = 28 if number + 1 < len(names) else 0
            flags = 0 if number else 1
            out += self.pack("HHHHIII", 1, flags, number + 1, 1, version_hash(name), 20, following)
            out += self.pack("II", self.name(name), 0)
        return out

    def needs(self):
        out = b""
        rows = list(self.elf.versions.items())
        for number, (library, versions) in enumerate(rows):
            size = 16 + 16 * len(versions)
            following = size if number + 1 < len(rows) else 0
            out += self.pack("HHIII", 1, len(versions), self.name(library), 16, following)
            for place, text in enumerate(versions):
                name = text.removesuffix("!")
                step = 16 if place + 1 < len(versions) else 0
                flags = 2 if text.endswith("!") else 0
                out += self.pack("IHHII", version_hash(name), flags, 2, self.name(name), step)
        return out

    def container(self):
        entries = b""
        for kind, number, flags in self.elf.fatbin:
            body = b"\x90" * 40
            entry = bytearray(64)
            struct.pack_into("<HHIQ", entry, 0, kind, 0x101, 64, len(body))
            struct.pack_into("<I", entry, 28, number)
            struct.pack_into("<I", entry, 40, flags)
            entries += bytes(entry) + body
        return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(entries)) + entries

    def sections(self, data, places):
        rows = [("", 0, 0, 0, 0)]
        for name, kind, flags in (
            (".text", 1, 6),
            (".rodata", 1, 2),
            (".nv_fatbin", 1, 2),
            (".dynamic", 6, 3),
        ):
            rows.append((name, kind, flags, *places[name]))
        names = b""
        offsets = []
        for row in [*rows, (".shstrtab",)]:
            offsets.append(len(names))
            names += row[0].encode() + b"\0"
        rows.append((".shstrtab", 3, 0, len(data), len(names)))
        data.extend(names)
        data.extend(b"\0" * (-len(data) % 8))
        at = len(data)
        layout = "IIQQQQIIQQ" if self.elf.wide else "IIIIIIIIII"
        for offset, (_, kind, flags, place, size) in zip(offsets, rows, strict=True):
            data.extend(self.pack(layout, offset, kind, flags, place, place, size, 0, 0, 8, 0))
        self.count = len(rows)
        return at

    def headers(self, data, places, sections_at):
        elf = self.elf
        ident = b"\x7fELF" + bytes([2 if elf.wide else 1, 1 if elf.order == "<" else 2, 1]) + bytes(9)
        start = 64 if elf.wide else 52
        sizes = (56, 64) if elf.wide else (32, 40)
        count = self.count if sections_at else 0
        layout = "HHIQQQIHHHHHH" if elf.wide else "HHIIIIIHHHHHH"
        tail = (start, sizes[0], 3, sizes[1], count, max(0, count - 1))
        fields = (3, elf.machine, 1, 0, start, sections_at, 0, *tail)
        data[: 16 + struct.calcsize("<" + layout)] = ident + self.pack(layout, *fields)
        begin, size = places[".dynamic"]
        segments = [(1, 4, 0, len(data)), (0x6474E551, 6, 0, 0), (2, 6, begin, size)]
        for number, (kind, flags, at, length) in enumerate(segments):
            if elf.wide:
                row = self.pack("IIQQQQQQ", kind, flags, at, at, at, length, length, 8)
            else:
                row = self.pack("IIIIIIII", kind, at, at, at, length, length, flags, 8)
            data[start + number * sizes[0] : start + number * sizes[0] + len(row)] = row
