"""CALD against worked cases, and its two orders."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mining.detectors import Bright
from ymir_exc.mining import Detections, cald
from ymir_exc.mining.cald import CHANGES, consistency, js_divergence

BETA = 1.3


def test_divergence_by_hand():
    same = js_divergence(np.array([[0.5, 0.5]]), np.array([[0.5, 0.5]]))
    apart = js_divergence(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]))
    # (1, 0) and (1/2, 1/2) have the middle (3/4, 1/4): half of ln(4/3) and of (ln(2/3) + ln 2) / 2.
    half = js_divergence(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]))
    assert same == pytest.approx([0])
    assert apart == pytest.approx([np.log(2)])
    assert half == pytest.approx([(np.log(4 / 3) + (np.log(2 / 3) + np.log(2)) / 2) / 2])


def test_consistency_by_hand():
    original = Detections([[0, 0, 10, 10], [50, 50, 60, 60]], [0.9, 0.4], [[0.9, 0.1], [0.4, 0.6]])
    changed = Detections([[5, 0, 15, 10], [0, 0, 10, 10]], [0.8, 0.7], [[0.5, 0.5], [0.9, 0.1]])
    values = consistency(original, original.boxes, changed)
    # The first finds its equal: IoU 1, scores 0.9 and 0.7, no divergence. Nothing overlaps the second.
    assert values == pytest.approx([abs(1 + 0.8 - BETA), BETA])


def test_consistency_takes_the_classes_into_account():
    original = Detections([[0, 0, 10, 10]], [1.0], [[1.0, 0.0]])
    other_class = Detections([[0, 0, 10, 10]], [1.0], [[0.0, 1.0]])
    assert consistency(original, original.boxes, other_class) == pytest.approx([abs(2 - np.log(2) - BETA)])
    assert consistency(original, original.boxes, other_class, pairs=True) == pytest.approx([2 - BETA])


def test_consistency_without_an_answer_is_beta_for_each():
    original = Detections([[0, 0, 1, 1]] * 3, [0.5] * 3, [[0.5]] * 3)
    assert consistency(original, original.boxes, Detections.none()) == pytest.approx([BETA] * 3)
    assert consistency(Detections.none(), np.zeros((0, 4)), original).shape == (0,)


@given(
    st.lists(st.tuples(*[st.floats(0, 50)] * 4, st.floats(0, 1)), max_size=4),
    st.lists(st.tuples(*[st.floats(0, 50)] * 4, st.floats(0, 1)), max_size=4),
)
def test_consistency_keeps_its_range(first, second):
    made = [
        Detections([row[:4] for row in rows], [row[4] for row in rows], [[row[4]] for row in rows])
        for rows in (first, second)
    ]
    values = consistency(made[0], made[0].boxes, made[1])
    assert len(values) == len(first)
    assert (values >= 0).all()
    assert (values <= BETA + 1e-9).all()


def picture():
    image = np.zeros((64, 64), dtype=np.uint8)
    image[16:48, 16:48] = 250
    return image


def test_a_detector_that_sees_the_same_in_each_change_by_hand():
    # Flip: IoU 1, twice the score 0.9, no divergence: |1.9 - 1.3|.
    image = picture()
    assert cald(Bright(), [image], changes=["flip"]) == pytest.approx([-0.6])
    assert cald(Bright(), [image], changes=["flip"], order="old") == pytest.approx([0.6])


def test_the_mean_is_taken_over_the_changes():
    image = picture()
    each = [cald(Bright(), [image], changes=[name])[0] for name in CHANGES]
    assert cald(Bright(), [image])[0] == pytest.approx(np.mean(each))


def test_images_without_detections_come_first_last_or_as_before():
    images = [picture(), np.zeros((64, 64), dtype=np.uint8)]
    assert cald(Bright(), images)[1] == pytest.approx(BETA)
    last = cald(Bright(), images, without="last")
    assert last[1] < last[0] - 1
    old = cald(Bright(), images, order="old")
    assert old[1] == pytest.approx(-BETA)
    assert np.argsort(-old).tolist() == np.argsort(cald(Bright(), images)).tolist()


class Forgets:
    """Finds two boxes on an original image and what it is told on the smaller one that a resize gives."""

    def __init__(self, again):
        self.again = again

    def detect(self, images):
        first = Detections([[0, 0, 10, 10], [20, 20, 40, 40]], [0.9, 0.5], [[0.9], [0.5]])
        return [first if len(image) == 50 else self.again for image in images]


def test_one_minimum_or_the_sum_of_running_minima():
    image = np.zeros((50, 50))
    # The smaller image keeps both: |1.9 - 1.3| = 0.6 and |1.5 - 1.3| = 0.2.
    kept = Detections([[0, 0, 8, 8], [16, 16, 32, 32]], [0.9, 0.5], [[0.9], [0.5]])
    assert cald(Forgets(kept), [image], changes=["resize"]) == pytest.approx([-0.2])
    running = cald(Forgets(kept), [image], changes=["resize"], running_minimum=True, order="old")
    assert running == pytest.approx([0.6 + 0.2])
    # It finds nothing: beta, once.
    for way in (False, True):
        nothing = cald(
            Forgets(Detections.none()), [image], changes=["resize"], running_minimum=way, order="old"
        )
        assert nothing == pytest.approx([BETA])


def test_the_same_seed_gives_the_same_scores():
    images = [picture() for _ in range(3)]
    first = cald(Bright(), images, seed=5)
    assert (cald(Bright(), images, seed=5) == first).all()


def test_each_change_is_one_call_for_all_images():
    detector = Bright()
    cald(detector, [picture(), np.zeros((64, 64)), picture()])
    assert detector.seen == [3, 2, 2, 2, 2]


def test_known_detections_are_not_asked_for_again():
    detector = Bright()
    known = Bright().detect([picture()])
    assert cald(detector, [picture()], detections=known) == pytest.approx(cald(Bright(), [picture()]))
    assert detector.seen == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"order": "best"}, "no order 'best'; there are paper and old"),
        ({"changes": ["mirror"]}, "no change 'mirror'; there are flip, cut-out, rotate, resize"),
        ({"changes": []}, "no change at all"),
        ({"without": "middle"}, "stand 'first' or 'last', not 'middle'"),
    ],
)
def test_what_is_not_known_is_named(told, said):
    with pytest.raises(ValueError, match=said):
        cald(Bright(), [picture()], **told)
