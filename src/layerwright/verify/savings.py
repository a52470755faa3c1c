"""What an image carries and could do without."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from layerwright.rules.native import is_extension
from layerwright.verify.inspection import Inspection
from layerwright.verify.measure import Measured
from layerwright.verify.shipped import Shipped

__all__ = ["Saving", "find_savings"]

_LEAST_COPY: Final = 64 << 10
_LEAST_LIBRARY: Final = 1 << 20
_LEAST: Final = 256 << 10
_LISTED: Final = 50
_SONAME: Final = re.compile(r"lib.+\.so\.[\d.]+")


class Saving(Struct, frozen=True, kw_only=True):
    """Bytes that could go.

    Attributes:
        title: what it is.
        bytes: unpacked.
        compressed: share of the blobs.
        sure: nothing needs them; otherwise somebody who knows the program must say so.
        advice: how to get rid of them.
        examples: paths, each with its size in bytes, largest first; the first fifty.
    """

    title: str
    bytes: int
    compressed: int
    sure: bool
    advice: str
    examples: tuple[tuple[str, int], ...] = ()


def find_savings(
    image: Inspection, shipped: Sequence[Shipped], measured: Mapping[str, Measured]
) -> tuple[Saving, ...]:
    """Everything that could go and is worth a line, largest first. What one line counts, another may count too."""
    seen = [one for one in shipped if not one.hidden]
    found = [
        _saving(
            "files that a later layer deletes or replaces",
            [one for one in shipped if one.hidden],
            sure=True,
            advice="delete them in the step that makes them, or copy only what is needed out of a stage of its own",
        ),
        _saving(
            "copies: the same content under several paths",
            _copies(seen),
            sure=True,
            advice="keep one and link to it, or install it once in an image that the others start from",
        ),
        _saving(
            "libraries that are there twice, in different builds",
            _twice(seen),
            sure=False,
            advice="take them from the base or from Python packages, not from both: a base without cuDNN or CUDA "
            "libraries, or packages without their own",
        ),
        _saving(
            "caches, package lists, temporary files and logs",
            [one for one in seen if one.kind == "caches and package lists"],
            sure=True,
            advice="delete them in the step that makes them: rm -rf /var/lib/apt/lists/*, pip --no-cache-dir",
        ),
        _saving(
            "headers and static libraries",
            [one for one in seen if one.kind == "headers and static libraries"],
            sure=False,
            advice="only compilers read them: take a runtime base in place of a devel one; what Python packages bring "
            "cannot be left out by pip",
        ),
        _saving(
            "tests and documentation",
            [one for one in seen if one.kind == "tests and documentation"],
            sure=False,
            advice="dpkg leaves documentation out with path-exclude=/usr/share/doc/*; tests come with Python packages",
        ),
        _saving(
            "libraries that nothing in the image needs or names",
            list(_unloaded(image, seen, measured)),
            sure=False,
            advice="programs may put names together and open them; if none does, leave their packages out",
        ),
    ]
    return tuple(sorted((one for one in found if one.bytes >= _LEAST), key=lambda one: -one.bytes))


def _saving(title: str, files: Iterable[Shipped], *, sure: bool, advice: str) -> Saving:
    ordered = sorted(files, key=lambda one: (-one.size, one.path))
    return Saving(
        title=title,
        bytes=sum(one.size for one in ordered),
        compressed=sum(one.compressed for one in ordered),
        sure=sure,
        advice=advice,
        examples=tuple((f"/{one.path}", one.size) for one in ordered[:_LISTED]),
    )


def _copies(seen: Iterable[Shipped]) -> list[Shipped]:
    """Of each content all files but the first."""
    by_content: dict[bytes, list[Shipped]] = defaultdict(list)
    for one in seen:
        if one.sha256 and one.size >= _LEAST_COPY:
            by_content[one.sha256].append(one)
    return [copy for files in by_content.values() for copy in sorted(files, key=lambda one: one.path)[1:]]


def _twice(seen: Iterable[Shipped]) -> list[Shipped]:
    """Of each soname with several files of different content all but the largest."""
    by_soname: dict[str, dict[bytes, Shipped]] = defaultdict(dict)
    for one in seen:
        library = one.entry.library
        if library is not None and one.size >= _LEAST_LIBRARY and _SONAME.fullmatch(library.soname):
            by_soname[f"{library.machine} {library.soname}"].setdefault(one.sha256 or one.path.encode(), one)
    return [
        copy
        for files in by_soname.values()
        for copy in sorted(files.values(), key=lambda one: (-one.size, one.path))[1:]
    ]


def _unloaded(
    image: Inspection, seen: Sequence[Shipped], measured: Mapping[str, Measured]
) -> Iterator[Shipped]:
    """Large libraries that nothing which runs needs or names.

    Programs, extension modules and Python files run; what these name in their text may be opened by them, and so on.
    """
    closure = image.closure
    if closure.system.libc != "glibc":
        return  # nothing was loaded, so nothing can be said
    idle = {
        f"/{one.path}": one
        for one in seen
        if one.kind == "shared libraries"
        and f"/{one.path}" in closure.libraries
        and f"/{one.path}" not in closure.reached
        and not is_extension(one.path)
    }
    by_name: dict[str, list[str]] = defaultdict(list)
    for path, one in idle.items():
        library = one.entry.library
        for name in {_stem(path.rpartition("/")[2]), _stem(library.soname) if library is not None else ""}:
            by_name[name].append(path)
    mentions = {f"/{one.path}": _mentions(image, one, measured) for one in seen}
    waiting = [path for path in mentions if path not in idle]
    while waiting:
        named = {path for name in mentions[waiting.pop()] for path in by_name.get(_stem(name), ())}
        waiting += [path for path in named if idle.pop(path, None) is not None]
    yield from (one for one in idle.values() if one.size >= _LEAST_LIBRARY)


def _stem(name: str) -> str:
    """A library's name without its version: cuDNN names ``libcudnn_ops.so`` and puts the 9 behind it."""
    return name.partition(".so")[0]


def _mentions(image: Inspection, one: Shipped, measured: Mapping[str, Measured]) -> frozenset[str]:
    layer = measured.get(image.layer_digest(one.entry.layer))
    return layer.mentions.get(one.path, frozenset()) if layer is not None else frozenset()
