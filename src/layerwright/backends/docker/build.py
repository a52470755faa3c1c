"""Building a plan with Docker or Podman: the base brought into the engine, a context out of the store, one build.

Only what a Dockerfile does well is left to them: packages, wheels, bytecode, commands. Everything is in the context,
so the steps have no network unless a command asks for it, and no credential ever comes near the build.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from msgspec import structs

from layerwright.backends.docker.builders import Builder
from layerwright.backends.docker.context import make_context
from layerwright.backends.docker.dockerfile import IMAGE_STAGE, SMOKE_STAGE, Dockerfile, write_dockerfile
from layerwright.backends.docker.failures import Progress, place_of
from layerwright.backends.native.blobs import StoreBlobs
from layerwright.backends.native.builder import NativeBackend
from layerwright.backends.native.commands import base_config, told_parts
from layerwright.backends.native.image import image_environment
from layerwright.backends.native.inputs import fetch_inputs
from layerwright.backends.native.realise import realise_base
from layerwright.backends.native.results import NodeResult, read_result
from layerwright.backends.native.workshop import Workshop
from layerwright.core.errors import BuildError, EngineError
from layerwright.core.events import OutputLine, Warned
from layerwright.engines.client import Build
from layerwright.oci.digest import Digest
from layerwright.oci.image import Image, build_image
from layerwright.oci.platform import Platform
from layerwright.plan.nodes import make_node
from layerwright.plan.steps import (
    Base,
    BuildWheel,
    CellPlan,
    Node,
    Plan,
    RunCommand,
    RunTests,
    SetConfig,
    WheelInput,
)
from layerwright.plan.testing import Verdict, read_verdict

__all__ = ["DockerfileBackend", "EngineImage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineImage:
    """An image that an engine built and holds.

    Attributes:
        cell: the cell.
        references: its names in the engine.
        identifier: its id there.
        layers: diff ids, bottom first.
        seconds: wall time.
        tests: how its tests, and those of its parents, ended.
    """

    cell: str
    references: tuple[str, ...]
    identifier: Digest
    layers: tuple[Digest, ...]
    seconds: float
    tests: tuple[Verdict, ...] = ()


class DockerfileBackend:
    """Builds cells from Dockerfiles.

    Args:
        workshop: store, fetching, secrets: the same as for a native build.
        builder: what runs them, and has the images afterwards.
    """

    def __init__(self, workshop: Workshop, builder: Builder) -> None:
        self.workshop = workshop
        self.builder = builder

    def unsupported(self, plan: Plan) -> Mapping[str, str]:
        """Steps that cannot be done here, by node digest, with the reason; asked before work begins."""
        own = self.builder.platform
        return {
            cell.nodes[0].digest: f"{cell.cell} is for {cell.platform}, {self.builder.name} for {own}"
            for cell in plan.cells
            if cell.platform != own
        }

    def build(self, cell: CellPlan, *, judge: Callable[[Digest, int], None] | None = None) -> EngineImage:
        """Build a cell; the engine has it under its references afterwards.

        Args:
            cell: what to build.
            judge: gets the image's id and how many layers its base has, before the image gets its names; when it
                raises, the image is removed.

        Raises:
            BuildError: a step failed, or cannot be expressed.
            EngineError: the engine or its client failed.
        """
        started = time.monotonic()
        workshop = self.workshop
        base_step = cell.nodes[0].step
        config = cell.nodes[-1].step
        if not isinstance(base_step, Base) or not isinstance(config, SetConfig):
            raise BuildError(f"the plan of {cell.cell} does not begin with a base and end with a config")
        fetch_inputs(workshop, cell.nodes)
        built = self._wheels(cell)
        base = realise_base(workshop, base_step)
        with workshop.task(self._task(cell), f"{cell.cell} with {self.builder.name}", "image"):
            below = self._load_base(base, cell.platform)
            environment = image_environment(base_config(workshop, base), dict(config.env))
            dockerfile = write_dockerfile(cell, base=below, environment=environment, built=built)
            identifier = self._build(cell, dockerfile)
            if judge is not None:
                try:
                    judge(identifier, len(base.layers))
                except BaseException:
                    self.builder.remove(identifier, steps=True)
                    raise
            for reference in cell.references:
                self.builder.tag(identifier, reference)
        made = self.builder.inspect(identifier)
        if made is None:
            raise BuildError(f"{self.builder.name} built {cell.cell} but does not have it")
        return EngineImage(
            cell=cell.cell,
            references=cell.references,
            identifier=identifier,
            layers=made.layers,
            tests=self._verdicts(cell, identifier),
            seconds=time.monotonic() - started,
        )

    def _wheels(self, cell: CellPlan) -> dict[str, WheelInput]:
        """Wheels from sources, made natively: that happens away from the image in any case."""
        wanted = [node for node in cell.nodes if isinstance(node.step, BuildWheel)]
        missing = [node for node in wanted if read_result(self.workshop.store, node.digest) is None]
        if missing:
            needed = _closure({node.digest for node in missing}, cell)
            part = structs.replace(cell, references=(), nodes=(*needed, make_node(SetConfig(), (), "config")))
            outcome = NativeBackend(self.workshop).build(Plan(cells=(part,)), [part])
            for failure in outcome.failures:
                raise failure.error
        found = {}
        for node in wanted:
            result = read_result(self.workshop.store, node.digest)
            if result is None or result.wheel is None:
                raise BuildError(f"{node.title} gave no wheel")
            wheel = result.wheel
            found[node.digest] = WheelInput(
                name=wheel.name,
                version=wheel.version,
                file=wheel.file,
                sha256=wheel.sha256,
                requested=wheel.requested,
            )
        return found

    def _verdicts(self, cell: CellPlan, identifier: Digest) -> tuple[Verdict, ...]:
        """How tests ended, from the logs in the image: steps that the engine took from its cache printed nothing."""
        found = []
        for step in (node.step for node in cell.nodes):
            if isinstance(step, RunTests):
                with self.workshop.store.scratch() as scratch:
                    data = self.builder.read(identifier, step.log, scratch=scratch)
                verdict = read_verdict(step.log, data)
                if verdict is None:
                    raise BuildError(f"the tests left no verdict in {step.log}", where=step.location)
                found.append(verdict)
        return tuple(found)

    def _load_base(self, base: NodeResult, platform: str) -> str:
        """Make the engine have the base, under a name of ours; it stays for the next build."""
        layers = tuple(layer.plain for layer in base.layers)
        wanted = Platform.parse(platform)
        config = base_config(self.workshop, base)
        image = (
            build_image(
                base=Image(manifest=b"", config=config, layers=layers, platform=wanted), platform=wanted
            )
            if config
            else build_image(layers=layers, platform=wanted)
        )
        blobs = StoreBlobs(self.workshop.store, base.layers)
        return self.builder.bring(image, blobs, self.workshop.reporter)

    def _task(self, cell: CellPlan) -> str:
        return f"{self.builder.name.lower()}:{cell.cell}"

    def _build(self, cell: CellPlan, dockerfile: Dockerfile) -> Digest:
        workshop = self.workshop
        quiet = [
            node.title
            for node in cell.nodes
            if isinstance(node.step, RunCommand | RunTests) and not node.step.network
        ]
        if dockerfile.network != "none" and quiet:
            workshop.reporter(
                Warned(
                    message=f"with {self.builder.name}, {len(quiet)} commands of {cell.cell} that did not ask for "
                    "the network have it, since another one did",
                    hint="build natively to have each as it says",
                )
            )
        task = self._task(cell)
        with workshop.store.scratch() as scratch:
            context = scratch / "context"
            context.mkdir()
            make_context(context, dockerfile, {node.digest: node for node in cell.nodes}, workshop)
            file = scratch / "Dockerfile"
            file.write_text(dockerfile.text, encoding="utf-8")
            secrets = {}
            masked = list[str]()
            for name in dockerfile.secrets:
                value = workshop.secrets[name]()
                masked += told_parts(value)
                secrets[name] = scratch / f"secret-{name}"
                secrets[name].touch(mode=0o600)
                secrets[name].write_bytes(value)
            wanted = Build(
                context=context,
                dockerfile=file,
                references=(),  # after the image was judged
                secrets=secrets,
                masked=masked,
                network=dockerfile.network,
                target=IMAGE_STAGE,
            )

            progress = Progress()

            def on_line(line: str) -> None:
                progress.read(line)
                workshop.reporter(OutputLine(task=task, line=line))

            def run(wanted: Build) -> Digest:
                try:
                    return self.builder.build(wanted, scratch=scratch, on_line=on_line)
                except EngineError as error:
                    error.where = error.where or place_of(progress.instruction, cell.nodes)
                    raise

            if dockerfile.smoke:  # before the image gets its names
                smoke = run(replace(wanted, target=SMOKE_STAGE))
                self.builder.remove(smoke, steps=False)
            return run(wanted)


def _closure(digests: set[str], cell: CellPlan) -> tuple[Node, ...]:
    """The nodes and all they stand on, in the plan's order."""
    needed = set(digests)
    for node in reversed(cell.nodes):
        if node.digest in needed:
            needed.update(node.inputs)
    return tuple(node for node in cell.nodes if node.digest in needed)
