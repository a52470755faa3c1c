"""Text that does not do what it looks like: lost continuations, misspelt options, terminals that are not there."""

import difflib
import re
from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Finding, Kind
from layerwright.core.source import Location
from layerwright.lint.dockerfile.read import KEYWORDS
from layerwright.lint.documents import Document, Unit
from layerwright.lint.found import changed, docs, finding, without
from layerwright.lint.shell import Command
from layerwright.lint.source import Piece
from layerwright.lint.tools import BUILD_SWITCHES, BUILD_VALUES, RUN_SWITCHES, RUN_VALUES, docker_call

__all__ = ["KINDS", "find"]

CONTINUATION = Kind(
    code="LW-LINT-LOST-CONTINUATION",
    title="a command breaks off in the middle",
    why="The shell runs the first part without its arguments and takes the rest for another command: pasted as it is, "
    "docker starts without an image and `-it` is not found; variables meant for a script are set and forgotten.",
    evidence="A backslash before an empty line or a comment, something behind a backslash, or a line that begins with an "
    "option after a line without a backslash.",
    repair="A backslash as the last character of every line but the last; comments above the command.",
)
OPTION = Kind(
    code="LW-LINT-MISSPELT-OPTION",
    title="an option is misspelt",
    why="The program refuses it, or takes it for something else; whoever follows the help text fails at the first step.",
    evidence="An option of docker or podman that does not exist and is one letter or two from one that does; an option "
    "of a script's own help that its parser does not take.",
    repair="The spelling that the program takes.",
)
INTERACTIVE = Kind(
    code="LW-LINT-ALWAYS-INTERACTIVE",
    title="a terminal is asked for whether there is one or not",
    why="In CI, cron and pipes docker stops: the input device is not a TTY.",
    evidence="`docker run` or `exec` with `-t` in a script that does not look whether there is a terminal.",
    repair="`[ -t 0 ] && tty=-it`, then `docker run $tty …`; `layerwright run` looks for itself.",
)
SYNTAX = Kind(
    code="LW-LINT-DOCKERFILE-SYNTAX",
    title="Docker does not understand the file",
    why="The build stops before its first step.",
    evidence="An unknown instruction, something before FROM, a here-document without an end, an empty line within a "
    "continued instruction (which Docker warns of and will refuse).",
    repair="As the finding says.",
)
UNREAD = Kind(
    code="LW-LINT-SHELL-UNREAD",
    title="shell text could not be read",
    why="A quote, bracket or keyword is missing, or the text is for another shell: what stands behind was judged with "
    "gaps.",
    evidence="The grammar of bash does not fit the text.",
    repair="`bash -n FILE` says what bash makes of it.",
)

KINDS = (CONTINUATION, OPTION, INTERACTIVE, SYNTAX, UNREAD)

_BEHIND = re.compile(r"\\[ \t]+(#[^\n]*)$", re.MULTILINE)
_TRAILING = re.compile(r"\\[ \t]+$", re.MULTILINE)
_BEFORE_EMPTY = re.compile(r"\\\n([ \t]*)(\n|#|$)")
_RUN: Final = RUN_SWITCHES | RUN_VALUES
_BUILD: Final = BUILD_SWITCHES | BUILD_VALUES
_LONG = re.compile(r"(?<![\w-])--[a-z][\w-]+")
_TERMINAL = re.compile(r"\[\[?\s+(!\s*)?-t\s+[012]|\btty\s+-s\b|test\s+-t\s")


def find(document: Document) -> Iterator[Finding]:
    """Text that is not what it seems."""
    yield from _faults(document)
    for unit in document.units:
        if not unit.built and unit.origin != "command":
            yield from _continuations(unit)
        if unit.script.broken >= 0 and unit.origin != "block":
            yield _unread(unit)
        for command in unit.commands:
            yield from _options(command)
            yield from _interactive(document, unit, command)
        yield from _own_options(unit)


def _faults(document: Document) -> Iterator[Finding]:
    dockerfile = document.dockerfile
    if dockerfile is None:
        return
    source = document.source
    for fault in dockerfile.faults:
        where = source.location(min(fault.start, len(source.text)))
        line = where.text
        match fault.kind:
            case "comment":
                escape = dockerfile.escape
                at = line.find(escape + " ", max(where.column - 1, 0))
                yield finding(
                    CONTINUATION,
                    "error",
                    "a comment stands behind the backslash, so the instruction ends here",
                    where,
                    fix="put the comment on a line of its own above",
                    edit=f"{line[at:].lstrip(escape).strip()}\n{line[:at]}{escape}" if at >= 0 else line,
                )
            case "empty":
                yield finding(
                    CONTINUATION,
                    "warning",
                    "an empty line stands within an instruction, which Docker will refuse one day",
                    where,
                    fix="remove the empty line",
                    edit=source.line_text(where.line + 1) or line,
                    evidence=[
                        docs(
                            "empty continuation lines will become errors",
                            "docs.docker.com/reference/build-checks/no-empty-continuation",
                        )
                    ],
                )
            case "end":
                yield finding(
                    CONTINUATION,
                    "warning",
                    "the file ends after a continuation: something is missing, or the backslash is too much",
                    where,
                    fix="remove the backslash, or write what should follow",
                    edit=line.rstrip().removesuffix(dockerfile.escape).rstrip(),
                )
            case "instruction":
                yield _instruction(document, fault.text, where)
            case "first":
                if document.kind == "dockerfile":
                    yield finding(
                        SYNTAX,
                        "error",
                        f"{fault.text} stands before FROM",
                        where,
                        fix="begin with FROM (only ARG may stand before it)",
                        edit=f"FROM IMAGE\n{line}",
                    )
            case "heredoc":
                yield finding(
                    SYNTAX,
                    "error",
                    f"the here-document {fault.text} has no end",
                    where,
                    fix=f"end it with a line that is {fault.text} and nothing else",
                    edit=f"{line}\n…\n{fault.text}",
                )
            case "nothing":
                if document.kind == "dockerfile":
                    yield finding(
                        SYNTAX,
                        "error",
                        "the file has no instruction",
                        where,
                        fix="begin with FROM",
                        edit="FROM IMAGE",
                    )


