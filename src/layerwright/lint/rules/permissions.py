"""Files that anybody may change."""

import re
from collections.abc import Iterator

from layerwright.core.findings import Finding, Kind
from layerwright.lint.documents import Document
from layerwright.lint.found import changed, finding
from layerwright.lint.shell import Command

__all__ = ["KINDS", "find"]

WORLD_WRITABLE = Kind(
    code="LW-LINT-WORLD-WRITABLE",
    title="files are made writable for everybody",
    why="Any process in the container may then replace the code that others run, and a recursive change "
    "copies every file of the tree into a layer of its own.",
    evidence="chmod 777, a+w, o+w and their like, and `COPY --chmod=777`.",
    repair="Give folders to the user that needs them, set cache variables (HF_HOME, MPLCONFIGDIR) to a folder "
    "of that user, and put models into the image while it is built; in a spec, `writable`.",
)

KINDS = (WORLD_WRITABLE,)

_OCTAL = re.compile(r"0?[0-7]?[0-7]{2}[2367]")


def find(document: Document) -> Iterator[Finding]:
    """Modes that let others write."""
    for unit, command in document.commands():
        if command.program == "chmod":
            yield from _chmod(command, at_start=unit.origin == "start")
        elif command.program in {"mkdir", "install"}:
            yield from _mode_option(command)
    for _, instruction, _ in document.each("COPY", "ADD"):
        flag = instruction.flag("chmod")
        if flag is not None and _opens(flag.value):
            yield finding(
                WORLD_WRITABLE,
                "error",
                f"--chmod={flag.value} lets every user of the image replace these files",
                instruction.piece.location(flag.start),
                fix="leave write permission to the owner",
                edit=instruction.piece.edited(flag.start, flag.stop, f"--chmod={_closed(flag.value)}"),
            )


def _opens(mode: str) -> bool:
    """Others may write; a sticky folder such as /tmp (1777) is all right."""
    if _OCTAL.fullmatch(mode):
        return not (len(mode.lstrip("0")) == 4 and mode.lstrip("0")[0] in "1357")  # noqa: PLR2004 - digits of a mode
    return bool(re.search(r"(^|,)(a|[ugo]*o[ugo]*)[+=][rwxXst]*w", mode)) and "t" not in mode


def _closed(mode: str) -> str:
    """The mode without others' (and the group's) write permission."""
    if _OCTAL.fullmatch(mode):
        return mode[:-2] + "".join(str(int(digit) & 5) for digit in mode[-2:])
    return re.sub(r"(^|,)(a|[ugo]*o[ugo]*)(?=[+=])", r"\1u", mode)


def _chmod(command: Command, *, at_start: bool) -> Iterator[Finding]:
    words = [word for word in command.arguments if not re.fullmatch(r"-[RvcfLHP]+|--[a-z-]+", word.text)]
    if len(words) < 2 or not _opens(words[0].text):  # noqa: PLR2004 - a mode and a path
        return
    recursive = any(re.fullmatch(r"-[a-zA-Z]*R[a-zA-Z]*|--recursive", text) for text in command.texts)
    paths = ", ".join(word.text for word in words[1:])
    if all(re.match(r"(/var)?/tmp(/|$)", word.text) for word in words[1:]) and not recursive:
        return
    when = "at every start, " if at_start else ""
    tree = "everything below " if recursive else ""
    yield finding(
        WORLD_WRITABLE,
        "error",
        f"{when}chmod {words[0].text} lets every user of the image change {tree}{paths}",
        command.location(words[0]),
        fix="leave write permission to the owner, and set the program's cache variable to a folder of its user",
        edit=changed(command, words[0], _closed(words[0].text)),
    )


def _mode_option(command: Command) -> Iterator[Finding]:
    for word, following in zip(command.arguments, command.arguments[1:], strict=False):
        mode = following.text if word.text in {"-m", "--mode"} else ""
        if mode and _opens(mode):
            yield finding(
                WORLD_WRITABLE,
                "error",
                f"{command.program} --mode {mode} lets every user of the image write there",
                command.location(following),
                fix="leave write permission to the owner",
                edit=changed(command, following, _closed(mode)),
            )
