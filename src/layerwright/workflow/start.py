"""What starting a built image takes: little enough to be kept with its build, so that nothing need be planned again."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from layerwright.core.source import Location
from layerwright.guest import ENTRY_PATH
from layerwright.spec.model import RunOptions
from layerwright.workflow.session import Session

if TYPE_CHECKING:
    from layerwright.backends.base import BuiltImage
    from layerwright.engines.docker import DockerEngine
    from layerwright.spec.model import Spec

__all__ = ["Start", "kept_trees", "name_in_docker", "start_of"]


class Start(Struct, frozen=True, kw_only=True):
    """A built image, as far as starting a program in it goes.

    Attributes:
        cell: its cell.
        references: its names, at least one.
        digest: its manifest's.
        config_digest: its config's.
        location: where the spec speaks of it.
        root: folder that the spec's relative paths start from.
        env: the image's environment.
        workdir: the image's, empty when it has none.
        entrypoint: the image's.
        command: the image's.
        writable: variables that name a folder the caller can write to.
        options: how the spec wants it started.
        accelerator: what it computes on.
        check_device: the program check-device is in it.
        trees: of each layer, bottom first: the store's keys of its extracted trees, and whether a program could
            write through them.
    """

    cell: str
    references: tuple[str, ...]
    digest: str
    config_digest: str
    location: Location | None
    root: str
    env: dict[str, str]
    workdir: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    writable: tuple[str, ...]
    options: RunOptions
    accelerator: str = "cpu"
    check_device: bool = False
    trees: tuple[tuple[tuple[str, ...], bool], ...]


def start_of(spec: "Spec", image: "BuiltImage") -> Start:
    """Collect what starting takes."""
    cell = spec.cells[image.cell]
    settings = image.image.settings
    return Start(
        cell=cell.name,
        references=image.references,
        digest=str(image.image.digest),
        config_digest=str(image.image.config_digest),
        location=cell.location,
        root=str(spec.root),
        env=dict(settings.env),
        workdir=settings.workdir,
        entrypoint=_program(settings.entrypoint),
        command=tuple(settings.command),
        writable=tuple(cell.writable),
        options=cell.run_options,
        accelerator=cell.accelerator,
        check_device=cell.check_device,
        trees=tuple((layer.trees or (layer.diff_id.hex,), layer.private) for layer in image.layers),
    )


def _program(entrypoint: Sequence[str]) -> tuple[str, ...]:
    """The entrypoint without our entry program: ``run`` starts programs as the caller by itself."""
    return tuple(entrypoint[1:] if entrypoint[:1] == (ENTRY_PATH,) else entrypoint)


def kept_trees(
    session: Session, start: Start, *, system: bool = False
) -> tuple[tuple[Path, bool], ...] | None:
    """The trees, bottom first, each with whether a program may write through it; None when one must be extracted.

    Args:
        session: where the store is.
        start: the image.
        system: leave out wheels and their bytecode, which have no part in ``/etc``.
    """
    found = []
    for keys, private in start.trees:
        for key in keys if private or not system else ():
            path = session.store.tree(key)
            if path is None:
                return None
            found.append((path, private))
    return tuple(found)


def name_in_docker(start: Start, engine: "DockerEngine") -> bool:
    """Give the image its names in a Docker engine, if that has the image.

    Raises:
        EngineError: the engine fails.
    """
    identifier = start.digest if engine.version.containerd_store else start.config_digest
    image = engine.inspect(identifier)
    if image is None:
        return False
    for reference in start.references:
        if reference not in image.references:
            engine.tag(identifier, reference)
    return True
