"""OpenCV wheels: what they need of the system and of NumPy."""

from typing import ClassVar, Final, Literal

from msgspec import Struct

from layerwright.core.findings import Evidence
from layerwright.facts.compat.records import Record, RecordFile, Rule, load
from layerwright.facts.compat.versions import same_release

__all__ = [
    "OpenCvBuild",
    "OpenCvFile",
    "SystemLibraries",
    "build",
    "first_with_numpy_2",
    "rule",
    "system_libraries",
]

_PLAIN: Final = {
    "opencv-contrib-python": "opencv-python",
    "opencv-contrib-python-headless": "opencv-python-headless",
}
"""Variants with the extra modules need the same libraries as those without: both flavours bundle the same Qt or none.
Source: opencv/opencv-python README, which builds them from one script."""


class SystemLibrary(Record, frozen=True, kw_only=True):
    """Libraries from outside the wheel that one release needs beyond glibc."""

    package: str
    version: str
    libraries: tuple[str, ...]
    debian_packages: tuple[str, ...] = ()
    note: str = ""


class Release(Record, frozen=True, kw_only=True):
    """A release on PyPI.

    Attributes:
        python: interpreters with a wheel of their own; ``abi3``: one wheel for that version and later.
        numpy: requirement lines, with markers.
        numpy_cap_declared: its requirements keep NumPy 2 out, which it was not built for.
        qt: it has windows, by Qt libraries inside.
    """

    package: str
    version: str
    python: tuple[str, ...] = ()
    abi3: str = ""
    requires_python: str = ""
    numpy: tuple[str, ...] = ()
    numpy_api: Literal[0, 1, 2] = 0
    numpy_cap_declared: bool | None = None
    platform_tags: tuple[str, ...]
    cuda: bool | None = None
    qt: bool | None = None
    yanked: bool = False
    glibc_needed: str = ""


class OpenCvFile(RecordFile, frozen=True, kw_only=True):
    """``opencv.toml``."""

    FILE: ClassVar[str] = "opencv.toml"

    rule: tuple[Rule, ...]
    system_library: tuple[SystemLibrary, ...]
    release: tuple[Release, ...]


class OpenCvBuild(Struct, frozen=True, kw_only=True):
    """What is recorded of one release. Empty and zero: not known.

    Attributes:
        numpy: its requirement lines on NumPy, with markers.
        numpy_api: 1 built with NumPy 1 headers, 2 with NumPy 2 headers.
        numpy_capped: its requirements keep NumPy 2 out; None when nobody looked.
        qt: it has windows, and needs graphics libraries of the system for them; None when nobody looked.
    """

    package: str
    version: str
    numpy: tuple[str, ...] = ()
    numpy_api: int = 0
    numpy_capped: bool | None = None
    qt: bool | None = None
    glibc: str = ""
    python: tuple[str, ...] = ()
    abi3: str = ""
    requires_python: str = ""
    yanked: bool = False
    evidence: tuple[Evidence, ...] = ()


class SystemLibraries(Struct, frozen=True, kw_only=True):
    """Libraries that a wheel takes from the system, beyond glibc.

    Attributes:
        libraries: sonames.
        debian_packages: Debian's names of the packages that have them; empty when not recorded.
        read_in: the release whose binaries were read; other releases may differ.
        exact: it is the release asked for.
    """

    libraries: tuple[str, ...]
    debian_packages: tuple[str, ...]
    read_in: str
    exact: bool
    evidence: tuple[Evidence, ...] = ()


def build(package: str, version: str) -> OpenCvBuild | None:
    """What is recorded of a release on PyPI; None when it is not recorded."""
    for record in load(OpenCvFile).release:
        if record.package == package and same_release(record.version, version):
            asks = " and ".join(record.numpy) or "nothing of NumPy"
            evidence = [record.evidence(f"{package} {record.version} asks for {asks}")]
            if record.numpy_api:
                built = f"{package} {record.version} was built with NumPy {record.numpy_api} headers"
                evidence.append(record.evidence(built))
            return OpenCvBuild(
                package=package,
                version=version,
                numpy=record.numpy,
                numpy_api=record.numpy_api,
                numpy_capped=record.numpy_cap_declared,
                qt=record.qt,
                glibc=record.glibc_needed,
                python=record.python,
                abi3=record.abi3,
                requires_python=record.requires_python,
                yanked=record.yanked,
                evidence=tuple(evidence),
            )
    return None


def system_libraries(package: str, version: str) -> SystemLibraries | None:
    """What a wheel takes from the system; None for other packages. See ``exact``: one release of each was read."""
    for record in load(OpenCvFile).system_library:
        if record.package == _PLAIN.get(package, package):
            exact = record.package == package and same_release(record.version, version)
            text = f"{record.package} {record.version} needs {', '.join(record.libraries)} from the system"
            return SystemLibraries(
                libraries=record.libraries,
                debian_packages=record.debian_packages,
                read_in=record.version,
                exact=exact,
                evidence=(record.binary(text),),
            )
    return None


def first_with_numpy_2(package: str) -> str:
    """The first recorded release built with NumPy 2 headers; empty when none is."""
    for record in load(OpenCvFile).release:
        if record.package == package and record.numpy_api == 2:  # noqa: PLR2004 - the interface's number
            return record.version
    return ""


def rule(name: Literal["one-flavour", "no-cuda", "numpy"]) -> Evidence:
    """A rule that holds for all of it, as evidence."""
    return next(record.evidence(record.text) for record in load(OpenCvFile).rule if record.id == name)
