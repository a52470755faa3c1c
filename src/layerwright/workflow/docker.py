"""Build cells with Docker instead of natively."""

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from layerwright.core.errors import EngineError, LayerwrightError
from layerwright.core.events import TaskEnded, TaskStarted
from layerwright.workflow.build import BuildRequest, Prepared, prepare
from layerwright.workflow.session import Session
from layerwright.workflow.workshop import make_workshop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from layerwright.backends.docker.build import DockerBackend
    from layerwright.oci.digest import Digest
    from layerwright.plan.steps import CellPlan
    from layerwright.workflow.leaks import LeakGuard

__all__ = ["DockerOutcome", "build_with_docker"]

DockerOutcome = tuple[dict[str, Any], tuple[tuple[str, LayerwrightError], ...]]
"""What ``build --json`` prints, and the cells that failed with their errors."""


def build_with_docker(session: Session, request: BuildRequest) -> DockerOutcome:
    """Build images with the local Docker engine, which has them under their references afterwards.

    Docker states no digest of a manifest before a push: ``digest`` is the image's id, as is ``config_digest``.

    Raises:
        EngineError: no engine answers, or it cannot build the plan.
    """
    from layerwright.backends.docker.build import DockerBackend  # noqa: PLC0415 - start-up
    from layerwright.engines.docker import find_docker  # noqa: PLC0415 - start-up
    from layerwright.workflow.leaks import LeakGuard  # noqa: PLC0415 - start-up

    prepared = prepare(session, request)
    workshop = make_workshop(session, prepared.spec)
    guard = LeakGuard(session, prepared.spec)
    guard.known()  # read now, so that the client's environment has none of it
    backend = DockerBackend(workshop, find_docker(session.host))
    unsupported = backend.unsupported(prepared.plan)
    if unsupported:
        raise EngineError("Docker cannot build this here\n" + "\n".join(sorted(unsupported.values())))
    return _build_all(backend, prepared, partial(_judge, session, guard, backend))


@contextmanager
def _told_of_the_cache() -> "Iterator[None]":
    """What BuildKit keeps of the steps is not ours to remove: it is told."""
    from layerwright.workflow.leaks import LeakError  # noqa: PLC0415 - start-up

    try:
        yield
    except LeakError as error:
        error.hint += "; Docker's build cache may still hold the step: docker builder prune"
        raise


@_told_of_the_cache()
def _judge(
    session: Session,
    guard: "LeakGuard",
    backend: "DockerBackend",
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
    image = backend.engine.inspect(str(identifier))
    if not known or image is None or guard.is_clean((layer.hex for layer in image.layers[above:]), known):
        return
    with store.scratch() as scratch:
        saved = scratch / "image.tar"
        task = f"leaks:{cell.cell}"
        session.reporter(TaskStarted(task=task, title=f"{cell.cell}: search for secrets", kind="verify"))
        try:
            with saved.open("wb") as out:
                for chunk in backend.engine.save(str(identifier)):
                    out.write(chunk)
            whole, blobs = read_archive(saved, platform=Platform.parse(cell.platform), scratch=scratch)
            guard.judge_layers(cell, whole, blobs, above, known)
        except BaseException:
            session.reporter(TaskEnded(task=task, failed=True))
            raise
        session.reporter(TaskEnded(task=task))


def _build_all(
    backend: "DockerBackend", prepared: Prepared, judge: "Callable[[CellPlan, Digest, int], None]"
) -> DockerOutcome:
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
                "seconds": round(image.seconds, 4),
                "bytes_written": 0,
            }
        )
    document = {
        "schema": 1,
        "images": images,
        "failures": [
            {"cell": name, "what": error.what, "exit_code": error.exit_code} for name, error in failures
        ],
        "outputs": [f"docker {reference}" for image in images for reference in image["references"]],
    }
    return document, tuple(failures)
