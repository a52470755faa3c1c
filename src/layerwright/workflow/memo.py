"""Remembers what a build gave, so that a build or start with nothing to do need not read spec and lock at all.

A memo holds for the bytes of spec and lock, the digests of the project's files, and this version of layerwright; the
image's bytes must still be in the store.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerwright import __version__
from layerwright.workflow.session import Session, lock_beside

if TYPE_CHECKING:
    from layerwright.plan.trees import TreeRequest
    from layerwright.workflow.start import Start

__all__ = ["recall", "recall_start", "remember"]

_KIND = "builds-3"


def _key(session: Session, images: Sequence[str]) -> str:
    """Which build this is: the same words in the same folder."""
    words = [str(session.spec_file or ""), str(session.start), *images, __version__, *session.settings]
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def _file_digest(path: str | Path) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""


def recall(session: Session, images: Sequence[str]) -> dict[str, Any] | None:
    """What the same build gave before, when nothing it depends on has changed; as JSON values."""
    memo = _recall(session, images)
    return None if memo is None else memo["document"]


def recall_start(session: Session, images: Sequence[str]) -> "Start | None":
    """What starting the one image of the same build takes, when nothing it depends on has changed."""
    memo = _recall(session, images)
    if memo is None or len(memo["starts"]) != 1:
        return None
    from msgspec import convert  # noqa: PLC0415 - start-up

    from layerwright.workflow.start import Start  # noqa: PLC0415 - start-up

    return convert(memo["starts"][0], Start)


def _recall(session: Session, images: Sequence[str]) -> dict[str, Any] | None:
    data = session.store.read_record(_KIND, _key(session, images))
    if data is None:
        return None
    memo: dict[str, Any] = json.loads(data)
    if any(_file_digest(path) != digest for path, digest in memo["files"].items()):
        return None
    if not all(session.store.has("blobs", digits) for digits in memo["blobs"]):
        return None
    if memo["trees"] and not _same_trees(session, memo["root"], memo["trees"]):
        return None
    if any(session.store.image(reference) != digest for reference, digest in memo["references"].items()):
        return None
    return memo


def _same_trees(session: Session, root: str, trees: Sequence[Sequence[Any]]) -> bool:
    from layerwright.core.errors import LayerwrightError  # noqa: PLC0415 - start-up
    from layerwright.plan.trees import TreeRequest  # noqa: PLC0415 - start-up
    from layerwright.workflow.scans import file_digests, tree_state  # noqa: PLC0415 - start-up

    with file_digests(session) as cache:
        try:
            return all(
                tree_state(
                    TreeRequest(source=source, exclude=tuple(exclude), commit=commit),
                    Path(root),
                    session.host,
                    cache,
                )
                == state
                for source, exclude, commit, state in trees
            )
        except LayerwrightError:
            return False


def remember(
    session: Session,
    images: Sequence[str],
    *,
    spec_file: Path,
    root: Path,
    trees: "Mapping[TreeRequest, str]",
    blobs: Sequence[str],
    references: Mapping[str, str],
    document: Mapping[str, Any],
    starts: "Sequence[Start]",
) -> None:
    """Keep what a build gave.

    Args:
        session: surroundings.
        images: the words that asked for the build.
        spec_file: the spec; the lock stands beside it.
        root: folder that trees are relative to.
        trees: state of each tree that was copied or built.
        blobs: hexadecimal digests that must be among the store's blobs.
        references: digest of the manifest each reference must name.
        document: what the next build may say, as JSON values.
        starts: what starting each image takes.
    """
    from msgspec import to_builtins  # noqa: PLC0415 - start-up

    files = {str(path): _file_digest(path) for path in (spec_file, lock_beside(spec_file))}
    memo = {
        "files": files,
        "root": str(root),
        "trees": [[tree.source, list(tree.exclude), tree.commit, state] for tree, state in trees.items()],
        "blobs": list(blobs),
        "references": dict(references),
        "document": document,
        "starts": [to_builtins(start) for start in starts],
    }
    session.store.write_record(_KIND, _key(session, images), json.dumps(memo).encode())
