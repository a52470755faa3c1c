"""The closed set of steps. A step says what, never how; every backend realises each or refuses early."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

from layerwright.core.source import Location
from layerwright.lock.model import Deb, LockedBase, LockedSource

__all__ = [
    "FILES_MOUNT",
    "PREFIX",
    "Base",
    "BuildWheel",
    "CellPlan",
    "CopySource",
    "CopyTree",
    "FetchFile",
    "InstallApt",
    "InstallCheckDevice",
    "InstallEntry",
    "InstallPython",
    "InstallSeal",
    "InstallWheels",
    "MountedFile",
    "Node",
    "Plan",
    "RunCommand",
    "RunTests",
    "SealedPackage",
    "SetConfig",
    "Step",
    "Submodule",
    "TextFile",
    "WheelInput",
    "WriteFiles",
]

PREFIX = "/opt/venv"
"""Where the image's Python environment stands."""

FILES_MOUNT = "/dev/layerwright-files"
"""Folder of a command's mounted files. Below /dev, a file system of its own, so that no mount point is in a layer."""


class Base(Struct, frozen=True, kw_only=True):
    """Start from a base; ``base.kind`` is never ``image`` (parents are inlined)."""

    base: LockedBase
    platform: str


class InstallApt(Struct, frozen=True, kw_only=True):
    """Install exactly these Debian packages; ``requested`` are the names the spec gave, to be marked manual."""

    debs: tuple[Deb, ...]
    requested: tuple[str, ...]


class InstallPython(Struct, frozen=True, kw_only=True):
    """Make the environment skeleton: ``PREFIX/pyvenv.cfg``, ``bin/python`` links, empty site-packages.

    Attributes:
        version: ``3.11``.
        interpreter: absolute path in the base.
        full_version: ``3.11.2``; empty when unknown.
    """

    version: str
    interpreter: str
    full_version: str
    prefix: str = PREFIX


class InstallEntry(Struct, frozen=True, kw_only=True):
    """Put layerwright's entry program (``layerwright.guest``) into the image; ``sha256`` is its text's."""

    sha256: str


class InstallCheckDevice(Struct, frozen=True, kw_only=True):
    """Put the program check-device (``layerwright.guest``) into the image.

    Attributes:
        accelerator: whose devices it looks at, ``mthreads`` or ``nvidia``.
        sha256: its text's.
    """

    accelerator: str
    sha256: str


class BuildWheel(Struct, frozen=True, kw_only=True):
    """Build a wheel from sources, with the image's interpreter, away from the image's file system.

    Attributes:
        source: what to build.
        tree_digest: digest of the folder for ``path`` sources, else empty.
        commit: description of the folder's commit (``v1.2.0-3-g0123456``), where its version comes from there.
        python: ``3.11``, of the interpreter that builds; ``full_python`` is ``3.11.2``, empty when unknown.
        glibc: the base's, empty when unknown.
        platform: what the wheel is for.
        exclude_newer: RFC 3339 date for what the build itself needs, empty for none.
    """

    source: LockedSource
    tree_digest: str = ""
    commit: str = ""
    python: str = ""
    full_python: str = ""
    glibc: str = ""
    platform: str = ""
    exclude_newer: str = ""
    location: Location | None = None


class WheelInput(Struct, frozen=True, kw_only=True):
    """A wheel to install: from the lock (``sha256``) or made by a ``BuildWheel`` node (``built_by`` its digest)."""

    name: str
    version: str
    file: str = ""
    sha256: str = ""
    size: int = 0
    index: str = ""
    url: str = ""
    requested: bool = False
    built_by: str = ""


class InstallWheels(Struct, frozen=True, kw_only=True):
    """Install wheels into the environment, as one layer.

    Attributes:
        wheels: by name.
        part: ``files`` for the wheels' own files, ``bytecode`` for the .pyc files compiled from them.
        python: ``3.11``.
    """

    wheels: tuple[WheelInput, ...]
    part: Literal["files", "bytecode"]
    python: str
    prefix: str = PREFIX


class SealedPackage(Struct, frozen=True, kw_only=True):
    """A package of the environment as the lock has it; version and digest may be known only once it is built."""

    name: str
    version: str = ""
    sha256: str = ""


class InstallSeal(Struct, frozen=True, kw_only=True):
    """Tell pip and ``verify`` inside of the image what was locked (``layerwright.plan.seal``).

    Attributes:
        packages: all of the environment, parents' too, by name; none opens what a parent sealed.
    """

    packages: tuple[SealedPackage, ...]
    prefix: str = PREFIX


class FetchFile(Struct, frozen=True, kw_only=True):
    """Put a file with a known digest into the image."""

    url: str
    sha256: str
    to: str
    mode: int = 0o644
    location: Location | None = None


