"""From a request to a running job: what programs such as the page call."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layerwright.core.errors import UsageError
from layerwright.core.events import SilentReporter
from layerwright.harness.jobs import cancel_job, list_jobs, read_job
from layerwright.harness.sources import DataSource
from layerwright.host.environment import HostEnvironment
from layerwright.host.process import Completed
from layerwright.web.site import make_site
from layerwright.workflow import executor_run
from layerwright.workflow.executor_engines import EngineStarter, find_starter
from layerwright.workflow.executor_run import ExecutorRequest, run_executor, start_executor
from layerwright.workflow.session import Session
from layerwright.ymir.command import Launch
from support.scripted_executor import FakeTime, ScriptedStarter, Step, Work, small_data, wait

FILES = {
    "/img-man/training-template.yaml": "export_format: ark:raw\nepochs: 3\n",
    "/img-man/mining-template.yaml": "batch: 0\n",
}


def session(folder: Path, *, uid: int = 1000) -> Session:
    host = HostEnvironment(
        variables={},
        uid=uid,
        gid=uid,
        groups=(),
        home=folder,
        cpu_count=1,
        path="/usr/bin",
        python=Path("/x"),
    )
    return Session(
        host=host,
        reporter=SilentReporter(),
        start=folder,
        spec_file=None,
        store_root=folder / "store",
        offline=True,
    )


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], list[Step]]], ScriptedStarter]:
    def use(steps: Callable[[], list[Step]]) -> ScriptedStarter:
        starter = ScriptedStarter(steps, FakeTime(time.time()), FILES)
        monkeypatch.setattr(executor_run, "find_starter", lambda *_: starter)
        return starter

    return use


def request(tmp_path: Path, **changes: Any) -> ExecutorRequest:
    small_data(tmp_path / "data")
    values: dict[str, Any] = {
        "image": "app",
        "task": "training",
        "data": DataSource(path=tmp_path / "data", class_names=("cat",)),
        **changes,
    }
    return ExecutorRequest(**values)


def good(work: Work) -> None:
    work.result()
    work.report(1)


def test_a_job_is_started_followed_and_cancelled(tmp_path: Path, scripted: Any) -> None:
    ticks: list[float] = []

    def tick(work: Work) -> None:
        work.time.now += 0.01  # the script goes on although its own clock is not the harness's
        ticks.append(0)

    starter = scripted(lambda: [good, *[tick] * 100_000])
    running = start_executor(session(tmp_path), request(tmp_path))
    assert running.folder.parent == tmp_path / "executor-runs"
    assert [view.folder for view in list_jobs(tmp_path / "executor-runs")] == [running.folder]
    deadline = time.monotonic() + 20
    while read_job(running.folder).state.latest < 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert read_job(running.folder).state.phase == "running"
    assert read_job(running.folder).job.task_id == running.task_id
    cancel_job(running.folder, fetch_result=True)
    running.thread.join(20)
    view = read_job(running.folder)
    assert view.state.phase == "cancelled"
    assert view.report is not None
    assert view.report.training is not None
    assert view.report.training.package is not None
    assert starter.launches[0].user == "1000:1000"


def test_what_stands_in_its_way_is_raised_before(tmp_path: Path, scripted: Any) -> None:
    scripted(list)
    with pytest.raises(UsageError, match="no template for infer"):
        start_executor(session(tmp_path), request(tmp_path, task="infer"))
    with pytest.raises(UsageError, match="160003"):
        start_executor(
            session(tmp_path),
            request(
                tmp_path, data=DataSource(path=tmp_path / "data", class_names=("c",), validation_share=0)
            ),
        )
    assert not (tmp_path / "executor-runs").exists()


def test_a_run_to_its_end(tmp_path: Path, scripted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    starter = scripted(lambda: [*wait(2), good])
    monkeypatch.setattr(executor_run, "system_clock", starter.time.clock)
    states: list[str] = []
    report = run_executor(
        session(tmp_path),
        request(tmp_path, edits={"epochs": "7"}, work=Path("here"), poll_seconds=1.0, user="12:34"),
        on_state=lambda state: states.append(state.phase),
    )
    assert report.good
    assert report.folder == str(tmp_path / "here")
    assert report.configuration["epochs"] == 7
    assert (states[0], states[-1]) == ("running", "done")
    assert starter.launches[0].user == "12:34"


def test_no_model_is_told(tmp_path: Path, scripted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    starter = scripted(lambda: [lambda w: w.write("result.tsv", "")])
    monkeypatch.setattr(executor_run, "system_clock", starter.time.clock)
    report = run_executor(session(tmp_path), request(tmp_path, task="mining"))
    assert ("fine", "1.4") in [(remark.outcome, remark.rule) for remark in report.remarks]
    assert report.mining is not None
    assert report.mining.topk == 1  # a fifth, but one at least


@pytest.mark.parametrize(
    ("uid", "text", "expected"),
    [
        (0, "", ((61357, 61357), (61357, 61357))),
        (1000, "", ((1000, 1000), None)),
        (1000, "root", (None, None)),
        (1000, "5:6", ((5, 6), None)),
    ],
)
def test_ids(tmp_path: Path, uid: int, text: str, expected: object) -> None:
    assert executor_run._ids(session(tmp_path, uid=uid), text) == expected


def test_ids_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        executor_run._ids(session(tmp_path), "ann")


@pytest.mark.parametrize(
    ("image", "engine", "name"),
    [
        ("docker:app", "docker", "app"),
        ("registry.example.org/app:1", "docker", "registry.example.org/app:1"),
        ("app:1", "podman", "app:1"),
    ],
)
def test_references_are_the_engines(tmp_path: Path, image: str, engine: str, name: str) -> None:
    starter = find_starter(session(tmp_path), image, engine)
    assert (starter.image, starter.engine) == (name, engine)
    with pytest.raises(UsageError, match="images of the spec"):
        find_starter(session(tmp_path), image, "native")


def test_a_docker_of_another_machine(tmp_path: Path) -> None:
    from msgspec.structs import replace

    from layerwright.core.errors import EngineError

    here = session(tmp_path)
    there = replace(here, host=replace(here.host, variables={"DOCKER_HOST": "tcp://10.0.0.1:2376"}))
    with pytest.raises(EngineError, match="another machine"):
        find_starter(there, "docker:app", "docker")


def test_podman_without_root_keeps_ids(tmp_path: Path) -> None:
    launch = Launch(image="app:1", name="t", inputs="/i", outputs="/o", user="5:5", shm_size="1G")
    for uid, engine, expected in ((1000, "podman", True), (0, "podman", False), (1000, "docker", False)):
        starter = EngineStarter(session=session(tmp_path, uid=uid), engine=engine, image="app:1")
        assert ("keep-id" in starter.command_line(launch)) == expected


def test_an_engine_that_cannot_run_cat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from layerwright.core.errors import EngineError
    from layerwright.workflow import executor_engines

    def refuse(argv: list[str], **_: object) -> Completed:
        return Completed(
            argv=tuple(argv), status=125, stdout=b"", stderr=b"Unable to find image 'app:1' locally"
        )

    monkeypatch.setattr(executor_engines.process, "run", refuse)
    monkeypatch.setattr(executor_engines, "engine_client", lambda *_: Path("/usr/bin/docker"))
    starter = EngineStarter(session=session(tmp_path), engine="docker", image="app:1")
    with pytest.raises(EngineError, match="Unable to find image"):
        starter.cat("/img-man/manifest.yaml")


def test_a_parameter_that_the_template_lacks_is_told(
    tmp_path: Path, scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    starter = scripted(lambda: [good])
    monkeypatch.setattr(executor_run, "system_clock", starter.time.clock)
    report = run_executor(session(tmp_path), request(tmp_path, edits={"epocs": "3", "epochs": "4"}))
    (remark,) = [one for one in report.remarks if one.field == "epocs"]
    assert (remark.outcome, remark.rule) == ("fine", "1.3")
    assert remark.repair == "'epocs' may be meant as 'epochs'"
    assert report.configuration["epocs"] == "3"
    assert report.good


@pytest.mark.parametrize(("images", "name"), [(["shapes"], "shapes"), (["a", "b"], "the-image")])
def test_without_a_name_a_job_goes_by_the_only_image(
    tmp_path: Path, scripted: Any, monkeypatch: pytest.MonkeyPatch, images: list[str], name: str
) -> None:
    starter = scripted(lambda: [good])
    starter.image = "the-image"
    monkeypatch.setattr(executor_run, "system_clock", starter.time.clock)
    lines = ["[project]", 'name = "x"', 'version = "1"']
    for image in images:
        lines += [f"[images.{image}]", 'from = "debian:bookworm"']
    (tmp_path / "layerwright.toml").write_text("\n".join(lines))
    report = run_executor(session(tmp_path), request(tmp_path, image="", work=Path("w")))
    assert (report.image, read_job(tmp_path / "w").job.image_name) == (name, name)


def test_what_a_cancelled_job_was(tmp_path: Path, scripted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    starter = scripted(lambda: [good])
    monkeypatch.setattr(executor_run, "system_clock", starter.time.clock)
    run_executor(session(tmp_path), request(tmp_path, work=Path("w")))
    assert executor_run.cancel_executor(session(tmp_path), tmp_path / "w").state.phase == "done"


@pytest.mark.parametrize("engine", ["docker", "native"])
def test_a_folder_without_a_spec(tmp_path: Path, engine: str) -> None:
    with pytest.raises(UsageError, match=r"no layerwright\.toml") as caught:
        find_starter(session(tmp_path), "hello", engine)
    assert "`layerwright executor new NAME`" in caught.value.hint
    assert "docker:NAME" in caught.value.hint
    with pytest.raises(UsageError, match=r"no layerwright\.toml") as caught:
        make_site(session(tmp_path), images=(), data=(), engines=("docker",), poll_seconds=2.0)
    assert "--image docker:NAME" in caught.value.hint
    site = make_site(session(tmp_path), images=("docker:a",), data=(), engines=("docker",), poll_seconds=2.0)
    assert site.images == ("docker:a",)


@pytest.mark.parametrize(("user", "told"), [("12:34", 1), ("1000:1000", 0), ("", 0), ("root", 0)])
def test_ids_that_cannot_be_given_the_folders(
    tmp_path: Path, scripted: Any, monkeypatch: pytest.MonkeyPatch, user: str, told: int
) -> None:
    starter = scripted(lambda: [good])
    monkeypatch.setattr(executor_run, "system_clock", starter.time.clock)
    report = run_executor(session(tmp_path), request(tmp_path, user=user))
    remarks = [one for one in report.remarks if one.file == "the container"]
    assert len(remarks) == told
    assert all("it runs as 12:34, and /out is 1000:1000's" in one.message for one in remarks)
