"""A cell's nodes in layer order: its steps, and what each of them stands on."""

from collections.abc import Mapping

from layerwright.core.errors import UsageError
from layerwright.facts.components import PYTHON_HOME
from layerwright.guest import check_device_program, entry_program
from layerwright.lock.model import LockedCell, LockedSource, LockedWheel
from layerwright.plan.commands import command_step, judged_step
from layerwright.plan.config import config_step, image_env, sealed_env
from layerwright.plan.contents import content_steps, executor_texts
from layerwright.plan.nodes import make_node
from layerwright.plan.steps import (
    Base,
    BuildWheel,
    InstallApt,
    InstallCheckDevice,
    InstallEntry,
    InstallPython,
    InstallSeal,
    Node,
    RunCommand,
    SealedPackage,
    SetConfig,
    WheelInput,
    WriteFiles,
)
from layerwright.plan.trees import TreeRequest
from layerwright.plan.wheels import build_step, built_wheel, install_steps
from layerwright.spec.model import BuildTest, Cell, RunItem, SourceItem

__all__ = ["LAYER_BUDGET", "CellPlanner"]

LAYER_BUDGET = 100
"""Layers an image may have: Docker takes 125 (moby layer/layer.go ``maxLayerDepth``); the rest is for children."""


class CellPlanner:
    """Collects one cell's nodes in layer order.

    Attributes:
        cell: the cell.
        locked: what is locked of it, the base that of its outermost parent.
        parent: the planner of the cell it starts from, which has planned already; None for none.
        nodes: lowest first, those of the parents included.
        python: the node that makes the environment; None for none.
        packages: of the environment, by name.
        seal: the step that the environment is sealed with; without packages where it is not sealed.
        allowed: names of tests that may have failed.
        system: digests of the nodes that a build tool or interpreter stands on.
        carrier: digest of the component that is the interpreter.
        sources: source trees in the image.

    From ``nodes`` on, cells that start from this one take all with them.
    """

    def __init__(
        self, cell: Cell, locked: LockedCell, trees: Mapping[TreeRequest, str], parent: "CellPlanner | None"
    ) -> None:
        self.cell = cell
        self.locked = locked
        self.parent = parent
        self.nodes: list[Node] = []
        self._trees = trees
        self.python: Node | None = None
        self.packages = dict[str, SealedPackage]()
        self.seal = InstallSeal(packages=())
        self.allowed: tuple[str, ...] = ()
        self.system: tuple[str, ...] = ()
        self.carrier: tuple[str, ...] = ()
        self.sources: tuple[SourceItem, ...] = cell.sources
        if parent is not None:
            self.nodes = [node for node in parent.nodes if _is_inherited(node)]
            self.python = parent.python
            self.packages = dict(parent.packages)
            self.seal = parent.seal
            self.allowed = parent.allowed
            self.system = parent.system
            self.carrier = parent.carrier
            self.sources = (*parent.sources, *cell.sources)

    def plan(self) -> None:
        """Add every node of the cell.

        Raises:
            UsageError: the base lacks the interpreter, or a source tree is not locked.
        """
        self._add_base()
        self._add_apt()
        self._add_components()
        self._add_python()
        self._add_entry()
        self._add_check_device()
        self._add_wheels()
        self._add_seal()
        self._add_contents()
        self._add_texts()
        self._add_runs()
        self._add_config()

    def _add(self, node: Node) -> Node:
        self.nodes.append(node)
        return node

    def _contents(self) -> tuple[str, ...]:
        """Digests of all that is in the file system so far."""
        return tuple(node.digest for node in self.nodes if _is_content(node))

    def _add_base(self) -> None:
        if self.parent is not None:
            return
        base = self.locked.base
        node = make_node(Base(base=base, platform=self.locked.platform), (), f"base {self.cell.base}")
        self._add(node)
        self.system = (node.digest,)

    def _add_apt(self) -> None:
        if not self.locked.apt:
            return
        requested = tuple(sorted(name.partition("=")[0] for name in self.cell.apt))
        step = InstallApt(debs=self.locked.apt, requested=requested)
        most = 4  # names that fit a line
        names = (
            requested
            if len(requested) <= most
            else (*requested[: most - 1], f"and {len(requested) - most + 1} more")
        )
        node = self._add(make_node(step, self._contents(), f"apt {' '.join(names)}"))
        self.system = (*self.system, node.digest)

    def _add_components(self) -> None:
        """In their order, each above all that is there: another toolkit makes all that follow anew."""
        if not self.cell.components:
            return
        from layerwright.plan.components import component_command  # noqa: PLC0415 - start-up

        sizes = {one.sha256: one.size for one in self.locked.components}
        for component in self.cell.components:
            step = component_command(component, size=sizes.get(component.sha256, 0))
            node = self._add(make_node(step, self._contents(), f"component {component.name}"))
            if component.kind == "python":
                self.system = (*self.system, node.digest)
                self.carrier = (node.digest,)

    def _add_python(self) -> None:
        if not self.cell.python or self.python is not None:
            return
        base = self.locked.base
        if not base.interpreter:
            raise UsageError(
                f"{self.cell.name}: the base {self.cell.base} has no Python {self.cell.python}",
                where=self.cell.location,
                hint="choose a base that carries it, or remove `python` and `packages`",
            )
        step = InstallPython(version=self.cell.python, interpreter=base.interpreter, full_version=base.python)
        # An interpreter whose exact version is unknown is only known by the base that carries it.
        inputs = self.carrier if _is_component(base.interpreter) else () if base.python else self.system[:1]
        self.python = self._add(make_node(step, inputs, f"python {self.cell.python}"))

    def _enters(self) -> bool:
        """Whether the image starts through the entry program: not where a base may have an entrypoint of its own."""
        cell = self.cell
        # The platform reads an executor's files through its entrypoint, and a vendor's own prints a banner first.
        own = bool(cell.entrypoint) or self.locked.base.kind == "debian" or cell.role == "executor"
        return cell.entry_program and own

    def _add_entry(self) -> None:
        if not self._enters() or any(isinstance(node.step, InstallEntry) for node in self.nodes):
            return
        import hashlib  # noqa: PLC0415 - start-up

        step = InstallEntry(sha256=hashlib.sha256(entry_program().encode()).hexdigest())
        self._add(make_node(step, (), "entry program"))

    def _add_check_device(self) -> None:
        if not self.cell.check_device:
            return
        import hashlib  # noqa: PLC0415 - start-up

        accelerator = self.cell.accelerator
        text = check_device_program(accelerator)
        step = InstallCheckDevice(accelerator=accelerator, sha256=hashlib.sha256(text.encode()).hexdigest())
        if all(node.step != step for node in self.nodes):
            self._add(make_node(step, (), "check-device"))

    def _build(self, source: LockedSource) -> WheelInput:
        step = build_step(source, self.cell, self.locked, self._trees)
        inputs = self.system if self.python is None else (*self.system, self.python.digest)
        node = self._add(make_node(step, inputs, f"build {source.name} {source.version}".rstrip()))
        return built_wheel(source, node.digest)

    def _add_wheels(self) -> None:
        built = tuple(self._build(source) for source in self.locked.sources)
        others = len(self.nodes) + len(self.cell.models) + len(self.cell.copy) + len(self.cell.run) + 4
        steps = install_steps(
            self.locked.wheels,
            built,
            python=self.cell.python,
            bytecode=self.cell.bytecode,
            layers=LAYER_BUDGET - others,
        )
        for step, title in steps:
            inputs = [wheel.built_by for wheel in step.wheels if wheel.built_by]
            if step.part == "bytecode" and self.python is not None:
                inputs.append(self.python.digest)
            self._add(make_node(step, inputs, title))

    def _add_seal(self) -> None:
        for package in self.locked.packages:
            digest = package.sha256 if isinstance(package, LockedWheel) else ""
            self.packages[package.name] = SealedPackage(
                name=package.name, version=package.version, sha256=digest
            )
        packages = [self.packages[name] for name in sorted(self.packages)] if self.cell.sealed else []
        step = InstallSeal(packages=tuple(packages))
        # It changes with every pin, so it stands above all that is installed.
        if step != self.seal:
            self.seal = step
            self._add(make_node(step, (), _seal_title(len(packages))))

    def _env(self) -> dict[str, str]:
        """The image's variables, those of the seal with them."""
        env = image_env(self.cell)
        return sealed_env(env, self.locked.base.kind) if self.seal.packages else env

    def _add_contents(self) -> None:
        for step, title in content_steps(self.cell, self.locked.trees, self._trees):
            self._add(make_node(step, (), title))

    def _add_texts(self) -> None:
        if self.cell.role != "executor" or self.cell.executor is None:
            return
        step = executor_texts(self.cell.executor, self.cell.location)
        below = [node.step for node in self.nodes if isinstance(node.step, WriteFiles)]
        if below and below[-1].files == step.files:
            return  # the parent's says the same
        self._add(make_node(step, (), f"img-man {' '.join(self.cell.executor.tasks)}"))

    def _add_runs(self) -> None:
        for item in self.cell.run:
            self._add_command(item, keep=True)
        for test in self.cell.tests:
            self._add_test(test)
        for item in self.cell.smoke:
            self._add_command(item, keep=False)

    def _add_command(self, item: RunItem, *, keep: bool) -> None:
        step, title = command_step(item, env=self._env(), workdir=self.cell.workdir, keep=keep)
        self._add(make_node(step, self._contents(), title))

    def _add_test(self, item: BuildTest) -> None:
        step, title = judged_step(item, env=self._env(), workdir=self.cell.workdir)
        self._add(make_node(step, self._contents(), title))
        self.allowed = tuple(dict.fromkeys((*self.allowed, *item.allow)))

    def _add_config(self) -> None:
        step = config_step(
            self.cell, env=self._env(), enters=self._enters(), allowed=self.allowed, sources=self.sources
        )
        inputs = tuple(node.digest for node in self.nodes if not isinstance(node.step, BuildWheel))
        self._add(make_node(step, inputs, "config"))


def _is_component(interpreter: str) -> bool:
    """Whether the interpreter is one that a component brings."""
    return interpreter.startswith(f"{PYTHON_HOME}/")


def _seal_title(packages: int) -> str:
    if not packages:
        return "no seal"
    return f"seal of {packages} {'package' if packages == 1 else 'packages'}"


def _is_content(node: Node) -> bool:
    """Whether the node adds to the file system; smoke tests, builds of wheels and the config do not."""
    match node.step:
        case RunCommand(keep=keep):
            return keep
        case BuildWheel() | SetConfig():
            return False
        case _:
            return True


def _is_inherited(node: Node) -> bool:
    """Whether a child's plan starts with the node: its parent's smoke tests and config are not repeated."""
    return _is_content(node) or isinstance(node.step, BuildWheel)
