"""pip and setup scripts in builds."""

import re
from collections.abc import Iterator

from layerwright.core.findings import Finding, Kind
from layerwright.facts.bases import reference_facts
from layerwright.lint.documents import Document, Unit
from layerwright.lint.found import changed, docs, finding
from layerwright.lint.shell import Command
from layerwright.lint.tools import Pip, apt_call, pip_install

__all__ = ["KINDS", "find"]

REDIRECT = Kind(
    code="LW-LINT-REQUIREMENT-REDIRECT",
    title="the shell takes a requirement's bound for a redirection",
    why="`Pillow>=10.0.0` without quotes installs Pillow without a bound and writes pip's output into a "
    "file named `=10.0.0`; with `<` the command fails for want of a file.",
    evidence="A redirection in a pip command whose target looks like a version.",
    repair="Quote the requirement: `'Pillow>=10.0.0'`.",
)
SETUP = Kind(
    code="LW-LINT-SETUP-PY",
    title="setup.py is called directly",
    why="It uses whatever setuptools is there, ignores the project's build requirements, and leaves build "
    "folders; setuptools calls it deprecated.",
    evidence="`python setup.py` with install, develop, bdist_wheel, sdist or build.",
    repair='`pip install .` or `pip wheel .`; in a spec, `{ path = "." }`.',
)
MANAGED = Kind(
    code="LW-LINT-PEP668",
    title="pip refuses to install into this system's Python",
    why="Debian 12, Ubuntu 24.04 and later mark their Python as externally managed: pip stops with an error.",
    evidence="pip of the system's Python in a stage whose base is such a system, without a virtual environment "
    "(PEP 668).",
    repair="Make an environment: `python3 -m venv /opt/venv` and `ENV PATH=/opt/venv/bin:$PATH`; layerwright "
    "does.",
)
CACHE = Kind(
    code="LW-LINT-PIP-CACHE",
    title="pip's download cache stays in a layer",
    why="Every wheel is in the image twice.",
    evidence="`pip install` as root without `--no-cache-dir`, `PIP_NO_CACHE_DIR` or a cache mount.",
    repair="`--mount=type=cache,target=/root/.cache/pip`, or `--no-cache-dir`.",
)

KINDS = (REDIRECT, SETUP, MANAGED, CACHE)

_VERSION = re.compile(r"=?\d+(\.\d+|\.\*)*([abcr.+].*)?|=\S*")
_PYTHON = re.compile(r"(python|pypy)[23]?(\.\d+)?")
_VERBS = frozenset({"install", "develop", "bdist_wheel", "sdist", "build", "bdist_egg", "build_ext"})
_SETUPTOOLS = docs(
    "setup.py as a command-line tool is deprecated",
    "packaging.python.org/en/latest/discussions/setup-py-deprecated",
)
_ENVIRONMENTS = r"-m\s+venv|virtualenv|conda\s+(create|activate)|uv\s+venv|EXTERNALLY-MANAGED|activate\b"


def find(document: Document) -> Iterator[Finding]:
    """Faults of Python's tools."""
    for unit, command in document.commands():
        pip = pip_install(command)
        if pip is not None:
            yield from _redirected(pip)
            if unit.built:
                yield from _cache(unit, pip)
        elif _PYTHON.fullmatch(command.program):
            yield from _setup(command)
    yield from _managed(document)


def _redirected(pip: Pip) -> Iterator[Finding]:
    command = pip.command
    for redirect in command.redirects:
        if redirect.operator not in {">", "<", ">>"} or not _VERSION.fullmatch(redirect.target):
            continue
        before = [word for word in command.arguments if word.stop <= redirect.start]
        name = before[-1] if before else None
        if name is None or name.stop != redirect.start:
            continue
        whole = f"{name.text}{redirect.operator}{redirect.target}"
        what = (
            f"pip installs {name.text} without a bound, and its output goes to a file named {redirect.target!r}"
            if redirect.operator.startswith(">")
            else f"the shell looks for a file named {redirect.target!r}"
        )
        yield finding(
            REDIRECT,
            "error",
            f"{whole} is not quoted: {what}",
            command.location(name),
            fix="quote the requirement",
            edit=command.piece.edited(name.start, redirect.stop, f"'{whole}'"),
        )


