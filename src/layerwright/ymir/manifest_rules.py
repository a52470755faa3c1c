"""What is wrong with an executor's manifest. Pure."""

from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Finding, Level
from layerwright.core.text import visible
from layerwright.ymir import image_kinds as kinds
from layerwright.ymir.image import IMG_MAN, MANIFEST_FILE, OBJECT_TYPES
from layerwright.ymir.image_case import FOLDERS, Case
from layerwright.ymir.reading import Document

__all__ = ["check_manifest"]

_CODE_ACCESS: Final = f"{IMG_MAN}/code-access.yaml"
_MANIFEST_KEYS: Final = frozenset({"object_type", "enable_livecode", "is_official"})
_CLASSIFICATION: Final = 1


def check_manifest(case: Case) -> Iterator[Finding]:
    """Judge whether it can be read, its object types and its switches."""
    document = case.manifest
    if MANIFEST_FILE not in case.view.files and document.state != "mapping":
        yield case.finding(
            kinds.MANIFEST,
            "note",
            "there is no /img-man/manifest.yaml: the image counts as one for detection, without live code",
            MANIFEST_FILE,
            fix="write one",
            edit="object_type: 2",
        )
    elif document.state != "mapping":
        level: Level = "error" if document.state == "failed" else "warning"
        yield case.finding(
            kinds.MANIFEST,
            level,
            f"the manifest counts as absent: {visible(document.why)}; the image is one for detection then"
            if level == "warning"
            else f"the platform fails on the manifest: {visible(document.why)}",
            MANIFEST_FILE,
            line=document.line,
            fix="write `key: value` lines",
        )
    else:
        yield from _object_type(case, document)
        yield from _flags(case, document)
    if _CODE_ACCESS in case.view.files and not document.values.get("enable_livecode"):
        yield case.finding(
            kinds.MANIFEST,
            "warning",
            "code-access.yaml switches live code on in releases 2.0.x alone; later ones ask the manifest",
            _CODE_ACCESS,
            fix="write enable_livecode into the manifest",
            edit="enable_livecode: true",
        )


def _object_type(case: Case, document: Document) -> Iterator[Finding]:
    if "object_type" not in document.values:
        return
    value = document.values["object_type"]
    line = next((one.line for one in document.entries if one.key == "object_type"), 0)
    level, what = _object_type_fault(value)
    if what:
        known = ", ".join(f"{kind.code} {name}" for name, kind in OBJECT_TYPES.items())
        yield case.finding(
            kinds.OBJECT_TYPE,
            level,
            f"object_type is {visible(repr(value))[:60]}: {what}",
            MANIFEST_FILE,
            key="object_type",
            line=line,
            fix=f"one of {known}; or a list of them",
        )


def _flags(case: Case, document: Document) -> Iterator[Finding]:
    for entry in document.entries:
        if entry.key in {"enable_livecode", "is_official"} and not isinstance(entry.value, bool):
            truth = "true" if entry.value else "false"
            yield case.finding(
                kinds.FLAG,
                "error" if isinstance(entry.value, str) and entry.value else "warning",
                f"{entry.key} is {visible(repr(entry.value))[:60]}, which counts as {truth}",
                MANIFEST_FILE,
                key=entry.key,
                line=entry.line,
                fix="write true or false, without quotes",
            )
        elif entry.key not in _MANIFEST_KEYS:
            yield case.finding(
                kinds.MANIFEST,
                "note",
                f"{visible(entry.key)[:50]} is no key that the platform reads from the manifest",
                MANIFEST_FILE,
                key=entry.key,
                line=entry.line,
                fix=f"known keys: {', '.join(sorted(_MANIFEST_KEYS))}",
            )


def _object_type_fault(value: object) -> tuple[Level, str]:
    match value:
        case bool():
            return "error", f"it counts as {int(value)}, which no project has"
        case int() if value in FOLDERS:
            return "note", ""
        case int() if value == _CLASSIFICATION:
            return "warning", "classification is declared, and no release of the platform has it"
        case int():
            return "warning", "it is taken, and no project has it"
        case list() if not value:
            return "error", "an empty list is refused with 130401"
        case list():
            wrong = [
                one
                for one in value
                if not isinstance(one, int) or isinstance(one, bool) or one not in FOLDERS
            ]
            if wrong:
                return "error", f"{visible(repr(wrong[0]))[:40]} in a list makes the platform's request fail"
            return "note", ""
        case str() if value.strip().isdigit():
            return "error", "text is refused with 130401 from release 2.4 on"
        case _:
            return "error", "it is refused with 130401, invalid object types"
