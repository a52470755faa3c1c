"""Failures that nobody hears of."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from layerwright.core.findings import Finding, Kind, Level
from layerwright.lint.documents import Document, Unit
from layerwright.lint.found import above, docs, finding, listed
from layerwright.lint.shell import Chain, Command, Element

__all__ = ["KINDS", "find"]

IGNORED = Kind(
    code="LW-LINT-FAILURE-IGNORED",
    title="a failure is thrown away",
    why="The build goes on and publishes an image whose compilation or tests failed. In a chain of `&&`, "
    "`|| true` forgives everything before it, not the last command alone.",
    evidence="`|| true`, `|| :`, `|| exit 0`, `; exit 0` or `|| echo …` behind a command that does the work.",
    repair='Let it fail; what may fail is named alone, with the reason: `tests || echo "known: …" >> '
    "/failures`.",
)

SEMICOLON = Kind(
    code="LW-LINT-STATUS-LOST",
    title="the status of a command is lost",
    why="/bin/sh goes on after a failed command: only the last one decides whether the step succeeded.",
    evidence="Commands of a RUN joined by `;` or by line ends, without `set -e`.",
    repair="`&&`, or `set -eu` at the beginning.",
)

PIPE = Kind(
    code="LW-LINT-PIPE-STATUS",
    title="a pipeline hides the failure of its first part",
    why="A download that breaks off gives half an archive, and the step succeeds.",
    evidence="curl, wget, git, pip, a test or a build in front of a pipe, without `pipefail`.",
    repair='`SHELL ["/bin/bash", "-o", "pipefail", "-c"]`, or write to a file first.',
)

NO_ERREXIT = Kind(
    code="LW-LINT-NO-ERREXIT",
    title="a script goes on after a failed command",
    why="What follows works on the leftovers, and the script ends with success.",
    evidence="A build or start script with several commands, no `set -e` and no `&&` between them.",
    repair="`set -eu` as its first line.",
)

NO_SHEBANG = Kind(
    code="LW-LINT-NO-SHEBANG",
    title="a script does not say which shell it is for",
    why="It is run by whatever shell the caller has; what bash takes, dash refuses.",
    evidence="The first line of a shell script is no `#!`.",
    repair="`#!/usr/bin/env bash`, or `#!/bin/sh`.",
)

KINDS = (IGNORED, SEMICOLON, PIPE, NO_ERREXIT, NO_SHEBANG)

_HARMLESS: Final = frozenset({
    "rm", "mkdir", "rmdir", "ln", "kill", "pkill", "killall", "groupadd", "useradd", "usermod", "addgroup", "adduser",
    "getent", "id", "which", "type", "command", "hash", "grep", "egrep", "diff", "cmp", "expr", "let", "read", "unlink",
    "umount", "unset", "rmmod", "true", ":", "echo", "printf", "test", "[", "[[", "cd", "stty", "tput", "alias",
    "ldconfig", "find", "ls", "chmod", "chown", "touch", "sleep", "trap", "shopt", "set", "nvidia-smi", "mthreads-gmi",
    "update-alternatives", "cat", "head", "tail", "wait", "dpkg-divert", "docker", "podman",
})  # fmt: skip
"""Commands whose failure usually means that there is nothing to do."""

_WORK = re.compile(
    r"(py\.?test|unittest|nosetests|tox|nox|ctest|make|cmake|ninja|gcc|g\+\+|clang|nvcc|mcc|pip[23]?|uv|conda|apt-get|apt"
    r"|setup\.py|cargo|go|npm|bazel|.*test.*|.*build.*|.*check.*|.*install.*|git|curl|wget|tar|unzip)"
)

_TESTING = re.compile(r"(?i)(^|[/_.\s-])(py\.?test|tests?|unittest|ctest|smoke|check)([/_.\s-]|$)")

_QUIET: Final = frozenset({
    "set", "export", "cd", "true", ":", "shopt", "umask", "unset", "trap", "local", "declare", "readonly", "", "source",
    ".", "ulimit", "exec", "exit", "return", "shift",
})  # fmt: skip

_SOURCES = re.compile(
    r"curl|wget|git|pip[23]?|python[23]?(\.\d+)?|make|py\.?test|cargo|conda|docker|tar|cat_sources"
)


def find(document: Document) -> Iterator[Finding]:
    """Ways to lose a failure."""
    for unit in document.units:
        for chain in unit.script.chains:
            yield from _ignored(unit, chain)
        if unit.built:
            yield from _statuses(unit)
        if unit.built or unit.origin == "file":
            yield from _pipes(unit)
        yield from _scripts(document, unit)


def _command_of(unit: Unit, element: Element) -> Command | None:
    return unit.commands[element.first] if element.last > element.first else None


def _forgives(unit: Unit, element: Element) -> bool:
    """The element succeeds whatever came before, and does nothing about it."""
    command = _command_of(unit, element)
    if command is None or element.kind not in {"command", "redirected_statement"}:
        return False
    return command.program in {"true", ":", "echo", "printf"} or (
        command.program == "exit" and command.texts[:1] in {("0",), ()}
    )


def _ignored(unit: Unit, chain: Chain) -> Iterator[Finding]:
    if chain.tested or unit.origin == "block":
        return
    for index, operator in enumerate(chain.operators):
        if operator != "||" or not _forgives(unit, chain.elements[index + 1]):
            continue
        forgiver = _command_of(unit, chain.elements[index + 1])
        if forgiver is None or (
            forgiver.program in {"echo", "printf"}
            and any(one.operator.startswith(">") for one in forgiver.redirects)
        ):
            continue
        begin = max((at + 1 for at in range(index) if chain.operators[at] == "||"), default=0)
        covered = [
            command
            for element in chain.elements[begin : index + 1]
            for command in unit.commands[element.first : element.last]
            if not command.tested and not command.substitution
        ]
        work = [command for command in covered if command.program not in _HARMLESS and command.program]
        if not work:
            continue
        tests = [command for command in work if _TESTING.search(" ".join((command.program, *command.texts)))]
        chained = len(covered) > 1
        serious = bool(tests) or any(_WORK.fullmatch(command.program) for command in work)
        level: Level = "error" if serious and unit.origin != "start" and (tests or chained) else "warning"
        names = listed(_name(command) for command in work)
        all_of = f"everything before it ({names})" if chained else names
        start = chain.elements[index].stop
        yield finding(
            IGNORED,
            level,
            f"`|| {forgiver.program}` forgives {all_of}: the step succeeds when "
            f"{'tests fail' if tests else 'it fails'}",
            forgiver.location(),
            fix="let the failure stop the build",
            edit=forgiver.piece.edited(start, forgiver.stop, ""),
        )


def _name(command: Command) -> str:
    first = next((text for text in command.texts if not text.startswith("-")), "")
    first = f"-m {first}" if command.texts[:1] == ("-m",) else first
    return f"{command.program} {first}".strip()[:40]


def _statuses(unit: Unit) -> Iterator[Finding]:
    """A RUN's commands whose status nobody looks at, once a RUN."""
    if unit.stops:
        return
    top = [chain for chain in unit.script.chains if chain.depth == 0 and not chain.function]
    for chain, following in pairwise(top):
        if chain.terminator not in {";", "\n"}:
            continue
        # Of `a && b`, a's failure is the chain's too.
        joined = len(chain.operators) - next(
            (at for at, operator in enumerate(reversed(chain.operators)) if operator == "||"),
            len(chain.operators),
        )
        first, last = chain.elements[joined], chain.elements[-1]
        work = [
            one
            for one in unit.commands[first.first : last.last]
            if not (one.tested or one.substitution or "exec" in one.wrappers or _is_quiet(one))
        ]
        if not work or chain.tested or (chain.operators and chain.operators[-1] == "||"):
            continue
        next_command = _command_of(unit, following.elements[0])
        if next_command is not None and "$?" in " ".join(next_command.texts):
            continue
        piece = unit.script.piece
        ends = (
            next_command is not None and next_command.program == "exit" and next_command.texts[:1] == ("0",)
        )
        edit = piece.edited(last.stop, following.elements[0].start, " && ")
        yield finding(
            IGNORED if ends else SEMICOLON,
            "warning",
            f"a failure of {_name(work[0])} does not stop this step: only the last command's status counts",
            work[0].location(),
            fix="join the commands with &&, or begin with set -eu",
            edit=edit,
            evidence=[
                docs(
                    "RUN gives its text to /bin/sh -c, whose status is that of the last command",
                    "docs.docker.com/reference/dockerfile/#run",
                )
            ],
        )
        return


