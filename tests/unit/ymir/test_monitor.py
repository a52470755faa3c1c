"""monitor.txt: the parser's table, the merge table, and the life of the file (§3.1)."""

import math

import pytest

from layerwright.ymir.codes import State
from layerwright.ymir.monitor import (
    MonitorFault,
    MonitorReport,
    check_report,
    check_step,
    controller_line,
    first_line,
    last_line,
    read_monitor,
)
from layerwright.ymir.progress import is_news, merge
from layerwright.ymir.verdict import from_poll
from support.platform_rows import MERGE, MONITOR, MergeRow, MonitorRow, Row


def titles(row: Row) -> str:
    return row.title


def report(percent: float, state: int, *, time: float = 1.0, code: int = 0) -> MonitorReport:
    return MonitorReport(
        task_id="t", time=time, time_text=str(time), percent=percent, state=State(state), code=code
    )


@pytest.mark.parametrize("row", MONITOR, ids=titles)
def test_parser(row: MonitorRow) -> None:
    if row.kind:
        with pytest.raises(MonitorFault) as caught:
            read_monitor(row.text)
        assert caught.value.kind == row.kind
        assert caught.value.repair
        polled = from_poll(caught.value)
        assert (polled.code if polled else 0) == row.code
        return
    read = read_monitor(row.text)
    assert row.report is not None
    percent, state, code = row.report
    assert read.percent == percent or (math.isnan(percent) and math.isnan(read.percent))
    assert (read.state, read.code) == (state, code)
    worst = check_report(read)
    assert (worst[0].outcome if worst else "") == row.outcome


def test_the_further_lines_are_stack_information() -> None:
    read = read_monitor("t\t1.5\t1\t4\t300103\tout of memory\nfirst\nsecond\n")
    assert (read.task_id, read.time, read.message, read.stack) == ("t", 1.5, "out of memory", "first\nsecond")


@pytest.mark.parametrize("row", MERGE, ids=lambda row: row.title)
def test_merge(row: MergeRow) -> None:
    merged = merge([(report(percent, state), weight) for percent, state, weight in row.files])
    assert (pytest.approx(merged.percent), merged.state, merged.final) == row.merged


def test_the_code_is_that_of_the_newest_file() -> None:
    failed, later = report(1, 4, time=1, code=300103), report(0.5, 2, time=2)
    assert merge([(failed, 1), (later, 1)]).code == 0
    assert merge([(report(1, 4, time=3, code=300103), 1), (later, 1)]).code == 300103


def test_a_report_is_news_when_the_text_of_its_time_changed() -> None:
    assert not is_news("1.0", report(0.9, 2, time=1.0))
    assert is_news("1.0", report(0.9, 2, time=1.5))
    (remark,) = check_step(report(0.1, 2), report(0.2, 2))
    assert (remark.outcome, remark.field) == ("lost", "column 2 (time)")


def test_going_back() -> None:
    (remark,) = check_step(report(0.5, 2, time=1), report(0.4, 2, time=2))
    assert (remark.outcome, remark.field) == ("lost", "column 3 (percent)")
    assert check_step(report(0.5, 2, time=1), report(0.5, 2, time=2)) == ()


def test_a_premature_done_is_harmless() -> None:
    assert from_poll(report(1, 3)) is None
    assert [remark.outcome for remark in check_report(report(1, 3))] == ["fine"]


def test_the_platforms_own_lines() -> None:
    assert controller_line("t1", 12.5) == "t1\t12.500000\t0.0\t2\n"
    assert first_line("t1", 12.5) == "t1\t12.500000\t0.00\t1\t0\n"
    assert last_line("t1", 12.5, code=0) == "t1\t12.500000\t1.00\t3\t0\n"
    assert last_line("t1", 12.5, code=160004, reason="why") == "t1\t12.500000\t1.00\t4\t160004\nwhy\n"
    for line in (controller_line("t", 1), first_line("t", 1), last_line("t", 1, code=7, reason="x\ny")):
        assert read_monitor(line).task_id == "t"
