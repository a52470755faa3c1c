"""Variables that an image keeps."""

from collections.abc import Iterator, Mapping
from typing import Final

from layerwright.core.findings import Finding, Kind, Level
from layerwright.core.source import Location
from layerwright.facts.bases import reference_facts
from layerwright.lint.dockerfile import Stage, name_values
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
    escape = document.dockerfile.escape if document.dockerfile else "\\"
    for stage, instruction, state in document.each("ENV"):
        for pair in name_values("ENV", instruction.rest.text, escape):
            where = instruction.rest.location(pair.start)
            value = (pair.value or "").strip("\"'")
            line = instruction.rest.part(pair.start, pair.stop).text.strip()
            kept = stage.index in document.lineage
            if pair.name.upper() in _BUILD and kept and value:
                what = (
                    "is the proxy of the build machine"
                    if "PROXY" in pair.name.upper()
                    else "is for the build"
                )
                yield finding(
                    BUILD_ONLY,
                    "warning",
                    f"{pair.name} {what}, and stays in every container",
                    where,
                    fix="make it a build argument",
                    edit=f"ARG {line}" if "=" in line else f"ARG {pair.name}={value}",
                )
            elif pair.name == "LD_PRELOAD" and kept and value:
                yield finding(
                    PRELOAD,
                    "warning",
                    f"every program of the container loads {value}",
                    where,
                    fix="set it for the program that needs it",
                    edit=f'ENTRYPOINT ["env", "LD_PRELOAD={value}", "PROGRAM"]',
                )
            elif pair.name in _DEVICES and kept and value not in {"", "void", "none"}:
                yield finding(
                    DEVICES,
                    "note",
                    f"{pair.name}={value} is baked into the image",
                    where,
                    fix="remove it, and say it at run time",
                    edit=f"# docker run --env {pair.name}={value} …",
                )
            elif pair.name in _LISTS:
                yield from _list(document, stage, state.variables, pair.name, value, where)


def _list(
    document: Document,
    stage: Stage,
    variables: Mapping[str, str | None],
    name: str,
    value: str,
    where: Location,
) -> Iterator[Finding]:
    """Only colons of the value's own text count; a variable that the base sets brings none."""
    empty = value.startswith(":") or value.endswith(":") or "::" in value
    joined = next(
        (sign for sign in (f":${name}", f":${{{name}}}", f"${name}:", f"${{{name}}}:") if sign in value), ""
    )
    if not empty and joined and name != "PATH" and not variables.get(name):
        facts = reference_facts(document.root_base(stage))
        # NVIDIA's and NGC's images set LD_LIBRARY_PATH; of a base that nobody knows nothing can be said.
        plain = name != "LD_LIBRARY_PATH" or facts.family in {"debian", "ubuntu", "python"}
        if not plain and facts.known:
            return
        if not plain and document.root_base(stage):
            why = f"it is joined to ${name}, which the base may not set"
            yield _finding("unknown", name, why, value, joined, where)
            return
        yield _finding(
            "warning", name, f"${name} is not set here, so the colon is at an end", value, joined, where
        )
    elif empty:
        yield _finding("warning", name, "a colon stands at an end, or two together", value, joined, where)


def _finding(level: Level, name: str, why: str, value: str, joined: str, where: Location) -> Finding:
    if joined.startswith(":"):
        new = value.replace(joined, f"${{{name}:+:${name}}}", 1)
    elif joined:
        new = value.replace(joined, f"${{{name}:+${name}:}}", 1)
    else:
        new = ":".join(part for part in value.split(":") if part)
    return finding(
        LIST,
        level,
        f"{name} has an empty entry, which means the current folder: {why}",
        where,
        fix="leave the colon out where nothing follows",
        edit=f"ENV {name}={new}",
        evidence=[_LOADER] if "LIBRARY" in name else (),
    )
