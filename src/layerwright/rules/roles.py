"""An image holds what its role is for."""

from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Evidence, Finding, Kind, Level
from layerwright.facts.model import Package
from layerwright.rules.case import Case
from layerwright.rules.native import requirers
from layerwright.rules.repairs import remove_fix, role_fix
from layerwright.rules.words import named

__all__ = ["KINDS", "TRAINING_FRAMEWORKS", "TRAINING_TOOLS", "check"]

FRAMEWORK = Kind(
    code="LW-ROLE-FRAMEWORK",
    title="An inference image holds a training framework",
    why="A framework brings gigabytes that every pull, scan and start pays for, a second set of CUDA libraries beside "
    "those of the inference engine, and far more code than serving needs. Most often nobody asked for it: a "
    "dependency of a dependency did.",
    evidence="The names of the locked packages, who requires them, and their sizes.",
    repair="Leave out what pulls it in, or move that to the training image. An image that serves with the framework "
    'itself says so with `role = "release"`.',
)
TOOL = Kind(
    code="LW-ROLE-TOOL",
    title="An inference image holds training tools",
    why="TensorBoard, Lightning and their like are not used when serving; they cost size and bring dependencies of "
    "their own.",
    evidence="The names of the locked packages and who requires them.",
    repair="Leave them out, or move them to the training image.",
)
KINDS = (FRAMEWORK, TOOL)

TRAINING_FRAMEWORKS: Final = frozenset(
    {
        *("torch", "torch-musa", "tensorflow", "tensorflow-cpu", "tensorflow-gpu", "jax", "jaxlib", "flax"),
        *("paddlepaddle", "paddlepaddle-gpu", "mxnet", "mxnet-cu112", "mindspore", "oneflow", "chainer"),
    }
)
"""Distributions of training frameworks."""

TRAINING_TOOLS: Final = frozenset(
    {
        *(
            "lightning",
            "pytorch-lightning",
            "tensorboard",
            "tensorboardx",
            "torchmetrics",
            "deepspeed",
            "horovod",
        ),
        *(
            "keras",
            "optax",
            "visdom",
            "ray",
            "accelerate",
            "fitsne",
            "wandb",
            "mlflow",
            "calflops",
            "ptflops",
        ),
    }
)
"""Distributions that only training uses."""


def check(case: Case) -> Iterator[Finding]:
    """Look for training frameworks and tools."""
    if case.subject.role != "inference":
        return
    packages = case.subject.packages.values()
    for kind, names, level in (
        (FRAMEWORK, TRAINING_FRAMEWORKS, "error"),
        (TOOL, TRAINING_TOOLS, "warning"),
    ):
        found = [package for package in packages if package.name in names]
        if found:
            yield _finding(case, kind, level, found)


def _finding(case: Case, kind: Kind, level: str, found: list[Package]) -> Finding:
    first = found[0]
    verdict: Level = "error" if level == "error" else "warning"
    asked = [_asked(case, package) for package in found]
    what = "a training framework" if kind is FRAMEWORK else "for training"
    names = " and ".join(named(package) for package in found[:4]) + (
        f" and {len(found) - 4} more" if len(found) > 4 else ""  # noqa: PLR2004 - as many as a line holds
    )
    roots = {root.name: root for package in found for root in _roots(case, package)}
    fixes = [
        remove_fix(
            root,
            f"leave out {root.name}"
            + ("" if root.name in {p.name for p in found} else f", which pulls in {first.name}"),
            cost=8,
        )
        for root in roots.values()
    ]
    if kind is FRAMEWORK:
        fixes.append(
            role_fix(case, "release", f"say that the image serves with {first.name} itself", cost=12)
        )
    return case.finding(
        kind,
        verdict,
        f"the image's role is inference, and it holds {names}, {what} ({'; '.join(dict.fromkeys(asked))})",
        evidence=[
            Evidence(
                text=f"the lock has {named(package)}{_size(package)}",
                source=package.index or "layerwright.lock",
                confidence="metadata",
            )
            for package in found[:6]
        ],
        fix=fixes,
        members=[case.role(), *(case.wheel(package) for package in found[:3])],
    )


def _asked(case: Case, package: Package) -> str:
    if package.requested or not package.required_by:
        return f"the spec asks for {package.name}"
    askers = [named(above) for name in package.required_by if (above := case.package(name))]
    return f"{', '.join(askers[:2])} need{'s' if len(askers[:2]) == 1 else ''} {package.name}"


def _roots(case: Case, package: Package) -> list[Package]:
    """What the spec names itself that leads to the package."""
    names = {package.name, *requirers(case.subject, package.name)}
    return [one for one in case.subject.packages.values() if one.name in names and one.requested]


def _size(package: Package) -> str:
    size = package.facts.size if package.facts else 0
    return f", {size / 1e6:.0f} MB" if size >= 1_000_000 else ""  # noqa: PLR2004 - less is not worth a word
