"""The native backend: a plan becomes an image in the store, with no container engine."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from layerwright.backends.base import BuiltImage, BuiltLayer, CellFailure, Outcome, WheelPart
from layerwright.backends.native.blobs import layer_trees
from layerwright.backends.native.image import finish_image
from layerwright.backends.native.realise import realise
from layerwright.backends.native.results import NodeResult, read_result, write_result
from layerwright.backends.native.workshop import Workshop
from layerwright.backends.schedule import Task, run_tasks
from layerwright.core.errors import LayerwrightError
from layerwright.plan.steps import (
    Base,
    BuildWheel,
    CellPlan,
    FetchFile,
    InstallApt,
    InstallPython,
    InstallWheels,
    Node,
    Plan,
    RunCommand,
    SetConfig,
)

__all__ = ["NativeBackend"]


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
            if isinstance(node.step, RunCommand | InstallApt | BuildWheel) and self._missing(node)
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

    def build(self, plan: Plan, cells: Iterable[CellPlan]) -> Outcome:
        """Build the cells; what they share is done once, and one cell's failure does not stop the others."""
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
        for digest in needed:
            found = read_result(self.workshop.store, digest)
            if found is not None:
                results[digest] = found
                cached.add(digest)
        failed = self._realise([jobs[digest] for digest in jobs if digest in needed - cached], results)
        images = []
        failures = []
        for cell in wanted:
            error = next((failed[node.digest] for node in cell.nodes if node.digest in failed), None)
            if error is not None:
                failures.append(CellFailure(cell=cell.cell, error=error))
                continue
            images.append(self._finish(cell, results, cached, started))
        return Outcome(images=tuple(images), failures=tuple(failures))

    def _realise(
        self, jobs: Sequence[_Job], results: dict[str, NodeResult]
    ) -> Mapping[str, LayerwrightError]:
        """Realise the nodes into ``results``; gives the failures, also for nodes that stood on one."""
        if not jobs:
            return {}
        names = {job.node.digest for job in jobs}
        fetched = f"fetch-{id(jobs)}"
        tasks = dict[str, Task[NodeResult]]()

        def work(job: _Job) -> NodeResult:
            with self.workshop.store.lock(f"node-{job.node.digest.removeprefix('sha256:')[:24]}"):
                # Another build may have been faster.
                result = read_result(self.workshop.store, job.node.digest)
                if result is None:
                    below = [results[digest] for digest in job.below]
                    result = realise(self.workshop, job.node, below, results)
                    write_result(self.workshop.store, job.node.digest, replace(result, bytes_written=0))
            results[job.node.digest] = result
            return result

        def fetch() -> NodeResult:
            _fetch(self.workshop, [job.node for job in jobs])
            return NodeResult()

        tasks[fetched] = Task(work=fetch, weight=1 << 60)
        for job in jobs:
            needs = [digest for digest in (*job.below, *job.node.inputs) if digest in names]
            if _needs_fetch(job.node):
                needs.append(fetched)
            tasks[job.node.digest] = Task(
                work=lambda job=job: work(job),  # type: ignore[misc]  # binds the loop's value
                needs=tuple(needs),
                weight=_weight(job.node),
            )
        ran = run_tasks(tasks, workers=max(2, self.workshop.host.cpu_count))
        failed = dict[str, LayerwrightError]()
        for name, error in ran.failed.items():
            if not isinstance(error, LayerwrightError):
                raise error
            failed[name] = error
        root_cause = next(iter(failed.values()), None)
        for job in jobs:
            if job.node.digest not in ran.done and job.node.digest not in failed and root_cause is not None:
                failed[job.node.digest] = next(
                    (failed[need] for need in tasks[job.node.digest].needs if need in failed), root_cause
                )
        return failed

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
        image, added = finish_image(self.workshop.store, cell, base_layers, layers, base_config)
        return BuiltImage(
            cell=cell.cell,
            references=cell.references,
            image=image,
            layers=(*base_layers, *layers),
            cached=tuple(known),
            seconds=time.monotonic() - started,
            bytes_written=written + added,
        )

    def trees(self, layers: Iterable[BuiltLayer]) -> tuple[tuple[Path, bool], ...]:
        """Every layer's extracted trees, bottom first, each with whether a program may write through it."""
        as_root = self.workshop.host.uid == 0
        return tuple(
            (path, layer.private)
            for layer in layers
            for path in layer_trees(self.workshop.store, layer, as_root=as_root)
        )


def _jobs(cell: CellPlan) -> Iterable[_Job]:
    """Each node with the nodes it works on: what lies below it in the image, as far as it looks."""
    layers = list[str]()  # everything so far
    system = list[str]()  # what carries the interpreter
    files = dict[tuple[WheelPart | object, ...], str]()
    for node in cell.nodes:
        step = node.step
        match step:
            case SetConfig():
                continue
            case InstallWheels(part="bytecode"):
                below = (*system, files[step.wheels])
            case InstallApt() | RunCommand():
                below = tuple(layers)
            case BuildWheel():
                below = tuple(system)
            case _:
                below = ()
        yield _Job(node=node, below=below)
        if isinstance(step, Base | InstallApt | InstallPython):
            system.append(node.digest)
        if isinstance(step, InstallWheels) and step.part == "files":
            files[step.wheels] = node.digest
        if not (isinstance(step, BuildWheel) or (isinstance(step, RunCommand) and not step.keep)):
            layers.append(node.digest)


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


def _needs_fetch(node: Node) -> bool:
    match node.step:
        case InstallWheels(part="files") | FetchFile() | BuildWheel():
            return True
        case _:
            return False


def _weight(node: Node) -> int:
    """Expected cost: what others wait for first, then by size."""
    match node.step:
        case Base() | InstallApt():
            return 1 << 50
        case InstallWheels(wheels=wheels):
            return sum(wheel.size for wheel in wheels)
        case _:
            return 0


def _fetch(workshop: Workshop, nodes: Iterable[Node]) -> None:
    """Get every wheel and file that the nodes name and the store lacks."""
    from layerwright.lock.model import LockedFile, LockedWheel  # noqa: PLC0415 - start-up

    wheels = list[LockedWheel]()
    files = list[LockedFile]()
    for node in nodes:
        match node.step:
            case InstallWheels(part="files", wheels=inputs):
                wheels += [
                    LockedWheel(
                        name=wheel.name,
                        version=wheel.version,
                        file=wheel.file,
                        sha256=wheel.sha256,
                        size=wheel.size,
                        index=wheel.index,
                        url=wheel.url,
                        requested=wheel.requested,
                    )
                    for wheel in inputs
                    if wheel.sha256 and not workshop.store.has("wheels", wheel.sha256)
                ]
            case FetchFile(url=url, sha256=sha256, to=to) if not workshop.store.has("files", sha256):
                files.append(LockedFile(url=url, sha256=sha256, size=0, to=to))
            case _:
                pass
    if wheels or files:
        fetcher = workshop.fetcher()
        fetcher.fetch_wheels(wheels)
        fetcher.fetch_files(files)
