"""Variables that an image keeps."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from layerwright.core.findings import Finding, Kind, Level
from layerwright.facts.bases import reference_facts
from layerwright.lint.dockerfile import Instruction, NameValue, Stage, name_values
from layerwright.lint.documents import Document
from layerwright.lint.found import docs, finding

__all__ = ["KINDS", "find"]

BUILD_ONLY = Kind(
    code="LW-LINT-BUILD-VARIABLE",
    title="a variable of the build is kept at run time",
    why="DEBIAN_FRONTEND=noninteractive makes apt and debconf behave oddly for whoever works in the "
    "container; a proxy of the build machine sends the container's traffic to a host that is not there.",
    evidence="ENV of DEBIAN_FRONTEND or a proxy.",
    repair="ARG in place of ENV, or in front of the one command: `DEBIAN_FRONTEND=noninteractive apt-get "
    "install …`.",
)
PRELOAD = Kind(
    code="LW-LINT-LD-PRELOAD",
    title="a library is loaded into every program",
    why="Every program of the container loads it, shells included; when the file is missing or of another "
    "version, each one complains or breaks.",
    evidence="ENV LD_PRELOAD.",
    repair="Set it for the one program that needs it, or mend the library that is missing.",
)
LIST = Kind(
    code="LW-LINT-EMPTY-PATH-ENTRY",
    title="a list of folders has an empty entry",
    why="An empty entry means the current folder: whoever can write there chooses the libraries or "
    "programs that are loaded.",
    evidence="LD_LIBRARY_PATH, PATH or PYTHONPATH with a colon at an end, or joined to a variable that is not "
    "set.",
    repair="Leave the old value out where there is none: "
    "`LD_LIBRARY_PATH=/x/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}`.",
)
DEVICES = Kind(
    code="LW-LINT-DEVICES-KEPT",
    title="the image asks for all accelerators",
    why="Every container of it is given every device of the machine, whatever the caller wanted.",
    evidence="ENV of NVIDIA_VISIBLE_DEVICES, MTHREADS_VISIBLE_DEVICES or CUDA_VISIBLE_DEVICES.",
    repair="Say it when the container starts: `--gpus`, `--env MTHREADS_VISIBLE_DEVICES=all`.",
)

KINDS = (BUILD_ONLY, PRELOAD, LIST, DEVICES)

_BUILD: Final = frozenset(
    {"DEBIAN_FRONTEND", "DEBCONF_NONINTERACTIVE_SEEN", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "FTP_PROXY"}
)
_LISTS: Final = frozenset(
    {"LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "LIBRARY_PATH", "CPATH", "PKG_CONFIG_PATH"}
)
_DEVICES: Final = frozenset(
    {"NVIDIA_VISIBLE_DEVICES", "MTHREADS_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "MUSA_VISIBLE_DEVICES"}
)
_LOADER = docs(
    "an empty entry of LD_LIBRARY_PATH is the current folder", "man7.org/linux/man-pages/man8/ld.so.8.html"
)


def find(document: Document) -> Iterator[Finding]:
    """Variables that should not be there."""
    for stage, instruction, state in document.each("ENV"):
        pairs = name_values("ENV", instruction.rest.text, document.escape)
        for pair in pairs:
            if stage.index in document.lineage:
                yield from _kept(document, instruction, pairs, pair)
            if pair.name in _LISTS:
                yield from _list(document, stage, state.variables, instruction, pair)


def _kept(
    document: Document, instruction: Instruction, pairs: Sequence[NameValue], pair: NameValue
) -> Iterator[Finding]:
    where = instruction.rest.location(pair.start)
    line = document.source.location(instruction.start)
    value = (pair.value or "").strip("\"'")
    name = pair.name
    if name.upper() in _BUILD and value:
        what = "is the proxy of the build machine" if "PROXY" in name.upper() else "is for the build"
        yield finding(
            BUILD_ONLY,
            "warning",
            f"{name} {what}, and stays in every container",
            where,
            fix="make it a build argument",
            edit=_instead(instruction, pairs, pair, f"ARG {name}={pair.value}"),
            at=line,
        )
    elif name == "LD_PRELOAD" and value:
        yield finding(
            PRELOAD,
            "warning",
            f"every program of the container loads {value}",
            where,
            fix="set it for the program that needs it, such as in the entry point: env LD_PRELOAD=… program",
            edit=_instead(instruction, pairs, pair, f"# LD_PRELOAD={value} is for one program"),
            at=line,
        )
    elif name in _DEVICES and value not in {"", "void", "none"}:
        yield finding(
            DEVICES,
            "note",
            f"{name}={value} is baked into the image",
            where,
            fix="remove it, and say it at run time",
            edit=_instead(instruction, pairs, pair, f"# docker run --env {name}={value}"),
            at=line,
        )


def _instead(instruction: Instruction, pairs: Sequence[NameValue], pair: NameValue, line: str) -> str:
    """A line, and the instruction without the variable."""
    rest = [f"{one.name}={one.value}" for one in pairs if one is not pair]
    return f"{line}\n{instruction.keyword} {' '.join(rest)}" if rest else line


def _list(
    document: Document,
    stage: Stage,
    variables: Mapping[str, str | None],
    instruction: Instruction,
    pair: NameValue,
) -> Iterator[Finding]:
    """Only colons of the value's own text count; a variable that the base sets brings none."""
    name = pair.name
    # ${NAME:+:$NAME} brings its colon along only where there is a value.
    value = re.sub(rf"\$\{{{name}:?\+[^}}]*\}}", "", (pair.value or "").strip("\"'"))
    joined = next(
        (sign for sign in (f":${name}", f":${{{name}}}", f"${name}:", f"${{{name}}}:") if sign in value), ""
    )
    if value.startswith(":") or value.endswith(":") or "::" in value:
        new = ":".join(part for part in (pair.value or "").split(":") if part.strip("\"'"))
        yield _empty(instruction, pair, "warning", "a colon stands at an end, or two together", new)
        return
    if not joined or name == "PATH" or variables.get(name):
        return
    optional = f"${{{name}:+:${name}}}" if joined.startswith(":") else f"${{{name}:+${name}:}}"
    new = (pair.value or "").replace(joined, optional, 1)
    facts = reference_facts(document.root_base(stage))
    if (
        name != "LD_LIBRARY_PATH"
        or facts.family in {"debian", "ubuntu", "python"}
        or not document.root_base(stage)
    ):
        yield _empty(instruction, pair, "warning", f"${name} is not set here, so the colon is at an end", new)
    elif not facts.known:
        # NVIDIA's and NGC's images set LD_LIBRARY_PATH; of a base that nobody knows nothing can be said.
        yield _empty(
            instruction, pair, "unknown", f"it is joined to ${name}, which the base may not set", new
        )


def _empty(instruction: Instruction, pair: NameValue, level: Level, why: str, new: str) -> Finding:
    place = instruction.rest
    return finding(
        LIST,
        level,
        f"{pair.name} has an empty entry, which means the current folder: {why}",
        place.location(pair.start),
        fix="leave the colon out where nothing follows",
        edit=place.edited(pair.value_start, pair.stop, new),
        evidence=[_LOADER] if "LIBRARY" in pair.name else (),
    )