class CopyTree(Struct, frozen=True, kw_only=True):
    """Copy a file or folder of the project; ``tree_digest`` covers names, modes and contents of what is copied."""

    source: str
    to: str
    exclude: tuple[str, ...]
    tree_digest: str
    location: Location | None = None


class MountedFile(Struct, frozen=True, kw_only=True):
    """A file with a known digest that a command sees as ``FILES_MOUNT/NAME``, read-only, and that is in no layer.

    Attributes:
        url: address, or a path relative to the spec.
        size: bytes, 0 when unknown.
    """

    name: str
    url: str
    sha256: str
    size: int = 0


class TextFile(Struct, frozen=True, kw_only=True):
    """A small text file of an image; ``path`` is relative to its step's folder."""

    path: str
    text: str


class WriteFiles(Struct, frozen=True, kw_only=True):
    """Write texts that the spec itself holds: what an executor says about itself in ``/img-man``.

    Attributes:
        to: absolute path of a folder.
        files: by path; everybody may read them.
        location: where the spec declares them.
    """

    to: str
    files: tuple[TextFile, ...]
    location: Location | None = None


class Submodule(Struct, frozen=True, kw_only=True):
    """A repository at a commit, in a folder ``path`` of a source tree."""

    path: str
    git: str
    commit: str


class CopySource(Struct, frozen=True, kw_only=True):
    """Put the files of a git repository at a commit, and of its submodules, into the image.

    Attributes:
        name: of the source tree in the spec.
        git: address, or a folder relative to the spec.
        rev: what the spec calls the commit.
        submodules: parents first.
        to: folder in the image.
        history: ``.git`` comes with it, of this commit alone.
        checkout: a folder of the user's that may have it already; empty for none.
    """

    name: str
    git: str
    rev: str
    commit: str
    submodules: tuple[Submodule, ...] = ()
    to: str
    history: bool = False
    checkout: str = ""
    location: Location | None = None


class RunCommand(Struct, frozen=True, kw_only=True):
    """Run a command in the image so far.

    Attributes:
        files: what it sees beside the image; names are unique.
        keep: True makes its changes a layer; False (smoke tests) throws them away.
        env: the image's environment at this point, plus the command's own.
    """

    argv: tuple[str, ...]
    script: str = ""
    secrets: tuple[str, ...] = ()
    files: tuple[MountedFile, ...] = ()
    network: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    keep: bool = True
    location: Location | None = None


class RunTests(Struct, frozen=True, kw_only=True):
    """Run tests in the image so far; of all that they write, their log and JUnit file stay.

    Attributes:
        argv: the tests' command.
        script: its text as the user wrote it, empty when argv was given.
        log: file of the image that keeps what they print, with a verdict at its end.
        junit: JUnit file that they write; empty when failures are read from the log.
        allow: names of tests that may fail.
        judge: sha256 of the text of the program that runs and judges them (``layerwright.guest``).
        secrets, network, env, workdir: as for ``RunCommand``.
    """

    argv: tuple[str, ...]
    script: str = ""
    log: str
    junit: str = ""
    allow: tuple[str, ...] = ()
    judge: str
    secrets: tuple[str, ...] = ()
    network: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    location: Location | None = None

    @property
    def kept(self) -> tuple[str, ...]:
        """Files that stay in the image."""
        return (self.log, self.junit) if self.junit else (self.log,)


class SetConfig(Struct, frozen=True, kw_only=True):
    """The image's config; ``env`` is added to the base's environment (``PATH`` is prepended to).

    Attributes:
        health: the health check's command; empty keeps the base's.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str = ""
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    health: tuple[str, ...] = ()


Step = (
    Base
    | InstallApt
    | InstallPython
    | InstallEntry
    | InstallCheckDevice
    | BuildWheel
    | InstallWheels
    | InstallSeal
    | FetchFile
    | CopyTree
    | WriteFiles
    | CopySource
    | RunCommand
    | RunTests
    | SetConfig
)


class Node(Struct, frozen=True, kw_only=True):
    """A step in the graph.

    Attributes:
        digest: covers the step's kind and fields and its inputs' digests; names for people and positions stay out.
        inputs: digests of the nodes it needs.
        title: one line for people.
    """

    step: Step
    digest: str
    inputs: tuple[str, ...]
    title: str


class CellPlan(Struct, frozen=True, kw_only=True):
    """How one cell is built: nodes in layer order, ``SetConfig`` last.

    Attributes:
        cell: its name.
        references: ``name:tag`` for each tag.
        parent: name of the parent cell, empty without one; the parent's nodes come first in ``nodes``.
    """

    cell: str
    references: tuple[str, ...]
    platform: str
    nodes: tuple[Node, ...]
    parent: str = ""


class Plan(Struct, frozen=True, kw_only=True):
    """How all asked cells are built, parents before children."""

    cells: tuple[CellPlan, ...]
