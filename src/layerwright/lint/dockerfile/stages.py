"""Stages of a Dockerfile: what each starts from, and what holds at each of its instructions."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from layerwright.lint.dockerfile.model import Dockerfile, Instruction
from layerwright.lint.dockerfile.words import Expanded, expand, name_values, split_words

__all__ = ["Stage", "State", "make_stages", "needed_stages"]

_SHELL: Final = ("/bin/sh", "-c")
_PREDEFINED: Final = (
    "TARGETPLATFORM", "TARGETOS", "TARGETARCH", "TARGETVARIANT",
    "BUILDPLATFORM", "BUILDOS", "BUILDARCH", "BUILDVARIANT",
)  # fmt: skip


class State(Struct, frozen=True, kw_only=True):
    """What holds before an instruction.

    Attributes:
        env: variables of ENV; None for one that nobody knows.
        args: variables of ARG.
        shell: of RUN, CMD and ENTRYPOINT in their shell form.
        workdir: empty while it is the base's.
        user: empty while it is the base's.
    """

    env: Mapping[str, str | None]
    args: Mapping[str, str | None]
    shell: tuple[str, ...] = _SHELL
    workdir: str = ""
    user: str = ""

    @property
    def variables(self) -> dict[str, str | None]:
        """Variables for expansion; ENV holds over ARG."""
        return {**self.args, **self.env}


class Stage(Struct, frozen=True, kw_only=True):
    """One stage.

    Attributes:
        index: 0 for the first.
        name: after AS, in lower case; empty without.
        begin: its FROM.
        base: what FROM names, with ARGs of the file's head put in.
        parent: index of the stage that it starts from; -1 when it starts from an image.
        platform: of FROM.
        instructions: those after FROM.
        states: one for each instruction, and a last one for the end.
    """

    index: int
    name: str
    begin: Instruction
    base: Expanded
    parent: int
    platform: str
    instructions: tuple[Instruction, ...]
    states: tuple[State, ...]

    @property
    def end(self) -> State:
        """What holds in the finished stage."""
        return self.states[-1]


def make_stages(dockerfile: Dockerfile) -> tuple[Stage, ...]:
    """The stages in order; what stands before the first FROM but ARG is left out."""
    head = dict[str, str | None].fromkeys(_PREDEFINED)
    parts: list[tuple[Instruction, list[Instruction]]] = []
    for instruction in dockerfile.instructions:
        if instruction.keyword == "FROM":
            parts.append((instruction, []))
        elif parts:
            parts[-1][1].append(instruction)
        elif instruction.keyword == "ARG":
            _set_args(instruction, head, {}, {}, dockerfile.escape)
    stages: list[Stage] = []
    for begin, rest in parts:
        stages.append(_stage(begin, rest, head, stages, dockerfile.escape))
    return tuple(stages)


def needed_stages(stages: Sequence[Stage], target: Stage) -> frozenset[int]:
    """Indexes of the stages that building the target needs, itself included."""
    needed: set[int] = set()
    waiting = [target.index]
    while waiting:
        index = waiting.pop()
        if index in needed:
            continue
        needed.add(index)
        stage = stages[index]
        if stage.parent >= 0:
            waiting.append(stage.parent)
        for instruction in stage.instructions:
            named = [instruction.value("from")] if instruction.keyword in {"COPY", "ADD"} else []
            for flag in instruction.flags:
                if flag.name == "mount":
                    options = dict(part.partition("=")[::2] for part in flag.value.split(","))
                    named.append(options.get("from", ""))
            waiting += [found for name in named if (found := find_stage(stages[:index], name)) >= 0]
    return frozenset(needed)


def find_stage(stages: Sequence[Stage], name: str) -> int:
    """Index of the stage that a FROM or ``--from`` names; -1 for none."""
    for stage in reversed(stages):
        if name and stage.name == name.lower():
            return stage.index
    if name.isdecimal() and int(name) < len(stages):
        return int(name)
    return -1


def _stage(
    begin: Instruction,
    rest: Sequence[Instruction],
    head: Mapping[str, str | None],
    before: Sequence[Stage],
    escape: str,
) -> Stage:
    words = [begin.rest.text[start:stop] for start, stop in split_words(begin.rest.text, escape)]
    base = expand(words[0], head, escape) if words else Expanded(text="")
    named = len(words) > 2 and words[1].lower() == "as"  # noqa: PLR2004 - FROM base AS name
    parent = -1 if base.text.isdecimal() else find_stage(before, base.text)
    inherited = before[parent].end if parent >= 0 else State(env={}, args={})
    states = list(_states(rest, inherited, head, escape))
    return Stage(
        index=len(before),
        name=words[2].lower() if named else "",
        begin=begin,
        base=base,
        parent=parent,
        platform=expand(begin.value("platform"), head, escape).text,
        instructions=tuple(rest),
        states=tuple(states),
    )


def _states(
    instructions: Sequence[Instruction], inherited: State, head: Mapping[str, str | None], escape: str
) -> Sequence[State]:
    env, args = dict(inherited.env), dict[str, str | None]()
    shell, workdir, user = inherited.shell, inherited.workdir, inherited.user
    states = []
    for instruction in instructions:
        states.append(State(env=dict(env), args=dict(args), shell=shell, workdir=workdir, user=user))
        variables = {**args, **env}
        match instruction.keyword:
            case "ENV":
                for pair in name_values("ENV", instruction.rest.text, escape):
                    value = expand(pair.value or "", variables, escape)
                    env[pair.name] = None if value.unknown else value.text
            case "ARG":
                _set_args(instruction, args, env, head, escape)
            case "SHELL" if instruction.words:
                shell = instruction.words
            case "WORKDIR":
                place = expand(instruction.rest.text, variables, escape).text
                workdir = place if place.startswith("/") else f"{workdir.rstrip('/')}/{place}"
            case "USER":
                user = expand(instruction.rest.text, variables, escape).text
            case _:
                pass
    states.append(State(env=env, args=args, shell=shell, workdir=workdir, user=user))
    return states


def _set_args(
    instruction: Instruction,
    args: dict[str, str | None],
    env: Mapping[str, str | None],
    head: Mapping[str, str | None],
    escape: str,
) -> None:
    for pair in name_values("ARG", instruction.rest.text, escape):
        if pair.value is None:
            # An ARG of a stage without a value takes the one of the file's head, or what the build is given.
            args[pair.name] = head.get(pair.name)
            continue
        value = expand(pair.value, {**args, **env}, escape)
        args[pair.name] = None if value.unknown else value.text
