"""Jobs from start to report: polling, verdicts, remarks, packages, cancelling, folders seen from outside."""

import gzip
import hashlib
import json
import os
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from layerwright.core.errors import EngineError, UsageError
from layerwright.harness.folders import Prepared, prepare
from layerwright.harness.inspect_image import inspect_image
from layerwright.harness.jobs import cancel_job, list_jobs, picture_file, read_job, read_log
from layerwright.harness.judging import judge_folder, log_tail, read_infer
from layerwright.harness.records import REPORT, STATE, Report, State, write_record
from layerwright.harness.running import RunOptions, run_job
from layerwright.harness.start_model import open_package
from layerwright.ymir.monitor import read_monitor
from support.scripted_executor import FakeTime, ScriptedStarter, Step, Work, inputs, small_data, wait


def good(work: Work) -> None:
    work.curve()
    work.result()
    work.report(1)


def run(
    folder: Path, steps: Callable[[], Sequence[Step]], *, options: RunOptions | None = None, **changes: Any
) -> Report:
    time = FakeTime()
    training = changes.get("task", "training") == "training"
    prepared = prepare(folder, inputs(small_data(folder.parent / "data", training=training), **changes))
    starter = ScriptedStarter(steps, time)
    return run_job(prepared, starter, options or RunOptions(poll_seconds=1), time.clock())


def outcomes(report: Report) -> list[tuple[str, str, str]]:
    return [(remark.outcome, remark.rule, remark.field) for remark in report.remarks]


def test_a_good_training(tmp_path: Path) -> None:
    work = tmp_path / "w"
    report = run(work, lambda: [*wait(3), lambda w: w.report(0.5), *wait(12), good, *wait(2)])
    assert report.good
    assert (report.verdict.success, report.verdict.code, report.exit_code) == (True, 0, 0)
    assert report.remarks == ()
    assert report.training is not None
    assert (report.training.best, report.training.metric, report.training.value) == ("s", "mAP", 0.5)
    assert report.timings.reports == 2
    assert report.timings.first_report == pytest.approx(0.3)
    assert report == json_round(report)
    last = read_monitor((work / "out" / "monitor.txt").read_text(encoding="utf-8"))
    assert (last.state, last.percent, last.code) == (3, 1.0, 0)
    assert read_job(work).report == report
    assert read_job(work).state.phase == "done"
    assert report.argv[:3] == ("docker", "run", "--rm")


def json_round(report: Report) -> Report:
    from msgspec import json as codec

    return codec.decode(codec.encode(report), type=Report)


def test_the_package(tmp_path: Path) -> None:
    first = run(tmp_path / "one", lambda: [good])
    second = run(tmp_path / "two", lambda: [good])
    assert first.training is not None
    assert second.training is not None
    package = first.training.package
    assert package is not None
    file = Path(package.path)
    assert file.name == package.sha1 == hashlib.sha1(file.read_bytes()).hexdigest()
    assert file.suffix == ""
    with gzip.open(file) as stream:
        assert stream.read(1)
    with tarfile.open(file, "r:gz") as archive:
        assert archive.getnames() == ["s/a.pt", "ymir-info.yaml"]
    assert second.training.package is not None
    assert second.training.package.sha1 == package.sha1
    model = open_package(tmp_path / "one")
    assert (model.stage, model.info.class_names, model.info.object_type) == ("s", ("cat",), 2)
    with pytest.raises(UsageError, match="no stage 'x'"):
        open_package(file, "x")


def test_a_task_starts_from_a_package(tmp_path: Path) -> None:
    run(tmp_path / "one", lambda: [good])
    model = open_package(tmp_path / "one")
    again = prepare(tmp_path / "two", inputs(small_data(tmp_path / "data"), model=model))
    assert again.job.configuration["pretrained_model_params"] == ["/in/models/s/a.pt"]
    assert (again.folder / "in/models/s/a.pt").read_text(encoding="utf-8") == "weights"
    assert (again.folder / "in/models/ymir-info.yaml").is_file()
    data = small_data(tmp_path / "data", training=False)
    infer = prepare(tmp_path / "three", inputs(data, task="infer", model=model))
    assert infer.job.configuration["model_params_path"] == ["/in/models/s/a.pt"]
    assert infer.job.class_names == ("cat",)
    with pytest.raises(UsageError, match="160015"):
        prepare(tmp_path / "four", inputs(data, task="infer", model=model, object_type=4))


