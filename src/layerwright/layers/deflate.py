"""The literal encoder: deflate made by rule, so that a layer's blob has the same bytes everywhere.

zlib's output may change with its version and build, so no compressor touches a wheel layer. Whatever is not
a wheel's own deflate stream (tar headers, padding, generated files, copied files) is a *literal*, encoded so:

1. The data is cut into zero runs (maximal runs of at least 32 zero bytes) and plain stretches between them.
2. Output is a row of groups; a group is an optional zero run followed by exactly one *stored* block
   (RFC 1951 §3.2.4). A plain stretch is cut into pieces of 65 535 bytes, one stored block each; a zero run
   with no plain byte after it is followed by an empty stored block. The last stored block has BFINAL = 1.
3. A zero run of ``n`` bytes is one *fixed Huffman* block (§3.2.6), BFINAL = 0: the literal 0x00, then
   ``(n - 1) // 258`` matches of length 258 at distance 1, then the rest ``r = (n - 1) % 258``: one match of
   length ``r`` when ``r >= 3``, else ``r`` literals 0x00; then end of block. The three header bits of the stored
   block follow at once, then zero bits up to the byte boundary, then LEN, NLEN and the bytes.

A *gzip member* (RFC 1952) is ``1f 8b 08 00``, four zero bytes (no time), ``00 ff`` (no flags, unknown system),
the deflate stream, CRC-32 and length modulo 2^32, both little endian. A gzip file may hold many (§2.2).
"""

import re
import struct
import zlib
from collections.abc import Iterator
from functools import lru_cache

__all__ = [
    "GZIP_HEADER",
    "MAX_STORED",
    "encode_literal",
    "gzip_literal",
    "gzip_trailer",
    "stored_blocks",
]

GZIP_HEADER = bytes.fromhex("1f8b0800000000 0000ff")
"""The ten bytes that begin every gzip member of ours."""

MAX_STORED = 65535
"""Longest stored block, bytes."""

_MIN_RUN = 32
_LONGEST_MATCH = 258
_SHORTEST_RUN = bytes(_MIN_RUN)
_NOT_ZERO = re.compile(rb"[^\x00]")
_LENGTHS = struct.Struct("<HH")
_TRAILER = struct.Struct("<II")

# RFC 1951 §3.2.5: base length of the codes 257 to 285; extra bits are the distance to the next base, halved into
# bits by the table below.
_LENGTH_BASES = (3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163,
                 195, 227, 258)  # fmt: skip
_LENGTH_EXTRA = (0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0)


def _reversed_bits(code: int, width: int) -> str:
    # Bits are kept as text in stream order: Huffman codes go most significant bit first (§3.1.1).
    return format(code, f"0{width}b")


def _match(length: int) -> str:
    """Bits of a match of this length at distance 1, in stream order."""
    index = max(number for number, base in enumerate(_LENGTH_BASES) if base <= length)
    symbol, extra = 257 + index, _LENGTH_EXTRA[index]
    code = _reversed_bits(symbol - 256, 7) if symbol < 280 else _reversed_bits(0b11000000 + symbol - 280, 8)  # noqa: PLR2004 - §3.2.6
    value = (
        format(length - _LENGTH_BASES[index], f"0{extra}b")[::-1] if extra else ""
    )  # extra bits: least first
    return code + value + "00000"  # distance code 0: distance 1


_ZERO = "00110000"
_END_OF_BLOCK = "0000000"


@lru_cache(maxsize=16384)
def _head(zeros: int, length: int, *, final: bool) -> bytes:
    """What stands before the plain bytes of a group: its zero run, and the stored block's header, LEN and NLEN."""
    if not zeros:
        return (b"\x01" if final else b"\x00") + _LENGTHS.pack(length, length ^ 0xFFFF)
    full, rest = divmod(zeros - 1, _LONGEST_MATCH)
    bits = "010" + _ZERO  # BFINAL 0, BTYPE 01 with its least significant bit first
    bits += _match(_LONGEST_MATCH) * full
    bits += _match(rest) if rest >= _LENGTH_BASES[0] else _ZERO * rest
    bits += _END_OF_BLOCK + ("100" if final else "000")
    bits += "0" * (-len(bits) % 8)
    return int(bits[::-1], 2).to_bytes(len(bits) // 8, "little") + _LENGTHS.pack(length, length ^ 0xFFFF)


def encode_literal(data: bytes) -> bytes:
    """Encode the data as one complete raw deflate stream, by the rule of this module."""
    parts: list[bytes] = []
    run = position = 0
    start = data.find(_SHORTEST_RUN)
    while start >= 0:
        found = _NOT_ZERO.search(data, start + _MIN_RUN)
        end = found.start() if found else len(data)
        if start or run:
            _group(parts, run, data[position:start], final=False)
        run, position = end - start, end
        start = data.find(_SHORTEST_RUN, end)
    _group(parts, run, data[position:], final=True)
    return b"".join(parts)


def _group(parts: list[bytes], zeros: int, plain: bytes, *, final: bool) -> None:
    size = len(plain)
    if size <= MAX_STORED:
        parts += _head(zeros, size, final=final), plain
    else:
        parts += _head(zeros, MAX_STORED, final=False), plain[:MAX_STORED]
        parts.extend(_stored(plain[MAX_STORED:], final=final))


def _stored(data: bytes, *, final: bool) -> Iterator[bytes]:
    size = len(data)
    for begin in range(0, size, MAX_STORED):
        piece = data[begin : begin + MAX_STORED]
        closing = final and begin + MAX_STORED >= size
        yield b"\x01" if closing else b"\x00"
        yield _LENGTHS.pack(len(piece), len(piece) ^ 0xFFFF)
        yield piece


def stored_blocks(data: bytes, *, final: bool) -> bytes:
    """Stored blocks of the data, 65 535 bytes each but the last; ``final`` sets BFINAL on the last.

    A long content may be given piece by piece when every piece but the last is a multiple of ``MAX_STORED``.
    """
    return b"".join(_stored(data, final=final))


def gzip_trailer(crc: int, size: int) -> bytes:
    """The eight bytes that end a gzip member: CRC-32 and length modulo 2^32."""
    return _TRAILER.pack(crc, size & 0xFFFFFFFF)


def gzip_literal(data: bytes) -> bytes:
    """A whole gzip member holding the data as a literal; nothing for no data."""
    if not data:
        return b""
    return GZIP_HEADER + encode_literal(data) + gzip_trailer(zlib.crc32(data), len(data))
