"""Extensions and NumPy agree on NumPy's binary interface."""

from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Evidence, Finding, Fix, Kind
from layerwright.facts.compat import numpy as numpy_records
from layerwright.facts.compat import opencv
from layerwright.facts.model import Package
from layerwright.rules.case import Case
from layerwright.rules.repairs import add_packages, packages_fix
from layerwright.rules.requirements import release_of, required
from layerwright.rules.words import binary, named

__all__ = ["KINDS", "check"]

ABI = Kind(
    code="LW-NUMPY-ABI",
    title="A package compiled for NumPy 1 meets NumPy 2",
    why="NumPy 2 changed its binary interface. An extension compiled with NumPy 1 headers fails on import (`_ARRAY_API "
    "not found`, `A module that was compiled using NumPy 1.x cannot be run in NumPy 2`), or, as torch up to 2.2 does, "
    "imports and then fails in `tensor.numpy()`. Many of these releases set no upper bound, so a resolver pairs them.",
    evidence="The strings of the wheel's extension modules: `numpy.core._multiarray_umath` alone means NumPy 1 "
    "headers, `numpy._core._multiarray_umath` NumPy 2 headers, which work with both. Where the wheel was not read: the "
    "recorded releases.",
    repair="Take a release that was built with NumPy 2 headers, or ask for `numpy<2`.",
)
KINDS = (ABI,)

_TWO: Final = 2


def check(case: Case) -> Iterator[Finding]:
    """Look at every package that uses NumPy's interface."""
    numpy = case.package("numpy")
    release = release_of(numpy.version) if numpy else ()
    if numpy is None or not release or release[0] < _TWO:
        return
    for package in case.subject.packages.values():
        api, evidence = _built_with(package)
        if api == 1:
            yield case.finding(
                ABI,
                "error",
                f"{named(package)} was compiled with NumPy 1 headers, and the image has {named(numpy)}",
                evidence=evidence,
                fix=_fixes(package, numpy),
                members=[case.wheel(package), case.wheel(numpy)],
            )


def _built_with(package: Package) -> tuple[int, list[Evidence]]:
    """1, 2, or 0 when it does not use NumPy's interface or nobody knows; binaries decide where they were read."""
    libraries = package.facts.libraries if package.facts else ()
    told = [library for library in libraries if library.numpy_api]
    if told:
        first = min(told, key=lambda library: library.numpy_api)
        return first.numpy_api, [binary(package, first, f"was built with NumPy {first.numpy_api} headers")]
    if libraries and all(library.whole for library in libraries):
        return 0, []
    found = numpy_records.built_against(package.name, package.version)
    if found is not None:
        return found.value, [found.evidence]
    if package.name.startswith("opencv-"):
        build = opencv.build(package.name, package.version)
        if build is not None:
            return build.numpy_api, list(build.evidence)
    return 0, []


def _fixes(package: Package, numpy: Package) -> list[Fix]:
    fixes = []
    newer = numpy_records.first_with_numpy_2(package.name)
    if not newer and package.name.startswith("opencv-"):
        newer = opencv.first_with_numpy_2(package.name)
    if newer:
        fixes.append(
            packages_fix(
                package,
                f"{package.name}>={newer}",
                f"take {package.name} {newer} or later, built with NumPy 2 headers",
                cost=10,
            )
        )
    bound = required(package, "numpy")
    text = "keep NumPy below 2" + (
        f", as {package.name} asks for NumPy {bound} without an upper bound" if bound else ""
    )
    if numpy.requested:
        fixes.append(packages_fix(numpy, "numpy<2", text, cost=8))
    else:
        fixes.append(add_packages(["numpy<2"], text, cost=8))
    return fixes
