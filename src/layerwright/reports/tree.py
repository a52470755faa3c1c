"""What takes the space, as a tree: image → layers → packages → folders → files."""

from collections.abc import Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

__all__ = ["Tree", "fold", "walk"]

_DEEPEST: Final = 40


class Tree(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that takes space, and what it is made of.

    Attributes:
        name: what people call it: ``torch 2.13.0``, ``site-packages``, ``libtorch_cuda.so``.
        bytes: size; of a node with children at least the sum of theirs, the rest being its own.
        kind: ``image``, ``layer``, ``package``, ``folder``, ``file`` or ``rest`` (small things taken together).
        note: something worth knowing, shown beside it: what made the layer, that a file is hidden by a later layer.
        children: its parts, largest first.
    """

    name: str
    bytes: int
    kind: str = "folder"
    note: str = ""
    children: "tuple[Tree, ...]" = ()


def fold(tree: Tree, *, share: float = 0.0005, deepest: int = _DEEPEST) -> Tree:
    """The tree with its smallest parts taken together, largest first, so that a page can hold it.

    A node that is a folder with a single folder inside becomes one node, ``a/b``. Sizes stay what they were.

    Args:
        tree: of any size.
        share: of the whole, below which things are not shown by themselves.
        deepest: levels to keep.
    """
    return _fold(tree, max(1, int(tree.bytes * share)), deepest)


def _fold(tree: Tree, least: int, depth: int) -> Tree:
    while tree.kind == "folder" and len(tree.children) == 1:
        (only,) = tree.children
        if only.kind != "folder" or only.bytes != tree.bytes:
            break
        tree = replace(only, name=f"{tree.name}/{only.name}", note=tree.note or only.note)
    if depth <= 0:
        return replace(tree, children=())
    ordered = sorted(tree.children, key=lambda one: (-one.bytes, one.name))
    large = [_fold(one, least, depth - 1) for one in ordered if one.bytes >= least]
    small = ordered[len(large) :]
    if len(small) == 1 and small[0].bytes:
        large.append(_fold(small[0], least, depth - 1))
    elif any(one.bytes for one in small):
        large.append(Tree(name=f"{len(small)} smaller", bytes=sum(one.bytes for one in small), kind="rest"))
    return replace(tree, children=tuple(large))


def walk(tree: Tree, depth: int = 0) -> Iterator[tuple[int, Tree]]:
    """The node and everything below it, each with its depth, parents first."""
    yield depth, tree
    for child in tree.children:
        yield from walk(child, depth + 1)
