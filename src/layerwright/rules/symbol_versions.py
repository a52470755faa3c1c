"""Libraries of wheels have the symbol versions that other wheels' libraries want from them."""

from collections.abc import Iterator

from layerwright.core.findings import Finding, Fix, Kind
from layerwright.facts.model import Library, Package
from layerwright.rules.case import Case
from layerwright.rules.debian_names import GLIBC
from layerwright.rules.repairs import packages_fix
from layerwright.rules.words import binary, named

__all__ = ["KINDS", "check"]

VERSION = Kind(
    code="LW-SYMBOL-VERSION",
    title="A library lacks a symbol version that another package wants from it",
    why="The library is there, under the right name, and too old: `undefined symbol: __nvJitLinkComplete_12_4, version "
    "libnvJitLink.so.12`. CUDA's libraries of one major promise less than their sonames suggest.",
    evidence="The versions that a library wants (.gnu.version_r) against those that the other one defines "
    "(.gnu.version_d), both read from the locked wheels.",
    repair="Take a newer release of the package that lacks it, or the pair that was released together.",
)
KINDS = (VERSION,)


def check(case: Case) -> Iterator[Finding]:
    """Compare wherever both sides are wheels."""
    for package in case.with_facts():
        lacking: dict[str, tuple[Package, Library, Library, list[str]]] = {}
        for library in package.facts.libraries if package.facts else ():
            for name, versions in library.versions_needed.items():
                if name in GLIBC or name.startswith(("libstdc++", "libgcc_s", "ld-linux")):
                    continue
                found = case.native.find(name, package, library)
                held = found.library
                if held is None or found.package is None or not held.versions_defined:
                    continue
                if "versions_defined" in held.unread or found.package.name == package.name:
                    continue
                absent = [version for version in versions if version not in held.versions_defined]
                if absent:
                    lacking.setdefault(found.package.name, (found.package, library, held, []))[3].extend(
                        absent
                    )
        for other, library, held, absent in lacking.values():
            wanted = ", ".join(dict.fromkeys(absent))
            yield case.finding(
                VERSION,
                "error",
                f"{named(package)} wants {wanted} of {held.soname or held.path}, and that of {named(other)} ends at "
                f"{held.versions_defined[-1]}",
                evidence=[
                    binary(package, library, f"wants {wanted}"),
                    binary(other, held, f"defines {', '.join(held.versions_defined[-3:])}"),
                ],
                fix=_fixes(other),
                members=[case.wheel(package), case.wheel(other)],
            )


def _fixes(other: Package) -> list[Fix]:
    return [
        packages_fix(
            other, f"{other.name}>{other.version}", f"take a newer {other.name} than {other.version}", cost=10
        )
    ]
