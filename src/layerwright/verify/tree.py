"""The merged tree of an image's layers, as a program in the container sees it."""

from collections.abc import Iterator
from typing import Final

from layerwright.verify.entries import Entry, LayerIndex

__all__ = ["Node", "Tree"]

_MOST_HOPS: Final = 40  # as Linux follows links
_IMPLIED: Final = Entry(kind="folder")


class Node:
    """One path: its entry, its name and place, and for folders what is in them."""

    __slots__ = ("children", "entry", "name", "parent")

    def __init__(self, entry: Entry, name: str, parent: "Node | None") -> None:
        self.entry = entry
        self.name = name
        self.parent = parent
        self.children: dict[str, Node] | None = {} if entry.kind == "folder" else None

    @property
    def path(self) -> str:
        """Absolute path."""
        parts = []
        node: Node | None = self
        while node is not None and node.parent is not None:
            parts.append(node.name)
            node = node.parent
        return "/" + "/".join(reversed(parts))


class Tree:
    """All paths of an image."""

    def __init__(self) -> None:
        self.root = Node(_IMPLIED, "", None)

    def apply(self, index: LayerIndex) -> None:
        """Put a layer on top.

        Whiteouts hide what lower layers have, wherever they stand in the layer (OCI image specification, ``layer.md``).
        """
        for path in index.whiteouts:
            node = self.find(path, follow=False)
            if node is not None and node.parent is not None and node.parent.children is not None:
                node.parent.children.pop(node.name, None)
        for path in index.opaque:
            node = self.find(path)
            if node is not None and node.children is not None:
                node.children = {}
        for path, entry in index.entries.items():
            self._put(path, entry)
        for path, target in index.hard_links.items():
            found = self.find(target, follow=False)
            if found is not None and found.children is None:
                self._put(path, found.entry)

    def _put(self, path: str, entry: Entry) -> None:
        folder, _, name = path.rpartition("/")
        if not path:
            self.root.entry = entry
            return
        parent = self._folder(folder)
        children = parent.children
        if children is None:
            return
        known = children.get(name)
        if known is not None and known.children is not None and entry.kind == "folder":
            known.entry = entry
        else:
            children[name] = Node(entry, name, parent)

    def _folder(self, path: str) -> Node:
        """The folder; what is missing or no folder is made one, links to folders are followed."""
        node = self.root
        for part in filter(None, path.split("/")):
            children = node.children
            if children is None:
                break
            found = children.get(part)
            if found is not None and found.entry.kind == "link":
                found = self.find(found.path)
            if found is None or found.children is None:
                found = children[part] = Node(_IMPLIED, part, node)
            node = found
        return node

    def find(self, path: str, *, follow: bool = True) -> Node | None:
        """What stands at the path, links followed inside the root; None when nothing does.

        Args:
            path: absolute, or without the leading slash.
            follow: follow a link that the last part is.
        """
        node: Node = self.root
        waiting = [part for part in reversed(path.split("/")) if part]
        hops = 0
        while waiting:
            part = waiting.pop()
            if part == ".":
                continue
            if part == "..":
                node = node.parent or node
                continue
            if node.children is None:
                return None
            found = node.children.get(part)
            if found is None:
                return None
            if found.entry.kind == "link" and (waiting or follow):
                hops += 1
                if hops > _MOST_HOPS:
                    return None
                target = found.entry.target
                if target.startswith("/"):
                    node = self.root
                waiting += [step for step in reversed(target.split("/")) if step]
                continue
            node = found
        return node

    def text(self, path: str) -> str | None:
        """Content of a small file that was kept; None when it is not there."""
        node = self.find(path)
        if node is None or node.entry.text is None:
            return None
        return node.entry.text.decode("utf-8", "replace")

    def walk(self, start: Node | None = None) -> Iterator[tuple[str, Node]]:
        """Every path with its node, folders before what is in them, by name; the start itself left out."""
        first = start or self.root
        prefix = "" if first.parent is None else first.path
        stack = [(prefix, first)]
        while stack:
            above, node = stack.pop()
            if node.children is None:
                continue
            deeper = []
            for name in sorted(node.children):
                child = node.children[name]
                path = f"{above}/{name}"
                yield path, child
                if child.children is not None:
                    deeper.append((path, child))
            stack.extend(reversed(deeper))
