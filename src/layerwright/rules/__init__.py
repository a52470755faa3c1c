"""Checks of an image that is described but not built: facts → findings, one module per rule.

Every rule has ``KINDS`` (what it may find, for the reference pages) and ``check`` (a case → its findings), and is
listed in ``RULES``. ``judge`` runs them all over one cell.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from layerwright.core.findings import Finding, Kind
from layerwright.facts.model import Subject
from layerwright.rules import (
    accelerator,
    base_tag,
    cuda_count,
    driver,
    files_twice,
    glibc,
    gpu_arch,
    index_trust,
    libraries,
    musa,
    musa_host,
    musa_system,
    numpy_abi,
    opencv_gui,
    opencv_variants,
    ort_cuda,
    ort_packages,
    ort_preload,
    ort_torch,
    placeholders,
    python_range,
    roles,
    run_rights,
    symbol_versions,
    system_packages,
    torch_base,
    torch_cuda,
    torch_family,
    wheel_facts,
)
from layerwright.rules.case import Case

__all__ = ["RULES", "Case", "Rule", "judge", "kinds"]


class Rule(Protocol):
    """What a module of this room offers."""

    @property
    def KINDS(self) -> tuple[Kind, ...]:  # noqa: N802 - modules offer it, and it is a constant there
        """What it may find."""
        ...

    def check(self, case: Case, /) -> Iterator[Finding]:
        """Judge one cell; pure: no network, no file but the package's own data."""
        ...


RULES: tuple[Rule, ...] = (
    ort_cuda,
    ort_torch,
    ort_packages,
    ort_preload,
    torch_family,
    torch_base,
    torch_cuda,
    numpy_abi,
    opencv_variants,
    opencv_gui,
    libraries,
    system_packages,
    glibc,
    symbol_versions,
    python_range,
    driver,
    gpu_arch,
    cuda_count,
    musa,
    musa_host,
    musa_system,
    roles,
    run_rights,
    accelerator,
    base_tag,
    placeholders,
    files_twice,
    wheel_facts,
    index_trust,
)
"""All rules, in the order of reports."""


def judge(subject: Subject, rules: Sequence[Rule] = RULES) -> tuple[Finding, ...]:
    """Everything the rules find in one cell, in the rules' order."""
    case = Case(subject)
    return tuple(finding for rule in rules for finding in rule.check(case))


def kinds(rules: Iterable[Rule] = RULES) -> tuple[Kind, ...]:
    """Every kind of finding that the rules know, in their order."""
    return tuple(kind for rule in rules for kind in rule.KINDS)
