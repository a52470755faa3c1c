from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from layerwright.reports.graph import LibraryGraph, LibraryNode, Need, by_owner
from layerwright.reports.layout import columns
from support.report_samples import graph


def test_libraries_of_one_owner_are_taken_together():
    owners = by_owner(graph())
    edge = next(
        one
        for one in owners.edges
        if (one.source, one.target) == ("torch 2.9.1", "nvidia-cublas-cu12 12.8.4.1")
    )
    assert (edge.count, edge.names) == (1, ("libcublas.so.12",))
    assert owners.owners["torch 2.9.1"] == 2
    assert not any(one.source == one.target for one in owners.edges)


def test_a_missing_library_is_an_owner_of_its_own():
    owners = by_owner(graph())
    assert owners.states["libGL.so.1"] == "missing"
    assert [
        one.target for one in owners.edges if one.source.startswith("opencv") and one.state == "missing"
    ] == [
        "libGL.so.1",
        "libgthread-2.0.so.0",
    ]
    assert next(one for one in owners.edges if one.target == "libnvinfer.so.10").optional


def test_needs_of_nothing_known_are_left_out():
    only = LibraryNode(key="a", name="a", owner="x")
    owners = by_owner(LibraryGraph(nodes=(only,), needs=(Need(source="a", target="gone"),)))
    assert owners.edges == ()


def test_columns_flow_from_left_to_right():
    assert columns(["a", "b", "c", "d"], [("a", "b"), ("b", "c"), ("a", "c"), ("d", "c")]) == [
        ["a", "d"],
        ["b"],
        ["c"],
    ]


NAMES = [f"n{n}" for n in range(12)]


@settings(max_examples=150)
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=40))
def test_every_box_has_one_place_whatever_circles_there_are(edges):
    placed = columns(NAMES, edges)
    assert sorted(node for column in placed for node in column) == sorted(NAMES)
    assert placed == columns(NAMES, reversed(edges))
    rank = {node: at for at, column in enumerate(placed) for node in column}
    if all(source < target for source, target in edges):  # no circle
        assert all(rank[source] < rank[target] for source, target in edges)


def test_long_chains_need_no_deep_stack():
    names = [f"{n:05}" for n in range(5000)]
    assert len(columns(names, pairwise(names))) == 5000
