"""Findings as SARIF 2.1.0, which code hosts and editors show beside the lines they are about.

The format is OASIS' Static Analysis Results Interchange Format,
https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; sections in comments are its own.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import quote

from layerwright.core.findings import Finding, Fix, Kind, Level, Place, sort_findings
from layerwright.core.source import Location

__all__ = ["SCHEMA", "sarif_document"]

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_HOME: Final = "https://github.com/layerwright/layerwright"
_ROOT: Final = "%SRCROOT%"
_IMAGE: Final = "IMAGE"
_FINGERPRINT: Final = "layerwrightFinding/v1"

# 3.27.10: a result whose kind is not "fail" has the level "none".
_LEVELS: Final[Mapping[Level, tuple[str, str]]] = {
    "error": ("fail", "error"),
    "warning": ("fail", "warning"),
    "note": ("fail", "note"),
    "unknown": ("open", "none"),  # 3.27.9: insufficient information to decide whether a problem exists
}


def sarif_document(
    findings: Iterable[Finding],
    *,
    version: str,
    folder: Path,
    root: Path | None = None,
    kinds: Iterable[Kind] = (),
) -> dict[str, Any]:
    """The log of one run.

    Args:
        findings: what was found.
        version: of this program.
        folder: absolute folder that the findings' file names start from.
        root: absolute folder of the repository, which the log's file names start from; the folder when not given.
        kinds: what is known of the findings' codes; those that occur become the run's rules.
    """
    ordered = sort_findings(findings)
    described = {kind.code: kind for kind in kinds}
    codes = sorted({finding.code for finding in ordered})
    places = _Places(folder, root or folder)
    results = [_result(finding, codes.index(finding.code), places) for finding in ordered]
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "layerwright",
                "semanticVersion": version,
                "informationUri": _HOME,
                "rules": [_rule(code, described.get(code)) for code in codes],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {
            _ROOT: {"description": {"text": "The repository that holds the spec or the Dockerfile."}},
            _IMAGE: {"description": {"text": "The root folder of the image that was looked at."}},
        },
        "results": results,
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str, kind: Kind | None) -> dict[str, Any]:
    name = "".join(part.capitalize() for part in code.split("-"))
    if kind is None:
        said = {"text": f"A finding of the kind {code}."}
        return {"id": code, "name": name, "shortDescription": said, "fullDescription": said, "help": said}
    text = f"{kind.why}\n\nEvidence: {kind.evidence}\n\nRepair: {kind.repair}"
    markdown = f"{kind.why}\n\n**Evidence.** {kind.evidence}\n\n**Repair.** {kind.repair}"
    return {
        "id": code,
        "name": name,
        "shortDescription": {"text": f"{kind.title}."},
        "fullDescription": {"text": kind.why},
        "help": {"text": text, "markdown": markdown},
        "helpUri": f"{_HOME}/blob/main/docs/reference/findings/{code}.md",
    }


def _result(finding: Finding, rule: int, places: "_Places") -> dict[str, Any]:
    kind, level = _LEVELS[finding.level]
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": rule,
        "kind": kind,
        "level": level,
        "message": {"text": _message(finding)},
        "locations": [places.of(finding.where)],
        "partialFingerprints": {_FINGERPRINT: _fingerprint(finding, places)},
    }
    related = [
        {"id": number, "message": {"text": f"{member.kind} {member.name} {member.version}".strip()}}
        | {"physicalLocation": places.physical(member.location)}
        for number, member in enumerate(finding.members, 1)
        if member.location is not None
    ]
    if related:
        result["relatedLocations"] = related
    fixes: list[dict[str, Any]] = []
    for change in (change for fix in finding.fix for change in _fix(fix, places)):
        if change not in fixes:  # a set in all but its JSON (3.27.30)
            fixes.append(change)
    if fixes:
        result["fixes"] = fixes
    if finding.evidence:
        result["properties"] = {
            "evidence": [
                {"text": fact.text, "source": fact.source, "confidence": fact.confidence}
                for fact in finding.evidence
            ]
        }
    return result


def _message(finding: Finding) -> str:
    """The finding as plain text; the first sentence stands for itself, as lists show no more (3.11.3)."""
    parts = [f"{finding.message}."]
    if finding.evidence:
        facts = "\n".join(f"- {fact.text} ({fact.confidence}: {fact.source})" for fact in finding.evidence)
        parts.append(f"Evidence:\n{facts}")
    if finding.fix:
        parts.append("Repair:\n" + "\n".join(f"- {_repair(fix)}" for fix in finding.fix))
    return "\n\n".join(parts)


def _repair(fix: Fix) -> str:
    shown = f": {fix.edit}" if fix.edit and "\n" not in fix.edit else ""
    return f"{fix.text}{shown}" + (f" ($ {fix.command})" if fix.command else "")


def _fix(fix: Fix, places: "_Places") -> Iterator[dict[str, Any]]:
    """The change that an editor can make: one line of a file that is known becomes another (3.55)."""
    where = fix.replaces
    if where is None or not where.line or not where.text.strip() or not fix.edit or "\n" in fix.edit:
        return
    text = where.text.rstrip()
    region = {
        "startLine": where.line,
        "startColumn": len(text) - len(text.lstrip()) + 1,
        "endColumn": len(text) + 1,
    }
    yield {
        "description": {"text": f"{fix.text}."},
        "artifactChanges": [
            {
                "artifactLocation": places.artifact(where.file),
                "replacements": [{"deletedRegion": region, "insertedContent": {"text": fix.edit}}],
            }
        ],
    }


def _fingerprint(finding: Finding, places: "_Places") -> str:
    """The same for the same finding after lines moved or a version changed (3.27.17)."""
    where = finding.where
    parts = [finding.code, where.image, where.path, re.sub(r"[0-9]+(?:\.[0-9]+)*", "0", finding.message)]
    if where.location is not None:
        artifact = places.artifact(where.location.file)
        parts += [artifact["uri"], where.location.key or re.sub(r"\s+", " ", where.location.text.strip())]
    return hashlib.sha256("\0".join(parts).encode(errors="backslashreplace")).hexdigest()


class _Places:
    """Turns places into the log's locations, relative to the repository."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder = folder
        self.root = root

    def of(self, where: Place) -> dict[str, Any]:
        """A location (3.28): of a file, of a path in an image, or of an image by name."""
        location: dict[str, Any] = {}
        if where.location is not None:
            location["physicalLocation"] = self.physical(where.location)
        elif where.path:
            location["physicalLocation"] = {
                "artifactLocation": {"uri": _uri(where.path.lstrip("/")), "uriBaseId": _IMAGE}
            }
        if where.image or where.layer or where.path or not location:
            name = where.image or where.path or "machine"
            full = ":".join(filter(None, (where.image, where.layer, where.path))) or name
            location["logicalLocations"] = [{"name": name, "fullyQualifiedName": full, "kind": "module"}]
        return location

    def physical(self, where: Location) -> dict[str, Any]:
        """A physical location (3.29), with the line when it is known."""
        found: dict[str, Any] = {"artifactLocation": self.artifact(where.file)}
        if where.line:
            region: dict[str, Any] = {"startLine": where.line}
            if where.column:
                region["startColumn"] = where.column
            if where.marked:
                region["endColumn"] = where.column + len(where.marked)
            if where.text:
                region["snippet"] = {"text": where.text}
            found["region"] = region
        return found

    def artifact(self, file: str) -> dict[str, str]:
        """An artifact location (3.4): relative to the repository where it lies inside, else absolute."""
        absolute = Path(os.path.normpath(self.folder / file))
        try:
            inside = absolute.relative_to(self.root)
        except ValueError:
            return {"uri": f"file://{_uri(str(PurePosixPath(absolute)))}"}
        return {"uri": _uri(str(PurePosixPath(inside))), "uriBaseId": _ROOT}


def _uri(path: str) -> str:
    """A path as the path of an address (RFC 3986), whatever bytes it is made of; ``.`` for an empty one."""
    return quote(path.encode(errors="surrogateescape"), safe="/") or "."
