"""The shape of the lock's one-line records, stated once for reader and writer."""

from dataclasses import dataclass
from typing import Final, Literal

from layerwright.lock.model import Deb, LockedComponent, LockedFile, LockedSource, LockedTree, LockedWheel

__all__ = ["ARRAYS", "BASE_DEBS", "HEADER", "Field", "Record"]

HEADER: Final = (
    "# The exact inputs of every image, written by `layerwright lock`.\n"
    "# Commit this file and review its changes; do not edit it by hand.\n"
)

Kind = Literal["text", "number", "flag", "sha256", "file", "path", "address", "commit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One key of a record.

    Attributes:
        kind: ``text``; ``number`` (not negative); ``flag``; ``sha256`` (64 hexadecimal digits);
            ``file`` (a name without a folder); ``path`` (relative, without ``..``); ``address``;
            ``commit`` (40 hexadecimal digits, or 64).
        required: must stand in the file; other keys are left out while they have their default.
        choices: the only allowed texts; empty for any.
    """

    name: str
    kind: Kind = "text"
    required: bool = True
    choices: tuple[str, ...] = ()

    @property
    def default(self) -> str | int | bool:
        """The value of a key that is left out."""
        return False if self.kind == "flag" else 0 if self.kind == "number" else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One kind of line: its class, its key in the table above, and its fields in the order written.

    The digest stands last, so that a review sees names and versions in one column.
    """

    key: str
    type: type[Deb | LockedComponent | LockedFile | LockedSource | LockedTree | LockedWheel]
    fields: tuple[Field, ...]


_DEB = (
    Field(name="name"),
    Field(name="version"),
    Field(name="architecture"),
    Field(name="path", kind="path"),
    Field(name="size", kind="number"),
    Field(
        name="sha256", kind="sha256", required=False
    ),  # unknown over a base that is known by its name alone
)

BASE_DEBS: Final = Record(key="debs", type=Deb, fields=_DEB)

ARRAYS: Final = (
    Record(key="apt", type=Deb, fields=_DEB),
    Record(
        key="wheels",
        type=LockedWheel,
        fields=(
            Field(name="name"),
            Field(name="version"),
            Field(name="file", kind="file"),
            Field(name="index", required=False),
            Field(name="url", kind="address", required=False),
            Field(name="requested", kind="flag", required=False),
            Field(name="size", kind="number"),
            Field(name="sha256", kind="sha256"),
        ),
    ),
    Record(
        key="sources",
        type=LockedSource,
        fields=(
            Field(name="name"),
            Field(name="version"),
            Field(name="kind", choices=("path", "git", "sdist")),
            Field(name="source", kind="address"),
            Field(name="commit", required=False),
            Field(name="subdirectory", required=False),
            Field(name="index", required=False),
            Field(name="url", kind="address", required=False),
            Field(name="requested", kind="flag", required=False),
            Field(name="size", kind="number", required=False),
            Field(name="metadata", kind="sha256", required=False),
            Field(name="sha256", kind="sha256", required=False),
        ),
    ),
    Record(
        key="files",
        type=LockedFile,
        fields=(
            Field(name="url", kind="address"),
            Field(name="to"),
            Field(name="size", kind="number", required=False),
            Field(name="sha256", kind="sha256"),
        ),
    ),
    Record(
        key="components",
        type=LockedComponent,
        fields=(
            Field(name="name"),
            Field(name="url", kind="address"),
            Field(name="size", kind="number", required=False),
            Field(name="sha256", kind="sha256"),
        ),
    ),
    Record(
        key="trees",
        type=LockedTree,
        fields=(
            Field(name="name"),
            Field(name="submodule", kind="path", required=False),
            Field(name="git", kind="address"),
            Field(name="rev", required=False),
            Field(name="commit", kind="commit"),
        ),
    ),
)
