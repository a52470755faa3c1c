"""What resolving asks of the outside world, as small as its need; ``sources`` and ``workflow`` answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from layerwright.lock.model import Deb, LockedBase, LockedSource, LockedTree, LockedWheel
from layerwright.oci.platform import Platform
from layerwright.spec.model import Cell, Index, Package, Source

__all__ = [
    "AptRequest",
    "AptResolver",
    "BaseInspector",
    "FileSizer",
    "InputReader",
    "PackageRequest",
    "PackageResolver",
    "PackageSet",
    "Ports",
    "TreeResolver",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageRequest:
    """One resolution: the packages of a cell and of the cells below it, for one Python on one platform.

    Attributes:
        cell: name of the cell, for messages.
        python: ``3.11``.
        full_python: ``3.11.2``; empty when unknown.
        glibc: the base's, such as ``2.36``; empty when unknown.
        packages: the cell's own packages.
        inherited: packages of its parents, outermost first; they take part, so that one set fits all.
        constraints: PEP 508 constraints of the cell and its parents.
        pins: name to version of what the parents have locked: no other version will do.
        preferences: name to version of what was locked before: kept when it still fits.
        sizes: sha256 to size of files that were locked before, so that they need not be asked for.
        prereleases: uv's ``--prerelease`` mode.
        exclude_newer: RFC 3339 date, empty for none.
        indexes: by name, in the order declared.
        root: folder that relative paths start from.
    """

    cell: str
    python: str
    full_python: str = ""
    platform: Platform
    glibc: str
    packages: tuple[Package, ...]
    inherited: tuple[Package, ...] = ()
    constraints: tuple[str, ...] = ()
    pins: Mapping[str, str] = field(default_factory=dict)
    preferences: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    prereleases: str = "if-necessary-or-explicit"
    exclude_newer: str = ""
    indexes: Mapping[str, Index] = field(default_factory=dict)
    root: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageSet:
    """Everything a resolution chose, the parents' packages included, by name.

    ``requested`` is set on what the cell's own packages name.
    """

    wheels: tuple[LockedWheel, ...] = ()
    sources: tuple[LockedSource, ...] = ()

    @property
    def versions(self) -> dict[str, str]:
        """Name to version."""
        return {package.name: package.version for package in self.wheels + self.sources}


@dataclass(frozen=True, slots=True, kw_only=True)
class AptRequest:
    """Debian packages to add to what is there.

    Attributes:
        cell: the cell, for messages.
        names: names, or ``name=version``.
        base: the lowest base, which says where the distribution's packages come from.
        installed: packages known to be there already: those of a ``debian`` base and of the parents.
        platform: the platform.
    """

    cell: Cell
    names: tuple[str, ...]
    base: LockedBase
    installed: tuple[Deb, ...]
    platform: Platform


class PackageResolver(Protocol):
    """Chooses wheels."""

    def resolve_packages(self, request: PackageRequest, /) -> PackageSet:
        """Choose one version and one file of everything that is needed.

        Raises:
            ResolveError: nothing fits; the resolver's own explanation is kept.
        """


class AptResolver(Protocol):
    """Chooses Debian packages."""

    def resolve_apt(self, request: AptRequest, /) -> tuple[Deb, ...]:
        """Packages to install over what is there, by name.

        Raises:
            ResolveError: nothing fits.
        """


class BaseInspector(Protocol):
    """Finds bases and looks into them."""

    def lock_base(self, cell: Cell, /) -> LockedBase:
        """The base of a cell by content, with its Python and glibc; never asked for ``image`` bases.

        Raises:
            ResolveError: there is no such base.
        """


class FileSizer(Protocol):
    """Measures files."""

    def file_size(self, url: str, /) -> int:
        """Size in bytes of what an address serves, 0 when it does not say."""


class InputReader(Protocol):
    """Looks at the user's own projects and files."""

    def input_digest(self, path: str, /) -> str:
        """Digest of what a resolution reads of a project folder or packed file; empty when it is not there.

        Args:
            path: as the spec or lock has it.
        """


class TreeResolver(Protocol):
    """Finds commits."""

    def resolve_tree(self, source: Source, /) -> tuple[LockedTree, ...]:
        """The commit of a source tree, and of its submodules by folder after it.

        Raises:
            ResolveError: the repository has no such revision.
            NetworkError: it cannot be asked.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The outside world, given to ``resolve``."""

    packages: PackageResolver
    apt: AptResolver
    bases: BaseInspector
    files: FileSizer
    inputs: InputReader
    trees: TreeResolver
