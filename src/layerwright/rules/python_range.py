"""The image's Python is one that its packages and its base have."""

import re
from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Evidence, Finding, Fix, Kind
from layerwright.facts.model import Package
from layerwright.rules.case import Case
from layerwright.rules.repairs import apt_fix, from_fix, key_fix
from layerwright.rules.requirements import admits
from layerwright.rules.words import named

__all__ = ["KINDS", "check"]

RANGE = Kind(
    code="LW-PYTHON-RANGE",
    title="A package is not for the image's Python",
    why="An extension module for another Python cannot be imported, and a package that excludes the version fails in "
    "less obvious places. A resolver never picks such a wheel, but an address or a file of your own can name one.",
    evidence="Requires-Python and the tags of the locked wheel.",
    repair="Take the wheel for the image's Python, or set `python` to one that the package supports.",
)
BASE = Kind(
    code="LW-PYTHON-BASE",
    title="The base's Python is not the image's",
    why="The environment is made by the interpreter of the base. A base that has another Python, and no package that "
    "adds the wanted one, cannot carry the image's packages.",
    evidence="The Python of the base: found in it, or known for its system (Ubuntu 22.04 has 3.10, 24.04 has 3.12, "
    "Debian 12 has 3.11).",
    repair="Set `python` to the base's, start from a system that has the wanted one, or add its Debian package.",
)
KINDS = (RANGE, BASE)

_TAG: Final = re.compile(r"(?:cp|py)(\d)(\d*)")
_SYSTEMS: Final = {"3.9": "debian:bullseye", "3.11": "debian:bookworm", "3.13": "debian:trixie"}
"""Debian releases by their Python; others come with no Debian release that is still supported."""


def check(case: Case) -> Iterator[Finding]:
    """Compare Python with packages and base."""
    python = case.subject.python
    if not python:
        return
    for package in case.with_facts():
        reason, evidence = _refused(package, python)
        if reason and evidence:
            yield case.finding(
                RANGE,
                "error",
                f"{named(package)} {reason}, and the image has Python {python}",
                evidence=[evidence],
                fix=[Fix(text=f"take a release or wheel of {package.name} for Python {python}", cost=10)],
                members=[case.wheel(package), case.python()],
            )
    yield from _base(case, python)


def _refused(package: Package, python: str) -> tuple[str, Evidence | None]:
    facts = package.facts
    if facts is None:
        return "", None
    wanted = facts.requires_python
    # which patch release the image has is not always known: one that is taken will do
    if wanted and admits(wanted, f"{python}.0") is False and admits(wanted, f"{python}.40") is False:
        evidence = Evidence(text=f"Requires-Python: {wanted}", source=facts.file, confidence="metadata")
        return f"requires Python {wanted}", evidence
    tags = facts.file.removesuffix(".whl").split("-")[-3:-1]
    if len(tags) == 2 and not _takes(tags[0], tags[1], python):  # noqa: PLR2004 - interpreter and ABI
        evidence = Evidence(text=f"its tag is {'-'.join(tags)}", source=facts.file, confidence="metadata")
        return f"is a wheel for {tags[0]}", evidence
    return "", None


def _takes(interpreters: str, abis: str, python: str) -> bool:
    major, _, minor = python.partition(".")
    stable = "abi3" in abis.split(".") or abis == "none"
    for tag in interpreters.split("."):
        match = _TAG.fullmatch(tag)
        if match is None:
            return True  # another interpreter's: not ours to judge
        if match[1] != major:
            continue
        if not match[2] or int(match[2]) == int(minor) or (stable and int(match[2]) <= int(minor)):
            return True
    return False


def _base(case: Case, python: str) -> Iterator[Finding]:
    base = case.subject.base
    minor = ".".join(base.python.split(".")[:2])
    if not minor or minor == python:
        return
    if any(name in case.subject.system for name in (f"python{python}", f"python{python}-minimal")):
        return
    fixes = [key_fix(case, "python", minor, f"use the base's Python {minor}", cost=8)]
    if python in _SYSTEMS and case.subject.base.cuda in {"", "none"}:
        fixes.append(
            from_fix(
                case, _SYSTEMS[python], f"start from the Debian release that has Python {python}", cost=20
            )
        )
    fixes.append(apt_fix([f"python{python}"], "install the Debian package, where the system has it", cost=12))
    yield case.finding(
        BASE,
        "error",
        f"the image asks for Python {python}, and {case.base_name} has {minor}",
        evidence=case.base_evidence("Python"),
        fix=fixes,
        members=[case.python(), case.base()],
    )