ENDS: list[Any] = [
    pytest.param(lambda _: 0, (160011, 0), id="0 without a result"),
    pytest.param(lambda _: 3, (160004, 3), id="3 without a code"),
    pytest.param(lambda w: w.report(0.3, 4, 300103) or 137, (300103, 137), id="137 with code 300103"),
    pytest.param(lambda w: w.report(0.3) or 137, (160004, 137), id="137 without a code"),
    pytest.param(lambda w: w.write("monitor.txt", "") or 1, (169999, 1), id="1 with an empty monitor file"),
    pytest.param(
        lambda w: w.write("monitor.txt", "x\n") or 1, (169999, 1), id="1 with an unreadable monitor file"
    ),
]


@pytest.mark.parametrize(("step", "expected"), ENDS)
def test_failures(tmp_path: Path, step: Step, expected: tuple[int, int]) -> None:
    report = run(tmp_path / "w", lambda: [*wait(2), lambda w: w.say("1\n2\n3\n4\n5\n6\n"), step])
    assert (report.verdict.code, report.exit_code) == expected
    assert not report.good
    log = tmp_path / "w" / "out" / "ymir-executor-out.log"
    assert report.message == f"EXECUTOR OUTLOG TAIL FROM: {log}\n2\n3\n4\n5\n6"
    last = read_monitor((tmp_path / "w" / "out" / "monitor.txt").read_text(encoding="utf-8"))
    assert (last.state, last.code) == (4, expected[0])
    assert last.stack == report.message
    assert read_job(tmp_path / "w").state.phase == "failed"


def test_137_is_named_with_its_repair(tmp_path: Path) -> None:
    report = run(tmp_path / "w", lambda: [lambda w: w.report(0.3) or 137])
    (remark,) = [one for one in report.remarks if one.rule == "4.2"]
    assert (remark.outcome, remark.field) == ("lost", "column 5 (code)")
    assert "memory" in remark.message
    assert "300103" in remark.repair


def test_a_failure_with_a_valid_result_keeps_the_package(tmp_path: Path) -> None:
    def fail(work: Work) -> int:
        good(work)
        return 1

    report = run(tmp_path / "w", lambda: [fail])
    assert (report.verdict.code, report.verdict.package) == (160004, True)
    assert report.training is not None
    assert report.training.package is not None


def test_a_poll_that_sees_an_error_is_final(tmp_path: Path) -> None:
    def steps() -> list[Step]:
        return [lambda w: w.report(0.5, 4, 300201), *wait(30), good]

    seen = run(tmp_path / "seen", steps, options=RunOptions(poll_seconds=1))
    assert (seen.verdict.success, seen.verdict.code, seen.verdict.early) == (False, 300201, True)
    # A poll every minute does not see it, and the platform is content with the result.
    unseen = run(tmp_path / "unseen", steps, options=RunOptions(poll_seconds=60))
    assert unseen.verdict.success


def test_a_poll_that_cannot_read_the_file_is_final(tmp_path: Path) -> None:
    def steps() -> list[Step]:
        return [lambda w: w.write("monitor.txt", "0.5"), *wait(30), good]

    report = run(tmp_path / "seen", steps)
    assert report.verdict.code == 150404
    unseen = run(tmp_path / "unseen", steps, options=RunOptions(poll_seconds=60))
    assert unseen.verdict.success
    assert ("lost", "3.1", "line 1") in outcomes(unseen)


def test_a_poll_that_finds_no_file_is_final(tmp_path: Path) -> None:
    def steps() -> list[Step]:
        return [lambda w: (w.outputs / "monitor.txt").unlink(), *wait(30), lambda w: w.result()]

    report = run(tmp_path / "seen", steps)
    assert report.verdict.code == 150402
    unseen = run(tmp_path / "unseen", steps, options=RunOptions(poll_seconds=60))
    assert unseen.verdict.success
    assert {remark.outcome for remark in unseen.remarks if remark.rule == "3.1"} == {"lost"}
    failed = run(tmp_path / "failed", lambda: [*steps(), lambda _: 1], options=RunOptions(poll_seconds=60))
    assert failed.verdict.code == 169999


def test_an_empty_file_skips_a_poll(tmp_path: Path) -> None:
    report = run(tmp_path / "w", lambda: [lambda w: w.write("monitor.txt", ""), *wait(15), good])
    assert report.verdict.success
    assert outcomes(report) == [("fine", "3.1", "")]


