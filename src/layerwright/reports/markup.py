"""HTML from values: text is always escaped, so a hostile file name stays a name."""

from collections.abc import Iterable
from html import escape
from typing import Final

from layerwright.core.text import visible

__all__ = ["Markup", "Node", "join", "raw", "tag"]

_VOID: Final = frozenset({"br", "hr", "input", "link", "meta", "path", "rect", "line"})
_KEPT: Final = "\n\t"


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Node = str | Markup | None | Iterable["Node"]
"""What can stand inside an element: text, finished markup, nothing, or several of them."""


def raw(text: str) -> Markup:
    """Our own fixed text as markup."""
    return Markup(text)


def join(content: Node) -> Markup:
    """The markup of what stands inside an element."""
    if content is None:
        return Markup("")
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        return Markup(escape(visible(content, keep=_KEPT)))
    return Markup("".join(join(one) for one in content))


def tag(name: str, /, *content: Node, **attributes: str | float | bool | None) -> Markup:
    """An element.

    Args:
        name: of the element.
        content: what stands inside.
        attributes: ``class_`` is ``class``, ``data_level`` is ``data-level``; True is an attribute without a value,
            None and False leave it out.
    """
    parts = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        written = key.rstrip("_").replace("_", "-")
        if value is True:
            parts.append(written)
        else:
            shown = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
            parts.append(f'{written}="{escape(visible(shown, keep=_KEPT))}"')
    opened = " ".join(parts)
    # The slash means nothing to HTML and everything to the SVG inside it.
    return Markup(f"<{opened}/>" if name in _VOID else f"<{opened}>{join(content)}</{name}>")
