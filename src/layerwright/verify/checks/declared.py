"""What the image, or the lock it was built from, says it holds is what it holds."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from layerwright.core.findings import Evidence, Finding, Fix, Kind, Level
from layerwright.plan.seal import LOCKED
from layerwright.plan.steps import PREFIX
from layerwright.verify.inspection import Inspection

if TYPE_CHECKING:
    from layerwright.verify.python.dists import Dist

__all__ = ["KINDS", "check"]

LOCK = Kind(
    code="LW-DECLARED-LOCK",
    title="An installed package is not the one in the lock",
    why="The lock is what was reviewed and checked; the image runs something else.",
    evidence="layerwright.lock beside the spec or what the build noted of it in the image (locked.json), and the "
    "metadata installed in the image.",
    repair="Build the image again, and find the step that installed the other version.",
)
LABEL = Kind(
    code="LW-DECLARED-LABEL",
    title="A variable or label states another version than the image holds",
    why="People and scripts choose by what an image says of itself: the wrong driver, the wrong extension build.",
    evidence="Variables and labels that NVIDIA's and other makers' images set (CUDA_VERSION, NV_CUDNN_VERSION, "
    "PYTORCH_VERSION), against file names of libraries and installed metadata.",
    repair="Set the variable where the thing itself is installed, or take it out.",
)
KINDS = (LOCK, LABEL)

_STATED: Final[Mapping[str, tuple[str, str]]] = {
    "CUDA_VERSION": ("libcudart.so", "CUDA"),
    "NV_CUDNN_VERSION": ("libcudnn.so", "cuDNN"),
    "CUDNN_VERSION": ("libcudnn.so", "cuDNN"),
    "NCCL_VERSION": ("libnccl.so", "NCCL"),
}
"""Variables, with the library whose file name tells the version. Source: Dockerfiles of NVIDIA's images."""

_PACKAGES: Final[Mapping[str, str]] = {"PYTORCH_VERSION": "torch", "PYTORCH_BUILD_VERSION": "torch"}
_SYSTEM: Final = ("/usr/lib/", "/usr/local/cuda", "/lib/")


def check(image: Inspection) -> Iterator[Finding]:
    """Compare what is declared with what is there."""
    if image.declared is not None:
        yield from _by_lock(image, image.declared)
    yield from _by_seal(image, image.declared or {})
    stated = {**image.settings.labels, **image.settings.env}
    for variable, (library, what) in _STATED.items():
        if stated.get(variable):
            yield from _by_file(image, variable, stated[variable], library, what)
    for variable, name in _PACKAGES.items():
        if stated.get(variable):
            yield from _by_package(image, variable, stated[variable], name)


def _by_lock(image: Inspection, declared: Mapping[str, str]) -> Iterator[Finding]:
    installed: dict[str, Dist] = {}
    for environment in image.environments:
        for name, dist in environment.dists.items():
            # The environment that layerwright makes counts before the base's own Python.
            if name not in installed or dist.installer == "layerwright":
                installed[name] = dist
    for name, version in sorted(declared.items()):
        found = installed.get(name)
        if found is None:
            yield image.finding(
                LOCK,
                "error",
                f"the lock has {name} {version}, which is not installed",
                evidence=[_lock(name, version)],
                fix=[Fix(text="build the image again", command="layerwright build", cost=3)],
            )
        elif version and not _same(version, found.version):
            yield image.finding(
                LOCK,
                "error",
                f"the lock has {name} {version}, and {found.label} is installed "
                f"({image.layer_title(found.layer)})",
                path=found.info,
                evidence=[
                    _lock(name, version),
                    Evidence(
                        text=f"{found.label}, installed by {found.installer or 'an unnamed installer'}",
                        source=f"{found.info}/METADATA",
                        confidence="metadata",
                    ),
                ],
                fix=[Fix(text="build the image again", command="layerwright build", cost=3)],
                members=[image.wheel(found)],
            )