def test_a_report_with_the_same_time_is_not_noticed(tmp_path: Path) -> None:
    states: list[State] = []
    report = run(
        tmp_path / "w",
        lambda: [
            lambda w: w.report(0.2, time=5),
            *wait(15),
            lambda w: w.report(0.9, time=5),
            *wait(15),
            good,
        ],
        options=RunOptions(poll_seconds=1, on_state=states.append),
    )
    assert ("lost", "3.1", "column 2 (time)") in outcomes(report)
    assert {state.percent for state in states if state.phase == "running"} == {0.0, 0.2}
    assert 0.9 in {state.latest for state in states}


def test_percent_above_1_and_going_back(tmp_path: Path) -> None:
    report = run(
        tmp_path / "w", lambda: [lambda w: w.report(1.2), *wait(1), lambda w: w.report(0.3), *wait(1), good]
    )
    assert report.verdict.success
    assert [remark.outcome for remark in report.remarks] == ["lost", "lost"]
    assert not report.good


def test_curves(tmp_path: Path) -> None:
    good_one = run(tmp_path / "one", lambda: [good])
    assert good_one.training is not None
    assert good_one.training.scalars == ("a",)

    def empty(work: Work) -> None:
        good(work)
        next((work.outputs / "tensorboard").iterdir()).write_bytes(b"")

    (remark,) = run(tmp_path / "two", lambda: [empty]).remarks
    assert (remark.rule, remark.outcome) == ("3.5", "fine")
    assert "no event file holds a scalar" in remark.message


def test_silence(tmp_path: Path) -> None:
    report = run(tmp_path / "w", lambda: [lambda w: w.result()])
    assert report.verdict.success
    assert [(remark.outcome, remark.rule) for remark in report.remarks] == [("lost", "3.1"), ("fine", "3.5")]
    assert report.timings.first_report is None


def test_progress_and_remaining_time(tmp_path: Path) -> None:
    states: list[State] = []

    def steps() -> list[Step]:
        made: list[Step] = []
        for percent in range(1, 10):
            made += [*wait(9), lambda w, percent=percent: w.report(percent / 10)]  # type: ignore[misc]
        return [*made, good]

    run(tmp_path / "w", steps, options=RunOptions(poll_seconds=1, on_state=states.append))
    half = next(state for state in states if state.latest == 0.5)
    assert half.remaining == pytest.approx(5, abs=0.5)
    assert half.shown in {40, 50}
    # The platform counts from the task's creation, a thousand seconds before.
    assert half.platform_remaining is not None
    assert half.platform_remaining > 900
    assert states[-1].shown == 100


def test_stages_are_told(tmp_path: Path) -> None:
    states: list[State] = []
    run(
        tmp_path / "w",
        lambda: [lambda w: w.result(0.25), *wait(3), lambda w: w.report(0.5), *wait(3), good],
        options=RunOptions(poll_seconds=1, on_state=states.append),
    )
    assert "1 stage, best: s (mAP 0.250)" in {state.stage for state in states}


@pytest.mark.parametrize("fetch", [True, False])
def test_cancelling(tmp_path: Path, fetch: bool) -> None:
    work = tmp_path / "w"

    def cancel(_: Work) -> None:
        cancel_job(work, fetch_result=fetch)

    report = run(work, lambda: [good, *wait(2), cancel, *wait(1000)])
    assert (report.ending, report.exit_code, report.verdict.success) == ("cancelled", 137, False)
    assert report.training is not None
    assert (report.training.package is not None) == fetch
    assert read_job(work).state.phase == "cancelled"
    cancel_job(work)  # over: nothing happens


def test_a_timeout(tmp_path: Path) -> None:
    report = run(tmp_path / "w", lambda: wait(10_000), options=RunOptions(timeout=5))
    assert (report.ending, report.exit_code) == ("timed out", 137)


def test_an_interrupt_leaves_a_judged_folder(tmp_path: Path) -> None:
    def interrupt(_: Work) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "w", lambda: [good, *wait(1), interrupt])
    view = read_job(tmp_path / "w")
    assert view.state.phase == "cancelled"
    assert view.report is not None


def test_an_engine_that_fails(tmp_path: Path) -> None:
    class Broken(ScriptedStarter):
        def start(self, launch: object, log: Path) -> Any:  # type: ignore[override]
            raise EngineError("the engine is gone")

    prepared = prepare(tmp_path / "w", inputs(small_data(tmp_path / "data")))
    time = FakeTime()
    with pytest.raises(EngineError):
        run_job(prepared, Broken(list, time), RunOptions(), time.clock())
    assert (read_job(tmp_path / "w").state.phase, read_job(tmp_path / "w").state.message) == (
        "failed",
        "the engine is gone",
    )


