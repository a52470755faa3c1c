"""The re-created files that lint is tried on, and what it finds in them."""

import tomllib
from collections import defaultdict
from functools import cache
from pathlib import Path

from layerwright.core.findings import Finding
from layerwright.workflow.lint import lint_paths

FOLDER = Path(__file__).parents[1] / "golden" / "lint"
FILES = tuple(
    sorted(
        str(path.relative_to(FOLDER))
        for path in FOLDER.rglob("*")
        if path.is_file() and path.suffix not in {".toml", ".txt"} and path.name != ".dockerignore"
    )
)


@cache
def findings(file: str) -> tuple[Finding, ...]:
    """What lint finds in one of the files."""
    return lint_paths([Path(file)], start=FOLDER).findings


@cache
def faults() -> dict[str, tuple[dict[str, str], ...]]:
    """The faults that are known to stand in the files, by row."""
    rows = defaultdict(list)
    for fault in tomllib.loads((FOLDER / "faults.toml").read_text(encoding="utf-8"))["fault"]:
        rows[fault["row"]].append(fault)
    return {row: tuple(found) for row, found in rows.items()}


def found(fault: dict[str, str]) -> bool:
    """The fault is found, in the line where it stands."""
    return any(
        one.code == fault["code"] and one.where.location and fault["text"] in one.where.location.text
        for one in findings(fault["file"])
    )


def lines(file: str) -> str:
    """Findings of a file, a line each, as the golden files hold them."""
    text = ""
    for one in findings(file):
        place = one.where.location
        assert place is not None
        text += f"{place.line}:{place.column} {one.level} {one.code} {one.message}\n"
        for fix in one.fix:
            text += "".join(f"    {line}\n" for line in (fix.edit or fix.command or fix.text).splitlines())
    return text
