"""ALDD against slow loops and worked cases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ymir_exc.mining import aldd, binary_entropy
from ymir_exc.mining.aldd import divergence, mean_filter, region_maxima, upsample

RANDOM = np.random.default_rng(0)


def slow_mean(values, side):
    half = side // 2
    return np.array(
        [
            [
                values[max(0, i - half) : i + half + 1, max(0, j - half) : j + half + 1].mean()
                for j in range(values.shape[1])
            ]
            for i in range(values.shape[0])
        ]
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 14), st.integers(1, 14), st.sampled_from([1, 3, 9]))
def test_the_mean_leaves_out_what_is_outside(rows, columns, side):
    values = RANDOM.random((rows, columns))
    assert mean_filter(values, side) == pytest.approx(slow_mean(values, side))
    assert mean_filter(values[None, None], side)[0, 0] == pytest.approx(slow_mean(values, side))


@pytest.mark.parametrize("side", [0, 2, -3])
def test_a_square_without_a_middle_is_refused(side):
    with pytest.raises(ValueError, match=f"an odd number of cells, not {side}"):
        mean_filter(np.zeros((3, 3)), side)


def test_agreement_has_no_divergence_and_a_checkerboard_the_most():
    assert divergence(np.full((5, 5), 0.3)) == pytest.approx(np.zeros((5, 5)))
    board = np.indices((20, 20)).sum(0) % 2
    value = divergence(board.astype(float), 9)[10, 10]
    # 40 or 41 of 81 are 1, and each alone is sure.
    assert value == pytest.approx(binary_entropy(np.array(41 / 81)), abs=1e-9)


def test_regions_by_hand():
    values = np.zeros((64, 70))
    values[5, 5], values[40, 40], values[0, 69] = 4.0, 2.0, 6.0
    # 2 x 3 regions, the last column narrow: maxima 4, 0, 6 and 0, 2, 0.
    assert region_maxima(values, 32) == pytest.approx(2.0)


def test_upsampling_keeps_corners_and_interpolates():
    assert upsample(np.array([[0.0, 1.0]]), (1, 4)) == pytest.approx(np.array([[0, 0.25, 0.75, 1]]))
    maps = RANDOM.random((3, 5, 7))
    assert upsample(maps, (5, 7)) == pytest.approx(maps)
    assert upsample(np.full((2, 3, 3), 0.4), (17, 9)) == pytest.approx(np.full((2, 17, 9), 0.4))


def test_classes_are_weighted_and_scales_added():
    coarse, fine = RANDOM.random((2, 4, 4)), RANDOM.random((2, 8, 8))
    both = aldd([[coarse, fine]], [(32, 32)])
    expected = region_maxima(divergence(upsample(coarse, (32, 32))) + divergence(upsample(fine, (32, 32))))
    assert both == pytest.approx([expected.sum()])
    assert aldd([[coarse, fine]], [(32, 32)], class_weights=[0.5]) == pytest.approx(
        [0.5 * expected[0] + expected[1]]
    )
    assert aldd([[coarse, fine]], [(32, 32)], class_weights=[0, 0, 7]) == pytest.approx([0])
    assert aldd([[]], [(32, 32)]) == pytest.approx([0])


def test_a_sure_image_scores_below_an_unsure_one():
    sure = np.zeros((1, 8, 8))
    unsure = RANDOM.random((1, 8, 8))
    scores = aldd([[sure], [unsure]], [(32, 32), (32, 32)])
    assert scores[0] == pytest.approx(0)
    assert scores[1] > 0.05
