"""Build cells with Docker or Podman instead of natively."""

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from layerwright.core.errors import EngineError, LayerwrightError
from layerwright.core.events import TaskEnded, TaskStarted
from layerwright.workflow.build import BuildRequest, Prepared, prepare
from layerwright.workflow.report import tests_document
from layerwright.workflow.session import Session
from layerwright.workflow.workshop import make_workshop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from layerwright.backends.docker.build import DockerfileBackend
    from layerwright.backends.docker.builders import Builder
    from layerwright.oci.digest import Digest
    from layerwright.plan.steps import CellPlan
    from layerwright.workflow.leaks import LeakGuard

__all__ = ["EngineOutcome", "build_with_engine"]

EngineOutcome = tuple[dict[str, Any], tuple[tuple[str, LayerwrightError], ...]]
"""What ``build --json`` prints, and the cells that failed with their errors."""


def build_with_engine(
    session: Session, request: BuildRequest, engine: Literal["docker", "podman"]
) -> EngineOutcome:
    """Build images with an engine of this machine, which has them under their references afterwards.

    Engines state no digest of a manifest before a push: ``digest`` is the image's id, as is ``config_digest``.

    Raises:
        EngineError: no engine answers, or it cannot build the plan.
    """
    from layerwright.backends.docker.build import DockerfileBackend  # noqa: PLC0415 - start-up
    from layerwright.workflow.leaks import LeakGuard  # noqa: PLC0415 - start-up

    prepared = prepare(session, request)
    workshop = make_workshop(session, prepared.spec)
    guard = LeakGuard(session, prepared.spec)
    guard.known()  # read now, so that the client's environment has none of it
    builder = _podman(session) if engine == "podman" else _docker(session)
    backend = DockerfileBackend(workshop, builder)
    unsupported = backend.unsupported(prepared.plan)
    if unsupported:
        raise EngineError(
            f"{builder.name} cannot build this here\n" + "\n".join(sorted(unsupported.values()))
        )
    return _build_all(backend, prepared, partial(_judge, session, guard, backend))


def _docker(session: Session) -> "Builder":
    from layerwright.backends.docker.builders import DockerBuilder  # noqa: PLC0415 - start-up
    from layerwright.engines.client import find_builder  # noqa: PLC0415 - start-up
    from layerwright.engines.docker import find_docker  # noqa: PLC0415 - start-up

    engine = find_docker(session.host)
    return DockerBuilder(engine=engine, client=find_builder(session.host), host=session.host)


def _podman(session: Session) -> "Builder":
    from layerwright.backends.docker.builders import PodmanBuilder  # noqa: PLC0415 - start-up
    from layerwright.workflow.podman import podman_of  # noqa: PLC0415 - start-up

    return PodmanBuilder(podman=podman_of(session))


@contextmanager
def _told_of_the_cache(hint: str) -> "Iterator[None]":
    """What BuildKit keeps of the steps is not ours to remove: it is told."""
    from layerwright.workflow.leaks import LeakError  # noqa: PLC0415 - start-up

    try:
        yield
    except LeakError as error:
        error.hint += f"; {hint}" if hint else ""
        raise


def _judge(
    session: Session,
    guard: "LeakGuard",
    backend: "DockerfileBackend",
    cell: "CellPlan",
    identifier: "Digest",
    above: int,
) -> None:
    with _told_of_the_cache(backend.builder.cache_hint):
        _search(session, guard, backend.builder, cell, identifier, above)


def _search(
    session: Session,
    guard: "LeakGuard",
    builder: "Builder",
    cell: "CellPlan",
    identifier: "Digest",
    above: int,
) -> None:
    """Search what the build made for leaks: the context's own parts, and what the engine has made of them.

    The engine gives layers away only with all of the image, which takes a while: it is asked when there is a value to
    look for and a layer that was not searched for it.
    """
    from layerwright.backends.native.results import read_result  # noqa: PLC0415 - start-up
    from layerwright.oci.platform import Platform  # noqa: PLC0415 - start-up
    from layerwright.oci.saved import read_archive  # noqa: PLC0415 - start-up

    known = guard.known()
    store = session.store
    made = [(node, result) for node in cell.nodes if (result := read_result(store, node.digest)) is not None]
    guard.judge_spec(cell)
    guard.judge_steps(cell, made, known)
    image = builder.inspect(identifier)
    if not known or image is None or guard.is_clean((layer.hex for layer in image.layers[above:]), known):
        return
    with store.scratch() as scratch:
        saved = scratch / "image.tar"
        task = f"leaks:{cell.cell}"
        session.reporter(TaskStarted(task=task, title=f"{cell.cell}: search for secrets", kind="verify"))
        try:
            builder.save(identifier, saved)
            whole, blobs = read_archive(saved, platform=Platform.parse(cell.platform), scratch=scratch)
            guard.judge_layers(cell, whole, blobs, above, known)
        except BaseException:
            session.reporter(TaskEnded(task=task, failed=True))
            raise
        session.reporter(TaskEnded(task=task))


def _build_all(
    backend: "DockerfileBackend", prepared: Prepared, judge: "Callable[[CellPlan, Digest, int], None]"
) -> EngineOutcome:
    images = list[dict[str, Any]]()
    failures = list[tuple[str, LayerwrightError]]()
    for cell in prepared.plan.cells:
        if cell.cell not in prepared.cells:
            continue
        try:
            image = backend.build(cell, judge=partial(judge, cell))
        except LayerwrightError as error:
            if len(prepared.cells) == 1:
                raise
            failures.append((cell.cell, error))
            continue
        images.append(
            {
                "cell": image.cell,
                "reference": image.references[0],
                "references": list(image.references),
                "digest": str(image.identifier),
                "config_digest": str(image.identifier),
                "layers": [
                    {
                        "digest": str(diff_id),
                        "diff_id": str(diff_id),
                        "size": 0,
                        "created_by": "",
                        "cached": False,
                    }
                    for diff_id in image.layers
                ],
                "tests": tests_document(image.tests),
                "seconds": round(image.seconds, 4),
                "bytes_written": 0,
            }
        )
    kind = backend.builder.name.lower()
    document = {
        "schema": 1,
        "images": images,
        "failures": [
            {"cell": name, "what": error.what, "exit_code": error.exit_code} for name, error in failures
        ],
        "outputs": [f"{kind} {reference}" for image in images for reference in image["references"]],
    }
    return document, tuple(failures)