def _instruction(document: Document, text: str, where: Location) -> Finding:
    word = text.split(maxsplit=1)[0] if text.split() else text
    near = difflib.get_close_matches(word.upper(), sorted(KEYWORDS), n=1, cutoff=0.75)
    before = document.source.line_text(where.line - 1) if where.line > 1 else ""
    if not near and before.strip() and not before.lstrip().startswith("#"):
        return finding(
            CONTINUATION,
            "error",
            f"{word!r} is taken for an instruction: the line before has no backslash at its end",
            where,
            fix="continue the line before",
            edit=f"{before.rstrip()} \\\n{where.text}",
        )
    return finding(
        SYNTAX,
        "error",
        f"{word!r} is no instruction" + (f"; {near[0]} is" if near else ""),
        where,
        fix=f"write {near[0]}" if near else "remove the line, or continue the one before with a backslash",
        edit=where.text.replace(word, near[0], 1) if near else f"# {where.text.strip()}",
    )


def _continuations(unit: Unit) -> Iterator[Finding]:
    piece = unit.script.piece
    bodies = [
        (piece.text.find(one.body.text), len(one.body.text))
        for command in unit.commands
        for one in command.redirects
        if one.body is not None and one.body.text
    ]

    def inside(position: int) -> bool:
        return any(start <= position < start + length for start, length in bodies) or _in_comment(
            piece, position
        )

    told: set[int] = set()
    for found in _BEHIND.finditer(piece.text):
        if inside(found.start()) or _is_escaped(piece, found.start()):
            continue
        where = piece.location(found.start())
        told.add(where.line)
        line = where.text
        at = where.column - 1
        yield finding(
            CONTINUATION,
            "error",
            "a comment stands behind the backslash, so the command ends here",
            where,
            fix="put the comment on a line of its own above the command",
            edit=f"{found[1]}\n{line[:at]}\\",
        )
    for found in _TRAILING.finditer(piece.text):
        if not inside(found.start()) and not _is_escaped(piece, found.start()):
            where = piece.location(found.start())
            told.add(where.line)
            yield finding(
                CONTINUATION,
                "error",
                "blanks stand behind the backslash, so the command ends here",
                where,
                fix="remove the blanks",
                edit=where.text.rstrip(),
            )
    for found in _BEFORE_EMPTY.finditer(piece.text):
        rest = piece.text[found.end() :]
        if inside(found.start()) or _is_escaped(piece, found.start()) or not rest.strip():
            continue
        where = piece.location(found.start())
        told.add(where.line)
        comment = found[2] == "#"
        following = next((line for line in rest.splitlines() if line.strip()), "")
        yield finding(
            CONTINUATION,
            "error",
            f"{'a comment' if comment else 'an empty line'} follows the backslash, so the command ends here",
            where,
            fix="put the next line directly below" if not comment else "put the comment above the command",
            edit=f"{where.text}\n{following}",
        )
    for command in unit.commands:
        begin = command.location()
        if (
            not re.fullmatch(r"-{1,2}[a-zA-Z][\w-]*(=.*)?", command.program)
            or command.before
            or {begin.line - 1, begin.line - 2} & told
        ):
            continue
        if command.piece.text[: command.start].rpartition("\n")[2].strip():
            continue
        before = piece.source.line_text(begin.line - 1)
        yield finding(
            CONTINUATION,
            "error",
            f"{command.program} is taken for a command: the line before has no backslash at its end",
            piece.source.location(piece.source.line_start(begin.line - 1)) if begin.line > 1 else begin,
            fix="continue the line before",
            edit=f"{before.rstrip()} \\",
        )


def _in_comment(piece: Piece, position: int) -> bool:
    begin = piece.text.rfind("\n", 0, position) + 1
    return bool(re.match(r"\s*#", piece.text[begin : position + 1]))


