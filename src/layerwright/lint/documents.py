"""What rules look at: a file with its instructions, its stages, and all shell text in it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Final, Literal

from layerwright.lint.dockerfile import (
    Dockerfile,
    Instruction,
    Stage,
    State,
    expand,
    make_stages,
    needed_stages,
    read_dockerfile,
)
from layerwright.lint.shell import Command, Script, read_script
from layerwright.lint.source import Piece, Source
from layerwright.lint.written import Written, written_files

__all__ = ["Document", "FileKind", "Unit", "kind_of_file", "read_document"]

FileKind = Literal["dockerfile", "shell", "markdown"]
Origin = Literal["run", "file", "start", "command", "block"]

_DOCKERFILE: Final = re.compile(r"(?i)(dockerfile|containerfile)([._-].+)?|.+[._-](dockerfile|containerfile)")
_SHELL: Final = re.compile(r"(?i).+\.(sh|bash)")
_SHEBANG: Final = re.compile(r"#!\s*(/usr/bin/env\s+(-S\s+)?)?\S*?(sh|bash|dash|ash)\b")
_FIRST: Final = re.compile(r"(?i)(\s*#[^\n]*\n|\s*\n|\s*ARG\s[^\n]*\n)*\s*FROM\s+\S+")
_START_NAME: Final = re.compile(
    r"(?i)(docker[-_]?)?(entry[-_]?point|entry|start|init|check_status)([-_.].*)?"
)
_START_TEXT: Final = re.compile(r'\b(gosu|su-exec)\b|exec\s+"\$@"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Shell text with what surrounds it.

    Attributes:
        script: the text, read.
        origin: ``run`` a RUN's, ``file`` a script that builds or runs, ``start`` one that starts a container,
            ``command`` the shell form of CMD, ENTRYPOINT and HEALTHCHECK, ``block`` one of a Markdown page.
        instruction, stage, state: where it stands in a Dockerfile.
        path: where the script stands in the image; empty when it is not written there, or nobody knows.
        stops: it stops at the first command that fails.
        pipefail: a pipeline fails when any of its commands does.
    """

    script: Script
    origin: Origin
    instruction: Instruction | None = None
    stage: Stage | None = None
    state: State | None = None
    path: str = ""
    stops: bool = False
    pipefail: bool = False

    @property
    def commands(self) -> tuple[Command, ...]:
        """Its simple commands."""
        return self.script.commands

    @property
    def built(self) -> bool:
        """It is run while an image is built."""
        return self.origin == "run"


@dataclass(frozen=True, kw_only=True)
class Document:
    """One file, or one block of a page.

    Attributes:
        source: the whole file.
        kind: what it is.
        dockerfile: None for others.
        units: all shell text.
        has_ignore_file: a ``.dockerignore`` stands where Docker looks for it; None when nobody knows.
    """

    source: Source
    kind: FileKind
    dockerfile: Dockerfile | None = None
    stages: tuple[Stage, ...] = ()
    units: tuple[Unit, ...] = ()
    written: tuple[Written, ...] = ()
    has_ignore_file: bool | None = None
    text: Piece = field(repr=False)

    @property
    def escape(self) -> str:
        """The file's escape character."""
        return self.dockerfile.escape if self.dockerfile else "\\"

    @property
    def final(self) -> Stage | None:
        """The stage that a plain build makes."""
        return self.stages[-1] if self.stages else None

    @cached_property
    def lineage(self) -> frozenset[int]:
        """Stages whose layers are in the final image: it and those it starts from."""
        found = set()
        stage = self.final
        while stage is not None:
            found.add(stage.index)
            stage = self.stages[stage.parent] if stage.parent >= 0 else None
        return frozenset(found)

    @cached_property
    def needed(self) -> frozenset[int]:
        """Stages that the final one needs."""
        return needed_stages(self.stages, self.final) if self.final else frozenset()

    def root_base(self, stage: Stage) -> str:
        """The image that a stage's chain of FROMs starts from; empty when an ARG without a value names it."""
        while stage.parent >= 0:
            stage = self.stages[stage.parent]
        return "" if stage.base.unknown else stage.base.text

    def in_image(self, unit: Unit) -> bool:
        """What the unit leaves behind is in the final image."""
        return unit.stage is None or unit.stage.index in self.lineage

    def each(self, *keywords: str) -> Iterator[tuple[Stage, Instruction, State]]:
        """Instructions of these kinds with what holds there; ONBUILD's too."""
        for stage in self.stages:
            for instruction, state in zip(stage.instructions, stage.states, strict=False):
                inner = (
                    instruction.inner
                    if instruction.keyword == "ONBUILD" and instruction.inner
                    else instruction
                )
                if inner.keyword in keywords:
                    yield stage, inner, state

    def commands(self, *origins: Origin) -> Iterator[tuple[Unit, Command]]:
        """Commands of all units, or of those with these origins."""
        for unit in self.units:
            if not origins or unit.origin in origins:
                for command in unit.commands:
                    yield unit, command