def _cache(unit: Unit, pip: Pip) -> Iterator[Finding]:
    instruction, state = unit.instruction, unit.state
    if instruction is None or pip.tool == "uv" or pip.verb != "install":
        return
    mounts = " ".join(flag.value for flag in instruction.flags if flag.name == "mount")
    variables = state.variables if state else {}
    if (
        pip.parsed.has("--no-cache-dir", "--cache-dir")
        or "cache" in mounts
        or "PIP_NO_CACHE_DIR" in variables
    ):
        return
    if unit.script.mentions(r"PIP_NO_CACHE_DIR|pip cache purge|\.cache"):
        return
    word = next((one for one in pip.command.arguments if one.text == "install"), pip.command.words[0])
    yield finding(
        CACHE,
        "note",
        "pip keeps what it downloads in this layer",
        pip.command.location(word),
        fix="keep no cache, or mount one",
        edit=changed(pip.command, word, "install --no-cache-dir"),
    )


def _setup(command: Command) -> Iterator[Finding]:
    texts = command.texts
    index = next((at for at, text in enumerate(texts) if text.rpartition("/")[2] == "setup.py"), -1)
    verb = next((text for text in texts[index + 1 :] if text in _VERBS), "") if index >= 0 else ""
    if not verb:
        return
    folder = texts[index].rpartition("/")[0] or "."
    new = f"pip wheel --no-deps --wheel-dir dist {folder}" if "dist" in verb else f"pip install {folder}"
    start = next(word.start for word in command.words if _PYTHON.fullmatch(word.text.rpartition("/")[2]))
    yield finding(
        SETUP,
        "warning",
        f"setup.py {verb} is deprecated, and builds with whatever setuptools is there",
        command.location(command.arguments[index]),
        fix="let pip build the project",
        edit=command.piece.edited(start, command.stop, new),
        evidence=[_SETUPTOOLS],
    )


def _managed(document: Document) -> Iterator[Finding]:
    """The first pip call of each stage on a system that refuses it."""
    for stage in document.stages:
        if stage.index not in document.needed:
            continue
        facts = reference_facts(document.root_base(stage))
        if not _refuses(facts.os) or facts.family in {"python", "pytorch", "ngc-pytorch"}:
            continue
        units = [
            unit
            for unit in document.units
            if unit.built and unit.stage is not None and unit.stage.index == stage.index
        ]
        lineage = [
            unit
            for unit in document.units
            if unit.built and unit.stage is not None and unit.stage.index <= stage.index
        ]
        if any(unit.script.mentions(_ENVIRONMENTS) for unit in lineage) or not _has_debian_python(lineage):
            continue
        for unit in units:
            found = next(
                (one for command in unit.commands if (one := _system_pip(unit, command)) is not None), None
            )
            if found is None:
                continue
            yield finding(
                MANAGED,
                "error",
                f"pip refuses to install: the Python of {document.root_base(stage)} ({facts.os}) is externally managed",
                found.command.location(),
                fix="make a virtual environment first, and put it on PATH",
                edit=found.command.piece.edited(
                    found.command.start, found.command.start, "python3 -m venv /opt/venv && /opt/venv/bin/"
                ),
                evidence=[*facts.evidence, docs("EXTERNALLY-MANAGED stops pip", "PEP 668")],
            )
            break


def _has_debian_python(units: list[Unit]) -> bool:
    """The system's own Python is installed; these bases have none, and one that was compiled takes packages."""
    return any(
        word.text.startswith(("python3", "python-is-python3"))
        for unit in units
        for command in unit.commands
        if (call := apt_call(command)) is not None
        for word in call.packages
    )


def _refuses(system: str) -> bool:
    name, version = re.match(r"([a-z]*)([\d.]*)", system).groups() if system else ("", "")  # type: ignore[union-attr]
    if name == "ubuntu" and version:
        return float(version) >= 23.04  # noqa: PLR2004 - Ubuntu 23.04
    return name == "debian" and bool(version) and float(version) >= 12  # noqa: PLR2004 - Debian 12


def _system_pip(unit: Unit, command: Command) -> Pip | None:
    pip = pip_install(command)
    if (
        pip is None
        or pip.verb != "install"
        or pip.parsed.has("--break-system-packages", "--target", "-t", "--prefix", "--root", "--dry-run")
    ):
        return None
    if pip.tool == "uv" and not pip.parsed.has("--system"):
        return None
    variables = unit.state.variables if unit.state else {}
    set_in_command = {name for name, _ in command.assignments}
    if {"PIP_BREAK_SYSTEM_PACKAGES", "VIRTUAL_ENV", "CONDA_PREFIX"} & (set(variables) | set_in_command):
        return None
    path = variables.get("PATH") or ""
    if re.search(r"venv|conda|virtualenv|/opt/", path):
        return None
    program = next((word.text for word in command.words if word.text.endswith(command.program)), "")
    if program.startswith("/") and not program.startswith(("/usr/bin", "/bin")):
        return None
    return pip
