"""Steps that put files into an image as they are: fetched ones, source trees, copies, an executor's declarations."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from layerwright.core.errors import UsageError
from layerwright.lock.model import LockedTree
from layerwright.plan.steps import CopySource, CopyTree, FetchFile, Submodule, TextFile, WriteFiles
from layerwright.plan.trees import TreeRequest
from layerwright.spec.model import Cell, SourceItem

if TYPE_CHECKING:
    from layerwright.core.source import Location
    from layerwright.ymir.image import Executor

__all__ = ["content_steps", "executor_texts"]


def content_steps(
    cell: Cell, locked: Sequence[LockedTree], trees: Mapping[TreeRequest, str]
) -> Iterator[tuple[FetchFile | CopySource | CopyTree, str]]:
    """The cell's files, source trees and copies, lowest first, each with its title.

    Args:
        cell: the cell.
        locked: commits of its source trees.
        trees: digests of the project's files and folders.

    Raises:
        UsageError: a source tree is not locked.
    """
    for model in cell.models:
        yield (
            FetchFile(
                url=model.url, sha256=model.sha256, to=model.to, mode=model.mode, location=model.location
            ),
            f"file {model.to}",
        )
    for item in cell.sources:
        yield _source_tree(item, locked)
    for copy in cell.copy:
        yield (
            CopyTree(
                source=copy.source,
                to=copy.to,
                exclude=copy.exclude,
                tree_digest=trees[TreeRequest(source=copy.source, exclude=copy.exclude)],
                location=copy.location,
            ),
            f"copy {copy.source} {copy.to}",
        )


def _source_tree(item: SourceItem, locked: Sequence[LockedTree]) -> tuple[CopySource, str]:
    source = item.source
    found = [tree for tree in locked if tree.name == source.name]
    if not found:
        raise UsageError(
            f"the lock has no commit of {source.name}",
            where=item.location,
            hint="run `layerwright lock`",
        )
    tree, *below = found
    step = CopySource(
        name=source.name,
        git=tree.git,
        rev=tree.rev,
        commit=tree.commit,
        submodules=tuple(Submodule(path=one.submodule, git=one.git, commit=one.commit) for one in below),
        to=item.to,
        history=item.git,
        checkout=source.checkout,
        location=item.location,
    )
    return step, f"source {source.name} {tree.rev or tree.commit[:12]} {item.to}"


def executor_texts(executor: "Executor", location: "Location") -> WriteFiles:
    """The files by which an executor tells the platform what it does."""
    from layerwright.ymir.image import IMG_MAN, image_files  # noqa: PLC0415 - start-up

    texts = image_files(executor)
    files = tuple(TextFile(path=path.removeprefix(f"{IMG_MAN}/"), text=texts[path]) for path in sorted(texts))
    return WriteFiles(to=IMG_MAN, files=files, location=location)
