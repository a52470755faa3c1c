"""Core-set against a worked line of points, a slow loop, and the greedy promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ymir_exc.mining import core_set


def test_on_a_line_by_hand():
    # Labelled at 0. Farthest: 10 (distance 10). Then 4 (nearest 0, distance 4), then 6 (nearest 4: 2), then 9 (1).
    line = np.array([[4.0], [10.0], [9.0], [6.0]])
    assert core_set(line, labelled=np.array([[0.0]])) == pytest.approx([4, 10, 1, 2])


def test_without_labels_it_begins_far_from_the_mean():
    line = np.array([[0.0], [1.0], [10.0]])
    scores = core_set(line)
    # 10 is farthest from the mean 11/3; then 0 with distance 10, which the first gets, too; then 1.
    assert scores == pytest.approx([10, 1, 10])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 12), st.integers(1, 3), st.integers(0, 3), st.integers(0, 1000))
def test_each_pick_is_the_farthest_that_is_left(count, length, labelled, seed):
    rng = np.random.default_rng(seed)
    points, known = rng.random((count, length)), rng.random((labelled, length))
    scores = core_set(points, known)
    assert scores.shape == (count,)
    order = list(np.argsort(-scores, kind="stable"))
    if not labelled:
        order = order[1:] if order else order
        return
    centers = list(known)
    for pick in order:
        distances = [min(np.linalg.norm(point - center) for center in centers) for point in points]
        assert distances[pick] == pytest.approx(max(distances), abs=1e-6)
        assert scores[pick] == pytest.approx(distances[pick], abs=1e-6)
        centers.append(points[pick])


def test_a_limit_ranks_the_same_at_the_front():
    points = np.random.default_rng(1).random((50, 4))
    whole = np.argsort(-core_set(points), kind="stable")
    short = np.argsort(-core_set(points, limit=10), kind="stable")
    assert set(whole[:10]) == set(short[:10])
    assert len(short) == 50


def test_equal_images_and_none():
    assert core_set(np.zeros((3, 2))) == pytest.approx([0, 0, 0])
    assert core_set(np.zeros((0, 2))).shape == (0,)
    assert core_set(np.ones((1, 2))).shape == (1,)
