"""§7.3.7: progress that never goes back and does not come too often, where that is switched on."""

import pytest

from model import monitor as platform
from ymir_exc import _report, monitor, settings
from ymir_exc.code import ExecutorState


@pytest.fixture
def monotonic(monkeypatch):
    monkeypatch.setattr(settings, "MONITOR_MONOTONIC", True)


@pytest.mark.parametrize(("steps", "seen"), [
    ([0.1, 0.5, 0.3, 0.6], [0.1, 0.5, 0.5, 0.6]),
    ([1.2, 0.5], [1.0, 1.0]),
    ([-3, 0.2], [0.0, 0.2]),
    ([0.4, float("nan"), 0.5], [0.4, 0.4, 0.5]),
])  # fmt: skip
def test_progress_never_goes_back(task, monotonic, steps, seen):
    found = []
    for percent in steps:
        monitor.write_monitor_logger(percent)
        found.append(platform.parse(task.monitor).percent)
    assert found == seen


def test_another_task_and_the_platforms_own_line_do_not_count(task, monotonic):
    for line in (
        "t9\t1.0\t0.9\t2\t0\n",
        "t0000001000002ebb7f11653630774\t1.0\t0.00\t1\t0\n",
        "half a li",
        "",
    ):
        (task.out / "monitor.txt").write_text(line, encoding="utf-8")
        monitor.write_monitor_logger(0.25)
        assert platform.parse(task.monitor).percent == 0.25


def test_it_is_off_by_default(task):
    monitor.write_monitor_logger(0.5)
    monitor.write_monitor_logger(0.25)
    assert platform.parse(task.monitor).percent == 0.25


def test_reports_that_come_too_soon_are_left_out(task, monkeypatch):
    monkeypatch.setattr(settings, "MONITOR_MIN_SECONDS", 3600)
    monitor.write_monitor_logger(0.1)
    monitor.write_monitor_logger(0.2)
    assert platform.parse(task.monitor).percent == 0.1
    monitor.write_monitor_logger(1.0)
    assert platform.parse(task.monitor).percent == 1
    monitor.write_monitor_logger(0.5, ExecutorState.ES_ERROR, 300103)
    assert platform.parse(task.monitor).code == 300103


@pytest.mark.parametrize(
    ("now", "percent", "state", "left_out"),
    [
        (10.5, 0.5, 2, True),
        (12.1, 0.5, 2, False),
        (10.5, 1.0, 2, False),
        (10.5, 0.99999, 2, False),  # a post-process that ends, by weights: the file has 1.00
        (10.5, 0.5, 4, False),
        (9.0, 0.5, 2, False),
    ],
)
def test_too_soon(now, percent, state, left_out):
    last = _report.Report("t", 10.0, 0.1, 2)
    assert _report.too_soon(_report.Report("t", now, percent, state), last, 2.0) is left_out
    assert _report.too_soon(_report.Report("t", now, percent, state), None, 2.0) is False
    assert _report.too_soon(_report.Report("u", now, percent, state), last, 2.0) is False