def _by_seal(image: Inspection, declared: Mapping[str, str]) -> Iterator[Finding]:
    """Compare with what stands in the image of its lock; what the lock at hand says already is not said twice."""
    installed = {
        name: dist
        for environment in image.environments
        for name, dist in environment.dists.items()
        if dist.folder.startswith(f"{PREFIX}/")
    }
    sealed_in = image.layer_of(LOCKED)
    for name, version in sorted(image.sealed.items()):
        found = installed.get(name)
        level: Level = "error"
        if found is None:
            message = f"{name} {version}".rstrip() + " was locked, and is not installed"
        elif version and not _same(version, found.version):
            message = f"{name} {version} was locked, and {found.label} is installed"
        elif found.layer > sealed_in:
            message, level = f"{found.label} was installed once more after the locked one", "warning"
        else:
            continue
        if level == "error" and declared.get(name) == version:
            continue
        evidence = [
            Evidence(text=f"{name} {version}".rstrip() + " was locked", source=LOCKED, confidence="metadata")
        ]
        if found is not None:
            message += f" ({image.layer_title(found.layer)})"
            by = found.installer or "an unnamed installer"
            evidence.append(
                Evidence(
                    text=f"{found.label}, installed by {by}",
                    source=f"{found.info}/METADATA",
                    confidence="metadata",
                )
            )
        yield image.finding(
            LOCK,
            level,
            message,
            path=found.info if found is not None else LOCKED,
            evidence=evidence,
            fix=[
                Fix(
                    text="put what is to be installed into `packages`, and build again",
                    command="layerwright build",
                    cost=3,
                )
            ],
            members=[image.wheel(found)] if found is not None else [],
        )


def _lock(name: str, version: str) -> Evidence:
    return Evidence(text=f"{name} {version}".rstrip(), source="layerwright.lock", confidence="metadata")


def _by_file(image: Inspection, variable: str, stated: str, library: str, what: str) -> Iterator[Finding]:
    found = {
        match[1]: path
        for path in image.closure.libraries
        if path.startswith(_SYSTEM)
        and (match := re.fullmatch(rf"{re.escape(library)}\.(\d+\.\d+[0-9.]*)", path.rpartition("/")[2]))
    }
    numbers = _numbers(stated)
    if not found or not numbers:
        return
    if not any(_agree(numbers, _numbers(version)) for version in found):
        version, path = next(iter(found.items()))
        majors = {_numbers(one)[0] for one in found}
        level: Level = "error" if numbers[0] not in majors else "warning"
        yield _label(image, level, variable, stated, f"{what} {version}", path)


def _by_package(image: Inspection, variable: str, stated: str, name: str) -> Iterator[Finding]:
    for environment in image.environments:
        dist = environment.dists.get(name)
        if dist is not None and not _agree(_numbers(stated), _numbers(dist.version)):
            yield _label(image, "warning", variable, stated, dist.label, dist.info)


def _label(image: Inspection, level: Level, variable: str, stated: str, held: str, path: str) -> Finding:
    return image.finding(
        LABEL,
        level,
        f"{variable} says {stated}, and the image holds {held}",
        path=path,
        evidence=[
            Evidence(text=f"{variable}={stated}", source="the image's config", confidence="metadata"),
            Evidence(text=held, source=path, confidence="binary"),
        ],
        fix=[Fix(text=f"set {variable} to what is installed, or take it out", cost=5)],
    )


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"v?(\d+(?:\.\d+)*)", version)
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def _agree(stated: tuple[int, ...], held: tuple[int, ...]) -> bool:
    """Whether one says no more than the other, as far as both go; three numbers are enough."""
    length = min(len(stated), len(held), 2 if not stated or stated[0] > 9 else 3)  # noqa: PLR2004 - CUDA's file
    return stated[:length] == held[:length]


def _same(first: str, second: str) -> bool:
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - start-up

    try:
        one, other = Version(first), Version(second)
    except InvalidVersion:
        return first == second
    return one == other or (not one.local and one.public == other.public and other.local is None)
