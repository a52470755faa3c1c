import pytest

from layerwright.plan.grouping import group_wheels

SIZES = [
    ("tiny", 1000),
    ("torch", 800_000_000),
    ("numpy", 20_000_000),
    ("cv2", 60_000_000),
    ("yaml", 700_000),
    ("pil", 6_000_000),
]


def test_heavy_wheels_stand_alone_by_magnitude_and_name_and_the_rest_together():
    assert group_wheels(SIZES, budget=100) == (("torch",), ("cv2",), ("numpy",), ("pil",), ("tiny", "yaml"))


def test_the_order_of_the_input_and_small_changes_of_size_do_not_matter():
    changed = [(name, size + size // 20) for name, size in reversed(SIZES)]
    assert group_wheels(changed, budget=100) == group_wheels(SIZES, budget=100)


@pytest.mark.parametrize("budget", range(1, 8))
def test_the_budget_holds_and_nothing_is_lost(budget):
    groups = group_wheels(SIZES, budget=budget)
    assert len(groups) <= budget
    assert sorted(name for group in groups for name in group) == sorted(name for name, _ in SIZES)
    assert group_wheels(SIZES, budget=100)[: len(groups) - 1] == groups[:-1]


def test_without_small_wheels_there_is_no_last_group():
    heavy = [("a", 2_000_000), ("b", 3_000_000)]
    assert group_wheels(heavy, budget=2) == (("a",), ("b",))
    assert group_wheels(heavy, budget=1) == (("a", "b"),)
    assert group_wheels([], budget=5) == ()


def test_a_budget_of_nothing_is_an_error_of_the_caller():
    with pytest.raises(ValueError, match="budget 0"):
        group_wheels(SIZES, budget=0)