def _is_escaped(piece: Piece, position: int) -> bool:
    """The backslash is one of a pair, or stands in single quotes on its line."""
    begin = piece.text.rfind("\n", 0, position) + 1
    line = piece.text[begin:position]
    return line.endswith("\\") or line.count("'") % 2 == 1


def _unread(unit: Unit) -> Finding:
    where = unit.script.piece.location(min(unit.script.broken, max(len(unit.script.text) - 1, 0)))
    return finding(
        UNREAD,
        "unknown",
        "this shell text could not be read to its end",
        where,
        fix="look for a missing quote, bracket or keyword before this place",
        command=f"bash -n {unit.script.piece.source.file}" if unit.origin == "file" and not unit.path else "",
        edit=where.text,
    )


def _options(command: Command) -> Iterator[Finding]:
    docker = docker_call(command)
    if docker is None or docker.verb not in {"run", "create", "build"}:
        return
    known = _BUILD if docker.verb == "build" else _RUN
    for option in docker.parsed.options:
        if not option.name.startswith("--") or option.name in known or "$" in option.name:
            continue
        near = difflib.get_close_matches(option.name, sorted(known), n=1, cutoff=0.8)
        if near:
            yield finding(
                OPTION,
                "error",
                f"{command.program} {docker.verb} has no option {option.name}; {near[0]} is meant",
                command.location(option.word),
                fix=f"write {near[0]}",
                edit=changed(command, option.word, option.word.raw.replace(option.name, near[0], 1)),
            )
    # An option behind the image is the program's: a switch of docker's there was meant for docker.
    if docker.verb == "run" and len(docker.operands) > 1:
        first = docker.operands[1]
        if first.text in {
            "--rm",
            "--gpus",
            "--privileged",
            "-it",
            "-ti",
            "--volume",
            "--mount",
            "--shm-size",
            "--network",
        }:
            yield finding(
                OPTION,
                "error",
                f"{first.text} stands behind the image, so it is given to the program, not to {command.program}",
                command.location(first),
                fix="put it before the image",
                edit=without(command.piece, first),
            )


def _interactive(document: Document, unit: Unit, command: Command) -> Iterator[Finding]:
    docker = docker_call(command)
    if docker is None or docker.verb not in {"run", "exec"}:
        return
    option = docker.parsed.first("-t", "--tty")
    if option is None or option.value == "false" or _TERMINAL.search(unit.script.text):
        return
    detached = docker.parsed.has("-d", "--detach")
    shell = docker.operands[1:] and docker.operands[-1].text.rpartition("/")[2] in {
        "bash",
        "sh",
        "zsh",
        "ipython",
        "python",
    }
    page = document.kind == "markdown"
    if page and (shell or detached):
        return  # a person types it
    text = option.word.text
    new = "" if text in {"-it", "-ti", "-t", "--tty"} else text.replace("t", "", 1)
    guard = '"${tty[@]}"'
    yield finding(
        INTERACTIVE,
        "note" if page else "warning",
        f"{text} asks for a terminal, and {command.program} stops where there is none",
        command.location(option.word),
        fix="ask for it only where there is one: tty=(); [ -t 0 ] && tty=(-it)",
        edit=changed(command, option.word, new or guard),
        evidence=[
            docs(
                "-t allocates a pseudo-TTY; without one docker ends with an error",
                "docs.docker.com/reference/cli/docker/container/run",
            )
        ],
    )


def _own_options(unit: Unit) -> Iterator[Finding]:
    """Long options that a script's help names and its parser does not take."""
    if unit.origin not in {"file", "start"}:
        return
    taken = {option for text, _ in unit.script.patterns for option in _LONG.findall(text)}
    for command in unit.commands:
        if command.program == "getopt":
            for word, following in zip(command.arguments, command.arguments[1:], strict=False):
                if word.text in {"-l", "--long", "--longoptions"}:
                    taken |= {f"--{name.rstrip(':')}" for name in following.text.split(",")}
    if len(taken) < 2:  # noqa: PLR2004 - no parser of options
        return
    told: set[str] = set()
    for command in unit.commands:
        texts = (
            [(word.start, word.raw) for word in command.arguments]
            if command.program in {"echo", "printf"}
            else []
        )
        for one in command.redirects:
            if one.body is not None and command.program == "cat":
                texts.append((one.start, one.body.text))
        for start, text in texts:
            for found in _LONG.finditer(text):
                name = found[0].rstrip("-_")
                near = difflib.get_close_matches(name, sorted(taken), n=1, cutoff=0.8)
                if name in taken or name in told or not near:
                    continue
                told.add(name)
                at = next(
                    (place for pattern, place in unit.script.patterns if near[0] in _LONG.findall(pattern)),
                    start,
                )
                piece = unit.script.piece
                place = piece.text.find(near[0], at)
                place = at if place < 0 else place
                yield finding(
                    OPTION,
                    "error",
                    f"the help text promises {name}, the script takes {near[0]}",
                    piece.location(place),
                    fix="take the documented spelling too",
                    edit=piece.edited(place, place + len(near[0]), f"{name} | {near[0]}")
                    if piece.text.startswith(near[0], place)
                    else name,
                )
