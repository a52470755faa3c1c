"""Canonical or hand-merged TOML → lock, with every fault named at its line."""

import re
from collections.abc import Iterator, Mapping
from typing import Literal, cast

from layerwright.core.addresses import has_credential
from layerwright.core.errors import Problem, SpecError
from layerwright.core.source import Location
from layerwright.lock.freshness import is_by_name
from layerwright.lock.model import (
    LOCK_VERSION,
    Deb,
    Lock,
    LockedBase,
    LockedCell,
    LockedComponent,
    LockedFile,
    LockedSource,
    LockedTree,
    LockedWheel,
)
from layerwright.lock.records import ARRAYS, BASE_DEBS, Field, Record

__all__ = ["read_lock"]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_AGAIN = "run `layerwright lock` to write it again"
_BASE_KINDS = ("debian", "image", "oci", "archive", "docker", "registry")
_PLATFORMS = ("linux/amd64", "linux/arm64")

_BaseKind = Literal["debian", "image", "oci", "archive", "docker", "registry"]
_Table = Mapping[str, object]
_Item = Deb | LockedComponent | LockedFile | LockedSource | LockedTree | LockedWheel


def read_lock(text: str, *, file: str = "layerwright.lock") -> Lock:
    """Read a lock.

    Args:
        text: the file's contents.
        file: the file's name for messages.

    Raises:
        SpecError: no TOML, another version, or damaged: every fault with its line.
    """
    import tomli  # noqa: PLC0415  # start-up

    try:
        document = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise SpecError([_syntax_problem(text, file, error.msg, error.lineno, error.colno)]) from error
    version = document.get("version")
    if version != LOCK_VERSION or isinstance(version, bool):
        raise SpecError([_version_problem(text, file, version)])
    reader = _Reader(text, file)
    lock = reader.lock(document)
    if reader.problems:
        raise SpecError(sorted(reader.problems, key=lambda problem: problem.where.line))
    return lock


def _syntax_problem(text: str, file: str, message: str, line: int, column: int) -> Problem:
    lines = text.splitlines()
    for number, content in enumerate(lines, start=1):
        if content.startswith(("<<<<<<< ", ">>>>>>> ")):
            where = Location(file=file, line=number, text=content)
            hint = "take either side whole, then " + _AGAIN
            return Problem(what="the lock holds an unresolved merge conflict", where=where, hint=hint)
    content = lines[line - 1] if 0 < line <= len(lines) else ""
    where = Location(file=file, line=line, column=column, text=content)
    return Problem(
        what=f"the lock is no valid TOML: {message[:1].lower()}{message[1:]}", where=where, hint=_AGAIN
    )


def _version_problem(text: str, file: str, version: object) -> Problem:
    line, content = _place(text, ("version",))
    where = Location(file=file, line=line, key="version", text=content)
    if isinstance(version, int) and not isinstance(version, bool) and version > LOCK_VERSION:
        hint = "update layerwright, or " + _AGAIN
    else:
        hint = _AGAIN
    known = "has no version" if version is None else f"has the unknown version {version!r}"
    return Problem(
        what=f"the lock {known}: this layerwright reads version {LOCK_VERSION}", where=where, hint=hint
    )


def _place(text: str, path: tuple[str | int, ...]) -> tuple[int, str]:
    from layerwright.lock.positions import find_line  # noqa: PLC0415  # start-up: only a fault needs it

    return find_line(text, path)


