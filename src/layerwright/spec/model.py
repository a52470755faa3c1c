"""What the user described, after inheritance and matrix: one ``Cell`` per image to build.

Everything here is checked and complete; nothing is filled in later. Paths are relative to
``Spec.root`` unless absolute.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, field

from layerwright.core.source import Location
from layerwright.facts.components import KindName
from layerwright.oci.platform import Platform

if TYPE_CHECKING:
    from layerwright.ymir.image import Executor
    from layerwright.ymir.parameter import Parameter

__all__ = [
    "Accelerator",
    "Base",
    "BuildTest",
    "Cell",
    "Component",
    "CopyItem",
    "DeclaredParameter",
    "GitPackage",
    "Index",
    "IndexPackage",
    "Model",
    "Mount",
    "Package",
    "PathPackage",
    "Role",
    "RunItem",
    "RunOptions",
    "Secret",
    "Source",
    "SourceItem",
    "Spec",
    "UrlPackage",
]

Role = Literal["base", "training", "inference", "dev", "release", "executor"]
Accelerator = Literal["cpu", "nvidia", "mthreads"]


class Base(Struct, frozen=True, kw_only=True):
    """What an image starts from.

    Attributes:
        kind: ``debian`` (built from Debian packages), ``image`` (another cell of this spec), ``oci`` (layout
            folder), ``archive`` (docker or OCI archive file), ``docker`` (image of the local engine), ``registry``.
        source: suite, cell name, path or reference, by kind.
    """

    kind: Literal["debian", "image", "oci", "archive", "docker", "registry"]
    source: str

    def __str__(self) -> str:
        return self.source if self.kind == "registry" else f"{self.kind}:{self.source}"


class IndexPackage(Struct, frozen=True, kw_only=True):
    """A requirement met from a package index, as PEP 508 text."""

    requirement: str
    location: Location


class PathPackage(Struct, frozen=True, kw_only=True):
    """A project in a folder (built to a wheel) or a wheel or sdist file."""

    path: str
    extras: tuple[str, ...] = ()
    location: Location


class GitPackage(Struct, frozen=True, kw_only=True):
    """A project in a git repository at a revision; ``subdirectory`` is relative to its root, empty for the root."""

    git: str
    rev: str
    subdirectory: str = ""
    extras: tuple[str, ...] = ()
    location: Location


class UrlPackage(Struct, frozen=True, kw_only=True):
    """A wheel or sdist at an address, with its digest (64 hexadecimal digits)."""

    url: str
    sha256: str
    location: Location


Package = IndexPackage | PathPackage | GitPackage | UrlPackage


class Index(Struct, frozen=True, kw_only=True):
    """A package index.

    Attributes:
        name: name in the spec; the only thing that reaches the lock.
        url: address without credentials, or a folder for ``flat``.
        format: ``simple`` (PEP 503/691) or ``flat`` (a page or folder of links, as pip's find-links).
        credentials: ``""`` for none, ``netrc``, ``keyring[:USER]``, ``pip.conf``, ``env:NAME`` or ``file:PATH``
            (``user:password``).
        ca: file with the certificates this index is trusted by; empty for the system's.
        insecure: ``http`` for no encryption, ``certificate`` for any certificate, empty for neither.
        default: replaces PyPI for this spec.
        explicit: used only for packages named in ``packages``.
        packages: normalized names that must come from this index.
    """

    name: str
    url: str
    format: Literal["simple", "flat"] = "simple"
    credentials: str = ""
    ca: str = ""
    insecure: Literal["", "http", "certificate"] = ""
    default: bool = False
    explicit: bool = False
    packages: tuple[str, ...] = ()
    location: Location


class Secret(Struct, frozen=True, kw_only=True):
    """A value for run steps, read on the host when needed: from ``env`` or ``file``, the other empty.

    Attributes:
        required: False when it may be missing and is empty then.
    """

    name: str
    env: str = ""
    file: str = ""
    required: bool = True
    location: Location


class Model(Struct, frozen=True, kw_only=True):
    """A file fetched at build; ``sha256`` is 64 hexadecimal digits, ``mode`` its permission bits."""

    url: str
    sha256: str
    to: str
    mode: int = 0o644
    location: Location


class Component(Struct, frozen=True, kw_only=True):
    """An archive with an installer.

    Attributes:
        name: name in the spec.
        url: address, or a path relative to the spec.
        sha256: 64 hexadecimal digits.
        version: the maker's name of the release; empty when it is not said.
        arch: names of the GPU architectures it serves; empty for any.
        install: shell text that installs it; empty for the kind's own way.
        insecure: it is fetched without encryption, as the spec allows by name.
    """

    name: str
    kind: KindName
    url: str
    sha256: str
    version: str = ""
    arch: tuple[str, ...] = ()
    install: str = ""
    insecure: bool = False
    location: Location


class Source(Struct, frozen=True, kw_only=True):
    """A git repository whose files stand in images.

    Attributes:
        name: name in the spec.
        git: address, or a folder relative to the spec.
        rev: tag, branch or full commit.
        submodules: they are taken, too.
        checkout: a folder that it may be cloned to already; empty for none.
    """

    name: str
    git: str
    rev: str
    submodules: bool = True
    checkout: str = ""
    location: Location


class SourceItem(Struct, frozen=True, kw_only=True):
    """A source tree in an image; ``git`` when ``.git`` comes with it."""

    source: Source
    to: str
    git: bool = False
    location: Location


class DeclaredParameter(Struct, frozen=True, kw_only=True):
    """A hyper-parameter of an executor, and where it is declared."""

    parameter: "Parameter"
    location: Location


class CopyItem(Struct, frozen=True, kw_only=True):
    """A file or folder of the project; ``exclude`` holds gitignore-style patterns."""

    source: str
    to: str
    exclude: tuple[str, ...] = ()
    location: Location


class RunItem(Struct, frozen=True, kw_only=True):
    """A command run at build.

    Attributes:
        argv: the command; for a script, ``("/bin/sh", "-euc", script)``.
        script: the script's text as the user wrote it, empty when argv was given.
        secrets: names of secrets, each a file ``/run/secrets/NAME`` while the command runs.
        network: True when the command may use the network.
        env: extra variables for this command only.
    """

    argv: tuple[str, ...]
    script: str = ""
    secrets: tuple[str, ...] = ()
    network: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    location: Location


class BuildTest(RunItem, frozen=True, kw_only=True):
    """Tests run at build.

    Attributes:
        log: file of the image that keeps what they print.
        junit: JUnit file that they write; empty when failures are read from the log.
        allow: names of tests that may fail.
    """

    log: str
    junit: str = ""
    allow: tuple[str, ...] = ()


class Mount(Struct, frozen=True, kw_only=True):
    """A host path seen in the container at run time."""

    source: str
    to: str
    read_only: bool = False


class RunOptions(Struct, frozen=True, kw_only=True):
    """How ``run`` starts the image; empty text means the engine's default.

    Attributes:
        gpus: ``none``, ``all``, a number or ``device=0,1``; empty when nothing is said.
        shm_size, memory: sizes as Docker writes them.
        ipc: ``private`` or ``host``.
        network: False for none, ``host`` for the machine's own.
        cpus: processors' worth of time.
        cpu_set: which processors, ``0-3,8``.
        ulimits: ``SOFT`` or ``SOFT:HARD`` by the limit's name.
        privileged: with the rights of the machine's root.
        groups: more groups, by name or number.
        mounts: in order.
        keep_home: HOME outlives the run: True in a folder of the caller's, or a folder's path.
        stop_timeout: seconds before a container is ended by force; -1 for the engine's own.
    """

    gpus: str = ""
    shm_size: str = ""
    ipc: Literal["private", "host"] = "private"
    network: bool | Literal["host"] = True
    cpus: str = ""
    cpu_set: str = ""
    memory: str = ""
    ulimits: Mapping[str, str] = field(default_factory=dict)
    privileged: bool = False
    groups: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    keep_home: bool | str = False
    stop_timeout: int = -1


class Cell(Struct, frozen=True, kw_only=True):
    """One image to build: an entry of ``[images]`` at one point of its matrix.

    Attributes:
        name: ``infer`` or ``infer-py311-cpu``; unique within the spec.
        image: name of the ``[images]`` entry.
        axes: matrix values of this cell, in the order declared; empty without a matrix.
        base: what it starts from; for ``image`` the source is the parent *cell's* name.
        reference_name: repository part of the references, such as ``receipts-infer``.
        tags: tags, at least one, in order.
        python: ``3.11``; empty when the image has no Python environment.
        packages: this cell's own packages, without its parent's.
        constraints: PEP 508 constraints for the resolution.
        prereleases: uv's ``--prerelease`` mode.
        gpu_arch: name of the GPU architecture, ``qy2``; empty when nothing is said.
        apt: names, or ``name=version``.
        components: what this cell installs, in the order that works. Where that is another toolkit than the parent's,
            the parent's other components are among them.
        inherited_components: what its parents installed and is still in place.
        without: kinds of components that it is to do without.
        exclude_newer: RFC 3339 date, empty for none.
        sources: source trees of this cell, without its parent's.
        tests: run when everything else is in the image.
        bytecode: compile .pyc files into layers of their own.
        sealed: pip and uv inside the image keep to the locked versions.
        entry_program: the image starts through layerwright's entry program.
        executor: what it declares for the platform; None unless ``role`` is ``executor``, or a table of it says so.
        parameters: the executor's, before they are cut to its tasks, with their places.
        check_device: the program check-device and a health check are in the image.
        location: where the image's table stands.
    """

    name: str
    image: str
    axes: Mapping[str, str] = field(default_factory=dict)
    base: Base
    role: Role = "inference"
    accelerator: Accelerator = "cpu"
    gpu_arch: str = ""
    platform: Platform = field(default_factory=Platform)
    reference_name: str
    tags: tuple[str, ...]
    python: str = ""
    packages: tuple[Package, ...] = ()
    constraints: tuple[str, ...] = ()
    prereleases: Literal["disallow", "allow", "if-necessary", "explicit", "if-necessary-or-explicit"] = (
        "if-necessary-or-explicit"
    )
    exclude_newer: str = ""
    apt: tuple[str, ...] = ()
    components: tuple[Component, ...] = ()
    inherited_components: tuple[Component, ...] = ()
    without: tuple[KindName, ...] = ()
    timezone: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    writable: tuple[str, ...] = ()
    models: tuple[Model, ...] = ()
    sources: tuple[SourceItem, ...] = ()
    copy: tuple[CopyItem, ...] = ()
    run: tuple[RunItem, ...] = ()
    tests: tuple[BuildTest, ...] = ()
    smoke: tuple[RunItem, ...] = ()
    workdir: str = "/code"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    bytecode: bool = True
    sealed: bool = True
    entry_program: bool = True
    check_device: bool = False
    run_options: RunOptions = field(default_factory=RunOptions)
    executor: "Executor | None" = None
    parameters: tuple[DeclaredParameter, ...] = ()
    location: Location

    @property
    def references(self) -> tuple[str, ...]:
        """``name:tag`` for each tag."""
        return tuple(f"{self.reference_name}:{tag}" for tag in self.tags)


class Spec(Struct, frozen=True, kw_only=True):
    """A whole spec.

    Attributes:
        file: the file it was read from, as the user gave it.
        root: absolute folder that relative paths start from.
        project: the project's name.
        cells: by name; parents stand before their children.
        indexes: by name, in the order declared.
        secrets: by name.
        components: by name.
        sources: by name.
        leaks_allow: patterns of paths in images that the leak scan's rules let pass.
    """

    file: str
    root: Path
    project: str
    cells: Mapping[str, Cell]
    indexes: Mapping[str, Index] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    components: Mapping[str, Component] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)
    leaks_allow: tuple[str, ...] = ()
