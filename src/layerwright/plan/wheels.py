"""Steps of a cell's Python packages: which wheels are built, and which are installed together in which order."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from layerwright.lock.model import LockedCell, LockedSource, LockedWheel
from layerwright.plan.grouping import HEAVY, group_wheels
from layerwright.plan.steps import BuildWheel, InstallWheels, WheelInput
from layerwright.plan.trees import TreeRequest
from layerwright.spec.model import Cell, PathPackage

__all__ = ["build_step", "built_wheel", "install_steps"]


def build_step(
    source: LockedSource, cell: Cell, locked: LockedCell, trees: Mapping[TreeRequest, str]
) -> BuildWheel:
    """The step that makes a source's wheel.

    Args:
        source: one of the cell's.
        cell: the cell.
        locked: what is locked of it.
        trees: digests of the project's files and folders.
    """
    location = next(
        (
            package.location
            for package in cell.packages
            if isinstance(package, PathPackage) and package.path == source.source
        ),
        cell.location,
    )
    tree = trees[TreeRequest(source=source.source)] if source.kind == "path" else ""
    # A version that the lock does not have may come from the project's history: a new tag is another wheel.
    dated = source.kind == "path" and not source.version
    commit = trees[TreeRequest(source=source.source, commit=True)] if dated else ""
    return BuildWheel(
        source=source,
        tree_digest=tree,
        commit=commit,
        python=cell.python,
        full_python=locked.base.python,
        glibc=locked.base.glibc,
        platform=locked.platform,
        exclude_newer=cell.exclude_newer,
        location=location,
    )


def built_wheel(source: LockedSource, digest: str) -> WheelInput:
    """The wheel of a source, made by the node with this digest."""
    return WheelInput(name=source.name, version=source.version, requested=source.requested, built_by=digest)


def install_steps(
    wheels: Sequence[LockedWheel],
    built: tuple[WheelInput, ...],
    *,
    python: str,
    bytecode: bool,
    layers: int,
) -> Iterator[tuple[InstallWheels, str]]:
    """The steps that install wheels, lowest first, each with its title.

    Args:
        wheels: those that are fetched.
        built: those that are built from sources.
        python: the environment's Python, such as ``3.11``.
        bytecode: each group gets a second layer of compiled files.
        layers: how many layers of the image are left for them.
    """
    by_name = {wheel.name: _input(wheel) for wheel in wheels}
    if not by_name and not built:
        return
    factor = 2 if bytecode else 1
    budget = max(1, layers // factor - 1)  # the last group may become two
    names = group_wheels([(wheel.name, wheel.size) for wheel in by_name.values()], budget=budget)
    groups = [tuple(by_name[name] for name in group) for group in names]
    parts: tuple[Literal["files", "bytecode"], ...] = ("files", "bytecode") if bytecode else ("files",)
    heavy = [group for group in groups if len(group) == 1 and group[0].size >= HEAVY]
    light = [wheel for group in groups if group not in heavy for wheel in group]
    # Engines share only common prefixes of layers: what changes often stands above all that is heavy. Of the
    # small wheels, people change those that the spec names; the others came with them.
    named = tuple(wheel for wheel in light if wheel.requested)
    unnamed = tuple(wheel for wheel in light if not wheel.requested)
    for level in (heavy, [unnamed], [named], [built]):
        for part in parts:
            for group in filter(None, level):
                ordered = tuple(sorted(group, key=lambda wheel: wheel.name))
                yield InstallWheels(wheels=ordered, part=part, python=python), _title(ordered, part)


def _input(wheel: LockedWheel) -> WheelInput:
    return WheelInput(
        name=wheel.name,
        version=wheel.version,
        file=wheel.file,
        sha256=wheel.sha256,
        size=wheel.size,
        index=wheel.index,
        url=wheel.url,
        requested=wheel.requested,
    )


def _title(wheels: Sequence[WheelInput], part: str) -> str:
    first = wheels[0]
    title = f"{first.name} {first.version}" if len(wheels) == 1 else f"{len(wheels)} wheels"
    return title if part == "files" else f"{title} (bytecode)"
