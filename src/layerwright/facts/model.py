"""What is known of wheels, libraries, bases and machines.

Empty and zero mean *not known* unless a field says otherwise.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

from layerwright.core.findings import Evidence
from layerwright.core.source import Location
from layerwright.oci.platform import Platform

__all__ = [
    "BaseFacts",
    "ComponentFacts",
    "Gpu",
    "HostFacts",
    "InsecureIndex",
    "Library",
    "Package",
    "Subject",
    "SystemPackage",
    "WheelFacts",
]


class Library(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one ELF file says of itself.

    Attributes:
        path: inside the wheel or image.
        machine: ELF machine, such as ``x86_64`` or ``aarch64``.
        soname: DT_SONAME.
        needed: DT_NEEDED, in order. Of a front it is what the file was linked with: a name that a tool struck out
            of DT_NEEDED afterwards still counts there (in a whole file it is in ``opens``).
        rpath: DT_RPATH, folders as they stand (``$ORIGIN`` unexpanded).
        runpath: DT_RUNPATH, likewise.
        versions_needed: by the library it wants them from, symbol versions (``GLIBC_2.28``), of ``.gnu.version_r``.
        versions_defined: symbol versions this file defines; from ``.gnu.version_d``.
        opens: further library names that stand in it as strings, so it may open them at run time, or others open
            them for it.
        sm: compute capabilities with machine code in its fat binary, ``8.6``, ``9.0a``; empty when it holds none.
        ptx: compute capabilities of its PTX.
        numpy_api: 1 built with NumPy 1 headers, 2 with NumPy 2 headers (works with both), 0 does not use it.
        whole: everything was read; False when only the front of the file was, so that ``opens``, ``sm``, ``ptx`` and
            ``numpy_api`` are not known.
        unread: names of the other fields that are not, or not wholly, known either; what stands in them is true all
            the same, and absence from them says nothing.
    """

    path: str
    machine: str = ""
    soname: str = ""
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    versions_needed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    versions_defined: tuple[str, ...] = ()
    opens: tuple[str, ...] = ()
    sm: tuple[str, ...] = ()
    ptx: tuple[str, ...] = ()
    numpy_api: int = 0
    whole: bool = True
    unread: tuple[str, ...] = ()


class WheelFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one wheel says of itself, read once per sha256.

    Attributes:
        file: file name of the wheel.
        sha256: 64 hexadecimal digits.
        name: normalized.
        version: PEP 440.
        requires_python: specifier set; empty for none.
        requires: Requires-Dist lines.
        libraries: its ELF files, by path.
        paths: all other members whose names matter to rules: top-level packages, ``*.libs`` folders.
        reach: ``metadata`` (METADATA only), ``members`` (small members whole, of large ones the front), ``whole``.
        why_not: why the reading reaches no further than ``metadata``; empty otherwise.
        size: bytes of the wheel.
        bytes_read: bytes that came over the network for these facts; 0 from a local file.
    """

    file: str
    sha256: str
    name: str
    version: str
    requires_python: str = ""
    requires: tuple[str, ...] = ()
    libraries: tuple[Library, ...] = ()
    paths: tuple[str, ...] = ()
    reach: Literal["metadata", "members", "whole"] = "metadata"
    why_not: str = ""
    size: int = 0
    bytes_read: int = 0


class BaseFacts(Struct, frozen=True, kw_only=True):
    """What is known of the image that a chain of images starts from.

    Attributes:
        reference: as the spec names it.
        known: False when nothing is known of it but its name.
        family: ``debian``, ``nvidia-cuda``, ``ngc-pytorch``, … ; empty when not known.
        os: ``debian12``, ``ubuntu22.04``.
        glibc: ``2.36``.
        glibcxx: greatest ``GLIBCXX_`` version of its libstdc++, ``3.4.30``.
        python: of its python3, ``3.11``.
        cuda: toolkit version, ``12.4.1``. "none" when it is known to hold no CUDA.
        cudnn: version, ``9.1.0.70`` or its major alone. "none" when it is known to hold none.
        flavour: ``base``, ``runtime`` or ``devel``.
        torch: version of a framework that the base brings itself.
        driver_branch: least driver that its toolkit asks for without forward compatibility; 0 when not known.
        pip_constraint: path of a constraints file the base enforces, which blocks replacing its packages.
        sonames: shared libraries that it is known to provide, by soname, with the file's path (may be empty text).
        closed: ``sonames`` is everything the loader finds in it, so what is not there is missing.
        evidence: where this is known from.
    """

    reference: str
    known: bool = False
    family: str = ""
    os: str = ""
    glibc: str = ""
    glibcxx: str = ""
    python: str = ""
    cuda: str = ""
    cudnn: str = ""
    flavour: str = ""
    torch: str = ""
    driver_branch: int = 0
    pip_constraint: str = ""
    sonames: Mapping[str, str] = field(default_factory=dict)
    closed: bool = False
    evidence: tuple[Evidence, ...] = ()


class Gpu(Struct, frozen=True, kw_only=True):
    """One accelerator of a machine: ``compute_capability`` as ``8.6`` for NVIDIA, empty elsewhere."""

    name: str
    vendor: Literal["nvidia", "mthreads"] = "nvidia"
    compute_capability: str = ""
    memory_bytes: int = 0


class HostFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A machine that images run on, as ``doctor --record`` writes it.

    Attributes:
        schema: of this record.
        name: of the machine.
        os: ``PRETTY_NAME`` of os-release.
        kernel: release.
        architecture: ``amd64`` or ``arm64``.
        glibc: of the machine.
        driver_version: NVIDIA's, ``525.147.05``.
        driver_cuda: greatest CUDA that the driver states, ``12.0``.
        mthreads_driver_version: Moore Threads'.
        gpus: its accelerators.
        engines: name to version of container engines.
        data_center: its GPUs are data-centre ones, which forward compatibility needs; None when not known.
    """

    schema: int = 1
    name: str = ""
    os: str = ""
    kernel: str = ""
    architecture: str = ""
    glibc: str = ""
    driver_version: str = ""
    driver_cuda: str = ""
    mthreads_driver_version: str = ""
    gpus: tuple[Gpu, ...] = ()
    engines: Mapping[str, str] = field(default_factory=dict)
    data_center: bool | None = None


