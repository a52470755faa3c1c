"""Reports on executors as text."""

import io

import pytest

from layerwright.cli.executor_report import print_report, print_torture, progress_text, time_text
from layerwright.cli.terminal import Terminal
from layerwright.harness.records import (
    InferSummary,
    MiningSummary,
    Report,
    StageSummary,
    State,
    Timings,
    TrainingSummary,
)
from layerwright.harness.torture import TortureReport, TrialRow
from layerwright.ymir.remarks import Remark
from layerwright.ymir.verdict import Verdict


def terminal(out: io.StringIO) -> Terminal:
    return Terminal(
        out=out, messages=io.StringIO(), colour=False, live=False, quiet=False, verbose=False, json=False
    )


def report(**changes: object) -> Report:
    values: dict[str, object] = {
        "task": "training",
        "image": "app",
        "engine": "docker",
        "task_id": "t",
        "folder": "/w",
        "ending": "exited",
        "exit_code": 0,
        "verdict": Verdict(success=True, code=0, rule="4.2", reason="good"),
        "meaning": "success",
        "timings": Timings(created=0, started=0, ended=70, seconds=70, first_report=2, reports=1),
        **changes,
    }
    return Report(**values)  # type: ignore[arg-type]


def text(one: Report) -> str:
    out = io.StringIO()
    print_report(terminal(out), one)
    return out.getvalue()


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-3, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (61, "1 min 01 s"),
        (3599, "59 min 59 s"),
        (7500, "2 h 05 min"),
    ],
)
def test_times(seconds: float, expected: str) -> None:
    assert time_text(seconds) == expected


def test_progress() -> None:
    state = State(phase="running", latest=0.35, stage="2 stages", remaining=80.0)
    assert progress_text(state) == " 35%, 2 stages, 1 min 20 s left"
    assert progress_text(State(phase="running")) == "  0%, remaining time unknown"


def test_a_training() -> None:
    stage = StageSummary(name="s", files=("a",), metrics={"mAP": 0.5})
    training = TrainingSummary(
        best="s", metric="mAP", value=0.5, stages=(stage,) * 9, event_files=2, scalars=("a",)
    )
    lines = text(report(training=training, dropped=("note",))).splitlines()
    assert lines[:3] == [
        "training of app (docker): success",
        "  best stage s: mAP 0.5000",
        "  stage s: mAP 0.5000; 1 file",
    ]
    assert "  and 1 more stages" in lines
    assert "  TensorBoard: 2 event files, 1 curve" in lines
    assert "  ran 1 min 10 s, 1 report, first report after 2 s" in lines
    assert "  not sent by the web (rule 1.3): note" in lines


def test_mining_and_infer() -> None:
    mining = MiningSummary(topk=2, selected=("a", "b"), ranked=2, candidates=2, skipped=True)
    infer = InferSummary(pictures=2, with_boxes=1, boxes=1)
    found = text(report(task="mining", mining=mining, infer=infer))
    assert "selected 2 of 2 pictures (topk 2), 2 ranked" in found
    assert "topk covers every picture" in found
    assert "1 box in 1 of 2 pictures, 0 dropped" in found


def test_a_failure() -> None:
    remarks = (
        Remark(
            outcome="lost", rule="3.2", file="/out/x", field="a.b", message="gone", repair="keep it", count=3
        ),
        Remark(outcome="rejected", rule="4.1", message="it never ran \x1b[31m", code=7),
    )
    verdict = Verdict(success=False, code=160004, rule="4.2", reason="it ended with 1")
    found = text(
        report(verdict=verdict, meaning="the container failed", remarks=remarks, message="TAIL\nlast \x1b[2J")
    )
    assert "failed 160004" in found
    assert "  the container failed: it ended with 1 (rule 4.2)" in found
    assert "lost /out/x a.b (rule 3.2, 3 times)\n  gone\n  hint: keep it\n" in found
    assert "rejected the container (rule 4.1, 7)" in found
    assert found.endswith("TAIL\nlast \\x1b[2J\n")
    assert "\x1b" not in found


def test_the_table_of_robustness_runs() -> None:
    rows = (
        TrialRow(name="plain", what="w", shown="passed", detail="success"),
        TrialRow(name="killed", what="what was done", shown="failed", detail="no result", repair="write it"),
        TrialRow(name="memory", what="w", shown="not shown", detail="enough"),
    )
    out = io.StringIO()
    torture = TortureReport(task="training", image="app", engine="docker", rows=rows)
    print_torture(terminal(out), torture)
    assert out.getvalue().splitlines() == [
        "passed    plain           success",
        "failed    killed          no result",
        "          what was done",
        "          hint: write it",
        "not shown memory          enough",
        "3 trials, 1 failed, 1 not shown",
    ]
    assert not torture.good
