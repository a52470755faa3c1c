"""The native backend: a plan becomes an image in the store, with no container engine."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from layerwright.backends.base import BuiltImage, BuiltLayer, CellFailure, Outcome, WheelPart
from layerwright.backends.native.collisions import refuse_collisions
from layerwright.backends.native.image import finish_image
from layerwright.backends.native.inputs import fetch_inputs, needs_fetch
from layerwright.backends.native.realise import realise
from layerwright.backends.native.results import NodeResult, read_result, write_result
from layerwright.backends.native.workshop import Workshop
from layerwright.backends.schedule import Task, run_tasks
from layerwright.core.errors import BuildError, LayerwrightError
from layerwright.facts.components import PYTHON_HOME
from layerwright.plan.steps import (
    Base,
    BuildWheel,
    CellPlan,
    InstallApt,
    InstallPython,
    InstallWheels,
    Node,
    Plan,
    RunCommand,
    RunTests,
    SetConfig,
    Step,
)

__all__ = ["NativeBackend"]

_FETCH = "fetch"
"""Name of the task that brings wheels and files; the others are named by digests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A node and the nodes whose results it works on, in layer order."""

    node: Node
    below: tuple[str, ...]


class NativeBackend:
    """Builds plans into the store."""

    def __init__(self, workshop: Workshop) -> None:
        self.workshop = workshop

    def unsupported(self, plan: Plan) -> Mapping[str, str]:
        """Steps that need a program to run, where none can be run; by node digest, with the reason."""
        running = {
            node.digest: node
            for cell in plan.cells
            for node in cell.nodes
            if isinstance(node.step, RunCommand | RunTests | InstallApt | BuildWheel) and self._missing(node)
        }
        if not running:
            return {}
        capabilities = self.workshop.capabilities()
        if capabilities.overlay or capabilities.chroot or capabilities.runners:
            return {}
        reason = "; ".join(capabilities.reasons) or "no sandbox works here"
        return {digest: f"{node.title}: {reason}" for digest, node in running.items()}

    def _missing(self, node: Node) -> bool:
        return read_result(self.workshop.store, node.digest) is None

    def build(self, plan: Plan, cells: Iterable[CellPlan], *, whole: bool = False) -> Outcome:
        """Build the cells; what they share is done once, and one cell's failure does not stop the others.

        Args:
            plan: the plan, with the parents of the cells.
            cells: which of its cells.
            whole: the layers' bytes will be asked for, so wheels that were pruned are fetched again; else
                only where their trees are gone too. The trees may never be asked for then, so that wheels are
                extracted only where a step of this build reads them.
        """
        started = time.monotonic()
        wanted = list(cells)
        jobs = dict[str, _Job]()
        for cell in plan.cells:
            for job in _jobs(cell):
                jobs.setdefault(job.node.digest, job)
        needed = {
            node.digest for cell in wanted for node in cell.nodes if not isinstance(node.step, SetConfig)
        }
        needed = _closure(needed, jobs)
        results = dict[str, NodeResult]()
        cached = set[str]()
        incomplete = list[Node]()
        for digest in needed:
            found = read_result(self.workshop.store, digest)
            if found is not None:
                results[digest] = found
                cached.add(digest)
                if self._lacks_wheels(found, whole=whole):
                    incomplete.append(jobs[digest].node)
        fetch_inputs(self.workshop, incomplete)
        missing = [jobs[digest] for digest in jobs if digest in needed - cached]
        extract = not whole or any(_reads_trees(job.node) for job in missing)
        failed = self._realise(missing, results, wanted, extract=extract)
        images = []
        failures = []
        for cell in wanted:
            error = next((failed[node.digest] for node in cell.nodes if node.digest in failed), None)
            if error is not None:
                failures.append(CellFailure(cell=cell.cell, error=error))
                continue
            try:
                images.append(self._finish(cell, results, cached, started))
            except BuildError as collision:
                failures.append(CellFailure(cell=cell.cell, error=collision))
        return Outcome(images=tuple(images), failures=tuple(failures))

    def _lacks_wheels(self, result: NodeResult, *, whole: bool) -> bool:
        store = self.workshop.store
        return any(
            not store.has("wheels", part.sha256) and (whole or store.tree(key) is None)
            for layer in result.layers
            for part, key in zip(layer.wheels, layer.trees, strict=False)
        )

    def _realise(
        self,
        jobs: Sequence[_Job],
        results: dict[str, NodeResult],
        cells: Sequence[CellPlan],
        *,
        extract: bool,
    ) -> Mapping[str, LayerwrightError]:
        """Realise the nodes into ``results``; gives the failures, also for nodes that stood on one."""
        if not jobs:
            return {}
        tasks = self._tasks(jobs, results, cells, extract=extract)
        # One thread more than processors: fetching waits for the network.
        ran = run_tasks(tasks, workers=self.workshop.host.cpu_count + 1)
        failed = dict[str, LayerwrightError]()
        for name, error in ran.failed.items():
            if not isinstance(error, LayerwrightError):
                raise error
            failed[name] = error
        for job in jobs:  # in the plan's order, so what a node stands on comes before it
            cause = next((failed[need] for need in tasks[job.node.digest].needs if need in failed), None)
            if job.node.digest not in ran.done and cause is not None:
                failed.setdefault(job.node.digest, cause)
        return failed

    def _tasks(
        self,
        jobs: Sequence[_Job],
        results: dict[str, NodeResult],
        cells: Sequence[CellPlan],
        *,
        extract: bool,
    ) -> dict[str, Task[NodeResult]]:
        names = {job.node.digest for job in jobs}
        nodes = {job.node.digest: job.node for job in jobs}
        unfetched = dict[str, LayerwrightError]()

        def fetch() -> NodeResult:
            try:
                fetch_inputs(self.workshop, nodes.values())
            except LayerwrightError:
                if self.workshop.offline or len(cells) == 1:
                    raise  # with all that is missing
                unfetched.update(self._fetch_by_cell(nodes, cells))
            return NodeResult()

        def work(job: _Job) -> NodeResult:
            if job.node.digest in unfetched:
                raise unfetched[job.node.digest]
            return self._work(job, results, extract=extract)

        tasks = {_FETCH: Task(work=fetch, weight=1 << 60)}
        for job in jobs:
            needs = [digest for digest in (*job.below, *job.node.inputs) if digest in names]
            if needs_fetch(job.node):
                needs.append(_FETCH)
            tasks[job.node.digest] = Task(
                work=partial(work, job),
                needs=tuple(needs),
                weight=_weight(job.node),
            )
        return tasks

    def _fetch_by_cell(
        self, nodes: Mapping[str, Node], cells: Sequence[CellPlan]
    ) -> Mapping[str, LayerwrightError]:
        """Fetch what each cell needs by itself; gives the nodes that only cells need whose files cannot be had."""
        good = set[str]()
        failed = dict[str, LayerwrightError]()
        for cell in cells:
            own = {node.digest: nodes[node.digest] for node in cell.nodes if node.digest in nodes}
            try:
                fetch_inputs(self.workshop, [node for digest, node in own.items() if digest not in good])
            except LayerwrightError as error:
                for digest in own:
                    failed.setdefault(digest, error)
            else:
                good.update(own)
        return {
            digest: error
            for digest, error in failed.items()
            if digest not in good and needs_fetch(nodes[digest])
        }

    def _work(self, job: _Job, results: dict[str, NodeResult], *, extract: bool) -> NodeResult:
        store = self.workshop.store
        with store.lock(f"node-{job.node.digest}"):
            # Another build may have been faster.
            result = read_result(store, job.node.digest)
            if result is None:
                below = [results[digest] for digest in job.below]
                result = realise(self.workshop, job.node, below, results, extract=extract)
                write_result(store, job.node.digest, replace(result, bytes_written=0))
        results[job.node.digest] = result
        return result

    def _finish(
        self, cell: CellPlan, results: Mapping[str, NodeResult], cached: set[str], started: float
    ) -> BuiltImage:
        base_layers = list[BuiltLayer]()
        layers = list[BuiltLayer]()
        known = list[bool]()
        written = 0
        base_config = b""
        for node in cell.nodes:
            if isinstance(node.step, SetConfig):
                continue
            result = results[node.digest]
            (base_layers if isinstance(node.step, Base) else layers).extend(result.layers)
            known += [node.digest in cached] * len(result.layers)
            if result.config:
                base_config = self.workshop.store.path("blobs", result.config).read_bytes()
            if node.digest not in cached:
                written += result.bytes_written
        refuse_collisions(self.workshop, cell.nodes, layers)
        made = [(node, results[node.digest]) for node in cell.nodes if node.digest in results]
        image, added = finish_image(
            self.workshop.store,
            cell,
            base_layers,
            layers,
            base_config,
            judge=lambda image: self.workshop.guard(cell, image, made),
        )
        return BuiltImage(
            cell=cell.cell,
            references=cell.references,
            image=image,
            layers=(*base_layers, *layers),
            interpreter=next(
                (n.step.interpreter for n in cell.nodes if isinstance(n.step, InstallPython)), ""
            ),
            cached=tuple(known),
            seconds=time.monotonic() - started,
            bytes_written=written + added,
            tests=tuple(result.verdict for _, result in made if result.verdict is not None),
        )


def _jobs(cell: CellPlan) -> Iterable[_Job]:
    """Each node with the nodes it works on: what lies below it in the image, as far as it looks."""
    layers = list[str]()  # everything so far
    system = list[str]()  # what programs of the build stand on
    interpreter = list[str]()  # what carries Python
    files = dict[tuple[WheelPart | object, ...], str]()
    foreign = any(_is_components(node.step) for node in cell.nodes)
    for node in cell.nodes:
        step = node.step
        match step:
            case SetConfig():
                continue
            case InstallWheels(part="bytecode"):
                below = (*interpreter, files[step.wheels])
            case InstallApt() | RunCommand() | RunTests():
                below = tuple(layers)
            case BuildWheel():
                below = tuple(system)
            case _:
                below = ()
        yield _Job(node=node, below=below)
        if isinstance(step, Base | InstallApt | InstallPython) or (foreign and _is_component(step)):
            system.append(node.digest)
            if not isinstance(step, InstallApt) or any(deb.name.startswith("python3") for deb in step.debs):
                interpreter.append(node.digest)
        if isinstance(step, InstallWheels) and step.part == "files":
            files[step.wheels] = node.digest
        if not (isinstance(step, BuildWheel) or (isinstance(step, RunCommand) and not step.keep)):
            layers.append(node.digest)


def _is_components(step: Step) -> bool:
    """Whether the environment stands on a Python that a component brings."""
    return isinstance(step, InstallPython) and step.interpreter.startswith(f"{PYTHON_HOME}/")


def _is_component(step: Step) -> bool:
    """Whether the step installs a component: a command with mounted files."""
    return isinstance(step, RunCommand) and bool(step.files)


def _reads_trees(node: Node) -> bool:
    """Whether the node works on what lies below it as files, wheels among them."""
    match node.step:
        case InstallWheels(part="bytecode") | RunCommand() | RunTests() | InstallApt():
            return True
        case _:
            return False


def _closure(needed: set[str], jobs: Mapping[str, _Job]) -> set[str]:
    """The nodes and all that they stand on."""
    found = set[str]()
    stack = list(needed)
    while stack:
        digest = stack.pop()
        if digest in found or digest not in jobs:
            continue
        found.add(digest)
        job = jobs[digest]
        stack += [*job.below, *job.node.inputs]
    return found


def _weight(node: Node) -> int:
    """Expected cost: what others wait for first, then by size."""
    match node.step:
        case Base() | InstallApt():
            return 1 << 50
        case InstallWheels(wheels=wheels):
            return sum(wheel.size for wheel in wheels)
        case _:
            return 0
