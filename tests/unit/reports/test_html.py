import html.parser
import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from layerwright.core.findings import Finding, Place
from layerwright.reports.graph import LibraryGraph, LibraryNode, Need
from layerwright.reports.html import Details, html_page
from layerwright.reports.markup import tag
from layerwright.reports.tree import Tree
from support.report_samples import CUDNN, FINDINGS, TREE, graph


class Reader(html.parser.HTMLParser):
    """Elements and text as a browser sees them."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements = []
        self.text = []
        self.data = {}
        self._open = []
        self.feed(text)
        self.close()

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        self._open.append((name, dict(attributes)))

    def handle_endtag(self, name):
        while self._open and self._open.pop()[0] != name:
            pass

    def handle_data(self, data):
        if self._open and self._open[-1][0] == "script":
            self.data[self._open[-1][1].get("id", "")] = data
        else:
            self.text.append(data)

    def named(self, name):
        return [attributes for one, attributes in self.elements if one == name]


def page(findings=FINDINGS, **details):
    return html_page(findings, title="a report", details=Details(**details))


def test_one_file_that_asks_for_nothing():
    reader = Reader(page(tree=TREE, graph=graph()))
    assert reader.named("link") == reader.named("img") == reader.named("iframe") == []
    for _, attributes in reader.elements:
        assert not {"src", "onclick", "onload", "onerror"} & set(attributes)
        assert attributes.get("href", "#").startswith("#")
    policy = next(one["content"] for one in reader.named("meta") if one.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    assert "unsafe-eval" not in policy
    assert "script-src 'sha256-" in policy


def test_sections_are_those_there_is_something_for():
    def sections(text):
        return [one["id"] for one in Reader(text).named("section")]

    assert sections(page()) == ["findings"]
    assert sections(page(tree=TREE, graph=graph())) == ["findings", "size", "libraries"]
    assert sections(page(None, tree=TREE)) == ["size"]


def test_nothing_found_says_so():
    assert "Nothing was found." in page(())


def test_findings_keep_their_words_and_their_order():
    reader = Reader(page())
    found = reader.named("details")
    assert [one["data-level"] for one in found] == [one.level for one in FINDINGS]
    text = "".join(reader.text)
    for fact in CUDNN.evidence:
        assert fact.text in text
    assert "checked: the clash is gone" in text
    assert "- from = " in text
    assert "+ from = " in text


def test_hostile_names_stay_names():
    name = "</script><script>alert(1)</script>\u202e\x1b[2J"
    tree = Tree(name=name, bytes=2, note=name, children=(Tree(name=name, bytes=2, kind="file", note=name),))
    nodes = (
        LibraryNode(key="a", name=name, owner=name),
        LibraryNode(key="b", name=name, state="missing", path=name),
    )
    finding = Finding(
        code="LW-X", level="error", message=name, where=Place(image=name, path=name, layer=name)
    )
    text = html_page(
        [finding],
        title=name,
        details=Details(
            facts=((name, name),),
            tree=tree,
            graph=LibraryGraph(nodes=nodes, needs=(Need(source="a", target="b", how=name),)),
        ),
    )
    reader = Reader(text)
    assert [one.get("id") for one in reader.named("script")] == ["tree", None]
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert json.loads(reader.data["tree"])[0] == name


def test_a_finding_of_many_images_stands_once():
    from msgspec.structs import replace

    cells = [replace(CUDNN, where=replace(CUDNN.where, image=f"cell{n}")) for n in range(3)]
    (only,) = Reader(page(cells)).named("details")
    assert only["data-images"] == "cell0\ncell1\ncell2"


def test_what_most_need_is_named_rather_than_drawn():
    text = page(graph=graph())
    assert "left out of the drawing: libc6 2.36-9+deb12u13" in text
    assert text.count('class="edge missing"') == 2
    assert text.count('class="edge missing optional"') == 1


def test_a_large_graph_keeps_what_is_missing():
    nodes = [LibraryNode(key=f"{n}", name=f"l{n}.so", owner=f"package{n}") for n in range(400)]
    needs = [Need(source=f"{n}", target=f"{n + 1}") for n in range(399)]
    nodes.append(LibraryNode(key="gone", name="libgone.so", state="missing"))
    needs.append(Need(source="250", target="gone"))
    text = page(graph=LibraryGraph(nodes=tuple(nodes), needs=tuple(needs)))
    assert text.count("<rect") == 60
    assert "missing: libgone.so" in text
    assert "341 owners" in text


def test_the_same_page_twice():
    assert page(tree=TREE, graph=graph()) == page(tree=TREE, graph=graph())


@settings(max_examples=100)
@given(st.text(max_size=40))
def test_any_text_survives_an_element(text):
    shown = "".join(Reader(tag("p", text, title=text)).text)
    plain = re.sub(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|r|n|t)", "?", shown)
    assert len(shown) >= len(text)
    assert "<" not in shown or "<" in text
    assert plain is not None
