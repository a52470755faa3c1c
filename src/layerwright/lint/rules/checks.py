"""Values that are not checked, tests that test nothing, checks that cannot fail."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from layerwright.core.findings import Finding, Kind
from layerwright.lint.documents import Document, Unit
from layerwright.lint.found import changed, finding
from layerwright.lint.shell import Command, Expansion
from layerwright.lint.tools import docker_call

__all__ = ["KINDS", "find"]

EVAL = Kind(
    code="LW-LINT-EVAL",
    title="a command is put together as text and evaluated",
    why="Blanks, quotes and `$` in a value change the command, an empty value makes the next word its "
    "argument, and whoever sets the value can run anything.",
    evidence="`eval` of text with variables.",
    repair='Collect the arguments in an array: `args+=(--tag "$TAG")`, then `docker build "${args[@]}" .`.',
)

BLANK = Kind(
    code="LW-LINT-TEST-BLANK",
    title="a test lacks a blank",
    why='`[$x` is the name of a program that does not exist, and `"$a"==b` is one word, which is always '
    "true: the branch is taken or not whatever the value is.",
    evidence="`[` without a blank behind it, or a test of one word with an operator inside.",
    repair="Blanks around `[`, `]` and the operator.",
)

CURL = Kind(
    code="LW-LINT-CURL-FAIL",
    title="curl takes an error page for the file",
    why="Without --fail, a 404 page is written to the file, and the command succeeds.",
    evidence="curl that writes to a file or a pipe without `--fail`.",
    repair="`curl --fail --location …` (`-fL`).",
)

UNCHECKED = Kind(
    code="LW-LINT-VALUE-UNCHECKED",
    title="a value that may be missing is used unchecked",
    why="With nothing given, docker is called with an empty or a placeholder argument: the image is named "
    "NULL, or the next option is taken for the value.",
    evidence="A variable that starts as empty, NULL or none, is passed to docker or a download, and never "
    "tested.",
    repair='Check what is required first: `: "${NAME:?--name is missing}"`.',
)

CHECK = Kind(
    code="LW-LINT-CHECK-CANNOT-FAIL",
    title="a check reports failure in words only",
    why="Whoever runs it sees success: a broken image passes.",
    evidence="A script that prints that something failed and never ends with another status than 0.",
    repair="`exit 1` after the message.",
)

KINDS = (EVAL, BLANK, CURL, UNCHECKED, CHECK)

_EMPTY: Final = frozenset({"", "NULL", "null", "None", "none", "NONE", "TODO", "CHANGEME"})

_FAILED = re.compile(r"(?i)\b(fail(ed|ure)?|error|not (found|working|available)|broken)\b")


def find(document: Document) -> Iterator[Finding]:
    """Values and answers that nobody looks at."""
    for unit in document.units:
        for command in unit.commands:
            yield from _eval(command)
            yield from _blanks(command)
            yield from _curl(unit, command)
        yield from _unchecked(unit)
        yield from _checks(document, unit)


def _eval(command: Command) -> Iterator[Finding]:
    if command.program != "eval" or " ".join(command.texts).startswith("set --"):
        return  # `eval set -- "$parsed"` is how getopt is meant to be used
    loose = [word for word in command.arguments if word.expansions and not word.substituted]
    if loose:
        name = loose[0].expansions[0].name
        yield finding(
            EVAL,
            "warning",
            f"eval runs whatever {name} holds: blanks, quotes and empty values change the command",
            command.location(),
            fix="keep the command in an array",
            edit=command.piece.edited(command.start, command.stop, f'"${{{name}[@]}}"'),
        )


def _blanks(command: Command) -> Iterator[Finding]:
    text = command.piece.text[command.start : command.stop]
    if command.program in {"[", "[["}:
        sign = command.program
        behind = text[len(sign) : len(sign) + 1]
        if behind and not behind.isspace():
            yield finding(
                BLANK,
                "error",
                f"`{text.partition(' ')[0][:30]}` is the name of a program: the blank behind {sign} is missing",
                command.location(),
                fix="put a blank behind it",
                edit=command.piece.edited(command.start, command.start + len(sign), f"{sign} "),
            )
            return
        close = text.rstrip()
        before = close[-len(sign) - 1 : -len(sign)]
        if close.endswith("]" * len(sign)) and before and not before.isspace():
            at = command.start + len(close) - len(sign)
            yield finding(
                BLANK,
                "error",
                f"the blank before {']' * len(sign)} is missing",
                command.piece.location(at),
                fix="put a blank before it",
                edit=command.piece.edited(at, at, " "),
            )
            return
        raw = text.strip().removeprefix(sign).removesuffix("]" * len(sign)).strip()
        glued = re.fullmatch(r"(\"[^\"]*\"|'[^']*'|[\w${}]+)(==|!=|=)(\"[^\"]*\"|'[^']*'|[\w${}.]+)", raw)
        if glued:
            yield finding(
                BLANK,
                "error",
                f"`{raw[:40]}` is one word, which is always true: the blanks around {glued[2]} are missing",
                command.location(),
                fix="put blanks around the operator",
                edit=command.piece.edited(
                    command.start, command.stop, f"{sign} {glued[1]} {glued[2]} {glued[3]} {']' * len(sign)}"
                ),
            )
    elif re.match(r"\[+[^\s\[\]]", command.program) or re.match(r"\[\[?[\"$\w]", text):
        yield finding(
            BLANK,
            "error",
            f"`{text.partition(' ')[0][:30]}` is the name of a program: the blank behind [ is missing",
            command.location(),
            fix="put a blank behind it",
            edit=command.piece.edited(command.start, command.start + 1, "[ "),
        )


def _curl(unit: Unit, command: Command) -> Iterator[Finding]:
    if command.program != "curl" or not (unit.built or unit.origin == "file") or command.tested:
        return
    bundled = any(re.fullmatch(r"-[a-zA-Z]*f[a-zA-Z]*", text) for text in command.texts)
    if bundled or {"--fail", "--fail-with-body", "-X", "--request", "--head", "-I"} & set(command.texts):
        return
    writes = (
        command.after == "|"
        or any(one.operator.startswith(">") for one in command.redirects)
        or any(re.fullmatch(r"-[a-zA-Z]*[oO]|--output|--remote-name", text) for text in command.texts)
    )
    if writes:
        word = next(one for one in command.words if one.text.rpartition("/")[2] == "curl")
        yield finding(
            CURL,
            "warning",
            "curl writes an error page as if it were the file, and succeeds",
            command.location(word),
            fix="let it fail",
            edit=changed(command, word, f"{word.raw} --fail"),
        )


def _unchecked(unit: Unit) -> Iterator[Finding]:
    """Variables that start as nothing and reach docker or a download untested."""
    if unit.origin != "file":
        return
    starts: dict[str, str] = {}
    for command in unit.commands:
        for name, word in command.assignments:
            if word.literal and word.text in _EMPTY and name.isidentifier():
                starts.setdefault(name, word.text)
    told: set[str] = set()
    for command in unit.commands:
        for expansion in _used(command):
            name = expansion.name
            if name not in starts or name in told or _is_tested(unit, name):
                continue
            told.add(name)
            yield finding(
                UNCHECKED,
                "warning",
                f"{name} starts as {starts[name] or 'empty'} and is used without a check: left out, it gives a broken "
                "command",
                command.piece.location(expansion.start),
                fix="refuse to go on without it",
                edit=command.piece.edited(expansion.start, expansion.stop, f"${{{name}:?{name} is missing}}"),
            )


def _used(command: Command) -> Iterator[Expansion]:
    """Variables that reach docker or a download as they are, or a docker command that is put together as text."""
    docker = docker_call(command)
    builds = docker is not None and docker.verb in {"build", "run", "push", "tag"}
    assembled = any("docker " in word.text and "build" in word.text for _, word in command.assignments)
    if not (builds or assembled or command.program in {"wget", "curl"}):
        return
    for word in [*command.arguments, *(word for _, word in command.assignments)]:
        for expansion in word.expansions:
            if expansion.operator not in {":?", "?", ":+", "+"}:
                yield expansion


def _is_tested(unit: Unit, name: str) -> bool:
    """A test, case or guard looks at the variable."""
    word = rf"\"?\$\{{?{re.escape(name)}\b"
    return unit.script.mentions(
        rf"\[+\s+(!\s*)?-[zn]\s+{word}|{word}\}}?\"?\s*(==?|!=)\s|\$\{{{re.escape(name)}:?\?|case\s+{word}"
    )


def _checks(document: Document, unit: Unit) -> Iterator[Finding]:
    name = PurePosixPath(unit.path or (document.source.file if document.kind == "shell" else "")).name
    if unit.origin not in {"file", "start"} or not re.search(r"(?i)check|test|verify|health|status", name):
        return
    said = next(
        (
            command
            for command in unit.commands
            if command.program in {"echo", "printf"} and _FAILED.search(" ".join(command.texts))
        ),
        None,
    )
    if said is None or re.search(
        r"\b(exit|return)\s+(\"?\$|[1-9])|\bfalse\b|\bset\s+-\w*e", unit.script.text
    ):
        return
    yield finding(
        CHECK,
        "warning",
        "the check says that something failed, and ends with success",
        said.location(),
        fix="end with another status",
        edit=said.piece.edited(said.stop, said.stop, "; exit 1"),
    )
