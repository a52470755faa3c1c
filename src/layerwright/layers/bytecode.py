"""Bytecode: the program that the image's interpreter runs, and the layer of what it wrote."""

import os
import stat
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import BinaryIO

from layerwright.core.errors import BuildError
from layerwright.layers.compressed import FAST_LEVEL, DeflatedBlob
from layerwright.layers.digests import LayerDigests
from layerwright.layers.names import fault_of_path
from layerwright.layers.tar import DIRECTORY, END_OF_ARCHIVE, TarEntry, header, padding, walk_order

__all__ = ["bytecode_layer", "bytecode_script"]


def bytecode_script() -> str:
    """Text of the program that compiles trees; it needs nothing but the standard library of Python 3.8 or newer.

    Its arguments are pairs of folders: a tree that mirrors the image from its root, and an empty folder that gets the
    .pyc files at the same paths. ``--processes N`` may come first. The same source gives the same bytes in any order,
    with any number of processes and any hash seed.
    """
    return resources.files("layerwright.layers.guest").joinpath("compile_tree.py").read_text(encoding="utf-8")


def bytecode_layer(trees: Path | Iterable[Path], out: BinaryIO) -> LayerDigests:
    """Write the layer of trees of .pyc files, merged, as a gzip blob: deterministic but for zlib's build.

    Args:
        trees: folders that mirror the image from its root. Where two have one path, both must have the same bytes.
        out: takes the blob.

    Raises:
        BuildError: something else than folders and files, or two different files with one path.
    """
    roots = [trees] if isinstance(trees, Path) else list(trees)
    found: dict[str, bytes | None] = {}  # path to a file's place, None for a folder
    for root in roots:
        for path, place in _walk(os.fsencode(root), ""):
            other = found.setdefault(path, place)
            if other != place and (other is None or place is None or not _same(other, place)):
                raise BuildError(f"two wheels give different bytecode for /{path}")
    blob = DeflatedBlob(out, level=FAST_LEVEL)
    for path in sorted(found, key=walk_order):
        place = found[path]
        if place is None:
            blob.write(header(TarEntry(path=path, type=DIRECTORY, mode=0o755)))
            continue
        content = _read(place)
        blob.write(header(TarEntry(path=path, size=len(content))))
        blob.write(content + padding(len(content)))
    blob.write(END_OF_ARCHIVE)
    return blob.finish()


def _walk(root: bytes, folder: str) -> Iterator[tuple[str, bytes | None]]:
    with os.scandir(root + b"/" + folder.encode()) as children:
        for child in children:
            path = f"{folder}/{child.name.decode()}" if folder else child.name.decode()
            mode = child.stat(follow_symlinks=False).st_mode
            if fault_of_path(path):
                raise BuildError(f"bytecode under an unsafe name: {path!r}")
            if stat.S_ISDIR(mode):
                yield path, None
                yield from _walk(root, path)
            elif stat.S_ISREG(mode):
                yield path, child.path
            else:
                raise BuildError(f"bytecode that is no regular file: {path!r}")


def _read(place: bytes) -> bytes:
    with open(place, "rb") as file:  # noqa: PTH123 - names are bytes, whatever the locale
        return file.read()


def _same(one: bytes, other: bytes) -> bool:
    return _read(one) == _read(other)
