"""Whether a lock still says what the spec, and the user's own projects, ask for. Pure."""

from collections.abc import Callable, Iterable, Mapping

from layerwright.lock.model import Lock, LockedCell
from layerwright.spec.fingerprint import cell_resolution_digest
from layerwright.spec.model import Spec

__all__ = ["InputDigest", "inputs_stand", "is_by_name", "outdated_cells"]

InputDigest = Callable[[str], str]
"""Digest of a local project or file by its path as the lock has it; empty when it is not there."""


def inputs_stand(locked: LockedCell, input_digest: InputDigest) -> bool:
    """Whether the local projects and packed files of a cell are those it was locked from."""
    stated = [(source.source, source.metadata) for source in locked.sources if source.kind == "path"]
    # an address keeps its digest in the spec; a path has it in the lock alone
    stated += [(item.url, item.sha256) for item in locked.packages if item.url and "://" not in item.url]
    return all(input_digest(path) == digest for path, digest in stated)


def is_by_name(cells: Mapping[str, LockedCell], name: str) -> bool:
    """Whether a cell stands on a registry's image that was never looked into: it has no digest, only a name."""
    base = cells[name].base
    for _ in cells:  # a damaged lock may go in circles
        if base.kind == "image" and base.source in cells:
            base = cells[base.source].base
    return base.kind == "registry" and not base.digest


def outdated_cells(
    spec: Spec,
    lock: Lock | None,
    input_digest: InputDigest,
    names: Iterable[str] | None = None,
    *,
    by_name: bool = True,
) -> tuple[str, ...]:
    """Cells that the lock lacks, or holds for another spec or for projects that asked for other things.

    Args:
        spec: the spec.
        lock: the lock, None when there is none.
        input_digest: looks at what stands on this machine.
        names: cells to look at, in this order; None for all.
        by_name: a base that is known by its name alone will do. It does for looking at what is described, not for
            building it.
    """
    locked = lock.cells if lock else {}
    return tuple(
        name
        for name in (spec.cells if names is None else names)
        if name not in locked
        or locked[name].spec_digest != cell_resolution_digest(spec.cells[name], spec)
        or not inputs_stand(locked[name], input_digest)
        or (not by_name and is_by_name(locked, name))
    )
