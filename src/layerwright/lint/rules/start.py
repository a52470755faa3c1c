"""Programs that start a container: entry scripts, ENTRYPOINT and CMD."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from layerwright.core.findings import Finding, Kind
from layerwright.lint.documents import Document, Unit
from layerwright.lint.found import above, changed, docs, finding
from layerwright.lint.shell import Command

__all__ = ["KINDS", "find"]

CHOWN = Kind(
    code="LW-LINT-START-CHOWN",
    title="the start changes the owner of a whole folder",
    why="The folder is usually a mount: every file of the caller's project and data sets changes hands on "
    "the host. It also takes long, and fails where the mount is read-only.",
    evidence="`chown -R` in a script that starts a container, of a path that is not the user's own home.",
    repair='Leave the mount alone and run the process as the owner: `docker run --user "$(id -u):$(id -g)"`; '
    "`layerwright run` does.",
)
PARTIAL = Kind(
    code="LW-LINT-START-PARTIAL-ID",
    title="the start runs as root when an id is missing",
    why="With one of the two ids, or none, the program runs as root without a word, and its files belong "
    "to root.",
    evidence="A start script that uses a user id and a group id from the environment and never ends with an "
    "error.",
    repair="Refuse to start unless both ids or neither are given.",
)
HOME = Kind(
    code="LW-LINT-START-HOME",
    title="HOME is set before gosu, which sets it anew",
    why="gosu and su-exec set HOME from /etc/passwd: for an id that the image already has, caches go to "
    "that account's folder, and the export is lost.",
    evidence="An assignment of HOME in a start script before `gosu` or `su-exec`.",
    repair='Set it behind: `exec gosu "$USER_ID:$GROUP_ID" env HOME="$HOME" "$@"`.',
)
GROUPS = Kind(
    code="LW-LINT-START-GROUPS",
    title="the user's other groups are dropped",
    why="`gosu UID:GID` gives the process that one group; membership of render or video, which GPUs need, "
    "is lost.",
    evidence="`gosu` or `su-exec` with `user:group`.",
    repair="Create the account, add it to its groups, and call `gosu NAME`; or `docker run --user … "
    "--group-add render`.",
)
IGNORES = Kind(
    code="LW-LINT-START-IGNORES-COMMAND",
    title="the start ignores the command it is given",
    why="`docker run IMAGE python train.py` then starts something else, and the image cannot be used for "
    "jobs.",
    evidence="An entry script that never uses its arguments.",
    repair='End it with `exec "$@"`, and put the default into CMD.',
)
DELETES = Kind(
    code="LW-LINT-START-DELETES-ITSELF",
    title="the start deletes itself",
    why="The container cannot be started a second time: its entry point is gone.",
    evidence="rm of the script's own path in a start script.",
    repair="Leave it there; make what must happen once depend on something that it leaves behind.",
)
NO_EXEC = Kind(
    code="LW-LINT-START-NO-EXEC",
    title="the start keeps a shell in front of the program",
    why="The shell is process 1 and does not pass the stop signal on: `docker stop` waits ten seconds and "
    "kills.",
    evidence="A start script whose last command runs the program without exec.",
    repair="`exec` in front of it.",
)
SHELL_FORM = Kind(
    code="LW-LINT-SHELL-FORM",
    title="ENTRYPOINT or CMD is given to a shell",
    why="A shell is then process 1: it does not pass signals on, and behind a shell-form ENTRYPOINT the "
    "arguments of `docker run` are thrown away.",
    evidence="ENTRYPOINT or CMD that is not a JSON list.",
    repair='Write it as a list: `ENTRYPOINT ["python", "main.py"]`.',
)
PID_ONE = Kind(
    code="LW-LINT-PID-ONE",
    title="the program is process 1",
    why="Process 1 has no default action for the stop signal and must collect dead children: an "
    "interpreter does neither, so stopping is slow and data loaders leave zombies.",
    evidence="An ENTRYPOINT that is an interpreter or a script, and no init (tini, dumb-init) before it.",
    repair="Run with `docker run --init`, which `layerwright run` does, or put `tini --` first.",
)

KINDS = (CHOWN, PARTIAL, HOME, GROUPS, IGNORES, DELETES, NO_EXEC, SHELL_FORM, PID_ONE)

_GOSU: Final = docs(
    "gosu sets HOME from the user's entry in /etc/passwd", "github.com/tianon/gosu, setup-user.go"
)
_STEPS_DOWN: Final = frozenset({"gosu", "su-exec"})
_USER = re.compile(r"\b\w*(USER_?ID|UID|PUID)\b")
_GROUP = re.compile(r"\b\w*(GROUP_?ID|GID|PGID)\b")
_REFUSES = re.compile(r"\bexit\s+(?!0\b)\S+|\breturn\s+(?!0\b)\S+|\$\{\w+:?\?|\bkill\b|\bfalse\b")
_INITS: Final = frozenset(
    {"tini", "dumb-init", "tini-static", "catatonit", "s6-svscan", "init", "docker-init", "supervisord"}
)
_SCRIPTED = re.compile(r"(python|pypy)[23]?(\.\d+)?|node|ruby|perl|java|(ba|da|z|a)?sh|.+\.(sh|bash|py)")
_HARMLESS: Final = frozenset(
    {"echo", "printf", "true", ":", "exit", "wait", "return", "rm", "export", "set", "[", "[["}
)


def find(document: Document) -> Iterator[Finding]:
    """Faults of what starts a container."""
    for unit in document.units:
        if unit.origin == "start":
            yield from _script(document, unit)
    yield from _instructions(document)


def _script(document: Document, unit: Unit) -> Iterator[Finding]:
    commands = unit.commands
    down = [command for command in commands if command.program in _STEPS_DOWN]
    for command in commands:
        yield from _chown(command)
        yield from _deletes(unit, command)
    if down:
        yield from _ids(unit, down[0])
        yield from _home(commands, down)
        for command in down:
            yield from _groups(command)
    yield from _arguments(document, unit)


def _chown(command: Command) -> Iterator[Finding]:
    if command.program not in {"chown", "chgrp"}:
        return
    if not any(re.fullmatch(r"-[a-zA-Z]*R[a-zA-Z]*|--recursive", text) for text in command.texts):
        return
    operands = [word for word in command.arguments if not word.text.startswith("-")]
    for word in operands[1:]:
        if re.match(r"(/home/|/root|\$\{?HOME|/tmp|/var/run|/run)", word.text):
            continue
        yield finding(
            CHOWN,
            "error",
            f"every start changes the owner of everything below {word.text}, on the host too when it is a mount",
            command.location(word),
            fix="remove it, and run the process as the owner of the folder",
            edit=command.piece.edited(command.start, command.stop, ":"),
            command='docker run --user "$(id -u):$(id -g)" …',
        )


def _deletes(unit: Unit, command: Command) -> Iterator[Finding]:
    if command.program not in {"rm", "unlink", "shred"}:
        return
    own = {"$0", "${0}", "${BASH_SOURCE[0]}", "$BASH_SOURCE", unit.path}
    name = PurePosixPath(unit.path or unit.script.piece.source.file).name
    for word in command.arguments:
        if word.text and (word.text in own or (PurePosixPath(word.text).name == name and unit.path)):
            yield finding(
                DELETES,
                "error",
                f"the start script removes itself ({word.text}): the container starts once only",
                command.location(word),
                fix="remove this line",
                edit=command.piece.edited(command.start, command.stop, ":"),
            )


def _ids(unit: Unit, down: Command) -> Iterator[Finding]:
    text = unit.script.text
    user, group = _USER.search(text), _GROUP.search(text)
    if not user or not group or _REFUSES.search(text):
        return
    first = unit.commands[0]
    guard = (
        f'[ "${{{user[0]}:+x}}" = "${{{group[0]}:+x}}" ] || '
        f'{{ echo "give both {user[0]} and {group[0]}, or neither" >&2; exit 64; }}'
    )
    yield finding(
        PARTIAL,
        "warning",
        f"with {user[0]} or {group[0]} alone the program runs as root, or in root's group, and nobody is told",
        down.location(),
        fix="refuse to start unless both ids or neither are given",
        edit=above(first, guard),
        at=first.location(),
    )


def _home(commands: tuple[Command, ...], down: list[Command]) -> Iterator[Finding]:
    last = max(command.start for command in down)
    for command in commands:
        for name, word in command.assignments:
            if name == "HOME" and command.start < last and command.program in {"", "export"}:
                behind = [
                    one for one in down if "env" in one.texts or any("HOME=" in text for text in one.texts)
                ]
                if behind:
                    continue
                target = next(one for one in down if one.start > command.start)
                user = target.arguments[0] if target.arguments else target.words[-1]
                yield finding(
                    HOME,
                    "warning",
                    f"HOME={word.text} is lost: {target.program} sets HOME anew from /etc/passwd",
                    command.location(),
                    fix=f"set HOME behind {target.program}",
                    edit=target.piece.edited(user.stop, user.stop, ' env HOME="$HOME"'),
                    at=target.location(),
                    evidence=[_GOSU],
                )


def _groups(command: Command) -> Iterator[Finding]:
    word = command.arguments[0] if command.arguments else None
    if word is not None and ":" in word.text:
        yield finding(
            GROUPS,
            "note",
            f"{command.program} {word.text} drops the other groups of the user, such as render and video",
            command.location(word),
            fix="make the account a member of its groups and name it alone",
            edit=changed(command, word, '"$USER_NAME"'),
            evidence=[docs("with user:group no other group is set", "github.com/tianon/gosu")],
        )


def _arguments(document: Document, unit: Unit) -> Iterator[Finding]:
    text = unit.script.text
    if (
        not unit.path
        and document.kind == "shell"
        and not re.search(r"entry|docker", unit.script.piece.source.file)
    ):
        return
    top = [command for command in unit.commands if not command.function and not command.substitution]
    if not top:
        return
    last = top[-1]
    if not re.search(r"\$[@*1]|\$\{[@*1]|\bshift\b|\bgetopts\b", text):
        yield finding(
            IGNORES,
            "warning",
            "the start script ignores its arguments, so `docker run IMAGE COMMAND` never runs COMMAND",
            last.location(),
            fix='end it with exec "$@", and put the default into CMD',
            edit='exec "$@"',
        )
    elif "exec" not in last.wrappers and last.program not in _HARMLESS and not _execs(top):
        yield finding(
            NO_EXEC,
            "warning",
            f"{last.program} runs as a child of the start script, which keeps the stop signal to itself",
            last.location(),
            fix="replace the shell by the program",
            edit=last.piece.edited(last.start, last.start, "exec "),
        )


def _execs(commands: list[Command]) -> bool:
    return any("exec" in command.wrappers for command in commands[-3:])


def _instructions(document: Document) -> Iterator[Finding]:
    final = document.final
    if final is None:
        return
    for stage, instruction, _ in document.each("ENTRYPOINT", "CMD"):
        if stage.index not in document.lineage:
            continue
        rest = instruction.rest.text
        if instruction.words is None and rest:
            entry = instruction.keyword == "ENTRYPOINT"
            more = ", and the arguments of `docker run` are thrown away" if entry else ""
            needs = bool(re.search(r"[|&;<>$`*?]", rest))
            items = ["/bin/sh", "-c", f"exec {rest}"] if needs else rest.split()
            listing = ", ".join(f'"{_json(item)}"' for item in items)
            yield finding(
                SHELL_FORM,
                "warning" if entry else "note",
                f"{instruction.keyword} is given to /bin/sh, which does not pass the stop signal on{more}",
                document.source.location(instruction.start),
                fix="write it as a list",
                edit=f"{instruction.keyword} [{listing}]",
                evidence=[
                    docs(
                        "the shell form runs as a child of /bin/sh -c",
                        "docs.docker.com/reference/dockerfile/#entrypoint",
                    )
                ],
            )
    yield from _process_one(document)


def _json(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _process_one(document: Document) -> Iterator[Finding]:
    """The last ENTRYPOINT of the final image."""
    last = None
    for stage, instruction, _ in document.each("ENTRYPOINT"):
        if stage.index in document.lineage:
            last = instruction
    if last is None or not last.words:
        return
    program = PurePosixPath(last.words[0]).name
    if program in _INITS or not _SCRIPTED.fullmatch(program):
        return
    entry = next(
        (one for one in document.units if one.origin == "start" and one.path and one.path in last.words), None
    )
    if entry is not None and any(init in entry.script.text for init in _INITS):
        return
    listing = ", ".join(f'"{_json(item)}"' for item in ("tini", "--", *last.words))
    yield finding(
        PID_ONE,
        "note",
        f"{program} is process 1: the stop signal has no default action there, and dead children are not collected",
        document.source.location(last.start),
        fix="start containers with --init, or put an init first",
        edit=f"ENTRYPOINT [{listing}]",
        command="docker run --init …",
        evidence=[
            docs(
                "--init: an init inside the container that forwards signals and reaps processes",
                "docs.docker.com/reference/cli/docker/container/run",
            )
        ],
    )