def test_an_image_without_its_command(tmp_path: Path) -> None:
    report = run(tmp_path / "w", lambda: [lambda _: 127])
    assert ("rejected", "4.1", "") in outcomes(report)


def test_mining_and_infer_together(tmp_path: Path) -> None:
    states: list[State] = []

    def mine(work: Work) -> None:
        rows = (work.inputs / "candidate-index.tsv").read_text(encoding="utf-8").splitlines()
        work.write("result.tsv", "".join(f"{row}\t{1 - place / 10}\n" for place, row in enumerate(rows)))
        work.report(0.4)

    def infer(work: Work) -> None:
        rows = (work.inputs / "candidate-index.tsv").read_text(encoding="utf-8").splitlines()
        box = {"box": {"x": 1, "y": 1, "w": 2, "h": 2}, "class_name": "cat", "score": 0.5}
        found = {row.rpartition("/")[2]: {"boxes": [box]} for row in rows}
        work.write("infer-result.json", json.dumps({"detection": found}))
        work.report(1)

    report = run(
        tmp_path / "w",
        lambda: [mine, *wait(3), infer],
        task="mining",
        also_infer=True,
        topk=3,
        options=RunOptions(poll_seconds=1, on_state=states.append),
    )
    assert report.good, report.remarks
    assert report.mining is not None
    assert report.infer is not None
    assert (len(report.mining.selected), report.mining.candidates, report.infer.boxes) == (3, 4, 4)
    assert "task 1 of 2" in {state.stage for state in states}
    check = read_infer(tmp_path / "w")
    name = next(iter(check.boxes))
    assert picture_file(tmp_path / "w", name) is not None
    assert picture_file(tmp_path / "w", "../../job.json") is None
    failed = run(tmp_path / "x", lambda: [mine], task="mining", also_infer=True, topk=9)
    assert failed.verdict.code == 169999
    assert failed.mining is not None
    assert failed.mining.skipped


def test_a_picture_that_was_changed_is_named(tmp_path: Path) -> None:
    def spoil(work: Work) -> None:
        good(work)
        next((work.inputs / "assets").rglob("*.jpg")).write_text("spoilt", encoding="utf-8")

    report = run(tmp_path / "w", lambda: [spoil])
    assert [(remark.outcome, remark.rule) for remark in report.remarks] == [("lost", "2.1")]


def test_a_folder_is_judged_again(tmp_path: Path) -> None:
    report = run(tmp_path / "w", lambda: [good])
    assert judge_folder(tmp_path / "w") == report
    (tmp_path / "w" / "out" / "models" / "a.pt").unlink()
    assert judge_folder(tmp_path / "w").verdict.code == 160011
    with pytest.raises(UsageError, match="no work folder"):
        judge_folder(tmp_path)
    prepare(tmp_path / "new", inputs(small_data(tmp_path / "data")))
    with pytest.raises(UsageError, match="not run to its end"):
        judge_folder(tmp_path / "new")


def test_what_is_not_readable_is_a_permission_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from layerwright.harness import judging

    def refuse(folder: Path, name: str) -> bytes:
        raise PermissionError(13, "Permission denied", str(folder / name))

    monkeypatch.setattr(judging, "_read", refuse)
    report = run(tmp_path / "w", lambda: [good])
    assert report.verdict.code == 160019
    assert "result.yaml" in report.verdict.reason