def kind_of_file(name: str, text: str = "") -> FileKind | None:
    """What a file is by its name, else by how it begins; None for neither."""
    last = PurePosixPath(name).name
    if last.endswith((".md", ".markdown", ".mdx")):
        return "markdown"
    if _SHELL.fullmatch(last):
        return "shell"
    if last.endswith(
        (
            ".dockerignore",
            ".template",
            ".tmpl",
            ".tpl",
            ".j2",
            ".jinja",
            ".in",
            ".erb",
            ".toml",
            ".py",
            ".json",
            ".yml",
            ".yaml",
            ".lock",
        )
    ):
        return None
    if _DOCKERFILE.fullmatch(last) and not last.endswith(".txt"):
        return "dockerfile"
    if _SHEBANG.match(text):
        return "shell"
    if _FIRST.match(text):
        return "dockerfile"
    return None


def read_document(
    source: Source, kind: FileKind, *, has_ignore_file: bool | None = None
) -> tuple[Document, ...]:
    """Read a file; a Markdown page gives one document for each block of shell or Dockerfile text.

    The first document of a page stands for its running text and has no units.
    """
    whole = source.whole()
    if kind == "dockerfile":
        return (_dockerfile(source, whole, kind, has_ignore_file),)
    if kind == "shell":
        return (Document(source=source, kind=kind, units=(_file_unit(source, whole),), text=whole),)
    from layerwright.lint.pages import page_blocks  # noqa: PLC0415 - pages are rare

    documents = [Document(source=source, kind="markdown", text=whole)]
    for language, block in page_blocks(whole):
        if language == "dockerfile":
            documents.append(_dockerfile(source, block, kind, None))
        else:
            unit = Unit(script=read_script(block), origin="block", stops=True, pipefail=True)
            documents.append(Document(source=source, kind="markdown", units=(unit,), text=block))
    return tuple(documents)


def _dockerfile(source: Source, text: Piece, kind: FileKind, has_ignore_file: bool | None) -> Document:
    dockerfile = read_dockerfile(source, text)
    stages = make_stages(dockerfile)
    units: list[Unit] = []
    written: list[Written] = []
    for stage in stages:
        for instruction, state in zip(stage.instructions, stage.states, strict=False):
            units += _instruction_units(stage, instruction, state, written)
    units += _start_units(stages, written)
    return Document(
        source=source,
        kind=kind,
        dockerfile=dockerfile,
        stages=stages,
        units=tuple(units),
        written=tuple(written),
        has_ignore_file=has_ignore_file,
        text=text,
    )


def _instruction_units(
    stage: Stage, instruction: Instruction, state: State, written: list[Written]
) -> Iterator[Unit]:
    inner = instruction.inner if instruction.keyword == "ONBUILD" and instruction.inner else instruction
    match inner.keyword:
        case "RUN":
            unit = _run_unit(stage, inner, state)
            if unit is not None:
                written += written_files(unit.script, state.variables)
                yield unit
        case "COPY" | "ADD":
            for heredoc in inner.heredocs:
                target = expand(inner.rest.text.split()[-1], state.variables).text
                place = f"{target}{heredoc.name}" if target.endswith("/") else target
                written.append(Written(path=place, piece=heredoc.body))
        case "CMD" | "ENTRYPOINT" | "HEALTHCHECK" if inner.words is None:
            text = inner.rest
            if inner.keyword == "HEALTHCHECK":
                text = text.part(text.text.find("CMD") + 3) if "CMD" in text.text else text.part(0, 0)
                text = text.part(0, 0) if text.text.lstrip().startswith("[") else text
            if text.text.strip():
                yield Unit(
                    script=read_script(text),
                    origin="command",
                    instruction=inner,
                    stage=stage,
                    state=state,
                    stops=True,
                )
        case _:
            pass


