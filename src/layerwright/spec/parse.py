"""From the content of a file to a ``Spec``; all faults at once."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import tomli

from layerwright.core.errors import Problem, SpecError
from layerwright.core.source import Location
from layerwright.spec.components import read_components
from layerwright.spec.expand import expand
from layerwright.spec.faults import Fault, KeyPath, hide_credentials, spec_error
from layerwright.spec.keys import (
    ComponentTable,
    DefaultsTable,
    ImageTable,
    IndexTable,
    SecretTable,
    SourceTable,
    SpecFile,
)
from layerwright.spec.model import Cell, PathPackage, Spec, UrlPackage
from layerwright.spec.parts import Reader
from layerwright.spec.sources import read_indexes, read_secrets, read_sources

__all__ = ["PYPROJECT", "parse_spec"]

PYPROJECT = "pyproject.toml"
_PYPROJECT_KEY: KeyPath = ("tool", "layerwright")


def parse_spec(data: bytes, *, file: str, root: Path, settings: Sequence[str] = ()) -> Spec:
    """Read the content of a spec.

    Args:
        data: the file's bytes.
        file: its path as the user gave it; ``pyproject.toml`` is read from its ``[tool.layerwright]``.
        root: absolute folder that relative paths start from.
        settings: ``KEY=VALUE`` that take the place of what the file says.

    Raises:
        SpecError: the content has faults; all of them.
        UsageError: a setting is none.
    """
    source = _parse(data, file=file)
    if settings:
        source = _changed(source, settings)
    reader = Reader(file=file, root=root, prefix=source.prefix)
    try:
        tables = msgspec.convert(source.table, SpecFile)
    except msgspec.ValidationError as error:
        raise _structural_error(source, reader, str(error)) from None
    orders = {name: tuple(image.get("matrix", ())) for name, image in source.table["images"].items()}
    components = read_components(tables.components, reader)
    sources = read_sources(tables.sources, reader)
    cells = expand(tables, axis_orders=orders, components=components, sources=sources, reader=reader)
    indexes = read_indexes(tables.indexes, reader)
    secrets = read_secrets(tables.secrets, reader)
    if any(cell.sources or _has_files(cell) for cell in cells.values()):
        from layerwright.spec.agreement import check_agreement  # noqa: PLC0415 - start-up

        check_agreement(cells, reader)
    if reader.faults:
        raise source.error(reader.faults)
    return Spec(
        file=file,
        root=root,
        project=tables.project.name,
        cells=cells,
        indexes=indexes,
        secrets=secrets,
        components=components,
        sources=sources,
        leaks_allow=tables.leaks.allow,
    )


def _has_files(cell: Cell) -> bool:
    """Whether packages are given by a file, whose name may say what does not fit."""
    return any(isinstance(package, UrlPackage | PathPackage) for package in cell.packages)


class _Source(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed file: ``table`` is the spec's part of it, below ``prefix``; ``said`` stood on the command line."""

    file: str
    text: str
    prefix: KeyPath
    table: dict[str, Any]
    said: tuple[tuple[KeyPath, str], ...] = ()

    def error(self, faults: list[Fault]) -> SpecError:
        return spec_error(faults, file=self.file, text=self.text, prefix=self.prefix, said=self.said)


def _changed(source: _Source, settings: Sequence[str]) -> _Source:
    from layerwright.spec.settings import apply_settings, parse_setting  # noqa: PLC0415 - start-up

    parsed = [parse_setting(text) for text in settings]
    return msgspec.structs.replace(
        source,
        table=apply_settings(source.table, parsed),
        said=tuple((setting.path, str(setting)) for setting in parsed),
    )


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
    if Path(file).name != PYPROJECT:
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
    components = _sound_entries(table, "components", faulty)
    read_components(msgspec.convert(components, dict[str, ComponentTable]), reader)
    sources = _sound_entries(table, "sources", faulty)
    read_sources(msgspec.convert(sources, dict[str, SourceTable]), reader)


def _sound_entries(table: Mapping[str, Any], key: str, faulty: set[KeyPath]) -> dict[str, Any]:
    entries = table.get(key)
    if not isinstance(entries, dict):
        return {}
    return {name: entry for name, entry in entries.items() if not _touches((key, name), faulty)}


def _touches(path: KeyPath, faulty: set[KeyPath]) -> bool:
    return any(other[: len(path)] == path for other in faulty)


def _encoding_error(data: bytes, error: UnicodeDecodeError, file: str) -> SpecError:
    start = data.rfind(b"\n", 0, error.start) + 1
    end = data.find(b"\n", error.start)
    line = data[start : end if end >= 0 else len(data)].decode(errors="replace").rstrip("\r")
    where = Location(
        file=file,
        line=data.count(b"\n", 0, error.start) + 1,
        column=len(data[start : error.start].decode("utf-8-sig")) + 1,
        text=hide_credentials(line),
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
        text=hide_credentials(lines[line - 1].removesuffix("\r")),
    )
    message = error.msg[:1].lower() + error.msg[1:]
    return SpecError([Problem(what=f"not TOML: {hide_credentials(message)}", where=where)])
