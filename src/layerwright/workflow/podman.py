"""The caller's Podman for a workflow, and finished images brought into it."""

from typing import TYPE_CHECKING

from msgspec import structs

from layerwright.core.events import TaskEnded, TaskStarted
from layerwright.workflow.session import Session

if TYPE_CHECKING:
    from layerwright.backends.base import BuiltImage
    from layerwright.engines.podman import Podman

__all__ = ["load_into_podman", "podman_of"]


def podman_of(session: Session) -> "Podman":
    """Find the caller's Podman; from inside our user namespace it is started outside of it.

    Raises:
        EngineError: there is none.
    """
    from layerwright.engines.podman import find_podman  # noqa: PLC0415 - start-up

    if session.outside is None:
        return find_podman(session.host)
    return structs.replace(find_podman(session.host, runner=session.outside.run), rootless=True)


def load_into_podman(session: Session, image: "BuiltImage", podman: "Podman") -> None:
    """Give Podman the image; layers it has are not sent."""
    from layerwright.backends.native.blobs import StoreBlobs  # noqa: PLC0415 - start-up

    title = f"{image.references[0]} into Podman"
    task = f"load:{title}"
    session.reporter(
        TaskStarted(
            task=task, title=title, kind="load", total_bytes=sum(layer.tar_size for layer in image.layers)
        )
    )
    try:
        podman.bring(
            image.image,
            StoreBlobs(session.store, image.layers),
            image.references,
            reporter=session.reporter,
            task=task,
        )
    except BaseException:
        session.reporter(TaskEnded(task=task, failed=True))
        raise
    session.reporter(TaskEnded(task=task))
