"""Spec + lock → plan. Pure: everything read from disk comes in as digests."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from layerwright.core.errors import UsageError
from layerwright.facts.components import PYTHON_HOME
from layerwright.guest import (
    CHECK_DEVICE_PATH,
    ENTRY_PATH,
    WRITABLE,
    cache_folder,
    check_device_program,
    entry_program,
    test_judge,
)
from layerwright.lock.model import Lock, LockedCell, LockedSource, LockedWheel
from layerwright.plan.grouping import HEAVY, group_wheels
from layerwright.plan.nodes import make_node
from layerwright.plan.seal import CONSTRAINTS
from layerwright.plan.steps import (
    PREFIX,
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
    Node,
    Plan,
    RunCommand,
    RunTests,
    SealedPackage,
    SetConfig,
    Submodule,
    TextFile,
    WheelInput,
    WriteFiles,
)
from layerwright.plan.testing import ALLOWED_LABEL
from layerwright.spec.model import BuildTest, Cell, PathPackage, RunItem, SourceItem, Spec

__all__ = ["LAYER_BUDGET", "TreeRequest", "image_env", "make_plan", "tree_requests"]

LAYER_BUDGET = 100
"""Layers an image may have: Docker takes 125 (moby layer/layer.go ``maxLayerDepth``); the rest is for children."""

_DEFAULT_ENV = {"LANG": "C.UTF-8"}


class TreeRequest(Struct, frozen=True, kw_only=True):
    """A file or folder whose state the plan needs, relative to the spec's root.

    Attributes:
        exclude: patterns of what does not matter.
        commit: asks for the description of the folder's commit rather than for the digest of its files.
    """

    source: str
    exclude: tuple[str, ...] = ()
    commit: bool = False


def tree_requests(cells: Iterable[Cell], locked: Iterable[LockedCell]) -> frozenset[TreeRequest]:
    """Every folder and file of the project that the cells copy or build.

    Args:
        cells: of the spec.
        locked: the same cells of the lock, which knows the projects that other projects bring, and whose version
            is known.
    """
    requests = set[TreeRequest]()
    for cell in cells:
        requests.update(TreeRequest(source=item.source, exclude=item.exclude) for item in cell.copy)
        requests.update(
            TreeRequest(source=package.path) for package in cell.packages if isinstance(package, PathPackage)
        )
    for source in (source for cell in locked for source in cell.sources if source.kind == "path"):
        requests.add(TreeRequest(source=source.source))
        if not source.version:
            requests.add(TreeRequest(source=source.source, commit=True))
    return frozenset(requests)


def image_env(cell: Cell) -> dict[str, str]:
    """The variables the image sets; ``PATH`` holds what goes before the base's own."""
    env = dict(_DEFAULT_ENV)
    if cell.accelerator == "mthreads":
        from layerwright.plan.components import musa_env  # noqa: PLC0415 - start-up

        env.update(musa_env(cell))
    if cell.python:
        env["PATH"] = ":".join(filter(None, (f"{PREFIX}/bin", env.get("PATH", ""))))
        env["VIRTUAL_ENV"] = PREFIX
    if cell.timezone:
        env["TZ"] = cell.timezone
    env.update(cell.env)
    return env


def _labels(cell: Cell, allowed: Sequence[str]) -> dict[str, str]:
    own: dict[str, str] = {"dev.layerwright.accelerator": cell.accelerator, "dev.layerwright.role": cell.role}
    if allowed:
        import json  # noqa: PLC0415 - start-up

        own[ALLOWED_LABEL] = json.dumps(allowed, ensure_ascii=False)
    return {**own, **cell.labels}


