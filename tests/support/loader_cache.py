"""``ld.so.cache`` files made to order."""

import struct


def make_cache(rows, *, levels=(), old=False):
    """Rows of flags, name, path and level (-1 for none)."""
    strings = b""
    places = []
    start = 48 + 24 * len(rows)

    def put(text):
        nonlocal strings
        at = start + len(strings)
        strings += text.encode() + b"\0"
        return at

    for flags, name, path, level in rows:
        hwcap = 0 if level < 0 else 1 << 62 | level
        places.append(struct.pack("<iIIIQ", flags, put(name), put(path), 0, hwcap))
    names = [put(level) for level in levels]
    size = len(strings)
    extension = b""
    offset = 0
    if levels:
        strings += bytes(-(start + len(strings)) % 4)
        offset = start + len(strings)
        body = offset + 8 + 16
        extension = struct.pack("<II", 0xEAA42174, 1) + struct.pack("<IIII", 1, 0, body, 4 * len(levels))
        extension += struct.pack(f"<{len(levels)}I", *names)
    head = b"glibc-ld.so.cache1.1" + struct.pack("<IIB3xI12x", len(rows), size, 2, offset)
    data = head + b"".join(places) + strings + extension
    if old:
        data = b"ld.so-1.7.0\0" + struct.pack("<I", 1) + bytes(12) + bytes(-28 % 8) + data
    return data
