"""How an executor's image will start, by the Dockerfile that makes it."""

from collections.abc import Mapping, Sequence

from layerwright.core.findings import Finding, Place
from layerwright.core.source import Location
from layerwright.lint.dockerfile import Instruction, Stage, make_stages, read_dockerfile
from layerwright.lint.source import Source
from layerwright.ymir.entrypoint_rules import COMMAND_KEY, ENTRYPOINT_KEY
from layerwright.ymir.image_rules import ImageView, Start, judge_start

__all__ = ["dockerfile_findings"]


def dockerfile_findings(text: str, file: str) -> tuple[Finding, ...]:
    """Judge the entrypoint and the command of the last stage.

    Args:
        text: the Dockerfile's.
        file: its path, for messages.
    """
    stages = make_stages(read_dockerfile(Source(file=file, text=text)))
    if not stages:
        return ()
    start, lines = _start(stages)

    def place(path: str, key: str, line: int) -> Place:
        del line
        return Place(location=Location(file=file, line=lines.get(key, 0)), path=path)

    return judge_start(ImageView(name=file, files={}, start=start), place)


def _start(stages: Sequence[Stage]) -> tuple[Start, Mapping[str, int]]:
    """How the last stage starts, and the lines that say so."""
    chain = [stages[-1]]
    while chain[-1].parent >= 0:
        chain.append(stages[chain[-1].parent])
    first = chain[-1]
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] = ()
    lines = {ENTRYPOINT_KEY: first.begin.line, COMMAND_KEY: first.begin.line}
    for stage in reversed(chain):
        own_command = False
        for instruction, state in zip(stage.instructions, stage.states, strict=False):
            if instruction.keyword == "ENTRYPOINT":
                entrypoint = _argv(instruction, state.shell)
                lines[ENTRYPOINT_KEY] = instruction.line
                # Docker forgets the base's command with the base's entrypoint.
                command = command if own_command else ()
            elif instruction.keyword == "CMD":
                command, own_command = _argv(instruction, state.shell), True
                lines[COMMAND_KEY] = instruction.line
    inherits = first.base.text if entrypoint is None else ""
    return Start(entrypoint=entrypoint or (), command=command, inherits=inherits), lines


def _argv(instruction: Instruction, shell: Sequence[str]) -> tuple[str, ...]:
    """Program and arguments; the shell form is one argument of the shell."""
    if instruction.words is not None:
        return instruction.words
    return (*shell, instruction.rest.text.strip())
