"""The state of the project's files; digests are kept between builds so that unchanged files are not read again."""

import json
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from layerwright.host.environment import HostEnvironment
from layerwright.plan.trees import TreeRequest
from layerwright.workflow.session import Session

if TYPE_CHECKING:
    from layerwright.plan.draw import Sent

__all__ = ["file_digests", "tree_state"]

_KIND = "scans"
_KEY = "project-files"
_MOST = 50_000
"""Files remembered; past that the record is begun anew."""


@contextmanager
def file_digests(session: Session) -> Iterator[MutableMapping[str, str]]:
    """A mapping that ``layers.scan_tree`` reads and fills; written back when it changed."""
    known = session.store.read_record(_KIND, _KEY)
    cache: dict[str, str] = json.loads(known) if known else {}
    before = len(cache)
    snapshot = dict(cache)
    yield cache
    if cache != snapshot:
        kept = cache if len(cache) <= _MOST else dict(list(cache.items())[before:])
        session.store.write_record(_KIND, _KEY, json.dumps(kept).encode())


def tree_state(
    request: TreeRequest,
    root: Path,
    host: HostEnvironment,
    cache: MutableMapping[str, str] | None = None,
    sent: "MutableMapping[TreeRequest, Sent] | None" = None,
) -> str:
    """Digest of the files, or the description of the commit, that a request asks for.

    Args:
        request: what is asked.
        root: folder that relative paths start from.
        host: the caller's surroundings.
        cache: as for ``layers.scan_tree``.
        sent: takes how much there is of the files.

    Raises:
        BuildError: nothing is there, or it cannot be read.
    """
    if request.commit:
        from layerwright.sources.history import describe_commit  # noqa: PLC0415 - start-up

        return describe_commit(root / request.source, host)
    from layerwright.layers.scan import scan_tree  # noqa: PLC0415 - start-up

    scan = scan_tree(root / request.source, exclude=request.exclude, cache=cache)
    if sent is not None:
        from layerwright.plan.draw import Sent  # noqa: PLC0415 - start-up

        sent[request] = Sent(files=scan.count, size=scan.size)
    return scan.digest
