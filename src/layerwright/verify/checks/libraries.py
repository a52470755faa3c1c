"""Every library that programs and Python modules need is where the loader looks for it."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from layerwright.core.findings import Evidence, Finding, Fix, Kind, Level
from layerwright.rules.cuda import ORT_PROVIDER
from layerwright.rules.cuda_names import is_cuda_library
from layerwright.rules.debian_names import debian_packages
from layerwright.rules.libraries import MISSING, OPTIONAL
from layerwright.rules.opencv_gui import GL, GUI
from layerwright.rules.optional_libraries import feature_of
from layerwright.rules.repairs import apt_fix
from layerwright.verify.inspection import Inspection
from layerwright.verify.loader.closure import Problem
from layerwright.verify.loader.process import Absent
from layerwright.verify.python.dists import Dist
from layerwright.verify.words import listed, plural, short, whence

__all__ = ["KINDS", "check", "near_misses"]

PROGRAM = Kind(
    code="LW-LIBRARY-PROGRAM",
    title="A program or library of the system needs a library that is not there",
    why="The program ends at once with `error while loading shared libraries`. Files were deleted after they were "
    "installed, or copied from an image that had more.",
    evidence="DT_NEEDED of every ELF file, followed as glibc's loader does: RPATH and RUNPATH with $ORIGIN, "
    "LD_LIBRARY_PATH and LD_PRELOAD of the image's config, ld.so.cache, the default folders.",
    repair="Install the package that brings the library; or copy programs together with what `ldd` lists.",
)
UNCACHED = Kind(
    code="LW-LIBRARY-UNCACHED",
    title="A library stands in a folder that ld.so.conf names and ld.so.cache does not know",
    why="The loader reads ld.so.cache, never ld.so.conf. It works on machines whose container toolkit runs ldconfig "
    "at the start, as NVIDIA's does, and nowhere else.",
    evidence="/etc/ld.so.conf, /etc/ld.so.conf.d and /etc/ld.so.cache of the image.",
    repair="Run `ldconfig` in the step that brings the library.",
)
KINDS = (MISSING, OPTIONAL, GL, PROGRAM, UNCACHED)

_STEM: Final = re.compile(r"(.+?\.so)(?:\.[0-9.]+)?")
_SHOWN: Final = 5


def check(image: Inspection) -> Iterator[Finding]:
    """Go through what was not found; one finding for all that a distribution, or a program, lacks for one reason."""
    grouped: dict[tuple[str, str, str], list[Problem]] = {}
    for problem in image.closure.problems:
        if not isinstance(problem.cause, Absent) or problem.cause.user.endswith(f"/{ORT_PROVIDER}"):
            continue
        dist = image.owner(problem.cause.user)
        feature = _feature(dist, problem)
        uncached = image.closure.search.configured(problem.cause.name)
        kind = "uncached" if uncached else "optional" if feature else str(problem.root.kind)
        subject = dist.info if dist is not None else problem.cause.user
        grouped.setdefault((subject, kind, feature), []).append(problem)
    names = _names(image)
    idle: list[Problem] = []
    for (_, kind, feature), problems in grouped.items():
        if kind == "library" and image.owner(problems[0].cause.user) is None:
            idle += problems
        else:
            yield _finding(image, kind, feature, problems, names)
    if idle:
        yield _idle(image, idle)


def _idle(image: Inspection, problems: list[Problem]) -> Finding:
    """Libraries of the system that no program on PATH and no Python module loads: plugins, mostly."""
    users = list(dict.fromkeys(problem.cause.user for problem in problems))
    wanted = list(dict.fromkeys(problem.cause.name for problem in problems))
    return image.finding(
        PROGRAM,
        "note",
        f"{plural(len(users), 'file')} of the system that nothing here loads {'needs' if len(users) == 1 else 'need'} "
        f"libraries that are not there: {listed(wanted)}",
        path=users[0],
        evidence=[
            Evidence(
                text=f"{problem.cause.user} needs {problem.cause.name}",
                source=whence(image, problem.cause.user),
                confidence="binary",
            )
            for problem in problems
        ],
    )


def _feature(dist: Dist | None, problem: Problem) -> str:
    """The optional feature that alone needs the file, by its own name or by that of the plugin that loads it."""
    if dist is None:
        return ""
    found = feature_of(dist.name, problem.cause.user.removeprefix(f"{dist.folder}/"))
    root = problem.root
    if not found and root.kind == "library" and root.dist is not None:
        found = feature_of(root.dist.name, root.path.removeprefix(f"{root.dist.folder}/"))
    return found


def _finding(
    image: Inspection, how: str, feature: str, problems: list[Problem], known: Mapping[str, list[str]]
) -> Finding:
    first = problems[0]
    user = first.cause.user
    dist = image.owner(user)
    wanted = list(dict.fromkeys(problem.cause.name for problem in problems))
    evidence = [
        Evidence(
            text=f"{short(problem.cause.user)} needs {problem.cause.name}",
            source=whence(image, problem.cause.user),
            confidence="binary",
        )
        for problem in problems[:_SHOWN]
    ]
    evidence += [
        Evidence(text=text, source=source, confidence="metadata")
        for name in wanted[:_SHOWN]
        for text, source in near_misses(image, name, known)
    ]
    who = dist.label if dist is not None else user
    them = "it" if len(wanted) == 1 else "them"
    if how == "uncached":
        place = image.closure.search.configured(wanted[0])
        runs_ldconfig = "NVIDIA_VISIBLE_DEVICES" in image.settings.env
        return image.finding(
            UNCACHED,
            "note" if runs_ldconfig else _level(first),
            f"{who} needs {listed(wanted)}, which stands at {place}: ld.so.conf names that folder, but "
            "ld.so.cache does not "
            f"know {them}" + (", until NVIDIA's container toolkit runs ldconfig" if runs_ldconfig else ""),
            path=user,
            evidence=evidence,
            fix=[
                Fix(text="write ld.so.cache anew after the library was put there", command="ldconfig", cost=2)
            ],
        )
    if how == "optional":
        return image.finding(
            OPTIONAL,
            "note",
            f"{feature} of {who} cannot be loaded: nothing brings {listed(wanted)}",
            path=user,
            evidence=evidence,
        )
    kind = PROGRAM if dist is None else MISSING
    if dist is not None and dist.name in GUI and not all(is_cuda_library(name) for name in wanted):
        kind = GL
    return image.finding(
        kind,
        _level(first),
        f"{who} needs {listed(wanted)} {_when(first)}, and nothing in the image brings {them}",
        path=user,
        evidence=evidence,
        fix=_fixes(image, dist, wanted),
    )


def _level(problem: Problem) -> Level:
    return "error" if problem.root.kind != "library" else "warning"


def _when(problem: Problem) -> str:
    root = problem.root
    if root.kind == "program":
        return "to start" if root.path == problem.cause.user else f"for {root.path} to start"
    if root.kind == "extension":
        more = f" and {plural(problem.roots - 1, 'more module')}" if problem.roots > 1 else ""
        return f"to import {short(root.path)}{more}"
    return "where it is opened"


def _fixes(image: Inspection, dist: Dist | None, wanted: list[str]) -> list[Fix]:
    fixes = []
    if dist is not None and dist.name in GUI:
        fixes.append(Fix(text=f"take {dist.name}-headless, which needs no graphics libraries", cost=4))
    names = tuple(
        dict.fromkeys(
            debian_packages(name)[0] for name in wanted if not is_cuda_library(name) and debian_packages(name)
        )
    )
    if names:
        command = f"apt-get install --no-install-recommends {' '.join(names)}"
        edit = apt_fix(names, "").edit if image.is_ours else ""
        fixes.append(Fix(text=f"install {listed(names)}", edit=edit, command=command, cost=2))
    return fixes


def _names(image: Inspection) -> Mapping[str, list[str]]:
    """Paths of libraries by name without numbers."""
    found: dict[str, list[str]] = {}
    for path in image.closure.libraries:
        match = _STEM.fullmatch(path.rpartition("/")[2])
        if match is not None:
            found.setdefault(match[1], []).append(path)
    return found


def near_misses(
    image: Inspection, name: str, known: Mapping[str, list[str]] | None = None
) -> Iterator[tuple[str, str]]:
    """What tells how a library came to be missing: another number, a RECORD that lists it, a layer that deletes it.

    Yields:
        text and source of each.
    """
    match = _STEM.fullmatch(name)
    stem = match[1] if match is not None else name
    for path in (known if known is not None else _names(image)).get(stem, ())[:2]:
        if path.rpartition("/")[2] != name:
            dist = image.owner(path)
            yield f"{path} is there" + (f", of {dist.label}" if dist is not None else ""), path
    for environment in image.environments:
        for path, dist in environment.owners.items():
            if path.endswith(f"/{name}") and image.tree.find(path) is None:
                yield f"RECORD of {dist.label} lists {path}, which is not there", f"{dist.info}/RECORD"
    for index in image.contents.layers:
        for path in index.whiteouts:
            if path.rpartition("/")[2] == name:
                yield f"{image.layer_title(index.number)} deletes /{path}", image.layer_digest(index.number)
