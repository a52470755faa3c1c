"""The files of records: typed, checked, and each read once, when something is asked of its subject."""

from functools import cache
from pathlib import Path
from typing import ClassVar, Final, Literal, TypeVar

from msgspec import Struct, ValidationError, convert

from layerwright.core.errors import IntegrityError
from layerwright.core.findings import Confidence, Evidence

__all__ = ["DATA", "Record", "RecordFile", "Rule", "load"]

DATA: Final = Path(__file__).parents[1] / "data"
"""Folder of the record files."""

_SAYS_BINARY = ("ELF", "strings of the extension module", "DT_NEEDED")


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One record.

    Attributes:
        source: where it was read, a short citation.
        confidence: how it is known. ``metadata`` covers what was read from binaries too; ``binary`` tells them apart.
    """

    source: str
    confidence: Literal["metadata", "docs", "community"]

    def evidence(self, text: str) -> Evidence:
        """The record as a fact behind a finding."""
        return Evidence(text=text, source=self.source, confidence=self.confidence)

    def binary(self, text: str) -> Evidence:
        """Likewise for a fact that only a binary states: of confidence ``binary`` when the source says one was read."""
        read = self.confidence == "metadata" and any(word in self.source for word in _SAYS_BINARY)
        confidence: Confidence = "binary" if read else self.confidence
        return Evidence(text=text, source=self.source, confidence=confidence)


class Rule(Record, frozen=True, kw_only=True):
    """Something that holds for a whole subject, in words."""

    id: str
    text: str


class RecordFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of records.

    Attributes:
        schema_version: of all files.
        subject: what it is about.
        as_of: day on which its makers last looked, ``2026-11-22``.
        notes: how to read its tables.
    """

    FILE: ClassVar[str] = ""

    schema_version: Literal[1]
    subject: str
    as_of: str
    notes: tuple[str, ...]


_File = TypeVar("_File", bound=RecordFile)


def load(kind: type[_File]) -> _File:
    """The records of one file; parsed at the first call, kept for the life of the process.

    Raises:
        IntegrityError: the file is missing or does not hold what it should; the installation is broken.
    """
    return _load(kind)  # type: ignore[return-value]  # the cache forgets the type


@cache  # the package's own data: it cannot change under a running process
def _load(kind: type[RecordFile]) -> RecordFile:
    import tomli  # noqa: PLC0415 - start-up

    path = DATA / kind.FILE
    try:
        return convert(tomli.loads(path.read_text(encoding="utf-8")), kind)
    except (OSError, UnicodeDecodeError, tomli.TOMLDecodeError, ValidationError) as error:
        raise IntegrityError(
            f"the compatibility records in {path} cannot be used: {error}",
            hint="install layerwright again; its files were changed or are incomplete",
        ) from error
