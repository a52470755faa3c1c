"""rm that may delete what it should not."""

import re
from collections.abc import Iterator

from layerwright.core.findings import Finding, Kind
from layerwright.lint.documents import Document, Unit
from layerwright.lint.found import changed, finding
from layerwright.lint.shell import Command, Expansion, Word

__all__ = ["KINDS", "find"]

VARIABLE = Kind(
    code="LW-LINT-RM-VARIABLE",
    title="rm -r of a variable that may be empty or hold blanks",
    why="Empty, `rm -rf $DIR/*` deletes from the root; with a blank in it, other folders go too.",
    evidence="A recursive rm whose path begins with a variable without quotes or without a guard against "
    "emptiness.",
    repair='`rm -rf -- "${DIR:?}/build"`.',
)
GIVEN = Kind(
    code="LW-LINT-RM-GIVEN-FOLDER",
    title="a folder that the caller named is deleted",
    why="The caller may keep other things there; the script deletes them too.",
    evidence="A recursive rm of a variable whose value comes from the environment or the command line.",
    repair="Work in a folder of your own (`mktemp -d`), and delete only that.",
)

KINDS = (VARIABLE, GIVEN)

_ARGUMENTS = frozenset("123456789")


def find(document: Document) -> Iterator[Finding]:
    """Dangerous deletions."""
    for unit, command in document.commands():
        if command.program != "rm" or not any(
            re.fullmatch(r"-\w*[rR]\w*|--recursive", text) for text in command.texts
        ):
            continue
        for word in command.arguments:
            if (
                not word.text.startswith("-")
                and word.expansions
                and word.expansions[0].start <= word.start + 1
            ):
                yield from _word(document, unit, command, word)


def _word(document: Document, unit: Unit, command: Command, word: Word) -> Iterator[Finding]:
    first = word.expansions[0]
    if first.name in {"@", "*"}:
        return
    behind = word.text[len(command.piece.text[first.start : first.stop]) :]
    given = _origin(unit, first.name)
    if given and not unit.built and document.kind != "markdown":
        who = "sudo rm" if "sudo" in command.wrappers else "rm"
        yield finding(
            GIVEN,
            "error",
            f"{who} deletes the whole folder that the caller named in {given}",
            command.location(word),
            fix="work in a folder of your own and delete only that",
            edit=f"{first.name}=$(mktemp -d)\ntrap 'rm -rf -- \"${first.name}\"' EXIT",
        )
        return
    guarded = first.operator in {":?", "?"} or (first.operator in {":-", "-", ":="} and first.default)
    if guarded and first.quoted:
        return
    known = _is_set(unit, first.name)
    if first.quoted and known:
        return
    unquoted = not first.quoted
    empties = not known and not guarded
    if not (unquoted or (empties and behind.startswith("/"))):
        return
    deep = empties and (behind.startswith("/") or not behind)
    deadly = (deep and unit.origin != "start") or (unquoted and behind.startswith("/") and not known)
    raw = f'"${{{first.name}:?}}"{behind}'
    how = "is not quoted" if unquoted else "may be empty"
    if unquoted and empties:
        how = "is not quoted and may be empty"
    yield finding(
        VARIABLE,
        "error" if deadly else "warning",
        f"rm deletes {word.text} recursively, and {first.name} {how}",
        command.location(word),
        fix="quote it, and stop when it is empty",
        edit=changed(command, word, raw),
    )


def _origin(unit: Unit, name: str, depth: int = 0) -> str:
    """The environment variable, or argument, that a script's variable takes its value from; empty for none."""
    for command in unit.commands:
        for assigned, word in command.assignments:
            if assigned != name or word.substituted or depth > 3:  # noqa: PLR2004 - a chain of assignments
                continue
            for expansion in word.expansions:
                defaulted = expansion.operator in {":-", "-", ":="} and expansion.default
                if defaulted or expansion.name in _ARGUMENTS:
                    return _shown(expansion)
                if (
                    expansion.name != name
                    and word.text == command.piece.text[expansion.start : expansion.stop]
                ):
                    found = _origin(unit, expansion.name, depth + 1)
                    if found:
                        return found
                    if expansion.name.isupper() and not _is_set(unit, expansion.name):
                        return expansion.name
    return ""


def _shown(expansion: Expansion) -> str:
    return f"argument {expansion.name}" if expansion.name.isdecimal() else expansion.name


def _is_set(unit: Unit, name: str) -> bool:
    """The script, or the Dockerfile, gives the variable a value of its own."""
    if unit.state is not None and unit.state.variables.get(name):
        return True
    for command in unit.commands:
        for assigned, word in command.assignments:
            if assigned == name and (
                word.text and (word.literal or word.substituted or not word.text.startswith("$"))
            ):
                return True
        if command.program in {"for", "read"} and name in command.texts:
            return True
    return unit.script.mentions(rf"\bfor\s+{re.escape(name)}\b")
