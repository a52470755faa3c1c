"""Options that no program takes, and terminals that are not there."""

import difflib
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from layerwright.core.findings import Finding, Kind
from layerwright.lint.documents import Document, Unit
from layerwright.lint.found import changed, docs, finding
from layerwright.lint.shell import Command, Word
from layerwright.lint.tools import BUILD_SWITCHES, BUILD_VALUES, RUN_SWITCHES, RUN_VALUES, docker_call

__all__ = ["KINDS", "find"]

OPTION = Kind(
    code="LW-LINT-MISSPELT-OPTION",
    title="an option is misspelt",
    why="The program refuses it, or takes it for something else; whoever follows the help text fails at "
    "the first step.",
    evidence="An option of docker or podman that does not exist and is one letter or two from one that does; an "
    "option of a script's own help that its parser does not take.",
    repair="The spelling that the program takes.",
)

INTERACTIVE = Kind(
    code="LW-LINT-ALWAYS-INTERACTIVE",
    title="a terminal is asked for whether there is one or not",
    why="In CI, cron and pipes docker stops: the input device is not a TTY.",
    evidence="`docker run` or `exec` with `-t` in a script that does not look whether there is a terminal.",
    repair="`[ -t 0 ] && tty=-it`, then `docker run $tty …`; `layerwright run` looks for itself.",
)

KINDS = (OPTION, INTERACTIVE)

_RUN: Final = RUN_SWITCHES | RUN_VALUES

_BUILD: Final = BUILD_SWITCHES | BUILD_VALUES

_LONG = re.compile(r"(?<![\w-])--[a-z][\w-]+")

_TERMINAL = r"\[\[?\s+(!\s*)?-t\s+[012]|\btty\s+-s\b|test\s+-t\s"


def find(document: Document) -> Iterator[Finding]:
    """Options of docker and of scripts."""
    for unit in document.units:
        for command in unit.commands:
            yield from _options(command)
            yield from _interactive(document, unit, command)
        yield from _own_options(unit)


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
                edit=_moved(command, docker.operands),
            )


def _moved(command: Command, operands: tuple[Word, ...]) -> str:
    """The option and its value before the image."""
    image, option, *rest = operands
    moved = [option]
    if option.text in RUN_VALUES and rest:
        moved.append(rest[0])
    new = " ".join(word.raw for word in (*moved, image))
    return command.piece.edited(image.start, moved[-1].stop, new)


def _interactive(document: Document, unit: Unit, command: Command) -> Iterator[Finding]:
    docker = docker_call(command)
    if docker is None or docker.verb not in {"run", "exec"}:
        return
    option = docker.parsed.first("-t", "--tty")
    if option is None or option.value == "false" or unit.script.mentions(_TERMINAL):
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
    taken = _taken(unit)
    if len(taken) < 2:  # noqa: PLR2004 - no parser of options
        return
    piece = unit.script.piece
    told: set[str] = set()
    for start, text in _help(unit):
        for found in _LONG.finditer(text):
            name = found[0].rstrip("-_")
            near = difflib.get_close_matches(name, sorted(taken), n=1, cutoff=0.8)
            if name in taken or name in told or not near:
                continue
            told.add(name)
            at = next(
                (at for pattern, at in unit.script.patterns if near[0] in _LONG.findall(pattern)), start
            )
            place = max(piece.text.find(near[0], at), at)
            there = piece.text.startswith(near[0], place)
            yield finding(
                OPTION,
                "error",
                f"the help text promises {name}, the script takes {near[0]}",
                piece.location(place),
                fix="take the documented spelling too",
                edit=piece.edited(place, place + len(near[0]), f"{name} | {near[0]}") if there else name,
            )


def _taken(unit: Unit) -> set[str]:
    """Options that the script's case or getopt takes."""
    taken = {option for text, _ in unit.script.patterns for option in _LONG.findall(text)}
    for command in unit.commands:
        if command.program == "getopt":
            for word, following in pairwise(command.arguments):
                if word.text in {"-l", "--long", "--longoptions"}:
                    taken |= {f"--{name.rstrip(':')}" for name in following.text.split(",")}
    return taken


def _help(unit: Unit) -> Iterator[tuple[int, str]]:
    """Texts that the script prints."""
    for command in unit.commands:
        if command.program in {"echo", "printf"}:
            yield from ((word.start, word.raw) for word in command.arguments)
        elif command.program == "cat":
            yield from ((one.start, one.body.text) for one in command.redirects if one.body is not None)