class Package(Struct, frozen=True, kw_only=True):
    """A Python package of an image.

    Attributes:
        name: normalized.
        version: PEP 440; may carry a local part.
        facts: what its wheel says; None when nobody could look (sdists, projects, no network).
        why_not: why there are no facts; empty when there are.
        index: name of the index it comes from, empty for an address or project.
        requested: the spec names it itself.
        location: the place in the spec that names it, or that names what needs it.
        required_by: names of packages of the image that require it.
    """

    name: str
    version: str
    facts: WheelFacts | None = None
    why_not: str = ""
    index: str = ""
    requested: bool = False
    location: Location | None = None
    required_by: tuple[str, ...] = ()


class SystemPackage(Struct, frozen=True, kw_only=True):
    """A Debian package of an image: of its base, or installed over it (``location`` is then the spec's apt list)."""

    name: str
    version: str
    location: Location | None = None


class InsecureIndex(Struct, frozen=True, kw_only=True):
    """An index that the spec takes without protection: ``how`` is ``http`` or ``certificate``."""

    name: str
    how: str
    location: Location


class RunFacts(Struct, frozen=True, kw_only=True):
    """How the spec wants an image started, as far as rules look at it.

    Attributes:
        rights: what it shares with the machine by name: of ``privileged``, ``network`` and ``ipc``.
        shm_size: as written.
        location: of the run table; None when there is none.
    """

    rights: tuple[str, ...] = ()
    shm_size: str = ""
    location: Location | None = None


class ComponentFacts(Struct, frozen=True, kw_only=True):
    """A component archive that an image, or a parent of it, installs.

    Attributes:
        name: in the spec.
        kind: ``musa_toolkit``, ``mudnn``, …
        release: as its maker calls it, ``rc4.0.1``: said by the spec, else by the archive's name; empty when neither
            tells.
    """

    name: str
    kind: str
    release: str
    location: Location


class Subject(Struct, frozen=True, kw_only=True):
    """Everything the rules look at for one cell. Pure data: taking something out gives another subject to judge.

    Attributes:
        cell: its name.
        role, accelerator, platform, gpu_arch: as in the spec.
        python: ``3.11``; empty without a Python environment.
        location: the image's table in the spec.
        base_location: the place of ``from`` in the spec, or of the image.
        base: what the chain of images starts from.
        packages: by name, those of its parents too.
        system: Debian packages by name, those of the base too where they are known.
        system_known: ``system`` is complete, so what is not there is not installed.
        env: variables that the spec sets in the image.
        host: the machine to judge for; None when not asked.
        insecure_indexes: of the spec.
        components: archives that are installed.
        source_trees: what is compiled in the image, by the package's name; the tag tells its version.
    """

    cell: str
    role: str
    accelerator: str
    platform: Platform = field(default_factory=Platform)
    gpu_arch: str = ""
    python: str = ""
    location: Location
    base_location: Location
    base: BaseFacts
    packages: Mapping[str, Package] = field(default_factory=dict)
    system: Mapping[str, SystemPackage] = field(default_factory=dict)
    system_known: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    host: HostFacts | None = None
    run: RunFacts = RunFacts()
    insecure_indexes: tuple[InsecureIndex, ...] = ()
    components: tuple[ComponentFacts, ...] = ()
    source_trees: Mapping[str, Package] = field(default_factory=dict)
