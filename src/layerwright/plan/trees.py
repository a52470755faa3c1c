"""Files and folders of the project whose state a plan needs: everything read from disk comes in as their digests."""

from collections.abc import Iterable

from msgspec import Struct

from layerwright.lock.model import LockedCell
from layerwright.spec.model import Cell, PathPackage

__all__ = ["TreeRequest", "tree_requests"]


class TreeRequest(Struct, frozen=True, kw_only=True):
    """A file or folder whose state the plan needs, relative to the spec's root.

    Attributes:
        source: its path.
        exclude: patterns of what does not matter.
        commit: asks for the description of the folder's commit rather than for the digest of its files.
    """

    source: str
    exclude: tuple[str, ...] = ()
    commit: bool = False


def tree_requests(cells: Iterable[Cell], locked: Iterable[LockedCell]) -> frozenset[TreeRequest]:
    """Every folder and file of the project that the cells copy or build.

    Args:
        cells: of the spec.
        locked: the same cells of the lock, which knows the projects that other projects bring, and whose version
            is known.
    """
    requests = set[TreeRequest]()
    for cell in cells:
        requests.update(TreeRequest(source=item.source, exclude=item.exclude) for item in cell.copy)
        requests.update(
            TreeRequest(source=package.path) for package in cell.packages if isinstance(package, PathPackage)
        )
    for source in (source for cell in locked for source in cell.sources if source.kind == "path"):
        requests.add(TreeRequest(source=source.source))
        if not source.version:
            requests.add(TreeRequest(source=source.source, commit=True))
    return frozenset(requests)
