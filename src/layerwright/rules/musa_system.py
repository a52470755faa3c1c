"""Images for Moore Threads' GPUs stand on a system, and have a Python, that torch_musa is known to work with."""

from collections.abc import Iterator

from layerwright.core.findings import Evidence, Finding, Fix, Kind
from layerwright.facts.compat import musa
from layerwright.facts.distributions import distribution_of
from layerwright.rules.case import Case
from layerwright.rules.musa import PYTHON
from layerwright.rules.repairs import from_fix
from layerwright.rules.words import named
from layerwright.spec.musa.records import recorded

__all__ = ["KINDS", "check"]

SYSTEM = Kind(
    code="LW-MUSA-SYSTEM",
    title="Moore Threads' software is not known to work on the base's system",
    why="The MUSA toolkit, muDNN, MCCL and torch_musa are made and tried on Ubuntu. torch_musa's scripts take "
    "the name of CentOS, and have no Dockerfile for it.",
    evidence="The scripts' Dockerfiles and package lists; the name of the base.",
    repair="Start from a release of Ubuntu that the finding names.",
)
KINDS = (SYSTEM,)

_SCRIPTS = Evidence(
    text="torch_musa's own images are made on Ubuntu 20.04 and 22.04",
    source="MooreThreads/torch_musa docker/ubuntu/dockerfile.base at v1.2.1 and v1.3.0",
    confidence="docs",
)


def check(case: Case) -> Iterator[Finding]:
    """Look at images for Moore Threads' GPUs."""
    if case.subject.accelerator != "mthreads":
        return
    yield from _system(case)
    yield from _python(case)


def _system(case: Case) -> Iterator[Finding]:
    base = case.subject.base
    name, release = distribution_of(base.reference)
    system = base.os or f"{name} {release}".strip()
    releases = [one.version for one in recorded().ubuntu]
    if not system or system.removeprefix("ubuntu") in releases:
        return
    # Debian is what Ubuntu is made of: packages and glibc alike, but nobody has tried.
    foreign = not system.startswith(("ubuntu", "debian"))
    yield case.finding(
        SYSTEM,
        "error" if foreign else "warning",
        f"Moore Threads' software is {'for' if foreign else 'tried on'} Ubuntu {', '.join(releases)}, and "
        f"{case.base_name} is {system}",
        evidence=[_SCRIPTS, *base.evidence[:1]],
        fix=[from_fix(case, f"ubuntu:{releases[0]}", f"start from Ubuntu {releases[0]}", cost=15)],
        members=[case.accelerator(), case.base()],
    )


def _python(case: Case) -> Iterator[Finding]:
    """What is compiled from sources has no wheel whose tags could tell."""
    python = case.subject.python
    source = case.subject.source_trees.get("torch-musa")
    if source is None or not python or case.package("torch-musa") is not None:
        return
    release = musa.release(source.version)
    if release is None or not release.python or python in release.python:
        return
    yield case.finding(
        PYTHON,
        "error",
        f"the sources of {named(source)} are for Python {', '.join(release.python)}, and the image has Python {python}",
        evidence=[release.evidence],
        fix=[Fix(text=f"use Python {release.python[-1]}", edit=f'python = "{release.python[-1]}"', cost=10)],
        members=[case.wheel(source), case.python()],
    )
