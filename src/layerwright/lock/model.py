"""What was resolved. No credential and no address with one ever enters these types."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

__all__ = [
    "LOCK_VERSION",
    "Deb",
    "Lock",
    "LockedBase",
    "LockedCell",
    "LockedComponent",
    "LockedFile",
    "LockedSource",
    "LockedTree",
    "LockedWheel",
]

LOCK_VERSION = 1
"""Readers refuse another version; additions that old readers may ignore do not raise it."""


class Deb(Struct, frozen=True, kw_only=True):
    """A Debian package: ``path`` is below the archive's root (``pool/main/…``), ``size`` in bytes.

    Over a base that is known by its name alone, only ``name``, ``architecture`` and what the spec says of the
    version are known.
    """

    name: str
    version: str
    architecture: str
    sha256: str
    size: int
    path: str


class LockedBase(Struct, frozen=True, kw_only=True):
    """A base by content.

    Attributes:
        kind, source: as in the spec.
        digest: manifest digest (``oci``, ``registry``), config digest (``docker``, ``archive``), digest of
            the package list (``debian``), empty for ``image``; empty for a ``registry`` base that was taken by its
            name, without a look into it.
        debs: the packages a ``debian`` base is made of, by name.
        python: full interpreter version, such as ``3.11.2``; empty without one or when unknown.
        interpreter: absolute path of the interpreter, such as ``/usr/bin/python3.11``; empty without one.
        glibc: ``2.36``; empty when unknown.
    """

    kind: Literal["debian", "image", "oci", "archive", "docker", "registry"]
    source: str
    digest: str = ""
    debs: tuple[Deb, ...] = ()
    python: str = ""
    interpreter: str = ""
    glibc: str = ""


class LockedWheel(Struct, frozen=True, kw_only=True):
    """A wheel that an index or address serves.

    Attributes:
        name: normalized name.
        version: PEP 440 version.
        file: file name of the wheel.
        sha256: 64 hexadecimal digits.
        size: bytes.
        index: name of the index (``pypi`` when the spec names none), empty for ``url``.
        url: address for a wheel the spec names by address or path; empty for an index.
        requested: named by the spec itself rather than by another package.
    """

    name: str
    version: str
    file: str
    sha256: str
    size: int
    index: str = ""
    url: str = ""
    requested: bool = False


class LockedSource(Struct, frozen=True, kw_only=True):
    """A package built to a wheel at build time.

    Attributes:
        kind: ``path`` (project folder), ``git`` or ``sdist``.
        source: folder or file relative to the spec, repository address, or sdist file name.
        commit: full commit of ``git``.
        subdirectory: project folder inside a git repository, empty for its root.
        sha256: digest of an ``sdist`` (64 hexadecimal digits), empty otherwise.
        size: bytes of an ``sdist``, else 0.
        index, url: where an ``sdist`` comes from, as for wheels.
        metadata: digest of the files of a ``path`` project that state what it needs (64 hexadecimal digits),
            empty otherwise.
    """

    name: str
    version: str
    kind: Literal["path", "git", "sdist"]
    source: str
    commit: str = ""
    subdirectory: str = ""
    sha256: str = ""
    size: int = 0
    index: str = ""
    url: str = ""
    requested: bool = False
    metadata: str = ""


class LockedFile(Struct, frozen=True, kw_only=True):
    """A model or other file: ``sha256`` is 64 hexadecimal digits; ``size`` 0 when unknown."""

    url: str
    sha256: str
    size: int
    to: str


class LockedComponent(Struct, frozen=True, kw_only=True):
    """A component archive: ``sha256`` is 64 hexadecimal digits; ``size`` 0 when unknown."""

    name: str
    url: str
    sha256: str
    size: int = 0


class LockedTree(Struct, frozen=True, kw_only=True):
    """A source tree's repository, or one of its submodules, at a commit.

    Attributes:
        name: of the source tree in the spec.
        submodule: the submodule's folder in the tree; empty for the tree itself.
        git: address; relative to the spec for a folder.
        rev: tag, branch or commit that the spec asks for; empty for a submodule.
        commit: full commit.
    """

    name: str
    submodule: str = ""
    git: str
    rev: str = ""
    commit: str


class LockedCell(Struct, frozen=True, kw_only=True):
    """Everything one cell is made of.

    Attributes:
        name: the cell.
        spec_digest: digest of the part of the spec that was resolved; differs when the lock is out of date.
        apt: packages to install over the base, without those the base or the parent has, by name.
        wheels: wheels of this cell without its parent's, by name.
        sources: packages to build, by name.
        components: archives, in the order they are installed in.
        trees: source trees by name, each followed by its submodules by folder.
    """

    name: str
    spec_digest: str
    base: LockedBase
    python: str
    platform: str
    apt: tuple[Deb, ...] = ()
    wheels: tuple[LockedWheel, ...] = ()
    sources: tuple[LockedSource, ...] = ()
    files: tuple[LockedFile, ...] = ()
    components: tuple[LockedComponent, ...] = ()
    trees: tuple[LockedTree, ...] = ()

    @property
    def packages(self) -> tuple[LockedWheel | LockedSource, ...]:
        """Wheels, then sources."""
        return self.wheels + self.sources


class Lock(Struct, frozen=True, kw_only=True):
    """A whole lock: cells by name."""

    cells: Mapping[str, LockedCell]
