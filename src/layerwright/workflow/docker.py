"""Build cells with Docker instead of natively."""

from typing import TYPE_CHECKING, Any

from layerwright.core.errors import EngineError, LayerwrightError
from layerwright.workflow.build import BuildRequest, Prepared, prepare
from layerwright.workflow.session import Session
from layerwright.workflow.workshop import make_workshop

if TYPE_CHECKING:
    from layerwright.backends.docker.build import DockerBackend

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

    prepared = prepare(session, request)
    backend = DockerBackend(make_workshop(session, prepared.spec), find_docker(session.host))
    unsupported = backend.unsupported(prepared.plan)
    if unsupported:
        raise EngineError("Docker cannot build this here\n" + "\n".join(sorted(unsupported.values())))
    return _build_all(backend, prepared)


def _build_all(backend: "DockerBackend", prepared: Prepared) -> DockerOutcome:
    images = list[dict[str, Any]]()
    failures = list[tuple[str, LayerwrightError]]()
    for cell in prepared.plan.cells:
        if cell.cell not in prepared.cells:
            continue
        try:
            image = backend.build(cell)
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
