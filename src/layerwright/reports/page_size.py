"""The page's sizes: a treemap that the script draws, and the same as a table for everybody else."""

from typing import Final

from layerwright.core.text import size_text
from layerwright.reports.markup import Markup, tag
from layerwright.reports.sizes import share_text
from layerwright.reports.tree import Tree

__all__ = ["size_section"]

_ROWS: Final = 30


def size_section(tree: Tree) -> Markup:
    """What takes the space.

    Args:
        tree: folded already.
    """
    return tag(
        "div",
        tag("h2", "Size"),
        tag(
            "p",
            tag("strong", tree.name),
            f" {size_text(tree.bytes)}",
            f", {tree.note}" if tree.note else None,
            class_="plain",
        ),
        tag(
            "div",
            tag("div", id="trail", role="navigation", aria_label="Where in the image"),
            tag("p", "A tile opens with a click or Enter; Escape or Backspace goes back up.", class_="hint"),
            tag("div", id="map", role="group", aria_label="Treemap of sizes"),
            class_="script",
        ),
        tag("div", _table(tree), class_="wide", id="sizes"),
    )


def _table(tree: Tree) -> Markup:
    rows = [
        tag(
            "tr",
            tag("td", tag("code", child.name)),
            tag("td", child.kind),
            tag("td", size_text(child.bytes), class_="number"),
            tag("td", share_text(child.bytes, tree.bytes), class_="number"),
            tag("td", child.note),
        )
        for child in tree.children[:_ROWS]
    ]
    names = ("name", "what", "size", "share", "")
    head = tag("tr", (tag("th", name, scope="col") for name in names))
    return tag("table", tag("thead", head), tag("tbody", rows))
