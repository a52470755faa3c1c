"""What a Dockerfile turns into, while it is read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from msgspec import Struct

__all__ = ["Context", "Conversion", "Draft", "IndexDraft", "Left", "PackageDraft", "RunDraft"]


class Context(Protocol):
    """The folder that the Dockerfile is built in."""

    def kind(self, path: str) -> Literal["file", "folder", ""]:
        """What stands there; empty for nothing."""
        ...

    def text(self, path: str) -> str | None:
        """A small text file; None when it cannot be read."""
        ...

    def matches(self, pattern: str) -> Sequence[str]:
        """Paths that a pattern of COPY means, sorted."""
        ...


class Left(Struct, frozen=True, kw_only=True):
    """Something that the spec does not say, or says in another way.

    Attributes:
        line: of the Dockerfile; 0 for the whole file.
        text: what stands there, shortened.
        why: what became of it, one sentence without a full stop.
    """

    line: int
    text: str
    why: str


class Conversion(Struct, frozen=True, kw_only=True):
    """A spec's text, its image's name, and what is left."""

    text: str
    image: str
    left: tuple[Left, ...]


class PackageDraft(Struct, frozen=True, kw_only=True):
    """An entry of ``packages``: exactly one of requirement, path, git and url is set."""

    requirement: str = ""
    path: str = ""
    git: str = ""
    rev: str = ""
    subdirectory: str = ""
    url: str = ""
    sha256: str = ""
    extras: tuple[str, ...] = ()


class IndexDraft(Struct, frozen=True, kw_only=True):
    """An index; one that pip was given for single packages is for those alone."""

    name: str
    url: str
    flat: bool = False
    credentials: str = ""
    default: bool = False
    packages: tuple[str, ...] = ()


class RunDraft(Struct, frozen=True, kw_only=True):
    """A command that is run at build, and the line it comes from."""

    line: int
    script: str = ""
    argv: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    network: bool = False


@dataclass(slots=True, kw_only=True)
class Draft:
    """One image; ``base`` is the text of ``from``, ``copies`` hold source and target."""

    name: str
    line: int
    base: str = ""
    python: str = ""
    accelerator: str = ""
    role: str = ""
    platform: str = ""
    apt: list[str] = field(default_factory=list)
    packages: list[PackageDraft] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    indexes: list[IndexDraft] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    timezone: str = ""
    env: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    writable: list[str] = field(default_factory=list)
    models: list[tuple[str, str, str]] = field(default_factory=list)
    copies: list[tuple[str, str]] = field(default_factory=list)
    runs: list[RunDraft] = field(default_factory=list)
    smoke: list[tuple[str, ...]] = field(default_factory=list)
    workdir: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    left: list[Left] = field(default_factory=list)

    def leave(self, line: int, text: str, why: str) -> None:
        """Note what is not carried over."""
        most = 100
        shown = " ".join(text.split())
        shown = shown if len(shown) <= most else f"{shown[:most]}…"
        note = Left(line=line, text=shown, why=why)
        if note not in self.left:
            self.left.append(note)

    def add_package(self, package: PackageDraft) -> None:
        """Add a package once; a name said again takes the place of the first."""
        if package not in self.packages:
            self.packages.append(package)
