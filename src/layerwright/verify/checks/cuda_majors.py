"""One CUDA and one cuDNN in a process."""

from collections.abc import Callable, Iterator, Mapping

from layerwright.core.findings import Evidence, Finding, Fix, Kind
from layerwright.rules.cuda_names import cuda_majors, cudnn_major
from layerwright.rules.optional_libraries import feature_of
from layerwright.verify.inspection import Inspection
from layerwright.verify.python.dists import Dist
from layerwright.verify.python.environments import Environment
from layerwright.verify.words import listed, short

__all__ = ["KINDS", "check"]

MIXED = Kind(
    code="LW-CUDA-MIXED",
    title="Packages of one environment need two majors of CUDA or cuDNN",
    why="In one process each brings its own copy: twice the memory on the GPU, streams and handles that cannot be "
    "passed on, and, where a library of one major is found under the name of another, crashes. Two cuDNN majors in "
    "one process are not supported by ONNX Runtime's and PyTorch's own guides.",
    evidence="DT_NEEDED of the installed packages' libraries: the sonames of CUDA and cuDNN tell their majors.",
    repair="Choose releases that were built for one CUDA and one cuDNN; where both are needed, give each "
    "its own image.",
)
KINDS = (MIXED,)


def check(image: Inspection) -> Iterator[Finding]:
    """Ask every package of an environment what it needs."""
    for environment in image.environments:
        yield from _mixed(image, environment, "CUDA", _only_cuda)
        yield from _mixed(image, environment, "cuDNN", cudnn_major)


def _only_cuda(name: str) -> str:
    """The CUDA major that a name stands for; empty when it may be of several."""
    majors = cuda_majors(name)
    return next(iter(majors)) if len(majors) == 1 else ""


def _mixed(
    image: Inspection, environment: Environment, what: str, major_of: Callable[[str], str]
) -> Iterator[Finding]:
    users: dict[str, dict[str, tuple[Dist, str, str]]] = {}
    for path, library in image.closure.libraries.items():
        dist = environment.owners.get(path)
        if dist is None or dist.name.startswith("nvidia-"):
            continue
        if feature_of(dist.name, path.removeprefix(f"{dist.folder}/")):
            continue
        for name in library.needed:
            major = major_of(name)
            if major:
                users.setdefault(major, {}).setdefault(dist.name, (dist, path, name))
    if len(users) > 1 and not _one_offers_several(users):
        yield _finding(image, what, users)


def _one_offers_several(users: Mapping[str, Mapping[str, tuple[Dist, str, str]]]) -> bool:
    """One package alone, with a library for each major to choose from (bitsandbytes does so)."""
    return len({name for found in users.values() for name in found}) == 1


def _finding(
    image: Inspection, what: str, users: Mapping[str, Mapping[str, tuple[Dist, str, str]]]
) -> Finding:
    sides = [
        f"{listed([dist.label for dist, _, _ in found.values()])} need{'s' if len(found) == 1 else ''} {what} {major}"
        for major, found in sorted(users.items())
    ]
    chosen = [next(iter(found.values())) for _, found in sorted(users.items())]
    return image.finding(
        MIXED,
        "warning",
        f"in one environment {', '.join(sides[:-1])} and {sides[-1]}",
        path=chosen[0][1],
        evidence=[
            Evidence(text=f"{short(path)} needs {name}", source=dist.label, confidence="binary")
            for dist, path, name in chosen
        ],
        fix=[
            Fix(
                text=f"choose releases of {listed([dist.name for dist, _, _ in chosen])} for one {what}",
                cost=15,
            )
        ],
        members=[image.wheel(dist) for dist, _, _ in chosen],
    )
