"""Entropy, least confidence and margin, by hand and by their properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ymir_exc.mining import Detections, binary_entropy, entropy, least_confidence, margin, reduce
from ymir_exc.mining.uncertainty import distribution

LN2 = np.log(2)
ROWS = arrays.arrays(
    float, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=st.floats(0, 1, allow_subnormal=False)
)


def test_binary_entropy_by_hand():
    # H(1/4) = 1/4 ln 4 + 3/4 ln(4/3)
    expected = 0.25 * np.log(4) + 0.75 * np.log(4 / 3)
    assert binary_entropy(np.array([0, 1, 0.5, 0.25])) == pytest.approx([0, 0, LN2, expected])


def test_what_classes_leave_of_one_is_the_background():
    assert distribution([[0.5, 0.25]]) == pytest.approx(np.array([[0.5, 0.25, 0.25]]))


def test_independent_sigmoids_are_divided_by_their_sum():
    assert distribution([[1.0, 0.5, 0.5]]) == pytest.approx(np.array([[0.5, 0.25, 0.25, 0.0]]))


def test_measures_by_hand():
    rows = [[0.5, 0.25], [1.0, 0.0], [0.0, 0.0], [0.5, 0.5]]
    assert entropy(rows) == pytest.approx([1.5 * LN2, 0, 0, LN2])
    assert least_confidence(rows) == pytest.approx([0.5, 0, 0, 0.5])
    assert margin(rows) == pytest.approx([0.75, 0, 0, 1])


@given(ROWS)
def test_measures_keep_their_ranges(rows):
    classes = rows.shape[1] + 1
    for values, top in (
        (entropy(rows), np.log(classes)),
        (least_confidence(rows), 1 - 1 / classes),
        (margin(rows), 1.0),
    ):
        assert values.shape == (len(rows),)
        assert (values >= -1e-12).all()
        assert (values <= top + 1e-9).all()


@given(ROWS, st.randoms())
def test_measures_do_not_depend_on_the_order_of_classes(rows, random):
    order = list(range(rows.shape[1]))
    random.shuffle(order)
    for measure in (entropy, least_confidence, margin):
        assert measure(rows[:, order]) == pytest.approx(measure(rows))


def test_reductions_by_hand_with_an_image_without_detections_between():
    values = [[1.0, 3.0], [], [2.0], []]
    assert reduce(values, "sum", empty=-10) == pytest.approx([4, -10, 2, -10])
    assert reduce(values, "mean") == pytest.approx([2, 0, 2, 0])
    assert reduce(values, "max") == pytest.approx([3, 0, 2, 0])
    assert reduce([]).shape == (0,)
    assert reduce([[], []]) == pytest.approx([0, 0])


@given(
    st.lists(st.lists(st.floats(-10, 10), max_size=5), max_size=6), st.sampled_from(["sum", "mean", "max"])
)
def test_reductions_agree_with_a_loop(values, how):
    function = {"sum": sum, "mean": lambda row: sum(row) / len(row), "max": max}[how]
    expected = [function(row) if row else 0.5 for row in values]
    assert reduce(values, how, empty=0.5) == pytest.approx(expected, abs=1e-9)


def test_another_reduction_is_named():
    with pytest.raises(ValueError, match="no reduction 'median'; there are sum, mean, max"):
        reduce([[1.0]], "median")


@pytest.mark.parametrize(
    ("boxes", "scores", "rows", "said"),
    [
        ([[0, 0, 1, 1]], [0.5, 0.5], [[0.5]], "1 boxes, 2 scores and 2 rows|1 boxes, 2 scores and 1 rows"),
        ([[0, 0, 1, 1]], [1.5], [[0.5]], "scores must lie between 0 and 1; found 1.5"),
        ([[0, 0, 1, 1]], [0.5], [[-0.5]], "probabilities must lie between 0 and 1; found -0.5"),
        ([[0, 0, 1, 1]], [float("nan")], [[0.5]], "scores must lie between 0 and 1; found nan"),
    ],
)
def test_detections_that_cannot_be_are_refused(boxes, scores, rows, said):
    with pytest.raises(ValueError, match=said):
        Detections(boxes, scores, rows)
