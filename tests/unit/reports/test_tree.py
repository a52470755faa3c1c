from hypothesis import given, settings
from hypothesis import strategies as st

from layerwright.reports.tree import Tree, fold, walk
from support.report_samples import TREE


def file(name, size):
    return Tree(name=name, bytes=size, kind="file")


def folder(name, *children, kind="folder"):
    return Tree(name=name, bytes=sum(child.bytes for child in children), kind=kind, children=children)


def test_small_things_are_taken_together():
    tree = fold(folder("/", file("large", 1000), *(file(f"{n}", 1) for n in range(50))), share=0.01)
    assert [(child.name, child.bytes, child.kind) for child in tree.children] == [
        ("large", 1000, "file"),
        ("50 smaller", 50, "rest"),
    ]


def test_one_small_thing_keeps_its_name():
    tree = fold(folder("/", file("large", 1000), file("small", 1)), share=0.1)
    assert [child.name for child in tree.children] == ["large", "small"]


def test_folders_with_one_folder_are_one():
    tree = fold(folder("layer", folder("usr", folder("lib", file("a", 1), file("b", 2))), kind="layer"))
    (only,) = tree.children
    assert only.name == "usr/lib"


def test_depth_is_bounded():
    tree = file("leaf", 5)
    for _ in range(3000):
        tree = folder("d", tree, file("x", 1))
    assert max(depth for depth, _ in walk(fold(tree, deepest=10))) <= 10


def test_a_page_can_hold_a_whole_image():
    many = folder("/", *(folder(f"d{n}", *(file(f"f{m}", 10 + m) for m in range(300))) for n in range(300)))
    assert sum(1 for _ in walk(many)) == 90301
    assert sum(1 for _ in walk(fold(many))) < 3000


TREES = st.recursive(
    st.builds(file, st.text("ab", min_size=1), st.integers(0, 1000)),
    lambda inner: st.builds(lambda children: folder("d", *children), st.lists(inner, max_size=5)),
    max_leaves=30,
)


@settings(max_examples=100)
@given(TREES, st.floats(0.0001, 0.5))
def test_sizes_stay_what_they_were(tree, share):
    folded = fold(tree, share=share)
    assert folded.bytes == tree.bytes
    for _, node in walk(folded):
        if node.children:
            assert sum(child.bytes for child in node.children) == node.bytes
            sizes = [child.bytes for child in node.children if child.kind != "rest"]
            assert sizes == sorted(sizes, reverse=True)


def test_the_sample_is_one():
    assert fold(TREE).bytes == TREE.bytes