def _is_quiet(command: Command) -> bool:
    return command.program in _QUIET or command.program in {"echo", "printf"}


def _pipes(unit: Unit) -> Iterator[Finding]:
    if unit.pipefail:
        return
    for command in unit.commands:
        if command.after != "|" or command.before == "|" or command.substitution or command.tested:
            continue
        if not _SOURCES.fullmatch(command.program) and not _TESTING.search(command.program):
            continue
        edit = 'SHELL ["/bin/bash", "-o", "pipefail", "-c"]' if unit.built else "set -o pipefail"
        yield finding(
            PIPE,
            "warning",
            f"a failure of {_name(command)} is lost in the pipe",
            command.location(),
            fix="make the pipeline fail with it" if unit.built else "put this line at the script's beginning",
            edit=edit,
        )


def _scripts(document: Document, unit: Unit) -> Iterator[Finding]:
    if unit.origin not in {"file", "start"}:
        return
    source = unit.script.piece
    whole = not unit.path
    if (
        whole
        and not source.text.lstrip("\ufeff").startswith("#!")
        and not source.text.startswith("# shellcheck shell=")
    ):
        yield finding(
            NO_SHEBANG,
            "note",
            "the script does not say which shell it is for",
            source.location(0),
            fix="begin with a line that does",
            edit=f"#!/usr/bin/env bash\n{source.source.line_text(1)}",
        )
    if unit.stops or document.kind == "markdown":
        return
    work = [
        command
        for command in unit.commands
        if command.program not in _QUIET | {"echo", "printf", "[", "[[", "usage"}
        and not command.tested
        and not command.substitution
        and "exec" not in command.wrappers
    ]
    loose = [command for command in work if command.after in {"\n", ";", ""}]
    if len(work) < 2 or len(loose) < 2:  # noqa: PLR2004 - one command's status is the script's
        return
    first = next((one for one in unit.commands if not one.function), unit.commands[0])
    yield finding(
        NO_ERREXIT,
        "warning",
        f"the script goes on when {_name(loose[0])} fails",
        first.location(),
        fix="stop at the first failure",
        edit=above(first, "set -eu"),
    )