class _Reader:
    """Turns tables into records and gathers what is wrong with them."""

    def __init__(self, text: str, file: str) -> None:
        self.problems: list[Problem] = []
        self._text = text
        self._file = file

    def lock(self, document: _Table) -> Lock:
        bases = {
            label: self._base(table, ("bases", label)) for label, table in self._tables(document, "bases")
        }
        cells = {}
        for name, table in self._tables(document, "cells"):
            cells[name] = self._cell(name, table, bases)
        for name, cell in cells.items():
            if cell.base.kind == "image" and cell.base.source not in cells:
                self._problem(("cells", name, "base"), f"the parent {cell.base.source!r} is not in the lock")
            elif not is_by_name(cells, name):
                for key, debs in (("apt", cell.apt), ("base", cell.base.debs)):
                    for number, deb in enumerate(debs):
                        if not deb.sha256:
                            self._problem(("cells", name, key, number), f"{deb.name!r} has no 'sha256'")
        return Lock(cells=cells)

    def _base(self, table: _Table, path: tuple[str, ...]) -> LockedBase:
        kind = self._key_text(table, path, "kind", choices=_BASE_KINDS)
        return LockedBase(
            kind=cast("_BaseKind", kind),
            source=self._key_text(table, path, "source"),
            digest=self._key_text(table, path, "digest", required=False),
            debs=cast("tuple[Deb, ...]", self._records(table, path, BASE_DEBS)),
            python=self._key_text(table, path, "python", required=False),
            interpreter=self._key_text(table, path, "interpreter", required=False),
            glibc=self._key_text(table, path, "glibc", required=False),
        )

    def _cell(self, name: str, table: _Table, bases: Mapping[str, LockedBase]) -> LockedCell:
        path = ("cells", name)
        label = self._key_text(table, path, "base")
        if label and label not in bases:
            self._problem((*path, "base"), f"the base {label!r} is not in the lock")
        arrays = {record.key: self._records(table, path, record) for record in ARRAYS}
        return LockedCell(
            name=name,
            spec_digest=self._key_text(table, path, "spec"),
            base=bases.get(label, LockedBase(kind="registry", source=label)),
            python=self._key_text(table, path, "python", required=False),
            platform=self._key_text(table, path, "platform", choices=_PLATFORMS),
            apt=cast("tuple[Deb, ...]", arrays["apt"]),
            wheels=cast("tuple[LockedWheel, ...]", arrays["wheels"]),
            sources=cast("tuple[LockedSource, ...]", arrays["sources"]),
            files=cast("tuple[LockedFile, ...]", arrays["files"]),
            components=cast("tuple[LockedComponent, ...]", arrays["components"]),
            trees=cast("tuple[LockedTree, ...]", arrays["trees"]),
        )

    def _tables(self, document: _Table, key: str) -> Iterator[tuple[str, _Table]]:
        tables = document.get(key, {})
        if not isinstance(tables, dict):
            self._problem((key,), f"{key!r} must be a table")
            return
        for name, table in tables.items():
            if isinstance(table, dict):
                yield name, table
            else:
                self._problem((key, name), f"{key}.{name} must be a table")

    def _key_text(
        self,
        table: _Table,
        path: tuple[str, ...],
        key: str,
        *,
        required: bool = True,
        choices: tuple[str, ...] = (),
    ) -> str:
        value = table.get(key)
        if value is None:
            if required:
                self._problem(path, f"{key!r} is missing")
            return ""
        if not isinstance(value, str):
            self._problem((*path, key), f"{key!r} must be text")
            return ""
        if choices and value not in choices:
            self._problem((*path, key), f"{key} is {value!r}: must be one of {', '.join(choices)}")
        if has_credential(value):
            self._problem((*path, key), f"{key!r} holds a credential")
        return value

    def _records(self, table: _Table, path: tuple[str, ...], record: Record) -> tuple[_Item, ...]:
        rows = table.get(record.key)
        if rows is None:
            return ()
        place = (*path, record.key)
        if not isinstance(rows, list):
            self._problem(place, f"{record.key!r} must be an array")
            return ()
        items = []
        seen = set()
        for number, row in enumerate(rows):
            if not isinstance(row, dict):
                self._problem((*place, number), "must be an inline table")
                continue
            values, faults = _values(row, record.fields)
            for fault in faults:
                self._problem((*place, number), fault)
            if faults:
                continue
            further = values.get("architecture", values.get("submodule"))
            identity = (values.get("name", values.get("to")), further)
            if identity in seen:
                self._problem((*place, number), f"{identity[0]!r} is listed twice")
            seen.add(identity)
            items.append(record.type(**values))  # type: ignore[arg-type]  # checked against the fields above
        return tuple(items)

    def _problem(self, path: tuple[str | int, ...], what: str) -> None:
        line, content = _place(self._text, path)
        key = ".".join(str(part) for part in path if isinstance(part, str))
        key += "".join(f"[{part}]" for part in path if isinstance(part, int))
        where = Location(file=self._file, line=line, key=key, text=content)
        self.problems.append(Problem(what=what, where=where, hint=_AGAIN))


def _values(row: _Table, fields: tuple[Field, ...]) -> tuple[dict[str, str | int | bool], list[str]]:
    values: dict[str, str | int | bool] = {}
    faults = []
    for field in fields:
        value = row.get(field.name)
        if value is None:
            if field.required:
                faults.append(f"{field.name!r} is missing")
            values[field.name] = field.default
            continue
        fault = _fault(field, value)
        if fault:
            faults.append(f"{field.name!r} {fault}")
        else:
            values[field.name] = cast("str | int | bool", value)
    return values, faults


def _fault(field: Field, value: object) -> str:
    kind = field.kind
    if kind == "flag":
        return "" if isinstance(value, bool) else "must be true or false"
    if kind == "number":
        good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        return "" if good else "must be a number, not negative"
    if not isinstance(value, str):
        return "must be text"
    if kind == "sha256":
        return (
            ""
            if _SHA256.fullmatch(value) or (not value and not field.required)
            else "must be 64 hexadecimal digits"
        )
    if kind == "commit":
        return "" if _COMMIT.fullmatch(value) else "must be a full commit"
    if kind == "file":
        return "must be a file name without a folder" if "/" in value or value in {"", ".", ".."} else ""
    if kind == "path":
        return "must stay below its archive" if value.startswith("/") or ".." in value.split("/") else ""
    if kind == "address":
        return "holds a credential" if has_credential(value) else ""
    if field.choices and value not in field.choices:
        return f"is {value!r}: must be one of {', '.join(field.choices)}"
    return ""
