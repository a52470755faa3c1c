"""Explain images: why they are big, and what changed between two of them."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from layerwright.core.errors import UsageError
from layerwright.core.events import BytesMoved, TaskEnded, TaskStarted
from layerwright.workflow.session import Session
from layerwright.workflow.verify import OpenedImage, opened_images

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from layerwright.lock.model import Lock
    from layerwright.reports.html import Details
    from layerwright.verify import Inspection
    from layerwright.verify.difference import Difference, Side
    from layerwright.verify.measure import Measured
    from layerwright.verify.sizes import SizeReport

__all__ = ["ExplainedDifference", "explain_difference", "explain_sizes", "size_details"]

_LOCK: Final = "lock"


class ExplainedDifference(Struct, frozen=True, kw_only=True):
    """What differs.

    Attributes:
        difference: of two images, or of an image and a lock.
        lines: of two locks, as ``layerwright lock`` prints them.
    """

    difference: "Difference | None" = None
    lines: tuple[str, ...] = ()


def explain_sizes(
    session: Session, image: str
) -> "Iterator[tuple[SizeReport, Inspection, Mapping[str, Measured]]]":
    """Where the bytes of images are.

    Args:
        session: surroundings.
        image: as ``verify`` takes it; empty for every image of the spec.

    Raises:
        UsageError: nothing of that name, or an image of the spec that was not built yet.
        EngineError: Docker does not answer.
        NetworkError: the registry does not give the image.
        IntegrityError: bytes are not what their digests say.
    """
    from layerwright.verify.sizes import measure_image  # noqa: PLC0415 - start-up

    with opened_images(session, image) as (_, images):
        for opened in images:
            inspection, measured = _read(session, opened)
            yield measure_image(inspection, measured), inspection, measured


def size_details(report: "SizeReport", image: "Inspection", measured: "Mapping[str, Measured]") -> "Details":
    """What a page about sizes shows."""
    from layerwright.core.text import size_text  # noqa: PLC0415 - start-up
    from layerwright.reports.html import Details  # noqa: PLC0415 - start-up
    from layerwright.workflow.size_tree import size_tree  # noqa: PLC0415 - start-up

    facts = [
        ("Image", report.image),
        ("Digest", report.digest),
        ("Platform", report.platform),
        ("To download", size_text(report.compressed) if report.packed else ""),
        ("Unpacked", f"{size_text(report.bytes)} in {len(report.layers)} layers"),
        ("Seen in a container", size_text(report.visible)),
        *((f"Could go: {one.title}", f"{size_text(one.bytes)}. {one.advice}") for one in report.savings),
    ]
    return Details(facts=tuple(facts), tree=size_tree(image, measured))


def explain_difference(session: Session, old: str, new: str) -> ExplainedDifference:
    """What changed from one to the other.

    Args:
        session: surroundings.
        old: an image as ``verify`` takes it; ``lock`` for the spec's lock, ``FILE.lock`` for another; after a colon the
            cell, which may be left out when the other side names it or there is only one.
        new: likewise.

    Raises:
        UsageError: nothing of that name, or a lock with several cells and none named.
        SpecError: a lock that cannot be read.
        EngineError, NetworkError, IntegrityError: as for ``explain_sizes``.
    """
    from layerwright.verify.difference import difference  # noqa: PLC0415 - start-up

    locks = [_lock_of(session, text) for text in (old, new)]
    if locks[0] is not None and locks[1] is not None:
        return ExplainedDifference(lines=_lock_lines(locks[0], locks[1]))
    sides = [
        _lock_side(lock, other) if lock is not None else _image_side(session, text)
        for text, lock, other in ((old, locks[0], new), (new, locks[1], old))
    ]
    return ExplainedDifference(difference=difference(*sides))


def _read(session: Session, opened: OpenedImage) -> "tuple[Inspection, Mapping[str, Measured]]":
    from layerwright.verify import Inspection, read_contents  # noqa: PLC0415 - start-up
    from layerwright.verify.measure import MeasuredBlobs  # noqa: PLC0415 - start-up

    task = f"explain:{opened.name}"
    total = sum(layer.tar_size for layer in opened.image.layers)
    session.reporter(TaskStarted(task=task, title=opened.name, kind="verify", total_bytes=total))
    blobs = MeasuredBlobs(opened.blobs)
    try:
        with session.store.scratch() as scratch:
            contents = read_contents(
                opened.image, blobs, scratch=scratch, progress=partial(_moved, session, task)
            )
    except BaseException:
        session.reporter(TaskEnded(task=task, failed=True))
        raise
    session.reporter(TaskEnded(task=task))
    return Inspection(name=opened.name, contents=contents), blobs.measured


def _moved(session: Session, task: str, amount: int) -> None:
    session.reporter(BytesMoved(task=task, amount=amount))


def _image_side(session: Session, text: str) -> "Side":
    from layerwright.verify.difference import side_of  # noqa: PLC0415 - start-up

    with ExitStack() as stack:
        _, images = stack.enter_context(opened_images(session, text))
        if len(images) != 1:
            names = ", ".join(one.name for one in images)
            raise UsageError(f"{text} stands for several images: {names}", hint="name one of them")
        return side_of(*_read(session, images[0]))


class _NamedLock(Struct, frozen=True, kw_only=True):
    """A lock, how it was named, and the cell that was asked for; empty for none."""

    text: str
    lock: "Lock"
    cell: str


def _lock_of(session: Session, text: str) -> _NamedLock | None:
    """The lock that is meant, or None when it is an image."""
    name, _, cell = text.partition(":")
    if name == _LOCK:
        from layerwright.workflow.session import read_locked, read_spec  # noqa: PLC0415 - start-up

        found = read_locked(read_spec(session))
        if found is None:
            raise UsageError("there is no lock yet", hint="run `layerwright lock` first")
        return _NamedLock(text=text, lock=found, cell=cell)
    if not name.endswith(".lock"):
        return None
    from layerwright.lock import read_lock  # noqa: PLC0415 - start-up

    path = session.start / Path(name).expanduser()
    try:
        found = read_lock(path.read_text(encoding="utf-8"), file=str(path))
    except OSError as error:
        raise UsageError(f"cannot read the lock {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text, so it is no lock") from error
    return _NamedLock(text=text, lock=found, cell=cell)


def _lock_lines(old: _NamedLock, new: _NamedLock) -> tuple[str, ...]:
    from layerwright.lock.changes import describe, diff  # noqa: PLC0415 - start-up
    from layerwright.lock.model import Lock  # noqa: PLC0415 - start-up

    if not old.cell and not new.cell:
        return tuple(describe(change) for change in diff(old.lock, new.lock))
    cells = [_cell_of(old, new.cell), _cell_of(new, old.cell)]
    one, other = (lock.lock.cells[cell] for lock, cell in zip((old, new), cells, strict=True))
    from msgspec.structs import replace  # noqa: PLC0415 - start-up

    changes = diff(Lock(cells={cells[1]: replace(one, name=cells[1])}), Lock(cells={cells[1]: other}))
    return tuple(describe(change) for change in changes)


def _cell_of(lock: _NamedLock, other: str) -> str:
    cells = lock.lock.cells
    if lock.cell in cells:
        return lock.cell
    if not lock.cell and other in cells:
        return other
    if not lock.cell and len(cells) == 1:
        return next(iter(cells))
    what = f"{lock.text} has no cell {lock.cell}" if lock.cell else f"{lock.text} has several cells"
    first = next(iter(cells), "CELL")
    raise UsageError(
        f"{what}: there are {', '.join(cells) or 'none'}",
        hint=f"name one: {lock.text.partition(':')[0]}:{first}",
    )


def _lock_side(lock: _NamedLock, other: str) -> "Side":
    """What a cell and its parents hold, by the lock."""
    from layerwright.verify.difference import Side  # noqa: PLC0415 - start-up

    name = _cell_of(lock, other.rpartition(":")[2])
    packages: dict[str, str] = {}
    debs: dict[str, str] = {}
    whole = False
    cell = lock.lock.cells[name]
    current = cell
    while True:
        for package in current.packages:
            packages.setdefault(package.name, package.version)
        for deb in (*current.apt, *current.base.debs):
            debs.setdefault(deb.name, deb.version)
        whole = whole or bool(current.base.debs)
        if current.base.kind != "image" or current.base.source not in lock.lock.cells:
            break
        current = lock.lock.cells[current.base.source]
    return Side(
        name=f"{lock.text.partition(':')[0]}:{name}",
        packages=packages,
        debs=debs,
        whole_debs=whole,
        python=cell.python,
        platform=cell.platform,
    )
