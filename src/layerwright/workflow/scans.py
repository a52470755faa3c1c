"""Digests of the project's files, kept between builds so that unchanged files are not read again."""

import json
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager

from layerwright.workflow.session import Session

__all__ = ["file_digests"]

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