def _run_unit(stage: Stage, instruction: Instruction, state: State) -> Unit | None:
    words = instruction.words
    shell = state.shell
    if words is not None:
        # The JSON form runs a program; a shell's -c has a script in it.
        script = _json_script(instruction, words)
        shell = words
    elif instruction.heredocs:
        first = instruction.heredocs[0]
        if len(instruction.heredocs) == 1 and re.fullmatch(r"\d*<<-?\S+\s*", instruction.rest.text):
            script = first.body
            if script.text.startswith("#!") and not _SHEBANG.match(script.text):
                return None  # another language
            shell = ("",) if script.text.startswith("#!") else shell
        else:
            parts = [instruction.rest, *(one.body for one in instruction.heredocs)]
            script = _glued(parts, [one.name for one in instruction.heredocs])
    else:
        script = instruction.rest
    if script is None or not script.text.strip():
        return None
    if not re.search(r"(^|/)(sh|bash|dash|ash|zsh|)$", shell[0] if shell else ""):
        return None  # PowerShell, cmd, python
    read = read_script(script)
    flags = " ".join(shell[1:])
    return Unit(
        script=read,
        origin="run",
        instruction=instruction,
        stage=stage,
        state=state,
        stops=bool(re.search(r"(^|\s)-\w*e", flags)) or _sets(read, "e", "errexit"),
        pipefail="pipefail" in flags or _sets(read, "", "pipefail"),
    )


def _json_script(instruction: Instruction, words: tuple[str, ...]) -> Piece | None:
    """The script of ``["/bin/sh", "-c", "…"]``, placed at the instruction's arguments."""
    if not words or PurePosixPath(words[0]).name not in {"sh", "bash", "dash", "ash"}:
        return None
    for flag, text in pairwise(words[1:]):
        if re.fullmatch(r"-\w*c\w*", flag):
            raw = instruction.rest.text
            place = raw.find(text[:20].partition("\n")[0].partition('"')[0])
            start = instruction.rest.at(max(place, 0))
            # Escapes of JSON make the text shorter than what stands in the file; lines stay right.
            return (
                Piece(source=instruction.rest.source, text=text, origins=((0, start),))
                if place >= 0
                else None
            )
    return None


def _glued(parts: list[Piece], names: list[str]) -> Piece:
    """A command line with its here-documents behind it, as the shell is given them."""
    source = parts[0].source
    pieces: list[tuple[int, str]] = []
    for index, part in enumerate(parts):
        begin = 0
        for (here, there), following in zip(
            part.origins, [*part.origins[1:], (len(part.text), 0)], strict=True
        ):
            pieces.append((there, part.text[here : following[0]]))
            begin = there + following[0] - here
        text = "\n" if index == 0 else f"{names[index - 1]}\n"
        pieces.append((min(begin, len(source.text)), text))
    return Piece.joined(source, pieces)


def _sets(script: Script, letter: str, name: str) -> bool:
    """``set -e`` or ``set -o NAME`` stands at the script's top, before most of it."""
    for command in script.commands[:12]:
        if command.program == "set" and not command.function:
            for word in command.texts:
                if letter and re.fullmatch(rf"-\w*{letter}\w*", word):
                    return True
                if word == name:
                    return True
    found = re.match(r"#!\s*\S+(.*)", script.text)
    return bool(letter and found and re.search(rf"\s-\w*{letter}", found[1]))


def _file_unit(source: Source, whole: Piece) -> Unit:
    script = read_script(whole)
    name = PurePosixPath(source.file).name
    start = bool(_START_NAME.fullmatch(name) or _START_TEXT.search(source.text))
    return Unit(
        script=script,
        origin="start" if start else "file",
        path="",
        stops=_sets(script, "e", "errexit"),
        pipefail=_sets(script, "", "pipefail"),
    )


def _start_units(stages: tuple[Stage, ...], written: list[Written]) -> Iterator[Unit]:
    """Scripts that the Dockerfile writes into the image and that start it, or are shell scripts at all."""
    named = "\n".join(
        expand(one.rest.text, state.variables).text
        for stage in stages
        for one, state in zip(stage.instructions, stage.states, strict=False)
        if one.keyword in {"ENTRYPOINT", "CMD"}
    )
    for file in written:
        is_script = (
            file.piece.text.startswith("#!")
            or file.path.endswith((".sh", ".bash"))
            or (file.path and file.path in named)
        )
        if not is_script or (file.piece.text.startswith("#!") and not _SHEBANG.match(file.piece.text)):
            continue
        script = read_script(file.piece)
        name = PurePosixPath(file.path).name
        starts = (
            (file.path and file.path in named)
            or _START_NAME.fullmatch(name)
            or _START_TEXT.search(script.text)
        )
        yield Unit(
            script=script,
            origin="start" if starts else "file",
            path=file.path,
            stops=_sets(script, "e", "errexit"),
            pipefail=_sets(script, "", "pipefail"),
        )
