"""A Dockerfile of the project → a spec beside it."""

import os
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from layerwright.core.errors import SpecError, UsageError
from layerwright.lint.convert import Left, convert
from layerwright.lint.source import Source

__all__ = ["Converted", "convert_dockerfile"]

_LARGEST: Final = 2**20
_MOST_MATCHES: Final = 500


class Converted(Struct, frozen=True, kw_only=True):
    """A spec's text, the image that the Dockerfile stands for, and what could not be carried over."""

    text: str
    image: str
    left: tuple[Left, ...]


def convert_dockerfile(file: Path, *, start: Path, spec: Path, project: str, target: str = "") -> Converted:
    """Write the spec that a Dockerfile stands for; nothing is written to disk.

    Args:
        file: the Dockerfile, relative to ``start``.
        start: the current folder.
        spec: where the spec will be, relative to ``start``; its folder takes the place of the build's context.
        project: name of the project.
        target: the stage to convert; empty for the last.

    Raises:
        UsageError: the Dockerfile cannot be read, or has no such stage.
    """
    root = (start / spec).parent
    text = _read(start / file, str(file))
    conversion = convert(Source(file=str(file), text=text), _Folder(root), project=project, target=target)
    left = list(conversion.left)
    from layerwright.spec.parse import parse_spec  # noqa: PLC0415 - only its faults are of interest

    try:
        parse_spec(conversion.text.encode(), file=str(spec), root=root.absolute())
    except SpecError as error:
        # What the Dockerfile asks for and a spec does not take: said now, not at the first build.
        left += [Left(line=0, text=problem.where.key, why=problem.what) for problem in error.problems]
    return Converted(text=conversion.text, image=conversion.image, left=tuple(left))


def _read(path: Path, shown: str) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"cannot read {shown}: {error.strerror}") from error
    if len(data) > _LARGEST:
        raise UsageError(f"{shown} is larger than {_LARGEST >> 20} MiB: this is no Dockerfile")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{shown} is not UTF-8 text", hint="convert it: iconv -t UTF-8") from error


class _Folder:
    """The project's folder, as the converter sees it: nothing outside of it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def kind(self, path: str) -> Literal["file", "folder", ""]:
        place = self._place(path)
        if place is None:
            return ""
        return "folder" if place.is_dir() else "file" if place.exists() else ""

    def text(self, path: str) -> str | None:
        place = self._place(path)
        if place is None or not place.is_file():
            return None
        try:
            with place.open("rb") as stream:
                return stream.read(_LARGEST).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError):
            return None

    def matches(self, pattern: str) -> list[str]:
        if self._place(pattern) is None:
            return []
        try:
            found = sorted(str(path.relative_to(self._root)) for path in self._root.glob(pattern.lstrip("/")))
        except (ValueError, NotImplementedError, OSError):
            return []
        return found[:_MOST_MATCHES]

    def _place(self, path: str) -> Path | None:
        inside = os.path.normpath(path.lstrip("/"))
        return None if "\0" in path or inside.split("/")[0] == ".." else self._root / inside
