"""OpenCV with windows finds the graphics libraries that it loads on import."""

from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Evidence, Finding, Fix, Kind
from layerwright.facts.compat import opencv
from layerwright.facts.model import Package
from layerwright.rules.case import Case
from layerwright.rules.debian_names import IN_EVERY_DEBIAN, debian_packages
from layerwright.rules.native import Provision
from layerwright.rules.repairs import apt_fix, packages_fix
from layerwright.rules.words import binary, named

__all__ = ["GUI", "KINDS", "check"]

GL = Kind(
    code="LW-OPENCV-GL",
    title="opencv-python needs graphics libraries that the base lacks",
    why="The variants with windows load Qt, and Qt loads libGL.so.1, GLib and X11's libraries as soon as cv2 is "
    "imported, even where nobody looks at a window: `ImportError: libGL.so.1: cannot open shared object file`.",
    evidence="DT_NEEDED of cv2 and of the Qt libraries in the wheel, against the libraries and Debian packages of the "
    "base and of `apt`.",
    repair="Take opencv-python-headless, which needs none of them, or add libgl1 and libglib2.0-0 to `apt`.",
)
KINDS = (GL,)

GUI: Final = ("opencv-python", "opencv-contrib-python")
"""Variants that load Qt."""


_ON_IMPORT: Final = ("libGL.so.1", "libglib-2.0.so.0", "libgthread-2.0.so.0")
"""What Qt's core and widgets load, by the symptom that all releases with windows show first."""

_FIRST: Final[tuple[str, ...]] = ("libgl1", "libglib2.0-0")


def check(case: Case) -> Iterator[Finding]:
    """Look for what cv2 loads on import."""
    for name in GUI:
        package = case.package(name)
        if package is None or any(case.package(f"{one}-headless") for one in GUI):
            continue
        states, evidence = _states(case, package)
        missing = [library for library, found in states.items() if found.state == "missing"]
        doubtful = [library for library, found in states.items() if found.state == "unknown"]
        if missing:
            yield case.finding(
                GL,
                "error",
                f"{named(package)} loads {', '.join(missing)} on import, and {case.base_name} has none of them"
                if len(missing) > 1
                else f"{named(package)} loads {missing[0]} on import, and {case.base_name} lacks it",
                evidence=[*evidence, *case.absence_evidence()],
                fix=_fixes(package, [*missing, *doubtful]),
                members=[case.wheel(package), case.base()],
            )
        elif doubtful:
            yield case.finding(
                GL,
                "unknown",
                f"{named(package)} loads {', '.join(doubtful)} on import, and whether {case.base_name} has "
                f"{'them' if len(doubtful) > 1 else 'it'} is not known",
                evidence=evidence,
                fix=_fixes(package, doubtful),
                members=[case.wheel(package), case.base()],
            )


def _states(case: Case, package: Package) -> tuple[dict[str, Provision], list[Evidence]]:
    """Libraries from outside the wheel that importing cv2 loads, where they are not known to be there."""
    states: dict[str, Provision] = {}
    evidence: list[Evidence] = []
    libraries = package.facts.libraries if package.facts else ()
    loaded = case.native.loaded_on_import(package)
    for library in libraries:
        if library.path not in loaded:
            continue
        outside = {name: case.native.find(name, package, library) for name in library.needed}
        absent = {
            name: found
            for name, found in outside.items()
            if found.state in {"missing", "unknown"} and name not in IN_EVERY_DEBIAN
        }
        if absent:
            states |= absent
            evidence.append(binary(package, library, f"needs {', '.join(absent)}"))
    if not libraries or any("needed" in one.unread for one in libraries if one.path in loaded):
        # of large libraries only the front was read, which does not name everything: the record completes it
        recorded = opencv.system_libraries(package.name, package.version)
        names = [name for name in _ON_IMPORT if recorded and name in recorded.libraries]
        for name in names if recorded and recorded.exact else names[:1]:
            found = case.native.system(name)
            if found.state in {"missing", "unknown"} and name not in states:
                states[name] = found
                evidence += [one for one in (recorded.evidence if recorded else ()) if one not in evidence]
    return states, evidence


def _fixes(package: Package, missing: list[str]) -> list[Fix]:
    wanted = dict.fromkeys(names[0] for library in missing if (names := debian_packages(library)))
    headless = f"{package.name}-headless"
    fixes = []
    if wanted:
        # these two draw in X11's libraries; the others are named only where these are there already
        first = [name for name in _FIRST if name in wanted] or list(wanted)
        fixes.append(apt_fix(first, f"install the Debian package{'s' if len(first) > 1 else ''} too", cost=4))
    if package.requested:
        fixes.append(
            packages_fix(
                package,
                f"{headless}=={package.version}",
                f"take {headless}, which needs none of them",
                cost=3,
            )
        )
    return fixes
