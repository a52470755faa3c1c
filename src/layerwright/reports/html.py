"""A report as one HTML file: findings with filters, a treemap of sizes, the graph of libraries.

The file needs nothing else and asks the network for nothing; its policy (Content-Security-Policy) forbids both, and any
script but ours, whatever names an image holds. Without scripts it is a plain page with the same facts.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from msgspec import Struct

from layerwright.core.findings import Finding
from layerwright.reports.graph import LibraryGraph
from layerwright.reports.markup import Markup, raw, tag
from layerwright.reports.page_findings import findings_section
from layerwright.reports.page_libraries import libraries_section
from layerwright.reports.page_size import size_section
from layerwright.reports.tree import Tree, fold

__all__ = ["Details", "html_page"]


class Details(Struct, frozen=True, kw_only=True):
    """What a page shows beside findings.

    Attributes:
        facts: what was looked at, label and value: image, digest, platform, size.
        tree: sizes; a large tree is folded here.
        graph: libraries.
    """

    facts: tuple[tuple[str, str], ...] = ()
    tree: Tree | None = None
    graph: LibraryGraph | None = None


def html_page(findings: Sequence[Finding] | None, *, title: str, details: Details | None = None) -> str:
    """The page.

    Args:
        findings: in the order to show; None leaves the section out, as a page about sizes alone does.
        title: heading.
        details: what else there is.
    """
    details = details or Details()
    sections: list[tuple[str, str, Markup]] = []
    if findings is not None:
        sections.append(("findings", "Findings", findings_section(findings)))
    data = None
    if details.tree is not None:
        data = fold(details.tree)
        sections.append(("size", "Size", size_section(data)))
    if details.graph is not None:
        sections.append(("libraries", "Libraries", libraries_section(details.graph)))
    style = _asset("report.css")
    script = _asset("report.js")
    body = tag(
        "body",
        _header(title, details),
        _navigation([(key, name) for key, name, _ in sections]),
        tag("main", (tag("section", content, id=key, aria_label=name) for key, name, content in sections)),
        tag("footer", "Made by layerwright. This file is whole: it loads nothing and sends nothing."),
        _data(data),
        tag("script", raw(script)),
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        raw(f'<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">'),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", raw(style)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _header(title: str, details: Details) -> Markup:
    facts = [tag("div", tag("dt", label), tag("dd", value)) for label, value in details.facts if value]
    return tag("header", tag("h1", title), tag("dl", facts, class_="facts") if facts else None)


def _navigation(sections: Sequence[tuple[str, str]]) -> Markup | None:
    links = [tag("a", name, href=f"#{key}") for key, name in sections]
    return tag("nav", tag("div", links), aria_label="Sections") if len(links) > 1 else None


def _asset(name: str) -> str:
    return files("layerwright.reports").joinpath("page", name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Nothing from anywhere but the page's own style and script, named by digest (CSP level 3).

    ``style-src-attr`` lets the script place the treemap's tiles.
    """

    def digest(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    return (
        f"default-src 'none'; style-src {digest(style)}; style-src-attr 'unsafe-inline'; "
        f"script-src {digest(script)}; base-uri 'none'; form-action 'none'"
    )


def _data(tree: Tree | None) -> Markup | None:
    """The tree for the script; no character of it can end the element it stands in."""
    if tree is None:
        return None
    text = json.dumps(_packed(tree), ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    return tag("script", raw(text), type="application/json", id="tree")


def _packed(tree: Tree) -> list[Any]:
    return [tree.name, tree.bytes, tree.kind, tree.note, [_packed(child) for child in tree.children]]
