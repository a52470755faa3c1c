"""Overlaps, and boxes that follow what is done to an image."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ymir_exc.mining import geometry


def square(image):
    """The box around what is bright."""
    rows, columns = np.nonzero(image > 100)
    return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], dtype=float)


@pytest.fixture
def picture():
    image = np.zeros((40, 60), dtype=np.uint8)
    image[10:20, 30:50] = 200
    return image, np.array([[30.0, 10.0, 50.0, 20.0]])


def test_overlap_by_hand():
    # 10 x 10 and the same moved by 5: 50 of 150 in common; half of the height in common: 50 of 150.
    first = [[0, 0, 10, 10]]
    second = [[0, 0, 10, 10], [5, 0, 15, 10], [0, 5, 10, 15], [10, 0, 20, 10], [4, 4, 4, 4]]
    assert geometry.iou(first, second) == pytest.approx(np.array([[1, 1 / 3, 1 / 3, 0, 0]]))
    assert geometry.iou(np.zeros((0, 4)), second).shape == (0, 5)


BOX = st.tuples(*[st.integers(0, 30)] * 2, *[st.integers(1, 30)] * 2).map(
    lambda each: (each[0], each[1], each[0] + each[2], each[1] + each[3])
)


@given(st.lists(BOX, min_size=1, max_size=4), st.lists(BOX, min_size=1, max_size=4))
def test_overlap_is_symmetric_and_counts_pixels(first, second):
    overlaps = geometry.iou(first, second)
    assert overlaps == pytest.approx(geometry.iou(second, first).T)
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            pixels = [
                {(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])} for box in (a, b)
            ]
            assert overlaps[i, j] == pytest.approx(len(pixels[0] & pixels[1]) / len(pixels[0] | pixels[1]))


def test_boxes_follow_a_flip(picture):
    image, boxes = picture
    changed = geometry.flip(image, boxes)
    assert square(changed.image) == pytest.approx(changed.boxes[0])
    assert geometry.flip(changed.image, changed.boxes).boxes == pytest.approx(boxes)


def test_boxes_follow_a_resize(picture):
    image, boxes = picture
    changed = geometry.resize(image, boxes)
    assert changed.image.shape == (32, 48)
    assert changed.image.dtype == np.uint8
    assert changed.boxes[0] == pytest.approx([24, 8, 40, 16])
    assert square(changed.image) == pytest.approx(changed.boxes[0], abs=1)


@pytest.mark.parametrize("degrees", [5.0, -5.0, 30.0, 90.0])
def test_boxes_follow_a_rotation(degrees):
    image = np.zeros((60, 60), dtype=np.uint8)
    image[20:30, 35:45] = 200
    changed = geometry.rotate(image, np.array([[35.0, 20.0, 45.0, 30.0]]), degrees)
    assert changed.image.shape == (60, 60)
    bright = square(changed.image)
    assert geometry.iou([bright], changed.boxes)[0, 0] > 0.7
    assert (changed.image > 100).sum() == pytest.approx(100, abs=12)  # the area stays


def test_a_box_turned_out_of_the_frame_is_cut_at_it():
    changed = geometry.rotate(np.zeros((40, 40)), np.array([[30.0, 0.0, 40.0, 10.0]]), 30)
    assert (changed.boxes >= 0).all()
    assert (changed.boxes <= 40).all()


def test_no_turn_and_ratio_one_change_nothing(picture):
    image, boxes = picture
    for changed in (geometry.rotate(image, boxes, 0), geometry.resize(image, boxes, 1)):
        assert (changed.image == image).all()
        assert changed.boxes == pytest.approx(boxes)


def test_cut_out_darkens_a_part_of_two_boxes_at_most():
    image = np.full((50, 50, 3), 255, dtype=np.uint8)
    boxes = np.array([[0, 0, 20, 20], [25, 25, 45, 45], [0, 25, 20, 45]], dtype=float)
    changed = geometry.cut_out(image, boxes, np.random.default_rng(3))
    dark = [(changed.image[int(b[1]) : int(b[3]), int(b[0]) : int(b[2])] == 0).all(-1).mean() for b in boxes]
    assert sorted(share > 0 for share in dark) == [False, True, True]
    assert all(0.06 < share < 0.5 for share in dark if share)  # 10 to 40 %, but for rounding
    assert (changed.image == 0).all(-1).sum() == round(sum(dark) * 400)  # nothing outside of the boxes
    assert (image == 255).all()
    assert changed.boxes is not None
    assert (changed.boxes == boxes).all()


def test_a_box_beyond_the_image_is_cut_without_an_error():
    image = np.full((10, 10), 9, dtype=np.uint8)
    changed = geometry.cut_out(image, np.array([[-20.0, -20.0, -5.0, -5.0]]), np.random.default_rng(0))
    assert (changed.image == image).all()
