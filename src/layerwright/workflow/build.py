"""Build cells: lock what is not locked, plan, build, put the images where they were asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from layerwright.backends.base import Outcome
from layerwright.core.errors import UsageError
from layerwright.lock.model import Lock
from layerwright.plan.build import make_plan
from layerwright.plan.steps import Plan
from layerwright.plan.trees import TreeRequest
from layerwright.spec.model import Spec
from layerwright.workflow.accounts import note_secrets, tell_insecure
from layerwright.workflow.fresh import fresh_lock
from layerwright.workflow.plan import scan_trees, with_parents
from layerwright.workflow.scans import file_digests
from layerwright.workflow.session import Session, read_spec, select_cells
from layerwright.workflow.source_trees import has_checkouts, ready_sources
from layerwright.workflow.workshop import make_workshop

__all__ = ["BuildRequest", "Built", "Prepared", "build_images", "keep_in_mind", "prepare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What is to be built.

    Attributes:
        images: images or cells; empty for all.
        locked: the lock must fit the spec as it is; it is never written.
        single: the names must stand for one cell.
        whole: the images go elsewhere, so all that their layers are made of must be there.
    """

    images: tuple[str, ...] = ()
    locked: bool = False
    single: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a build gave, and from what; ``trees`` are the digests of the project's files that it took."""

    spec: Spec
    plan: Plan
    trees: Mapping[TreeRequest, str]
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A spec with a lock that fits, and the plan of the asked cells."""

    spec: Spec
    lock: Lock
    plan: Plan
    cells: tuple[str, ...]
    trees: Mapping[TreeRequest, str]


def prepare(session: Session, request: BuildRequest) -> Prepared:
    """Read the spec, bring the lock up to date, plan.

    Raises:
        UsageError: the lock does not fit and ``locked`` was asked, there are several cells and one was, or a
            checkout of a source tree is not what the lock says.
    """
    spec = read_spec(session)
    cells = select_cells(spec, request.images)
    if request.single and len(cells) != 1:
        raise UsageError(
            f"{', '.join(request.images) or 'the spec'} stands for {len(cells)} images",
            hint=f"name one of {', '.join(cells)}",
        )
    names = with_parents(spec, cells)
    tell_insecure(session, spec)
    note_secrets(session, spec)  # first of all, so that nothing is told with one in it
    lock = fresh_lock(session, spec, names, locked=request.locked)
    with file_digests(session) as cache:
        trees = scan_trees(spec, lock, names, session.host, cache)
    plan = make_plan(spec, lock, trees, cells=names)
    ready_sources(session, spec, plan, tell_ready=not request.single)
    return Prepared(spec=spec, lock=lock, plan=plan, cells=cells, trees=trees)


def build_images(session: Session, request: BuildRequest) -> Built:
    """Build images natively into the store.

    Raises:
        LayerwrightError: the only asked cell failed; with several the failures stand in the outcome.
    """
    prepared = prepare(session, request)
    return build_prepared(session, prepared, whole=request.whole)


def build_prepared(session: Session, prepared: Prepared, *, whole: bool = False) -> Built:
    """Build what ``prepare`` planned; ``whole`` as in ``BuildRequest``."""
    from layerwright.backends.native.builder import NativeBackend  # noqa: PLC0415 - start-up

    backend = NativeBackend(make_workshop(session, prepared.spec))
    unsupported = backend.unsupported(prepared.plan)
    if unsupported:
        from layerwright.core.errors import EngineError  # noqa: PLC0415 - only on error

        raise EngineError(
            "this machine cannot run the build's commands natively\n"
            + "\n".join(sorted(unsupported.values())),
            hint="run as root, allow user namespaces, or build with Docker: --backend docker",
        )
    wanted = [cell for cell in prepared.plan.cells if cell.cell in prepared.cells]
    outcome = backend.build(prepared.plan, wanted, whole=whole)
    if outcome.failures and len(wanted) == 1:
        raise outcome.failures[0].error
    return Built(spec=prepared.spec, plan=prepared.plan, trees=prepared.trees, outcome=outcome)


def keep_in_mind(session: Session, request: BuildRequest, built: Built, document: Mapping[str, Any]) -> None:
    """Remember the build, so that the same one need not be planned again while nothing changes."""
    if any(index.insecure for index in built.spec.indexes.values()):
        return  # every build says so, and one that is remembered would not
    if has_checkouts(built.spec):
        return  # what is changed there, every build says
    from layerwright.spec.load import find_spec  # noqa: PLC0415 - start-up
    from layerwright.workflow.memo import remember  # noqa: PLC0415 - start-up
    from layerwright.workflow.start import start_of  # noqa: PLC0415 - start-up

    images = built.outcome.images
    blobs = {layer.digest.hex for image in images for layer in image.layers if not layer.wheels}
    remember(
        session,
        request.images,
        spec_file=find_spec(session.spec_file, session.start),
        root=built.spec.root,
        trees=built.trees,
        blobs=sorted(blobs),
        references={reference: str(image.image.digest) for image in images for reference in image.references},
        document=document,
        starts=[start_of(built.spec, image) for image in images],
    )
