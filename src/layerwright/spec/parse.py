"""From a file to a ``Spec``: find it, read it, check it; all faults at once."""

import os.path
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import tomli

from layerwright.core.errors import Problem, SpecError, UsageError
from layerwright.core.source import Location
from layerwright.spec.expand import expand
from layerwright.spec.faults import Fault, KeyPath, mask_credentials, spec_error
from layerwright.spec.keys import DefaultsTable, ImageTable, IndexTable, SecretTable, SpecFile
from layerwright.spec.model import Spec
from layerwright.spec.parts import Reader
from layerwright.spec.sources import read_indexes, read_secrets

__all__ = ["FILE_NAME", "find_spec", "load_spec", "parse_spec"]

FILE_NAME = "layerwright.toml"
_PYPROJECT = "pyproject.toml"
_PYPROJECT_KEY: KeyPath = ("tool", "layerwright")
_LARGEST = 4 * 2**20
"""Bytes; a larger spec is refused unread."""


def load_spec(path: Path | None, start: Path) -> Spec:
    """Read the spec.

    Args:
        path: the file the user named, or its folder; None to look for it.
        start: the current folder: ``path`` is relative to it, and the search begins here and goes up.

    Raises:
        UsageError: there is no such file, or none was found.
        SpecError: the file has faults; all of them.
    """
    found = find_spec(path, start)
    return parse_spec(_read(found, start), file=_shown(found, path, start), root=found.parent)


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
        f"no {FILE_NAME}, and no {_PYPROJECT} with [tool.layerwright], in {start} or above",
        hint="`layerwright init` writes one; `--file` names one elsewhere",
    )


def parse_spec(data: bytes, *, file: str, root: Path) -> Spec:
    """Read the content of a spec.

    Args:
        data: the file's bytes.
        file: its path as the user gave it; ``pyproject.toml`` is read from its ``[tool.layerwright]``.
        root: absolute folder that relative paths start from.

    Raises:
        SpecError: the content has faults; all of them.
    """
    source = _parse(data, file=file)
    reader = Reader(file=file, root=root, prefix=source.prefix)
    try:
        tables = msgspec.convert(source.table, SpecFile)
    except msgspec.ValidationError as error:
        raise _structural_error(source, reader, str(error)) from None
    orders = {name: tuple(image.get("matrix", ())) for name, image in source.table["images"].items()}
    cells = expand(tables, axis_orders=orders, reader=reader)
    indexes = read_indexes(tables.indexes, reader)
    secrets = read_secrets(tables.secrets, reader)
    if reader.faults:
        raise source.error(reader.faults)
    return Spec(
        file=file, root=root, project=tables.project.name, cells=cells, indexes=indexes, secrets=secrets
    )


class _Source(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed file: ``table`` is the spec's part of it, below ``prefix``."""

    file: str
    text: str
    prefix: KeyPath
    table: dict[str, Any]

    def error(self, faults: list[Fault]) -> SpecError:
        return spec_error(faults, file=self.file, text=self.text, prefix=self.prefix)


def _parse(data: bytes, *, file: str) -> _Source:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _encoding_error(data, error, file) from None
    try:
        document = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise _syntax_error(text, error, file) from None
    except RecursionError:
        raise spec_error([Fault((), "lists or tables are nested too deeply")], file=file, text=text) from None
    if Path(file).name != _PYPROJECT:
        return _Source(file=file, text=text, prefix=(), table=document)
    tool = document.get("tool")
    table = tool.get("layerwright") if isinstance(tool, dict) else None
    if not isinstance(table, dict):
        fault = Fault(
            (), "there is no table [tool.layerwright]", "`layerwright init` writes a layerwright.toml"
        )
        raise spec_error([fault], file=file, text=text)
    return _Source(
        file=file, text=text, prefix=_PYPROJECT_KEY, table={**table, "project": _project(document, table)}
    )


def _project(document: Mapping[str, Any], table: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any TOML value
    """The spec's project, filled up from pyproject.toml's own (PEP 621)."""
    own = table.get("project", {})
    package = document.get("project")
    if not isinstance(own, dict) or not isinstance(package, dict):
        return own
    filled = {key: package[key] for key in ("name", "version") if isinstance(package.get(key), str)}
    if "version" in filled:
        # A local version's plus sign (PEP 440) is not allowed in a tag; '_' is, and is not part of any version.
        filled["version"] = filled["version"].replace("+", "_")
    return {**filled, **own}


def _structural_error(source: _Source, reader: Reader, message: str) -> SpecError:
    """All that is wrong with keys and types, and with the values of what is left."""
    from layerwright.spec.diagnose import structural_faults  # noqa: PLC0415 - start-up

    faults = structural_faults(source.table)
    _check_sound_tables(source.table, {fault.path for fault in faults}, reader)
    return source.error([*faults, *reader.faults] or [Fault((), message)])


def _check_sound_tables(table: Mapping[str, Any], faulty: set[KeyPath], reader: Reader) -> None:
    """Check the values of the keys that have no structural fault; their faults go to the reader."""
    tables: list[tuple[KeyPath, Any, type[DefaultsTable]]] = [
        (("defaults",), table.get("defaults"), DefaultsTable)
    ]
    images = table.get("images")
    if isinstance(images, dict):
        tables += [(("images", name), image, ImageTable) for name, image in images.items()]
    for path, raw, kind in tables:
        if isinstance(raw, dict):
            sound = {key: value for key, value in raw.items() if not _touches((*path, key), faulty)}
            reader.part(msgspec.convert(sound, kind), path)
    indexes = _sound_entries(table, "indexes", faulty)
    read_indexes(msgspec.convert(indexes, dict[str, IndexTable]), reader)
    secrets = _sound_entries(table, "secrets", faulty)
    read_secrets(msgspec.convert(secrets, dict[str, SecretTable]), reader)


def _sound_entries(table: Mapping[str, Any], key: str, faulty: set[KeyPath]) -> dict[str, Any]:
    entries = table.get(key)
    if not isinstance(entries, dict):
        return {}
    return {name: entry for name, entry in entries.items() if not _touches((key, name), faulty)}


def _touches(path: KeyPath, faulty: set[KeyPath]) -> bool:
    return any(other[: len(path)] == path for other in faulty)


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
    package = folder / _PYPROJECT
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


def _encoding_error(data: bytes, error: UnicodeDecodeError, file: str) -> SpecError:
    start = data.rfind(b"\n", 0, error.start) + 1
    end = data.find(b"\n", error.start)
    line = data[start : end if end >= 0 else len(data)].decode(errors="replace").rstrip("\r")
    where = Location(
        file=file,
        line=data.count(b"\n", 0, error.start) + 1,
        column=len(data[start : error.start].decode("utf-8-sig")) + 1,
        text=mask_credentials(line),
    )
    what = f"the file is not UTF-8: byte 0x{data[error.start]:02x}"
    return SpecError([Problem(what=what, where=where, hint="save it as UTF-8")])


def _syntax_error(text: str, error: tomli.TOMLDecodeError, file: str) -> SpecError:
    lines = text.split("\n")
    line = min(error.lineno, len(lines))
    where = Location(
        file=file,
        line=line,
        column=error.colno,
        text=mask_credentials(lines[line - 1].removesuffix("\r")),
    )
    message = error.msg[:1].lower() + error.msg[1:]
    return SpecError([Problem(what=f"not TOML: {mask_credentials(message)}", where=where)])
