"""Words that mean something else to the shell than to their author."""

import re
from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Finding, Kind
from layerwright.facts.bases import reference_facts
from layerwright.lint.documents import Document, Unit
from layerwright.lint.found import changed, docs, finding
from layerwright.lint.shell import Command

__all__ = ["KINDS", "find"]

BASHISM = Kind(
    code="LW-LINT-BASHISM",
    title="bash's own words are given to /bin/sh",
    why="On Debian and Ubuntu /bin/sh is dash: it knows neither pushd, source nor [[, and the step fails. "
    "A SHELL that the base sets is lost when the base is stored as an OCI image, whose configuration "
    "has no place for it.",
    evidence="pushd, popd, source, [[ or declare in a RUN without a SHELL of its own, or in a script that "
    "begins with #!/bin/sh.",
    repair='`SHELL ["/bin/bash", "-euo", "pipefail", "-c"]` in this Dockerfile, or the words that sh has: '
    "`cd`, `.`, `[`.",
)
OWN = Kind(
    code="LW-LINT-SHELL-VARIABLE",
    title="a variable of the shell itself is overwritten",
    why="The shell and the programs that it starts rely on it: with another PWD, relative paths are wrong; "
    "UID cannot be set at all, and bash stops.",
    evidence="An assignment to PWD, OLDPWD, UID, EUID, PPID, RANDOM, SECONDS or USER in a script.",
    repair="Another name: `PASSWORD`, `user_id`.",
)
STATUS = Kind(
    code="LW-LINT-ONE-STATUS",
    title="only one status counts as failure",
    why="A program that crashes ends with 134 or 139, one that is killed with 137: all of these pass.",
    evidence="A comparison of `$?` with a number other than 0.",
    repair="`if ! program; then …`, or compare with 0.",
)
BY_LINE = Kind(
    code="LW-LINT-EDIT-BY-LINE",
    title="a file is edited by its line numbers",
    why="With the next release of the base, another line is changed, and nobody is told.",
    evidence="sed with a line number in front of its command, in place, on a file of the system.",
    repair="Match the line's text, or write a file of your own.",
)

KINDS = (BASHISM, OWN, STATUS, BY_LINE)

_WORDS: Final = {"pushd": "cd", "popd": "cd -", "source": ".", "[[": "[", "declare": "", "shopt": ""}
_OWN: Final = frozenset({"PWD", "OLDPWD", "UID", "EUID", "PPID", "RANDOM", "SECONDS", "USER"})
_DASH: Final = docs("/bin/sh is dash", "manpages.debian.org/dash; wiki.ubuntu.com/DashAsBinSh")


def find(document: Document) -> Iterator[Finding]:
    """Misunderstandings between authors and shells."""
    for unit in document.units:
        if _is_plain(unit):
            yield from _bashism(document, unit)
        for command in unit.commands:
            if unit.origin in {"file", "start"}:
                yield from _own(unit, command)
            yield from _status(command)
            if unit.built:
                yield from _by_line(command)


def _is_plain(unit: Unit) -> bool:
    """The text is for /bin/sh."""
    if unit.origin in {"run", "command"}:
        shell = unit.state.shell[0] if unit.state and unit.state.shell else ""
        return shell.rpartition("/")[2] == "sh" and not unit.script.text.startswith("#!")
    return bool(re.match(r"#!\s*(/usr/bin/env\s+)?(/bin/)?(sh|dash)\b", unit.script.text))


def _bashism(document: Document, unit: Unit) -> Iterator[Finding]:
    """The first one of each text."""
    command = next(
        (one for one in unit.commands if one.program in _WORDS and one.piece is unit.script.piece), None
    )
    if command is None:
        return
    debian = True
    if unit.stage is not None:
        facts = reference_facts(document.root_base(unit.stage))
        debian = facts.os.startswith(("debian", "ubuntu"))
    word = next(one for one in command.words if one.text == command.program)
    new = _WORDS[command.program]
    built = unit.origin == "run"
    shell = 'SHELL ["/bin/bash", "-euo", "pipefail", "-c"]'
    place = document.source.location(unit.instruction.start) if built and unit.instruction else None
    yield finding(
        BASHISM,
        "error" if debian else "warning",
        f"/bin/sh does not know {command.program}",
        command.location(word),
        fix="name bash as the shell of this Dockerfile"
        if built
        else "write what sh has, or begin with #!/bin/bash",
        edit=f"{shell}\n{place.text}"
        if place
        else changed(command, word, new)
        if new
        else "#!/usr/bin/env bash",
        at=place,
        evidence=[_DASH],
    )


def _own(unit: Unit, command: Command) -> Iterator[Finding]:
    for name, word in command.assignments:
        if (
            name not in _OWN
            or (command.words and command.program != "export")
            or (name == "USER" and unit.origin == "start")
        ):
            continue
        start = word.start - len(name) - 1
        yield finding(
            OWN,
            "warning",
            f"{name} is the shell's own variable",
            command.piece.location(start),
            fix="take another name, here and where it is used",
            edit=command.piece.edited(start, start + len(name), f"own_{name.lower()}"),
        )


def _status(command: Command) -> Iterator[Finding]:
    if command.program not in {"[", "[[", "test"}:
        return
    texts = command.texts
    for left, operator, right in zip(texts, texts[1:], texts[2:], strict=False):
        if left == "$?" and operator in {"-eq", "==", "="} and right.isdecimal() and right != "0":
            word = next(one for one in command.arguments if one.text == operator)
            number = next(one for one in command.arguments if one.text == right)
            yield finding(
                STATUS,
                "warning",
                f"only status {right} counts as failure: a crash (134, 139) or a kill (137) passes",
                command.location(),
                fix="take every status but 0 as failure",
                edit=command.piece.edited(word.start, number.stop, "-ne 0"),
            )


def _by_line(command: Command) -> Iterator[Finding]:
    if command.program != "sed" or not any(re.match(r"-\w*i|--in-place", text) for text in command.texts):
        return
    operands = [word for word in command.arguments if not word.text.startswith("-")]
    if len(operands) > 1 and re.match(r"\d+(,\d+)?\s*[sdaic!]", operands[0].text):
        number = re.sub(r"[^0-9,].*", "", operands[0].text, flags=re.DOTALL)
        yield finding(
            BY_LINE,
            "note",
            f"line {number} of {operands[-1].text} is another one in another release",
            command.location(operands[0]),
            fix="match the line's text",
            edit=changed(command, operands[0], "'/TEXT OF THE LINE/…'"),
        )
