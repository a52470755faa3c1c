"""What the page is of: images, data sets, and the folder of the jobs."""

import threading
from pathlib import Path

from msgspec import Struct

from layerwright.core.errors import UsageError
from layerwright.workflow.executor_engines import need_spec
from layerwright.workflow.executor_run import ROOT_FOLDER
from layerwright.workflow.session import Session, read_spec

__all__ = ["DataSet", "Site", "find_data", "make_site"]


class DataSet(Struct, frozen=True, kw_only=True):
    """Pictures that a job may be given.

    Attributes:
        name: what the form calls it; unique.
        path: a folder, a COCO document, or a YOLO ``data.yaml``.
    """

    name: str
    path: Path


class Site(Struct, frozen=True, kw_only=True):
    """What the page is of.

    Attributes:
        session: surroundings of the jobs.
        images: names of the executors: cells of the spec, or references of an engine.
        data: what jobs may be given; nothing else of this machine's files can be named.
        runs: folder that work folders are made in.
        engines: that can be chosen, the usual one first.
        poll_seconds: between two looks at a monitor file.
    """

    session: Session
    images: tuple[str, ...]
    data: tuple[DataSet, ...]
    runs: Path
    engines: tuple[str, ...]
    poll_seconds: float = 2.0

    def data_set(self, name: str) -> DataSet | None:
        """One by its name."""
        return next((one for one in self.data if one.name == name), None)

    def job_folder(self, task_id: str) -> Path | None:
        """The work folder of a job; None for anything else, whatever its name says."""
        if not self.runs.is_dir():
            return None
        return next((one for one in self.runs.iterdir() if one.name == task_id and one.is_dir()), None)


def find_data(start: Path, named: tuple[Path, ...]) -> tuple[DataSet, ...]:
    """Data sets: those that were named, or else what lies in the folder ``data``.

    Raises:
        UsageError: one does not exist.
    """
    paths = [start / path.expanduser() for path in named]
    for path in paths:
        if not path.exists():
            raise UsageError(
                f"there is no {path}",
                hint="--data takes a folder of pictures, a COCO document or a data.yaml",
            )
    if not named and (start / "data").is_dir():
        paths = [path for path in sorted((start / "data").iterdir()) if path.is_dir()] or [start / "data"]
    found = dict[str, DataSet]()
    for path in paths:
        name = path.name
        if name in found:
            name = str(path)
        found[name] = DataSet(name=name, path=path.resolve())
    return tuple(found.values())


def make_site(
    session: Session,
    *,
    images: tuple[str, ...],
    data: tuple[Path, ...],
    engines: tuple[str, ...],
    poll_seconds: float,
) -> Site:
    """Put together what the page is of.

    Args:
        session: surroundings.
        images: references beside the spec's executors.
        data: data sets; none for what lies in the folder ``data``.
        engines: that can be chosen.
        poll_seconds: between two looks at a monitor file.

    Raises:
        UsageError: there is no executor, or a data set does not exist.
        SpecError: the spec cannot be read.
    """
    cells = _executors(session, images)
    if not cells:
        raise UsageError(
            'no image of the spec is an executor (`role = "executor"`), and none was named',
            hint="name images of an engine: --image NAME:TAG; `layerwright executor new` writes a project",
        )
    return Site(
        session=session,
        images=cells,
        data=find_data(session.start, data),
        runs=session.start / ROOT_FOLDER,
        engines=engines,
        poll_seconds=poll_seconds,
    )


def _executors(session: Session, images: tuple[str, ...]) -> tuple[str, ...]:
    try:
        need_spec(session, option="--image ")
    except UsageError:
        if images and session.spec_file is None:
            return images  # a page of an engine's images needs no spec
        raise
    spec = read_spec(session)
    own = [cell.name for cell in spec.cells.values() if cell.role == "executor"]
    return tuple(dict.fromkeys([*own, *images]))


LOCK = threading.Lock()
"""Held while an image is looked at or a job is made: builds and engines are asked one at a time."""
