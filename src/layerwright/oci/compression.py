"""Unpacking gzip streams, of one member or of many (wheel layers have one or more per file)."""

import zlib
from collections.abc import Iterable, Iterator

from layerwright.core.errors import IntegrityError

__all__ = ["gunzip"]

_OUTPUT = 1 << 20
_INPUT = 1 << 15
"""Bytes fed at a time: what follows the end of a member is copied once per member."""


def gunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The unpacked stream in chunks of at most 1 MiB, however far a member expands.

    Raises:
        IntegrityError: the stream is damaged or ends early.
    """
    member = zlib.decompressobj(wbits=31)
    begun = False
    try:
        for chunk in chunks:
            for start in range(0, len(chunk), _INPUT):
                data = chunk[start : start + _INPUT]
                while data:
                    if not begun and not data.strip(b"\0"):
                        break  # zero padding after the last member, as gzip(1) ignores it
                    begun = True
                    output = member.decompress(data, _OUTPUT)
                    if output:
                        yield output
                    if member.eof:
                        data = member.unused_data
                        member, begun = zlib.decompressobj(wbits=31), False
                    else:
                        data = member.unconsumed_tail
    except zlib.error as error:
        raise IntegrityError(f"a gzip stream is damaged: {error}") from error
    if begun:
        raise IntegrityError("a gzip stream ends early")
