"""A changed copy of any of our records, whichever library made its class."""

import dataclasses
from typing import Any, TypeVar

import msgspec

__all__ = ["replace"]

Record = TypeVar("Record")


def replace(record: Record, **changes: Any) -> Record:
    """The record with some fields changed."""
    if isinstance(record, msgspec.Struct):
        return msgspec.structs.replace(record, **changes)
    return dataclasses.replace(record, **changes)  # type: ignore[type-var]
