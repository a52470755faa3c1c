"""What a page about an image shows beside findings: where its bytes are, and who needs which library."""

from layerwright.core.text import size_text
from layerwright.reports.graph import LibraryGraph, LibraryNode, Need
from layerwright.reports.html import Details
from layerwright.reports.tree import Tree
from layerwright.rules.native import is_driver
from layerwright.rules.optional_libraries import feature_of
from layerwright.verify import Inspection
from layerwright.verify.entries import LayerIndex

__all__ = ["page_details"]


def page_details(image: Inspection) -> Details:
    """Facts, sizes and libraries of a judged image."""
    own = image.contents.image
    total = sum(layer.size for layer in own.layers)
    facts = [
        ("Image", image.name),
        ("Digest", str(own.digest)),
        ("Platform", str(own.platform)),
        ("Layers", f"{len(own.layers)}, {size_text(total)} compressed"),
        ("Role", image.role),
        ("Accelerator", image.accelerator),
        *(
            (f"Python {one.version} in {one.prefix}", f"{len(one.dists)} packages")
            for one in image.environments
            if one.dists
        ),
    ]
    return Details(facts=tuple(facts), tree=_size_tree(image), graph=_library_graph(image))


def _size_tree(image: Inspection) -> Tree:
    """Layers, and in each the packages and folders that it brings; what later layers hide counts too."""
    layers = tuple(_layer(image, index) for index in image.contents.layers)
    return Tree(name=image.name, bytes=sum(one.bytes for one in layers), kind="image", children=layers)


def _layer(image: Inspection, index: LayerIndex) -> Tree:
    packages: dict[str, int] = {}
    folders: dict[str, dict[str, int]] = {}
    for path, entry in index.entries.items():
        if entry.kind != "file" or not entry.size:
            continue
        owner = image.owner(f"/{path}")
        if owner is not None:
            packages[owner.label] = packages.get(owner.label, 0) + entry.size
        else:
            top, _, rest = path.partition("/")
            inner = rest.rpartition("/")[0]
            key = f"{top}/{'/'.join(inner.split('/')[:2])}" if inner else top
            folders.setdefault(top, {})[key] = folders.get(top, {}).get(key, 0) + entry.size
    parts = [Tree(name=name, bytes=size, kind="package") for name, size in packages.items()]
    for top, inner_sizes in folders.items():
        # names below a folder are their own: the page puts them together
        children = tuple(
            Tree(name=name.removeprefix(f"{top}/") if name != top else "files", bytes=size)
            for name, size in inner_sizes.items()
        )
        parts.append(Tree(name=f"/{top}", bytes=sum(one.bytes for one in children), children=children))
    return Tree(
        name=image.layer_title(index.number),
        bytes=sum(part.bytes for part in parts),
        kind="layer",
        note=f"{size_text(index.layer.size)} compressed",
        children=tuple(parts),
    )


def _library_graph(image: Inspection) -> LibraryGraph:
    """Every library that was loaded, by the rules that found it."""
    closure = image.closure
    nodes: dict[str, LibraryNode] = {}
    needs: list[Need] = []

    def here(path: str) -> None:
        if path not in nodes:
            dist = image.owner(path)
            library = closure.libraries.get(path)
            nodes[path] = LibraryNode(
                key=path,
                name=(library.soname if library is not None else "") or path.rpartition("/")[2],
                owner=dist.label if dist is not None else "system",
                path=path,
            )

    for edge in closure.edges:
        here(edge.user)
        dist = image.owner(edge.user)
        optional = dist is not None and bool(feature_of(dist.name, edge.user.removeprefix(f"{dist.folder}/")))
        if edge.provider:
            here(edge.provider)
        elif edge.name not in nodes:
            outside = is_driver(edge.name)
            nodes[edge.name] = LibraryNode(
                key=edge.name,
                name=edge.name,
                owner="the machine's driver" if outside else "",
                state="outside" if outside else "missing",
            )
        needs.append(
            Need(source=edge.user, target=edge.provider or edge.name, how=edge.how, optional=optional)
        )
    return LibraryGraph(nodes=tuple(nodes.values()), needs=tuple(needs))
