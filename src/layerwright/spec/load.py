"""Find the spec and read it."""

import os.path
from collections.abc import Sequence
from pathlib import Path

import tomli

from layerwright.core.errors import UsageError
from layerwright.spec.model import Spec
from layerwright.spec.parse import PYPROJECT, parse_spec

__all__ = ["FILE_NAME", "find_spec", "load_spec"]

FILE_NAME = "layerwright.toml"
_LARGEST = 4 * 2**20
"""Bytes; a larger spec is refused unread."""


def load_spec(path: Path | None, start: Path, settings: Sequence[str] = ()) -> Spec:
    """Read the spec.

    Args:
        path: the file the user named, or its folder; None to look for it.
        start: the current folder: ``path`` is relative to it, and the search begins here and goes up.
        settings: ``KEY=VALUE`` that take the place of what the file says.

    Raises:
        UsageError: there is no such file, or none was found; or a setting is none.
        SpecError: the file has faults; all of them.
    """
    found = find_spec(path, start)
    return parse_spec(
        _read(found, start), file=_shown(found, path, start), root=found.parent, settings=settings
    )


def find_spec(path: Path | None, start: Path) -> Path:
    """Absolute path of the spec: ``layerwright.toml``, else a pyproject.toml that has ``[tool.layerwright]``.

    Raises:
        UsageError: there is no such file, or none was found up to the root of the file system.
    """
    if path is not None:
        named = Path(os.path.normpath(start.absolute() / path))
        if named.is_dir():
            if inside := _spec_in(named):
                return inside
        elif named.exists():
            return named
        raise UsageError(f"there is no spec at {path}", hint="`layerwright init` writes one")
    start = start.absolute()
    for folder in (start, *start.parents):
        if inside := _spec_in(folder):
            return inside
    raise UsageError(
        f"no {FILE_NAME}, and no {PYPROJECT} with [tool.layerwright], in {start} or above",
        hint="`layerwright init` writes one; `--file` names one elsewhere",
    )


def _read(path: Path, start: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"cannot read {os.path.relpath(path, start)}: {error.strerror}") from error
    if len(data) > _LARGEST:
        raise UsageError(
            f"{os.path.relpath(path, start)} is larger than {_LARGEST >> 20} MiB: this is no spec"
        )
    return data


def _shown(found: Path, path: Path | None, start: Path) -> str:
    """How the file is called in messages: as it was given, or relative to the current folder."""
    if path is not None and path.name == found.name:
        return str(path)
    return os.path.relpath(found, start)


def _spec_in(folder: Path) -> Path | None:
    own = folder / FILE_NAME
    if own.is_file():
        return own
    package = folder / PYPROJECT
    try:
        with package.open("rb") as stream:
            data = stream.read(_LARGEST)
    except OSError:
        return None
    # Most files on the way up are somebody else's: look before parsing, and leave their faults to them.
    if b"layerwright" not in data:
        return None
    try:
        tool = tomli.loads(data.decode("utf-8-sig")).get("tool")
    except (UnicodeDecodeError, tomli.TOMLDecodeError):
        return package if b"[tool.layerwright" in data else None
    return package if isinstance(tool, dict) and "layerwright" in tool else None
