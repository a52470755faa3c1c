"""Where an image's bytes are, as a tree down to the file: image → layers → packages → folders → files."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from layerwright.core.text import size_text
from layerwright.reports.tree import Tree
from layerwright.verify.inspection import Inspection
from layerwright.verify.measure import Measured
from layerwright.verify.shipped import Shipped, shipped_files

__all__ = ["size_tree"]

_HIDDEN = "hidden by a later layer"


def size_tree(image: Inspection, measured: Mapping[str, Measured]) -> Tree:
    """The tree; what later layers hide counts too, as it does on disk and on the wire."""
    by_layer: dict[int, list[Shipped]] = defaultdict(list)
    for one in shipped_files(image, measured):
        by_layer[one.entry.layer].append(one)
    layers = tuple(
        _layer(image.layer_title(index.number), index.layer.size, by_layer[index.number])
        for index in image.contents.layers
    )
    return Tree(name=image.name, bytes=sum(one.bytes for one in layers), kind="image", children=layers)


def _layer(title: str, compressed: int, files: Iterable[Shipped]) -> Tree:
    owned: dict[str, list[Shipped]] = defaultdict(list)
    for one in files:
        owned[one.owner].append(one)
    parts = [_folder(name, "package", ones) for name, ones in owned.items() if name]
    parts += _folder("", "folder", owned.get("", ())).children
    return Tree(
        name=title,
        bytes=sum(part.bytes for part in parts),
        kind="layer",
        note=f"{size_text(compressed)} compressed",
        children=tuple(parts),
    )


class _Node:
    """A folder that is being filled."""

    def __init__(self) -> None:
        self.folders: dict[str, _Node] = {}
        self.files: list[Tree] = []

    def tree(self, name: str, kind: str) -> Tree:
        children = [
            node.tree(f"/{inner}" if not name else inner, "folder") for inner, node in self.folders.items()
        ]
        children += self.files
        return Tree(name=name, bytes=sum(one.bytes for one in children), kind=kind, children=tuple(children))


def _folder(name: str, kind: str, files: Iterable[Shipped]) -> Tree:
    top = _Node()
    for one in files:
        if not one.size:
            continue
        *folders, last = one.path.split("/")
        node = top
        for part in folders:
            node = node.folders.setdefault(part, _Node())
        node.files.append(
            Tree(
                name=last,
                bytes=one.size,
                kind="file",
                note=_HIDDEN if one.hidden else f"{size_text(one.compressed)} compressed",
            )
        )
    return top.tree(name, kind)
