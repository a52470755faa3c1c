"""Findings: what `check`, `verify`, `lint` and `doctor` say about images, files and machines.

A finding states what is wrong, where, what shows it, and how to mend it. *Unknown is unknown*: a fact that is missing
becomes a finding of level ``unknown``, never a silent yes.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, get_args

from msgspec import Struct, to_builtins

from layerwright.core.source import Location

__all__ = [
    "CONFIDENCES",
    "LEVELS",
    "Confidence",
    "Evidence",
    "Finding",
    "Fix",
    "Kind",
    "Level",
    "Member",
    "Place",
    "findings_document",
    "sort_findings",
    "summarise",
]

Level = Literal["error", "warning", "note", "unknown"]
"""``error``: it will not work, or is unsafe. ``warning``: it may not. ``note``: worth knowing. ``unknown``: a fact is
missing, so nobody can say."""

LEVELS: Final[tuple[Level, ...]] = get_args(Level)

Confidence = Literal["binary", "metadata", "docs", "community"]
"""How a fact is known, best first: from the binaries themselves, from metadata (wheels, images, packages), from the
maker's documentation, from third parties."""

CONFIDENCES: Final[tuple[Confidence, ...]] = get_args(Confidence)


class Kind(Struct, frozen=True, kw_only=True):
    """A kind of finding; the reference pages are generated from these.

    Attributes:
        code: stable name, such as ``LW-ORT-CUDNN``.
        title: one line without a full stop.
        why: what goes wrong for people who ignore it, one paragraph.
        evidence: what the verdict is read from, one paragraph.
        repair: how to mend it, one paragraph.
    """

    code: str
    title: str
    why: str
    evidence: str
    repair: str


class Evidence(Struct, frozen=True, kw_only=True):
    """One fact behind a finding.

    Attributes:
        text: the fact, such as ``libonnxruntime_providers_cuda.so needs libcudnn.so.9``.
        source: where it was read: a file name, an address, a citation.
        confidence: how it is known.
    """

    text: str
    source: str
    confidence: Confidence


class Place(Struct, frozen=True, kw_only=True):
    """Where a finding lies; every part may be empty.

    Attributes:
        location: place in a user's file (spec, Dockerfile, script).
        image: cell of the spec, or reference of the judged image.
        layer: digest (diff id) of the layer.
        path: absolute path in the image, or on the machine.
    """

    location: Location | None = None
    image: str = ""
    layer: str = ""
    path: str = ""


class Fix(Struct, frozen=True, kw_only=True):
    """One way to mend it.

    Attributes:
        text: what to do, one sentence without a full stop.
        edit: the line of the spec or Dockerfile as it should be; empty when none is known.
        command: what to type in a shell; empty when there is nothing to type.
        cost: how much it changes, for ranking; 1 adds something small, 100 changes the machine.
        verified: the edit was tried on the facts and the finding went away without a new error.
        replaces: the line that ``edit`` takes the place of; None when it is a line of its own or none is known.
    """

    text: str
    edit: str = ""
    command: str = ""
    cost: int = 10
    verified: bool = False
    replaces: Location | None = None


class Member(Struct, frozen=True, kw_only=True):
    """One of the things that clash.

    Attributes:
        kind: ``base``, ``wheel``, ``apt``, ``driver``, ``python``, ``requirement`` or ``role``.
        name: such as ``onnxruntime-gpu``.
        version: empty when it has none or it is unknown.
        origin: where it came from, in words: ``asked for in layerwright.toml:12``, ``needed by torch 2.4.1``.
        location: its place in the user's file, when it comes from there.
    """

    kind: Literal["base", "wheel", "apt", "driver", "python", "requirement", "role"]
    name: str
    version: str = ""
    origin: str = ""
    location: Location | None = None


class Finding(Struct, frozen=True, kw_only=True):
    """One thing found.

    Attributes:
        code: of its ``Kind``.
        level: how bad it is.
        message: what is wrong, naming both sides with their versions; one sentence without a full stop.
        where: where it lies.
        evidence: the facts behind it, strongest first.
        fix: ways to mend it, cheapest first.
        members: the smallest set of things that clash; empty when it is not a conflict.
    """

    code: str
    level: Level
    message: str
    where: Place = Place()
    evidence: tuple[Evidence, ...] = ()
    fix: tuple[Fix, ...] = ()
    members: tuple[Member, ...] = ()


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Worst first, then by image, place and code."""

    def key(found: Finding) -> tuple[int, str, str, int, str, str, str]:
        place = found.where.location
        return (
            LEVELS.index(found.level),
            found.where.image,
            place.file if place else "",
            place.line if place else 0,
            found.where.path,
            found.code,
            found.message,
        )

    return tuple(sorted(findings, key=key))


def summarise(findings: Iterable[Finding]) -> Mapping[str, int]:
    """How many findings of each level there are."""
    counts: dict[str, int] = dict.fromkeys(LEVELS, 0)
    for found in findings:
        counts[found.level] += 1
    return counts


def findings_document(findings: Iterable[Finding]) -> dict[str, Any]:
    """The object that ``--json`` prints: schema 1, findings, and a summary by level."""
    ordered = sort_findings(findings)
    return {"schema": 1, "findings": to_builtins(ordered), "summary": dict(summarise(ordered))}
