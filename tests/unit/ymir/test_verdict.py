# ruff: noqa: E501 - a row of a table is a line
"""The verdict table (§4.2), remaining time (§4.3), codes (§4.4)."""

from typing import Any

import pytest

from layerwright.ymir.codes import CODES, State, Task, meaning_of
from layerwright.ymir.monitor import MonitorFault, MonitorReport
from layerwright.ymir.progress import Sample, moving_rate_remaining, platform_remaining, shown_percent
from layerwright.ymir.verdict import ResultState, from_poll, judge

VALID = ResultState(valid=True)
MISSING = ResultState(valid=False, code=160011, why="result.yaml is missing")
UNREADABLE = ResultState(valid=False, code=169999, why="infer-result.json is no JSON")
FAULT = MonitorFault("empty", "the file is empty", field="", repair="write it")


def report(state: int = 2, code: int = 0) -> MonitorReport:
    return MonitorReport(task_id="t", time=1, time_text="1", percent=0.5, state=State(state), code=code)


TABLE: list[Any] = [
    pytest.param("training", 0, report(), VALID, {}, (True, 0, True), id="0, valid result"),
    pytest.param("training", 0, report(4, 300103), VALID, {}, (True, 0, True), id="0, valid result, state 4 unseen by a poll"),
    pytest.param("training", 0, FAULT, VALID, {}, (True, 0, True), id="0, valid result, monitor unreadable"),
    pytest.param("training", 0, report(), MISSING, {}, (False, 160011, False), id="0, result missing or invalid"),
    pytest.param("infer", 0, report(), UNREADABLE, {}, (False, 169999, False), id="0, infer result unreadable"),
    pytest.param("training", 1, report(4, 300103), MISSING, {}, (False, 300103, False), id="not 0, column 5 has a code"),
    pytest.param("training", 137, report(2, 300103), MISSING, {}, (False, 300103, False), id="137, column 5 has a code"),
    pytest.param("training", 1, report(4, 300103), MISSING, {"honours_codes": False}, (False, 160004, False), id="a platform before 2.3"),
    pytest.param("training", 1, report(), MISSING, {}, (False, 160004, False), id="not 0, column 5 zero or absent"),
    pytest.param("training", 1, report(), VALID, {}, (False, 160004, True), id="not 0, valid result.yaml: the package is stored"),
    pytest.param("mining", 1, report(), VALID, {}, (False, 160004, False), id="not 0, a mining has no package"),
    pytest.param("training", 1, FAULT, MISSING, {}, (False, 169999, False), id="not 0, monitor empty or unreadable"),
    pytest.param("training", 0, report(), VALID, {"permission_error": "/out/models"}, (False, 160019, False), id="permission error"),
    pytest.param("training", 0, report(), VALID, {"polled": from_poll(report(4, 300201))}, (False, 300201, False), id="a poll saw state 4 first"),
    pytest.param("training", 0, report(), VALID, {"polled": from_poll(report(4))}, (False, 160004, False), id="a poll saw state 4 without a code"),
    pytest.param("training", 0, report(), VALID, {"polled": from_poll(MonitorFault("unreadable", "x", field="", repair=""))},
                 (False, 150404, False), id="a poll could not read the monitor file"),
]  # fmt: skip


@pytest.mark.parametrize(("task", "exit_code", "monitor", "result", "more", "expected"), TABLE)
def test_verdict(
    task: Task,
    exit_code: int,
    monitor: MonitorReport | MonitorFault,
    result: ResultState,
    more: dict[str, Any],
    expected: tuple[bool, int, bool],
) -> None:
    verdict = judge(task=task, exit_code=exit_code, monitor=monitor, result=result, **more)
    assert (verdict.success, verdict.code, verdict.package) == expected
    assert verdict.reason
    assert verdict.rule in {"3.1", "4.2"}


def test_an_empty_file_only_skips_a_poll() -> None:
    assert from_poll(FAULT) is None


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
