"""A cell's steps by kind, as the portable Dockerfile has them: with a parent that is built apart, without its steps."""

from dataclasses import dataclass, field
from typing import assert_never

from layerwright.backends.docker.downloads import Download, downloads_of
from layerwright.backends.docker.environment import Environment
from layerwright.core.errors import BuildError
from layerwright.lock.model import LockedBase
from layerwright.plan.steps import (
    Base,
    BuildWheel,
    CellPlan,
    CopySource,
    CopyTree,
    FetchFile,
    InstallApt,
    InstallCheckDevice,
    InstallEntry,
    InstallPython,
    InstallSeal,
    InstallWheels,
    RunCommand,
    RunTests,
    SetConfig,
    WheelInput,
    WriteFiles,
)

__all__ = ["Parent", "Parts", "sort_steps"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """An image of the same spec that is built apart, and that a cell's file starts from.

    Attributes:
        name: what FROM calls it.
        cell: its plan.
    """

    name: str
    cell: CellPlan


@dataclass(slots=True, kw_only=True)
class Parts:
    """A cell's steps by kind.

    Attributes:
        below: the config of the parent that is built apart; None without one.
        inherited: the Python environment is the parent's.
    """

    base: Base
    config: SetConfig
    below: SetConfig | None = None
    inherited: bool = False
    apt: list[InstallApt] = field(default_factory=list)
    python: InstallPython | None = None
    entry: bool = False
    check_device: InstallCheckDevice | None = None
    seal: InstallSeal | None = None
    wheels: list[WheelInput] = field(default_factory=list)
    builds: list[BuildWheel] = field(default_factory=list)
    bytecode: bool = False
    rest: list[FetchFile | CopyTree | CopySource | WriteFiles | RunCommand | RunTests] = field(
        default_factory=list
    )
    smoke: list[RunCommand] = field(default_factory=list)

    @property
    def files(self) -> tuple[Download, ...]:
        """Files from elsewhere, in the plan's order."""
        return downloads_of(self.rest)

    @property
    def trees(self) -> list[CopySource]:
        """Source trees, in the plan's order."""
        return [step for step in self.rest if isinstance(step, CopySource)]

    @property
    def texts(self) -> list[WriteFiles]:
        """Texts of the spec, in the plan's order."""
        return [step for step in self.rest if isinstance(step, WriteFiles)]

    @property
    def environment(self) -> Environment | None:
        """What the Python environment is made of, or gets; None when nothing is to be done for it."""
        if self.python is None or (self.inherited and not (self.wheels or self.builds or self.seal)):
            return None
        return Environment(
            python=self.python,
            wheels=tuple(self.wheels),
            builds=tuple(self.builds),
            bytecode=self.bytecode,
            inherited=self.inherited,
            seal=self.seal,
        )


def sort_steps(cell: CellPlan, parent: Parent | None) -> Parts:  # noqa: C901 - one branch a step, closed by mypy
    """Sort a cell's steps; those of a parent that is built apart are left out.

    Raises:
        BuildError: the plan does not begin with a base and end with a config.
    """
    first, last = cell.nodes[0].step, cell.nodes[-1].step
    if not isinstance(first, Base) or not isinstance(last, SetConfig):
        raise BuildError(f"the plan of {cell.cell} does not begin with a base and end with a config")
    parts = Parts(base=first, config=last)
    known = frozenset[str]()
    if parent is not None:
        known = frozenset(node.digest for node in parent.cell.nodes)
        below = parent.cell.nodes[-1].step
        parts.base = Base(base=LockedBase(kind="image", source=parent.name), platform=first.platform)
        parts.below = below if isinstance(below, SetConfig) else None
        parts.inherited = any(isinstance(node.step, InstallPython) for node in parent.cell.nodes)
    for node in cell.nodes:
        step = node.step
        if node.digest in known and not isinstance(step, InstallPython):
            continue
        match step:
            case Base() | SetConfig():
                pass
            case InstallApt():
                parts.apt.append(step)
            case InstallPython():
                parts.python = step
            case InstallEntry():
                parts.entry = True
            case InstallCheckDevice():
                parts.check_device = step
            case InstallSeal():
                parts.seal = step
            case BuildWheel():
                parts.builds.append(step)
            case InstallWheels(part="files"):
                parts.wheels += [wheel for wheel in step.wheels if not wheel.built_by]
            case InstallWheels():
                parts.bytecode = True
            case FetchFile() | CopyTree() | CopySource() | WriteFiles() | RunCommand(keep=True) | RunTests():
                parts.rest.append(step)
            case RunCommand():
                parts.smoke.append(step)
            case _:
                assert_never(step)
    return parts
