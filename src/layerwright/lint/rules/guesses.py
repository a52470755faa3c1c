"""Builds that ask the machine they happen to run on."""

import re
from collections.abc import Iterator

from layerwright.core.findings import Finding, Kind
from layerwright.lint.documents import Document, Unit
from layerwright.lint.found import finding

__all__ = ["KINDS", "find"]

GUESSED = Kind(
    code="LW-LINT-ARCHITECTURE-GUESSED",
    title="the GPU architecture is taken from the build machine, with a silent default",
    why="On a machine with another GPU, or none, as in CI, the image gets the libraries of the wrong "
    "architecture, and nobody is told.",
    evidence="A script or step that asks nvidia-smi, mthreads-gmi or lspci and goes on with a default.",
    repair="Take the architecture as an argument, and refuse what is unknown.",
)

KINDS = (GUESSED,)

_PROBES = re.compile(r"nvidia-smi|mthreads-gmi|rocm-smi|rocminfo|lspci|clinfo|deviceQuery")


def find(document: Document) -> Iterator[Finding]:
    """Guesses with a default."""
    for unit in document.units:
        if unit.origin in {"file", "run", "start"} and unit.script.mentions(_PROBES.pattern):
            yield from _defaults(unit)


def _defaults(unit: Unit) -> Iterator[Finding]:
    piece = unit.script.piece
    for value, start, items in unit.script.cases:
        default = next(((pattern, body) for pattern, body in items if pattern.strip() == "*"), None)
        if default is None or len(items) < 2:  # noqa: PLR2004 - a case with one item chooses nothing
            continue
        body = default[1]
        if re.search(r"\b(exit|return)\s+[^0\s]|\bfalse\b|\$\{\w+:?\?", body) or not re.search(
            r"\w+=\S", body
        ):
            continue
        at = piece.text.find(body, start)
        yield _guess(
            unit,
            f"an unknown {value.strip(chr(34)) or 'answer'} silently becomes {_assigned(body)}",
            at,
            body,
        )
        return
    # if … then x=qy1 elif … else x=ph1 fi
    for command in unit.commands:
        for name, word in command.assignments:
            before = piece.text[: command.start]
            if (
                word.literal
                and re.search(r"\belse\s*$", before)
                and _is_chosen(unit, name)
                and re.search(r"(?i)arch|gpu|mp_|sm", name)
            ):
                yield _guess(
                    unit,
                    f"a GPU that is not known, or none, silently becomes {name}={word.text}",
                    command.start,
                    f"{name}={word.raw}",
                )
                return
    for command in unit.commands:
        if not _PROBES.fullmatch(command.program) or command.tested:
            continue
        if unit.built and re.search(r"\|\|\s*\w+=|:-\w", piece.text[command.start :][:400]):
            yield _guess(
                unit,
                f"{command.program} is asked while the image is built, and a default stands in",
                command.start,
                command.program,
            )
            return


def _is_chosen(unit: Unit, name: str) -> bool:
    return sum(assigned == name for command in unit.commands for assigned, _ in command.assignments) > 1


def _assigned(body: str) -> str:
    found = re.search(r"\w+=[\"']?([\w.-]+)", body)
    return found[1] if found else "the default"


def _guess(unit: Unit, message: str, at: int, text: str) -> Finding:
    piece = unit.script.piece
    at = max(at, 0)
    first = next((part for part in text.splitlines() if part.strip()), text).strip().rstrip(";")
    place = piece.text.find(first, at)
    place = at if place < 0 else place
    return finding(
        GUESSED,
        "warning",
        message,
        piece.location(place),
        fix="take it as an argument and refuse what is unknown",
        edit=piece.edited(place, place + len(first), 'echo "unknown GPU: say --arch" >&2; exit 1'),
    )
