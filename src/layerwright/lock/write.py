"""Lock → canonical TOML, made to be reviewed: one line per package, bases shared by cells written once."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from layerwright.core.addresses import has_credential, mask_credentials
from layerwright.lock.model import LOCK_VERSION, Lock, LockedBase, LockedCell
from layerwright.lock.records import ARRAYS, BASE_DEBS, HEADER, Record

__all__ = ["write_lock"]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class _Named(Protocol):
    """Any record; its fields are read by name."""


def write_lock(lock: Lock) -> str:
    """The lock as text: the same lock gives the same text.

    Raises:
        ValueError: a text of the lock holds a credential. That is a bug of whoever made the lock: credentials
            must be refused where they enter.
    """
    labels = _base_labels(lock)
    parts = [HEADER, f"\nversion = {LOCK_VERSION}\n"]
    written = set()
    for name in sorted(lock.cells):
        cell = lock.cells[name]
        label = labels[name]
        if label not in written:
            written.add(label)
            parts.append("".join(_base_table(label, cell.base)))
        parts.append("".join(_cell_table(cell, label)))
    return "".join(parts)


def _base_labels(lock: Lock) -> Mapping[str, str]:
    """Cell name to the key of its base; equal bases share one, others of the same name get a number."""
    labels: dict[str, str] = {}
    known: dict[str, LockedBase] = {}
    for name in sorted(lock.cells):
        cell = lock.cells[name]
        architecture = cell.platform.partition("/")[2]
        stem = f"{cell.base.kind}:{cell.base.source}/{architecture}"
        label, number = stem, 1
        while label in known and known[label] != cell.base:
            number += 1
            label = f"{stem}#{number}"
        known[label] = cell.base
        labels[name] = label
    return labels


def _base_table(label: str, base: LockedBase) -> Iterator[str]:
    yield f"\n[bases.{_text(label)}]\n"
    yield f"kind = {_text(base.kind)}\n"
    yield f"source = {_text(base.source)}\n"
    for key in ("digest", "python", "interpreter", "glibc"):
        value: str = getattr(base, key)
        if value:
            yield f"{key} = {_text(value)}\n"
    yield from _array(BASE_DEBS, base.debs)


def _cell_table(cell: LockedCell, label: str) -> Iterator[str]:
    yield f"\n[cells.{_key(cell.name)}]\n"
    yield f"base = {_text(label)}\n"
    yield f"platform = {_text(cell.platform)}\n"
    if cell.python:
        yield f"python = {_text(cell.python)}\n"
    yield f"spec = {_text(cell.spec_digest)}\n"
    for record in ARRAYS:
        yield from _array(record, getattr(cell, record.key))


def _array(record: Record, items: Sequence[_Named]) -> Iterator[str]:
    if not items:
        return
    yield f"{record.key} = [\n"
    for item in items:
        pairs = []
        for field in record.fields:
            value: str | int | bool = getattr(item, field.name)
            if field.required or value != field.default:
                pairs.append(f"{field.name} = {_value(value)}")
        yield f"  {{ {', '.join(pairs)} }},\n"
    yield "]\n"


def _value(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else _text(value)


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _text(name)


def _text(value: str) -> str:
    if has_credential(value):
        raise ValueError(f"a credential was about to enter the lock: {mask_credentials(value)}")
    # JSON's escapes are a subset of TOML's basic strings, but for DEL, which TOML wants escaped
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
