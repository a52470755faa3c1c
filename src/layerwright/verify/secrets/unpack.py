"""Unpacking one compressed stream in pieces: gzip, bzip2, xz, zstd, deflate in zips."""

import bz2
import lzma
import zlib
from collections.abc import Callable, Generator
from typing import Final, Protocol

from layerwright.layers.inflate import codec
from layerwright.oci.compression import zstd_module
from layerwright.verify.secrets.feed import CutShort, Damaged, Feed

__all__ = ["DAMAGED", "Decompressor", "copy_packed", "decompressor"]

_PIECE: Final = 1 << 20
_INPUT: Final = 1 << 16
_XZ_MEMORY: Final = 256 << 20

DAMAGED: Final = (
    zlib.error,
    codec.error,
    OSError,
    lzma.LZMAError,
    EOFError,
    ValueError,
    zstd_module().ZstdError,
)
"""What the decompressors raise."""


class Decompressor(Protocol):
    """What the modules of the standard library have in common."""

    @property
    def eof(self) -> bool:
        """The stream is complete."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What followed the stream."""
        ...

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """At most so many bytes; given nothing, it goes on with what it holds back."""
        ...


class _Deflate:
    """zlib's objects in the manner of the others."""

    def __init__(self, wbits: int) -> None:
        self._engine = codec.decompressobj(wbits)

    @property
    def eof(self) -> bool:
        return bool(self._engine.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._engine.unused_data)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return bytes(self._engine.decompress(self._engine.unconsumed_tail + data, max_length))


def _zstd() -> Decompressor:
    made: Decompressor = zstd_module().ZstdDecompressor()
    return made


_MAKERS: Final[dict[str, Callable[[], Decompressor]]] = {
    "gzip": lambda: _Deflate(31),
    "deflate": lambda: _Deflate(-15),
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY),
    "zstd": _zstd,
}


def decompressor(kind: str) -> Decompressor:
    """One that has not begun."""
    return _MAKERS[kind]()


def copy_packed(
    feed: Feed, engine: Decompressor, out: Callable[[bytes], None], *, first: int = _INPUT
) -> Generator[None, None, None]:
    """Unpack one stream from the feed; what follows it stays there.

    Args:
        feed: where it comes from.
        engine: a new decompressor.
        out: takes the pieces.
        first: bytes to begin with; more than the stream has costs a copy.

    Raises:
        CutShort: it ends early.
        Damaged: it is no such stream.
    """
    data = b""
    while True:
        try:
            piece = engine.decompress(data, _PIECE)
        except (*DAMAGED, MemoryError) as error:
            raise Damaged(f"is damaged ({error})") from error
        if piece:
            out(piece)
        if engine.eof:
            feed.back(len(engine.unused_data))
            return
        if len(piece) == _PIECE:
            data = b""
            continue
        data = yield from feed.some(min(first, _INPUT))
        first = 4 * first
        if not data:
            raise CutShort
