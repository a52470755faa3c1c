"""Plans as files for other tools."""

from collections.abc import Sequence

from layerwright.core.errors import UsageError
from layerwright.workflow.plan import plan_cells
from layerwright.workflow.session import Session, read_spec, select_cells

__all__ = ["render_bake", "render_dockerfile"]


def render_dockerfile(session: Session, image: str) -> str:
    """A portable Dockerfile of an image, from the lock as it stands.

    Args:
        session: the command's surroundings; neither network nor engine is used.
        image: an image or cell; empty when the spec has only one.

    Raises:
        UsageError: not exactly one cell is meant, there is no lock that fits it, or it cannot be built elsewhere.
    """
    from layerwright.backends.docker.portable import write_portable  # noqa: PLC0415 - start-up
    from layerwright.layers.scan import NEVER_COPIED  # noqa: PLC0415 - start-up

    spec = read_spec(session)
    names = select_cells(spec, [image] if image else [])
    if len(names) != 1:
        raise UsageError(
            f"{image or 'the spec'} stands for {len(names)} images, and a Dockerfile is for one",
            hint=f"name one of {', '.join(names)}",
        )
    plan = plan_cells(session, names)
    (cell,) = [cell for cell in plan.cells if cell.cell == names[0]]
    return write_portable(
        cell, indexes=spec.indexes, secrets=spec.secrets, root=spec.root, left_out=NEVER_COPIED
    )


def render_bake(session: Session, images: Sequence[str]) -> str:
    """A bake file of images and the parents they stand on, from the lock as it stands.

    Args:
        session: the command's surroundings; neither network nor engine is used.
        images: images or cells; empty for all.

    Raises:
        UsageError: there is no lock that fits, or an image cannot be built elsewhere.
    """
    from layerwright.backends.docker.bake import write_bake  # noqa: PLC0415 - start-up
    from layerwright.layers.scan import NEVER_COPIED  # noqa: PLC0415 - start-up

    spec = read_spec(session)
    names = select_cells(spec, images)
    plan = plan_cells(session, names)
    return write_bake(
        plan.cells,
        names,
        indexes=spec.indexes,
        secrets=spec.secrets,
        root=spec.root,
        left_out=NEVER_COPIED,
    )
