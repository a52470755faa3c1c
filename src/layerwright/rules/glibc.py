"""The base's glibc and libstdc++ are new enough for the wheels."""

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from layerwright.core.findings import Evidence, Finding, Fix, Kind
from layerwright.facts.compat import glibc as records
from layerwright.facts.compat.versions import dotted
from layerwright.facts.model import Library, Package
from layerwright.rules.case import Case
from layerwright.rules.words import binary, named

__all__ = ["KINDS", "check"]

GLIBC = Kind(
    code="LW-GLIBC",
    title="A package needs a newer glibc than the base has",
    why="The loader refuses the library: `version GLIBC_2.38 not found`. pip looks at the tag of a wheel only, and a "
    "wheel from an address, a folder or another machine may need more than its tag says.",
    evidence="The symbol versions (.gnu.version_r) of every library of the wheel, against the glibc of the base: read "
    "from the base itself, its Debian packages, or known for its system. Where the wheel was not read: its tag.",
    repair="Start from a newer system (the finding names one), or take a release of the package made for an older.",
)
GLIBCXX = Kind(
    code="LW-GLIBCXX",
    title="A package needs a newer libstdc++ than the base has",
    why="The loader refuses the library: `version GLIBCXX_3.4.32 not found`. Packages compiled on a newer system than "
    "the image's show it, such as extensions built from source elsewhere.",
    evidence="The symbol versions that the wheel's libraries want from libstdc++.so.6, against the base's.",
    repair="Start from a newer system, or take a wheel built for manylinux, which keeps to an old libstdc++.",
)
KINDS = (GLIBC, GLIBCXX)

_SHOWN: Final = 3
_SYSTEMS: Final = ("debian11", "ubuntu22.04", "debian12", "ubuntu24.04", "debian13")
_NUMBERED: Final = re.compile(r"(GLIBC|GLIBCXX)_(\d+(?:\.\d+)*)")


class _Need(Struct, frozen=True):
    number: tuple[int, ...]
    text: str
    evidence: Evidence


def check(case: Case) -> Iterator[Finding]:
    """Compare the greatest version that each wheel needs."""
    base = case.subject.base
    if base.os.startswith("alpine"):
        yield from _musl(case)
        return
    for kind, prefix, has, label in (
        (GLIBC, "GLIBC", base.glibc, "glibc"),
        (GLIBCXX, "GLIBCXX", base.glibcxx, "libstdc++ up to GLIBCXX_"),
    ):
        if not has:
            continue
        for package in case.with_facts():
            need = _greatest(case, package, prefix)
            if need is None or need.number <= dotted(has):
                continue
            held = f"glibc {has}" if kind is GLIBC else f"{label}{has}"
            wants = f"glibc {need.text}" if kind is GLIBC else f"GLIBCXX_{need.text}"
            yield case.finding(
                kind,
                "error",
                f"{named(package)} needs {wants}, and {case.base_name} has {held}",
                evidence=[need.evidence, *case.base_evidence("glibc")],
                fix=_fixes(kind, need),
                members=[case.wheel(package), case.base()],
            )


def _musl(case: Case) -> Iterator[Finding]:
    """A base without glibc at all."""
    found = [package for package in case.with_facts() if package.facts and "manylinux" in package.facts.file]
    if not found:
        return
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    need = "needs" if len(found) == 1 else "need"
    yield case.finding(
        GLIBC,
        "error",
        f"{', '.join(map(named, found[:_SHOWN]))}{more} {need} glibc, and {case.base_name} has musl",
        evidence=[
            *case.base_evidence("musl"),
            *(
                Evidence(text="its tag is for glibc", source=package.facts.file, confidence="metadata")
                for package in found[:2]
                if package.facts
            ),
        ],
        fix=[Fix(text="start from a system with glibc, such as the -slim image of the same Python", cost=15)],
        members=[case.wheel(found[0]), case.base()],
    )


def _greatest(case: Case, package: Package, prefix: str) -> _Need | None:
    best: tuple[tuple[int, ...], str, Library] | None = None
    seen: dict[str, tuple[int, ...]] = {}
    for library in package.facts.libraries if package.facts else ():
        for name, versions in library.versions_needed.items():
            for version in versions:
                if version not in seen:
                    match = _NUMBERED.fullmatch(version)
                    seen[version] = dotted(match[2]) if match and match[1] == prefix else ()
                number = seen[version]
                if (
                    number
                    and (best is None or number > best[0])
                    and not _brought(case, name, package, library)
                ):
                    best = (number, version.partition("_")[2], library)
    if best is not None:
        number, text, library = best
        return _Need(number, text, binary(package, library, f"needs {prefix}_{text}"))
    if prefix == "GLIBC" and package.facts is not None and package.facts.reach == "metadata":
        return _by_tag(package.facts.file)
    return None


def _brought(case: Case, name: str, package: Package, library: Library) -> bool:
    """The library that must have the version is a wheel's own copy."""
    return name.startswith("libstdc++") and case.native.find(name, package, library).state in {"own", "wheel"}


def _by_tag(file: str) -> _Need | None:
    """The least glibc among the tags of a wheel's name."""
    tags = file.removesuffix(".whl").rpartition("-")[2].split(".")
    found = [policy for tag in tags if (policy := records.manylinux(tag))]
    if not found or len(found) < len(tags):
        return None
    least = min(found, key=lambda policy: dotted(policy.glibc))
    return _Need(
        dotted(least.glibc),
        least.glibc,
        Evidence(
            text=f"{least.tag} is for glibc {least.glibc} and later", source=file, confidence="metadata"
        ),
    )


def _fixes(kind: Kind, need: _Need) -> list[Fix]:
    for name in _SYSTEMS:
        system = records.operating_system(name)
        has = (system.glibc if kind is GLIBC else system.glibcxx) if system else ""
        if system and has and dotted(has) >= need.number:
            held = f"glibc {has}" if kind is GLIBC else f"GLIBCXX_{has}"
            return [
                Fix(text=f"start from {name} or later, which has {held}", cost=30),
                Fix(text="take a release of the package that was built for an older system", cost=20),
            ]
    return [Fix(text="take a release of the package that was built for an older system", cost=20)]
