"""The verdict table (§4.2), remaining time (§4.3), codes (§4.4)."""

import pytest

from layerwright.ymir.codes import CODES, meaning_of
from layerwright.ymir.progress import Sample, moving_rate_remaining, platform_remaining, shown_percent
from support.platform_rows import VERDICTS, VerdictRow


@pytest.mark.parametrize("row", VERDICTS, ids=lambda row: row.title)
def test_verdict(row: VerdictRow) -> None:
    verdict = row.judge()
    assert (verdict.success, verdict.code, verdict.package) == (row.code == 0, row.code, row.package)
    assert verdict.reason
    assert verdict.rule in {"3.1", "4.2"}


CONTRACT_CODES = (
    130401, 130402, 130504, 150402, 150403, 150404, 160001, 160002, 160003, 160004, 160005, 160011, 160012, 160015,
    160016, 160019, 169999, 300001, 300002, 300003, 300004, 300005, 300101, 300102, 300103, 300201, 300301,
)  # fmt: skip


@pytest.mark.parametrize("code", CONTRACT_CODES)
def test_codes(code: int) -> None:
    assert CODES[code].source == ("executor" if code >= 300000 else "platform")
    assert meaning_of(code)


def test_no_code_too_many() -> None:
    assert tuple(CODES) == CONTRACT_CODES
    assert meaning_of(180103).startswith("out of memory")
    assert meaning_of(42) == "a code that the contract does not name"
    assert meaning_of(0) == "success"


@pytest.mark.parametrize(
    ("percent", "remaining"),
    [
        (0.0, None),
        (0.009, None),
        (0.01, 9900.0),
        (0.25, 300.0),
        (0.999, 100 / 99),
        (1.0, 0.0),
        (float("nan"), None),
    ],
)
def test_the_platforms_remaining_time(percent: float, remaining: float | None) -> None:
    found = platform_remaining(percent, created=1000, now=1100)
    assert found == (None if remaining is None else pytest.approx(remaining))


def test_all_done_is_shown_as_99_until_the_result_is_stored() -> None:
    assert shown_percent(1.0, stored=False) == 99
    assert shown_percent(1.0, stored=True) == 100
    assert shown_percent(0.509, stored=False) == 50
    assert shown_percent(float("nan"), stored=False) == 0


def samples(*pairs: tuple[float, float]) -> list[Sample]:
    return [Sample(time=time, percent=percent) for time, percent in pairs]


def test_the_moving_rate_counts_from_the_start_of_the_container() -> None:
    # A queue of an hour before the start changes nothing.
    steady = samples((110, 0.1), (120, 0.2), (130, 0.3))
    assert moving_rate_remaining(steady, started=100, now=130) == pytest.approx(70)
    assert moving_rate_remaining(steady, started=100, now=135) == pytest.approx(65)
    assert moving_rate_remaining([], started=100, now=130) is None


def test_the_moving_rate_follows_a_change() -> None:
    slower = samples(*((100 + 1 * step, 0.05 * step) for step in range(1, 11)))
    slower += samples(*((110 + 10 * step, 0.5 + 0.02 * step) for step in range(1, 11)))
    found = moving_rate_remaining(slower, started=100, now=210)
    assert found == pytest.approx(0.3 * 10 / 0.02)


def test_an_overdue_report_lets_the_estimate_grow() -> None:
    steady = samples((110, 0.1), (120, 0.2))
    on_time = moving_rate_remaining(steady, started=100, now=130)
    late = moving_rate_remaining(steady, started=100, now=190)
    assert on_time is not None
    assert late is not None
    assert late > on_time


def test_steps_back_and_nonsense_are_left_out() -> None:
    odd = samples((110, 0.2), (111, 0.1), (112, float("nan")), (113, 7.0), (120, 0.4))
    assert moving_rate_remaining(odd, started=100, now=120) == pytest.approx(30)
    assert moving_rate_remaining(samples((110, 1.0)), started=100, now=500) == 0
