"""Programs and libraries outside Python that packages look for at run time are installed."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from layerwright.core.findings import Evidence, Finding, Kind, Level, Member
from layerwright.facts.compat.versions import dotted
from layerwright.facts.model import Package
from layerwright.rules.case import Case
from layerwright.rules.debian_names import installed_package
from layerwright.rules.repairs import apt_fix, packages_fix
from layerwright.rules.requirements import release_of
from layerwright.rules.words import named

__all__ = ["KINDS", "check"]

PACKAGE = Kind(
    code="LW-SYSTEM-PACKAGE",
    title="A Python package looks for a system library or program that is not there",
    why="These packages are bindings: they hold no library of their own and open the system's by name, or start a "
    "program. No metadata says so, so pip installs them and the import (or the first call) fails.",
    evidence="What the packages' own code opens, and the Debian packages and libraries of the base and of `apt`.",
    repair="Add the Debian package that the finding names to `apt`.",
)
KINDS = (PACKAGE,)


class _Binding(Struct, frozen=True):
    """What a package looks for.

    Attributes:
        soname: the library that it opens; empty for programs.
        debian: packages that bring it, any of which will do; the first is offered.
        on_import: without it the import fails; otherwise a call does.
        what: for messages.
        source: where it is known from.
        newer: from which release of the package on, which least version of the library; empty for any.
    """

    soname: str
    debian: tuple[str, ...]
    on_import: bool
    what: str
    source: str
    newer: tuple[int, int] | tuple[()] = ()


_BINDINGS: Final[dict[str, _Binding]] = {
    "pyturbojpeg": _Binding(
        "libturbojpeg.so.0",
        ("libturbojpeg0", "libturbojpeg"),
        False,
        "libturbojpeg",
        "PyTurboJPEG README; turbojpeg.py",
        (2, 3),
    ),
    "pdf2image": _Binding("", ("poppler-utils",), False, "pdftoppm of poppler", "pdf2image README"),
    "pytesseract": _Binding("", ("tesseract-ocr",), False, "the program tesseract", "pytesseract README"),
    "pyzbar": _Binding("libzbar.so.0", ("libzbar0",), True, "libzbar", "pyzbar README"),
    "python-magic": _Binding("libmagic.so.1", ("libmagic1",), True, "libmagic", "python-magic README"),
    "pydub": _Binding("", ("ffmpeg",), False, "the program ffmpeg", "pydub README"),
    "ffmpeg-python": _Binding("", ("ffmpeg",), False, "the program ffmpeg", "ffmpeg-python README"),
    "sounddevice": _Binding(
        "libportaudio.so.2", ("libportaudio2",), True, "libportaudio", "python-sounddevice docs"
    ),
    "cairocffi": _Binding("libcairo.so.2", ("libcairo2",), True, "libcairo", "cairocffi docs"),
    "weasyprint": _Binding(
        "libpango-1.0.so.0", ("libpango-1.0-0",), True, "libpango", "WeasyPrint docs, First Steps"
    ),
    "graphviz": _Binding("", ("graphviz",), False, "the program dot", "graphviz (Python) README"),
    "pydot": _Binding("", ("graphviz",), False, "the program dot", "pydot README"),
    "pylibdmtx": _Binding(
        "libdmtx.so.0", ("libdmtx0b", "libdmtx0a", "libdmtx0"), True, "libdmtx", "pylibdmtx README"
    ),
    "pyopencl": _Binding("libOpenCL.so.1", ("ocl-icd-libopencl1",), True, "libOpenCL", "PyOpenCL docs"),
    "pyexiftool": _Binding(
        "", ("libimage-exiftool-perl",), False, "the program exiftool", "PyExifTool README"
    ),
    "gitpython": _Binding("", ("git",), True, "the program git", "GitPython README"),
    "python-snap7": _Binding("libsnap7.so", ("libsnap7-1",), False, "libsnap7", "python-snap7 docs"),
    "pyaudio": _Binding("libportaudio.so.2", ("libportaudio2",), True, "libportaudio", "PyAudio docs"),
}
"""By normalized name. PyTurboJPEG opens its library when a TurboJPEG object is made, as many callers do on import."""

_VENDORED: Final = frozenset({"pyopencl", "python-snap7"})
"""Their wheels bring the library themselves."""


def check(case: Case) -> Iterator[Finding]:
    """Look for what each binding opens."""
    for name, binding in _BINDINGS.items():
        package = case.package(name)
        if package is None or (name in _VENDORED and package.facts is not None and package.facts.libraries):
            continue
        state = _state(case, binding)
        if state == "there":
            yield from _too_old(case, package, binding)
            continue
        yield _finding(case, package, binding, missing=state == "missing")


def _state(case: Case, binding: _Binding) -> str:
    subject = case.subject
    if any(name in subject.system or f"{name}t64" in subject.system for name in binding.debian):
        return "there"
    if binding.soname and (
        binding.soname in subject.base.sonames or installed_package(binding.soname, subject.system)
    ):
        return "there"
    if subject.system_known or (subject.base.closed and binding.soname):
        return "missing"
    return "unknown"


def _too_old(case: Case, package: Package, binding: _Binding) -> Iterator[Finding]:
    """The library is there, and older than this release of the package wants it."""
    if not binding.newer or release_of(package.version)[:1] < (binding.newer[0],):
        return
    for name in binding.debian:
        held = case.subject.system.get(name)
        upstream = dotted(held.version.rpartition(":")[2]) if held else ()
        if held is None or not upstream or upstream >= (binding.newer[1],):
            continue
        yield case.finding(
            PACKAGE,
            "error",
            f"{named(package)} needs {binding.what} {binding.newer[1]} or later, and the image has {name} "
            f"{held.version}",
            evidence=[
                Evidence(
                    text=f"{package.name} {binding.newer[0]} and later need {binding.what} {binding.newer[1]} or later",
                    source=binding.source,
                    confidence="docs",
                )
            ],
            fix=[
                packages_fix(
                    package,
                    f"{package.name}<{binding.newer[0]}",
                    f"take {package.name} before {binding.newer[0]}, which goes with it",
                    cost=8,
                )
            ],
            members=[
                case.wheel(package),
                Member(
                    kind="apt", name=name, version=held.version, origin="in the image", location=held.location
                ),
            ],
        )


def _finding(case: Case, package: Package, binding: _Binding, *, missing: bool) -> Finding:
    level: Level = ("error" if binding.on_import else "warning") if missing else "unknown"
    when = "on import" if binding.on_import else "when it is used"
    there = (
        f"neither {case.base_name} nor `apt` has it"
        if missing
        else f"whether {case.base_name} has it is not known"
    )
    return case.finding(
        PACKAGE,
        level,
        f"{named(package)} looks for {binding.what} {when}, and {there}",
        evidence=[
            Evidence(
                text=f"{package.name} needs {binding.what} of the system (Debian's {binding.debian[0]})",
                source=binding.source,
                confidence="docs",
            )
        ],
        fix=[apt_fix([binding.debian[0]], "install the Debian package")],
        members=[case.wheel(package), case.base()],
    )
