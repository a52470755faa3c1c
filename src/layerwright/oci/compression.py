"""Unpacking layers: gzip of one member or of many (wheel layers have one or more per file), and zstd."""

import sys
import zlib
from collections.abc import Iterable, Iterator
from types import ModuleType

from layerwright.core.errors import IntegrityError
from layerwright.oci.layer import GZIP_LAYER, TAR_LAYER
from layerwright.oci.media import ZSTD_LAYER

__all__ = ["gunzip", "unpacked", "unzstd", "zstd_module"]

_GZIP = 31  # zlib's window bits for a gzip header and trailer
_OUTPUT = 1 << 20
_INPUT = 1 << 15  # bytes fed at a time: what follows the end of a member is copied once per member


def gunzip(chunks: Iterable[bytes], *, codec: ModuleType | None = None) -> Iterator[bytes]:
    """The unpacked stream in chunks of at most 1 MiB, however far a member expands.

    Args:
        chunks: one gzip stream.
        codec: module with zlib's interface; isal's when it can be imported, which is faster, else zlib.

    Raises:
        IntegrityError: the stream is damaged or ends early.
    """
    codec = codec or _fastest()
    member = codec.decompressobj(wbits=_GZIP)
    begun = False
    try:
        for chunk in chunks:
            for start in range(0, len(chunk), _INPUT):
                data = chunk[start : start + _INPUT]
                while begun or data.strip(b"\0"):  # zeros after the last member are padding, as for gzip(1)
                    output = member.decompress(data, _OUTPUT)
                    begun = True
                    if output:
                        yield output
                    if member.eof:
                        data = member.unused_data
                        member, begun = codec.decompressobj(wbits=_GZIP), False
                    else:
                        data = member.unconsumed_tail
                        if not data and len(output) < _OUTPUT:
                            break
    except (zlib.error, codec.error) as error:
        raise IntegrityError(f"a gzip stream is damaged: {error}") from error
    if begun:
        raise IntegrityError("a gzip stream ends early")


def unzstd(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The unpacked stream in chunks of at most 1 MiB, however far a frame expands.

    Args:
        chunks: one zstd stream (RFC 8878); frames without data, as the table of ``zstd:chunked``, are passed over.

    Raises:
        IntegrityError: the stream is damaged or ends early.
    """
    zstd = zstd_module()
    frame = zstd.ZstdDecompressor()
    begun = False
    try:
        for chunk in chunks:
            data = chunk
            while data or not frame.needs_input:
                output = frame.decompress(data, _OUTPUT)
                begun = True
                if output:
                    yield output
                data = b""
                if frame.eof:
                    data = frame.unused_data
                    frame, begun = zstd.ZstdDecompressor(), False
                    if not data:
                        break
    except zstd.ZstdError as error:
        raise IntegrityError(f"a zstd stream is damaged: {error}") from error
    if begun:
        raise IntegrityError("a zstd stream ends early")


def unpacked(media_type: str, chunks: Iterable[bytes]) -> Iterator[bytes] | None:
    """The tar in a layer's blob; None for a media type that is not known."""
    if media_type == GZIP_LAYER:
        return gunzip(chunks)
    if media_type == ZSTD_LAYER:
        return unzstd(chunks)
    return iter(chunks) if media_type == TAR_LAYER else None


def zstd_module() -> ModuleType:
    """Python 3.14's ``compression.zstd``, or the same for earlier ones."""
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415 - start-up
    else:
        from backports import zstd  # noqa: PLC0415 - start-up
    found: ModuleType = zstd
    return found


def _fastest() -> ModuleType:
    try:
        from isal import isal_zlib  # noqa: PLC0415 - start-up
    except ImportError:  # there is no wheel of it for every machine
        return zlib
    found: ModuleType = isal_zlib
    return found