class _CellPlanner:
    """Collects one cell's nodes in layer order."""

    def __init__(
        self, cell: Cell, locked: LockedCell, trees: Mapping[TreeRequest, str], parent: "_CellPlanner | None"
    ) -> None:
        self.cell = cell
        self.locked = locked
        self.trees = trees
        self.parent = parent
        self.nodes: list[Node] = []
        self.builds: list[Node] = []
        self.python: Node | None = None
        self.packages = dict[str, SealedPackage]()  # of the environment, parents' too
        self.seal = InstallSeal(packages=())
        self.allowed: tuple[str, ...] = ()  # names of tests that may have failed, here or in a parent
        self.system: tuple[str, ...] = ()  # digests of the nodes a build tool or interpreter stands on
        self.carrier: tuple[str, ...] = ()  # digest of the component that is the interpreter
        self.sources: tuple[SourceItem, ...] = (
            cell.sources if parent is None else (*parent.sources, *cell.sources)
        )
        if parent is not None:
            self.nodes = [node for node in parent.nodes if _is_inherited(node)]
            self.python = parent.python
            self.packages = dict(parent.packages)
            self.seal = parent.seal
            self.allowed = parent.allowed
            self.system = parent.system
            self.carrier = parent.carrier

    def _add(self, node: Node) -> Node:
        self.nodes.append(node)
        return node

    def plan(self) -> None:
        self._base()
        self._apt()
        self._components()
        self._python()
        self._entry()
        self._check_device()
        self._wheels()
        self._seal()
        self._files()
        self._source_trees()
        self._copies()
        self._texts()
        self._runs()
        self._config()

    def _base(self) -> None:
        if self.parent is not None:
            return
        base = self.locked.base
        node = make_node(Base(base=base, platform=self.locked.platform), (), f"base {self.cell.base}")
        self._add(node)
        self.system = (node.digest,)

    def _apt(self) -> None:
        if not self.locked.apt:
            return
        requested = tuple(sorted(name.partition("=")[0] for name in self.cell.apt))
        step = InstallApt(debs=self.locked.apt, requested=requested)
        inputs = tuple(node.digest for node in self.nodes if _is_content(node))
        most = 4  # names that fit a line
        names = (
            requested
            if len(requested) <= most
            else (*requested[: most - 1], f"and {len(requested) - most + 1} more")
        )
        node = self._add(make_node(step, inputs, f"apt {' '.join(names)}"))
        self.system = (*self.system, node.digest)

    def _components(self) -> None:
        """In their order, each above all that is there: another toolkit makes all that follow anew."""
        if not self.cell.components:
            return
        from layerwright.plan.components import component_command  # noqa: PLC0415 - start-up

        sizes = {one.sha256: one.size for one in self.locked.components}
        for component in self.cell.components:
            step = component_command(component, size=sizes.get(component.sha256, 0))
            inputs = tuple(node.digest for node in self.nodes if _is_content(node))
            node = self._add(make_node(step, inputs, f"component {component.name}"))
            if component.kind == "python":
                self.system = (*self.system, node.digest)
                self.carrier = (node.digest,)

    def _python(self) -> None:
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

    def _entry(self) -> None:
        if not self._enters() or any(isinstance(node.step, InstallEntry) for node in self.nodes):
            return
        import hashlib  # noqa: PLC0415 - start-up

        step = InstallEntry(sha256=hashlib.sha256(entry_program().encode()).hexdigest())
        self._add(make_node(step, (), "entry program"))

    def _check_device(self) -> None:
        if not self.cell.check_device:
            return
        import hashlib  # noqa: PLC0415 - start-up

        accelerator = self.cell.accelerator
        text = check_device_program(accelerator)
        step = InstallCheckDevice(accelerator=accelerator, sha256=hashlib.sha256(text.encode()).hexdigest())
        if all(node.step != step for node in self.nodes):
            self._add(make_node(step, (), "check-device"))

    def _build(self, source: LockedSource) -> WheelInput:
        location = next(
            (
                package.location
                for package in self.cell.packages
                if isinstance(package, PathPackage) and package.path == source.source
            ),
            self.cell.location,
        )
        tree = self.trees[TreeRequest(source=source.source)] if source.kind == "path" else ""
        # A version that the lock does not have may come from the project's history: a new tag is another wheel.
        dated = source.kind == "path" and not source.version
        commit = self.trees[TreeRequest(source=source.source, commit=True)] if dated else ""
        step = BuildWheel(
            source=source,
            tree_digest=tree,
            commit=commit,
            python=self.cell.python,
            full_python=self.locked.base.python,
            glibc=self.locked.base.glibc,
            platform=self.locked.platform,
            exclude_newer=self.cell.exclude_newer,
            location=location,
        )
        inputs = self.system if self.python is None else (*self.system, self.python.digest)
        node = make_node(step, inputs, f"build {source.name} {source.version}".rstrip())
        self.builds.append(node)
        self._add(node)
        return WheelInput(
            name=source.name, version=source.version, requested=source.requested, built_by=node.digest
        )

    def _wheels(self) -> None:
        wheels = {
            wheel.name: WheelInput(
                name=wheel.name,
                version=wheel.version,
                file=wheel.file,
                sha256=wheel.sha256,
                size=wheel.size,
                index=wheel.index,
                url=wheel.url,
                requested=wheel.requested,
            )
            for wheel in self.locked.wheels
        }
        built = tuple(self._build(source) for source in self.locked.sources)
        if not wheels and not built:
            return
        others = len(self.nodes) + len(self.cell.models) + len(self.cell.copy) + len(self.cell.run) + 4
        factor = 2 if self.cell.bytecode else 1
        budget = max(1, (LAYER_BUDGET - others) // factor - 1)  # the last group may become two
        names = group_wheels([(wheel.name, wheel.size) for wheel in wheels.values()], budget=budget)
        groups = [tuple(wheels[name] for name in group) for group in names]
        parts = ("files", "bytecode") if self.cell.bytecode else ("files",)
        heavy = [group for group in groups if len(group) == 1 and group[0].size >= HEAVY]
        light = [wheel for group in groups if group not in heavy for wheel in group]
        # Engines share only common prefixes of layers: what changes often stands above all that is heavy. Of the
        # small wheels, people change those that the spec names; the others came with them.
        named = tuple(wheel for wheel in light if wheel.requested)
        unnamed = tuple(wheel for wheel in light if not wheel.requested)
        for level in (heavy, [unnamed], [named], [built]):
            for part in parts:
                for group in filter(None, level):
                    self._install(group, part)

    def _install(self, group: tuple[WheelInput, ...], part: str) -> None:
        ordered = tuple(sorted(group, key=lambda wheel: wheel.name))
        built = [wheel.built_by for wheel in ordered if wheel.built_by]
        step = InstallWheels(
            wheels=ordered, part="bytecode" if part == "bytecode" else "files", python=self.cell.python
        )
        inputs = list(built)
        if part == "bytecode" and self.python is not None:
            inputs.append(self.python.digest)
        first = ordered[0]
        title = f"{first.name} {first.version}" if len(ordered) == 1 else f"{len(ordered)} wheels"
        self._add(make_node(step, inputs, title if part == "files" else f"{title} (bytecode)"))

    def _seal(self) -> None:
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
        if self.seal.packages:
            # uv has no settings of an environment.
            env.setdefault("UV_CONSTRAINT", CONSTRAINTS)
            if self.locked.base.kind != "debian":
                # Bases may set it (NVIDIA's do), and pip takes a variable before its settings.
                env.setdefault("PIP_CONSTRAINT", CONSTRAINTS)
        return env

    def _files(self) -> None:
        for model in self.cell.models:
            step = FetchFile(
                url=model.url, sha256=model.sha256, to=model.to, mode=model.mode, location=model.location
            )
            self._add(make_node(step, (), f"file {model.to}"))

    def _source_trees(self) -> None:
        for item in self.cell.sources:
            source = item.source
            found = [tree for tree in self.locked.trees if tree.name == source.name]
            if not found:
                raise UsageError(
                    f"the lock has no commit of {source.name}",
                    where=item.location,
                    hint="run `layerwright lock`",
                )
            tree, *below = found
            step = CopySource(
                name=source.name,
                git=tree.git,
                rev=tree.rev,
                commit=tree.commit,
                submodules=tuple(
                    Submodule(path=one.submodule, git=one.git, commit=one.commit) for one in below
                ),
                to=item.to,
                history=item.git,
                checkout=source.checkout,
                location=item.location,
            )
            self._add(make_node(step, (), f"source {source.name} {tree.rev or tree.commit[:12]} {item.to}"))

    def _copies(self) -> None:
        for item in self.cell.copy:
            digest = self.trees[TreeRequest(source=item.source, exclude=item.exclude)]
            step = CopyTree(
                source=item.source,
                to=item.to,
                exclude=item.exclude,
                tree_digest=digest,
                location=item.location,
            )
            self._add(make_node(step, (), f"copy {item.source} {item.to}"))

    def _texts(self) -> None:
        if self.cell.role != "executor" or self.cell.executor is None:
            return
        from layerwright.ymir.image import IMG_MAN, image_files  # noqa: PLC0415 - start-up

        texts = image_files(self.cell.executor)
        files = tuple(
            TextFile(path=path.removeprefix(f"{IMG_MAN}/"), text=texts[path]) for path in sorted(texts)
        )
        step = WriteFiles(to=IMG_MAN, files=files, location=self.cell.location)
        below = [node.step for node in self.nodes if isinstance(node.step, WriteFiles)]
        if below and below[-1].files == files:
            return  # the parent's says the same
        self._add(make_node(step, (), f"img-man {' '.join(self.cell.executor.tasks)}"))

    def _runs(self) -> None:
        for item in self.cell.run:
            self._command(item, keep=True)
        for test in self.cell.tests:
            self._test(test)
        for item in self.cell.smoke:
            self._command(item, keep=False)

    def _command(self, item: RunItem, *, keep: bool) -> None:
        step = RunCommand(
            argv=item.argv,
            script=item.script,
            secrets=item.secrets,
            network=item.network,
            env={**self._env(), **item.env},
            workdir=self.cell.workdir,
            keep=keep,
            location=item.location,
        )
        inputs = tuple(node.digest for node in self.nodes if _is_content(node))
        self._add(make_node(step, inputs, f"{'run' if keep else 'smoke'} {_first_line(item)}"))

    def _test(self, item: BuildTest) -> None:
        import hashlib  # noqa: PLC0415 - start-up

        step = RunTests(
            argv=item.argv,
            script=item.script,
            log=item.log,
            junit=item.junit,
            allow=item.allow,
            judge=hashlib.sha256(test_judge().encode()).hexdigest(),
            secrets=item.secrets,
            network=item.network,
            env={**self._env(), **item.env},
            workdir=self.cell.workdir,
            location=item.location,
        )
        inputs = tuple(node.digest for node in self.nodes if _is_content(node))
        self._add(make_node(step, inputs, f"test {_first_line(item)}"))
        self.allowed = tuple(dict.fromkeys((*self.allowed, *item.allow)))

    def _declared(self) -> dict[str, str]:
        """What the image says of its components and source trees, its parents' among them."""
        components = (*self.cell.inherited_components, *self.cell.components)
        if not (self.cell.gpu_arch or components or self.sources):
            return {}
        from layerwright.plan.labels import declared_labels  # noqa: PLC0415 - start-up

        return declared_labels(self.cell.gpu_arch, components, self.sources)

    def _config(self) -> None:
        cell = self.cell
        env = self._env()
        entrypoint = cell.entrypoint
        if self._enters():
            entrypoint = (ENTRY_PATH, *entrypoint)
            if cell.writable:
                env[WRITABLE] = " ".join(f"{name}={cache_folder(name)}" for name in cell.writable)
        step = SetConfig(
            env=env,
            workdir=cell.workdir,
            entrypoint=entrypoint,
            command=cell.command,
            labels={**self._declared(), **_labels(cell, self.allowed)},
            health=(CHECK_DEVICE_PATH, "--quick") if cell.check_device else (),
        )
        inputs = tuple(node.digest for node in self.nodes if not isinstance(node.step, BuildWheel))
        self._add(make_node(step, inputs, "config"))


def _first_line(item: RunItem) -> str:
    import shlex  # noqa: PLC0415 - start-up

    first, *more = (item.script.strip() or shlex.join(item.argv)).splitlines()
    return f"{first} …" if more else first


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


def make_plan(
    spec: Spec, lock: Lock, trees: Mapping[TreeRequest, str], *, cells: Iterable[str] | None = None
) -> Plan:
    """Plan the named cells (all of them by default) and the parents they stand on.

    Args:
        spec: the spec.
        lock: a lock that holds every needed cell.
        trees: digest of every ``tree_requests`` of the needed cells.
        cells: names of cells.

    Raises:
        UsageError: a cell is not in the lock, or its base lacks the interpreter.
    """
    asked = list(spec.cells if cells is None else cells)
    planners = dict[str, _CellPlanner]()

    def planner(name: str) -> _CellPlanner:
        if name not in planners:
            cell = spec.cells[name]
            locked = lock.cells.get(name)
            if locked is None:
                raise UsageError(f"the lock has no entry for {name}", hint="run `layerwright lock`")
            parent = planner(cell.base.source) if cell.base.kind == "image" else None
            if parent is not None:
                # The child runs on its parent's interpreter.
                locked = replace(locked, base=parent.locked.base)
            made = _CellPlanner(cell, locked, trees, parent)
            made.plan()
            planners[name] = made
        return planners[name]

    for name in asked:
        planner(name)
    return Plan(
        cells=tuple(
            CellPlan(
                cell=name,
                references=made.cell.references,
                platform=made.locked.platform,
                nodes=tuple(made.nodes),
                parent=made.cell.base.source if made.parent is not None else "",
            )
            for name, made in planners.items()
        )
    )
