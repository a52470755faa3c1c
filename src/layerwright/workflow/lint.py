"""Find Dockerfiles and scripts, and judge them."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from layerwright.core.errors import UsageError
from layerwright.core.findings import Finding
from layerwright.lint import FileKind, Source, kind_of_file, lint_source

__all__ = ["Linted", "lint_paths"]

_LARGEST: Final = 2**20
"""Bytes; a larger file is neither a Dockerfile nor a script that somebody wrote."""

_FIRST: Final = 4096
_STDIN: Final = "-"
_LEFT_OUT: Final = frozenset({
    ".git", ".hg", ".svn", ".tox", ".nox", ".venv", "venv", "node_modules", "__pycache__", "site-packages",
    ".mypy_cache", ".ruff_cache", ".pytest_cache", "dist-packages",
})  # fmt: skip
"""Folders that are not searched: what is in them was installed or made by tools."""


class Linted(Struct, frozen=True, kw_only=True):
    """What was found, and in which files it was looked for."""

    findings: tuple[Finding, ...]
    files: tuple[str, ...]


def lint_paths(
    paths: Sequence[Path], *, start: Path, stdin: bytes | None = None, as_kind: FileKind | None = None
) -> Linted:
    """Judge files; folders are searched for Dockerfiles and shell scripts.

    Args:
        paths: files and folders, relative to ``start``; ``-`` for standard input; none means ``start`` itself.
        start: the current folder.
        stdin: what ``-`` stands for.
        as_kind: what the named files are; None to judge by their names and how they begin.

    Raises:
        UsageError: a path does not exist, cannot be read, or is no such file; or a folder has none.
    """
    findings: list[Finding] = []
    files: list[str] = []
    for path in paths or (Path(),):
        if str(path) == _STDIN:
            text, name = stdin or b"", "<stdin>"
            kind = as_kind or _guess(name, text) or "dockerfile"
            findings += _judge(text, name, kind, has_ignore_file=None)
            files.append(name)
            continue
        place = start / path
        if not place.exists():
            raise UsageError(f"there is no file or folder {path}")
        for file in _search(place) if place.is_dir() else (place,):
            shown = _shown(file, path, place)
            data = _read(file, shown)
            if data is None:
                if file == place:
                    raise UsageError(
                        f"{shown} is larger than {_LARGEST >> 20} MiB: this is no Dockerfile or script"
                    )
                continue
            known = as_kind if file == place and as_kind else _guess(file.name, data)
            if known is None:
                if file == place:
                    raise UsageError(
                        f"{shown} looks like neither a Dockerfile nor a shell script",
                        hint="say what it is: --as dockerfile, --as shell or --as markdown",
                    )
                continue
            findings += _judge(data, shown, known, has_ignore_file=_has_ignore_file(file, start))
            files.append(shown)
    if not files:
        named = ", ".join(map(str, paths)) or "this folder"
        raise UsageError(
            f"there is no Dockerfile and no shell script in {named}",
            hint="name the files; Markdown pages are read when they are named",
        )
    return Linted(findings=tuple(findings), files=tuple(files))


def _judge(data: bytes, shown: str, kind: FileKind, *, has_ignore_file: bool | None) -> tuple[Finding, ...]:
    source = Source(file=shown, text=data.decode("utf-8", "surrogateescape"))
    return lint_source(source, kind, has_ignore_file=has_ignore_file)


def _guess(name: str, data: bytes) -> FileKind | None:
    return kind_of_file(name, data[:_FIRST].decode("utf-8", "replace"))


def _read(file: Path, shown: str) -> bytes | None:
    try:
        with file.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"cannot read {shown}: {error.strerror}") from error
    return data if len(data) <= _LARGEST else None


def _search(folder: Path) -> Iterator[Path]:
    """Dockerfiles and shell scripts by their names, sorted; Markdown pages only when they are named themselves."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT)
        for name in sorted(names):
            path = Path(root, name)
            if kind_of_file(name) in {"dockerfile", "shell"} and path.is_file():
                yield path


def _shown(file: Path, path: Path, place: Path) -> str:
    """A file as the caller would name it."""
    return str(path) if file == place else str(path / file.relative_to(place))


def _has_ignore_file(file: Path, start: Path) -> bool:
    """Docker takes ``NAME.dockerignore`` beside the Dockerfile, else the context's own.

    The context is not known here: it may be the Dockerfile's folder, the current one, or one between.
    """
    if file.with_name(f"{file.name}.dockerignore").is_file():
        return True
    folders = [file.parent, start]
    resolved = file.parent.resolve()
    top = start.resolve()
    if resolved.is_relative_to(top):
        folders += [parent for parent in resolved.parents if parent.is_relative_to(top)]
    return any((folder / ".dockerignore").is_file() for folder in folders)