def test_jobs_are_listed_newest_first(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    for number, created in enumerate((10.0, 30.0, 20.0)):
        prepare(root / str(number), inputs(small_data(tmp_path / "data"), created=created))
    (root / "other").mkdir()
    (root / "damaged").mkdir()
    (root / "damaged" / "job.json").write_text("{", encoding="utf-8")
    assert [view.folder.name for view in list_jobs(root)] == ["1", "2", "0"]
    assert list_jobs(tmp_path / "nowhere") == ()


def test_a_job_whose_process_is_gone_has_failed(tmp_path: Path) -> None:
    prepared: Prepared = prepare(tmp_path / "w", inputs(small_data(tmp_path / "data")))
    write_record(prepared.folder, STATE, State(phase="running", pid=os.getpid(), pid_started="1"))
    assert read_job(prepared.folder).state.phase == "failed"
    assert not (prepared.folder / REPORT).exists()


def test_logs_in_parts(tmp_path: Path) -> None:
    prepare(tmp_path / "w", inputs(small_data(tmp_path / "data")))
    log = tmp_path / "w" / "out" / "ymir-executor-out.log"
    text = "ä" * 10 + "\nend\n"
    log.write_text(text, encoding="utf-8")
    whole = read_log(tmp_path / "w")
    assert (whole.text, whole.whole) == (text, True)
    parts, offset = [], 0
    while True:
        part = read_log(tmp_path / "w", offset=offset, limit=5)
        parts.append(part.text)
        offset = part.offset
        if part.whole:
            break
    assert "".join(parts) == text
    assert read_log(tmp_path / "w", offset=-4).text == "end\n"
    assert read_log(tmp_path / "nowhere").text == ""
    assert log_tail(tmp_path / "w", 1) == ("end",)


FILES = {
    "/img-man/manifest.yaml": "object_type: [2, 4]\n",
    "/img-man/det/training-template.yaml": "epochs: 1\n",
    "/img-man/instance-seg/mining-template.yaml": "epochs: 2\n",
}


def test_inspecting_an_image() -> None:
    starter = ScriptedStarter(list, FakeTime(), FILES)
    assert inspect_image(starter, "training").template == {"epochs": 1}
    says = inspect_image(starter, "mining", 4)
    assert (says.template, says.object_type) == ({"epochs": 2}, 4)
    with pytest.raises(UsageError, match=r"no template for infer.*it has templates for training"):
        inspect_image(starter, "infer")
    with pytest.raises(UsageError, match="serves the object types 2, 4, and the task is of 3"):
        inspect_image(starter, "training", 3)


def test_a_banner_stops_everything() -> None:
    files = {"/img-man/training-template.yaml": "== CUDA ==\nepochs: 1\n"}
    with pytest.raises(UsageError, match=r"130401, rule 1\.2.*CUDA") as caught:
        inspect_image(ScriptedStarter(list, FakeTime(), files), "training")
    assert 'exec "$@"' in caught.value.hint


SECRET = "the machine's own"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "place", ["models/a.pt", "models/result.yaml", "monitor.txt", "models", "ymir-executor-out.log"]
)
@pytest.mark.parametrize("kind", ["link", "pipe", "circle"])
def test_links_and_pipes_of_an_executor_lead_nowhere(tmp_path: Path, place: str, kind: str) -> None:
    own = tmp_path / "own"
    own.mkdir()
    for name in ("file", "a.pt", "result.yaml"):
        (own / name).write_text(SECRET, encoding="utf-8")

    def trick(work: Work) -> None:
        good(work)
        target = work.outputs / place
        if target.is_dir():
            target.rename(work.outputs / "before")
        else:
            target.unlink(missing_ok=True)
        if kind == "link":
            target.symlink_to(own if place == "models" else own / "file")
        elif kind == "circle":
            target.symlink_to(target)
        else:
            os.mkfifo(target)

    report = run(tmp_path / "w", lambda: [trick, *wait(12)])
    assert SECRET not in repr(report)
    assert SECRET not in read_log(tmp_path / "w").text
    assert {file.read_text(encoding="utf-8") for file in own.iterdir()} == {SECRET}
    if place.startswith("models"):
        assert report.verdict.code == 160011
    assert not (tmp_path / "w" / "out" / "monitor.txt").is_symlink()


def test_a_link_inside_is_followed(tmp_path: Path) -> None:
    def link(work: Work) -> None:
        good(work)
        (work.outputs / "models" / "a.pt").rename(work.outputs / "models" / "b.pt")
        (work.outputs / "models" / "a.pt").symlink_to("b.pt")

    report = run(tmp_path / "w", lambda: [link])
    assert report.training is not None
    assert report.training.package is not None
    with tarfile.open(report.training.package.path) as archive:
        member = archive.extractfile("s/a.pt")
        assert member is not None
        assert member.read() == b"weights"


@pytest.mark.timeout(20)
def test_a_picture_that_became_a_pipe(tmp_path: Path) -> None:
    def spoil(work: Work) -> None:
        good(work)
        picture = next((work.inputs / "assets").rglob("*.jpg"))
        picture.unlink()
        os.mkfifo(picture)

    report = run(tmp_path / "w", lambda: [spoil])
    assert [remark.rule for remark in report.remarks] == ["2.1"]
    job = read_job(tmp_path / "w")
    name = report.remarks[0].file.rpartition("/")[2]
    assert picture_file(job.folder, name) is None
