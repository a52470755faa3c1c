"""A folder or file of the project → layer: what is copied, with the same blob everywhere.

``scan_tree`` decides what is taken and digests it; ``tree_layer`` makes the tar. Contents are cut at whole
mebibytes, each piece a literal gzip member (see ``deflate``), so that no compressor has a say in the blob.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from msgspec.structs import replace

from layerwright.core.errors import BuildError
from layerwright.layers.deflate import gzip_literal
from layerwright.layers.digests import HashedStream, LayerDigests
from layerwright.layers.pipeline import InlinePipeline
from layerwright.layers.scan import ScannedEntry, TreeScan, scan_tree
from layerwright.layers.tar import (
    DIRECTORY,
    END_OF_ARCHIVE,
    SYMBOLIC_LINK,
    TarEntry,
    base_directory_mode,
    header,
    padding,
    parents,
)

__all__ = ["emit_tree_blob", "emit_tree_tar", "tree_layer"]

_PIECE = 1 << 20
_LINKED_IN_BASES = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")


def tree_layer(
    source: Path | TreeScan, *, to: str, out: BinaryIO | None = None, mode: int | None = None
) -> LayerDigests:
    """Make the layer of a copied tree: owner and group 0, modes 0644 or 0755, one time, parents created.

    Args:
        source: what ``scan_tree`` found, or a file or folder to scan with nothing excluded.
        to: absolute path in the image; a file's own path when the source is a single file.
        out: takes the gzip blob; ``None`` for the digests alone.
        mode: of every file, instead of 0644 or 0755 by its execute bit.

    Raises:
        BuildError: a file changed since it was scanned, or ``to`` is no usable path.
    """
    scan = scan_tree(source) if isinstance(source, Path) else source
    if mode is not None:
        scan = replace(
            scan,
            entries=tuple(
                replace(entry, mode=mode) if entry.kind == "file" else entry for entry in scan.entries
            ),
        )
    pipeline = InlinePipeline()
    tar, blob = HashedStream(pipeline), HashedStream(pipeline)
    for piece in emit_tree_tar(scan, to=to):
        tar.update(piece)
        member = gzip_literal(piece)
        blob.update(member)
        if out is not None:
            out.write(member)
    tar.flush()
    blob.flush()
    return LayerDigests(diff_id=tar.digest(), digest=blob.digest(), size=blob.size, tar_size=tar.size)


def emit_tree_blob(scan: TreeScan, *, to: str) -> Iterator[bytes]:
    """The layer's blob again, without a blob on disk; contents are checked against the scan as in ``emit_tree_tar``."""
    return map(gzip_literal, emit_tree_tar(scan, to=to))


def emit_tree_tar(scan: TreeScan, *, to: str) -> Iterator[bytes]:
    """The layer's tar, in pieces of a mebibyte but for the last; each piece is one gzip member of the blob.

    Raises:
        BuildError: a file changed since it was scanned, or ``to`` is no usable path.
    """
    waiting = bytearray()
    for piece in _tar_pieces(scan, _checked_target(to)):
        waiting += piece
        while len(waiting) >= _PIECE:
            yield bytes(waiting[:_PIECE])
            del waiting[:_PIECE]
    yield bytes(waiting)


def _checked_target(to: str) -> str:
    path = to.strip("/")
    parts = path.split("/")
    if not to.startswith("/") or not path or {"", ".", ".."} & set(parts) or "\0" in path:
        raise BuildError(
            f"not an absolute path to copy to: {to!r}", hint="write it without '.', '..' and '//'"
        )
    if parts[0] in _LINKED_IN_BASES:
        raise BuildError(
            f"cannot copy to {to!r}: /{parts[0]} is a link to /usr/{parts[0]} in Debian and Ubuntu",
            hint=f"copy to /usr/{path} or to a folder of your own",
        )
    return path


def _tar_pieces(scan: TreeScan, to: str) -> Iterator[bytes]:
    for above in parents(to):
        yield header(TarEntry(path=above, type=DIRECTORY, mode=base_directory_mode(above)))
    for entry in scan.entries:
        path = f"{to}/{entry.path}" if entry.path else to
        if entry.kind == "directory":
            yield header(TarEntry(path=path, type=DIRECTORY, mode=base_directory_mode(path)))
        elif entry.kind == "link":
            yield header(TarEntry(path=path, type=SYMBOLIC_LINK, mode=0o777, link=entry.target))
        else:
            yield header(TarEntry(path=path, mode=entry.mode, size=entry.size))
            yield from _content(scan, entry)
            yield padding(entry.size)
    yield END_OF_ARCHIVE


def _content(scan: TreeScan, entry: ScannedEntry) -> Iterator[bytes]:
    place = os.fsencode(scan.root)
    if entry.path:
        place += b"/" + entry.path.encode()
    changed = BuildError(
        f"{os.fsdecode(place)} changed while it was copied",
        hint="build again when nothing writes to it",
    )
    sha256 = hashlib.sha256()
    left = entry.size
    try:
        with open(os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor
            while piece := file.read(_PIECE):
                left -= len(piece)
                if left < 0:
                    raise changed
                sha256.update(piece)
                yield piece
    except OSError as error:
        raise BuildError(f"cannot read {os.fsdecode(place)}: {error.strerror}") from error
    if left or sha256.hexdigest() != entry.sha256:
        raise changed
