# ruff: noqa: E501 - a row of a table is a line
"""Executors in real containers: the platform's verdict, the broken rule, and what a cancelled job leaves."""

import json
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.executors import Executors

pytestmark = pytest.mark.engine

Make = Callable[[str], Executors]
ENGINES = ["docker", "native"]


@pytest.mark.parametrize("engine", [*ENGINES, "podman"])
def test_training_then_mining_and_infer_from_its_package(
    executors: Make, engine: str, tmp_path: Path
) -> None:
    executor = executors(engine)
    first = executor.report("--work", tmp_path / "first", "--param", "pause=0.2")
    assert first["verdict"]["success"], first
    assert first["remarks"] == []
    assert first["training"]["best"] == "s2"
    assert first["training"]["event_files"] == 1
    package = first["training"]["package"]
    assert package["members"] == ["s0/s0.bin", "s1/s1.bin", "s2/s2.bin", "ymir-info.yaml"]
    assert first["timings"]["reports"] >= 2
    if engine != "native":
        assert first["argv"][:3] == [engine, "run", "--rm"]
        assert not any(word.startswith("--env") for word in first["argv"])
    # ids without a passwd entry wrote all of it
    owner = (tmp_path / "first" / "out" / "models" / "result.yaml").stat()
    assert (owner.st_uid, owner.st_gid) == (61357, 61357)
    again = executor.report("--work", tmp_path / "again", "--model", package["path"], "--stage", "s1")
    assert again["configuration"]["pretrained_model_params"] == ["/in/models/s1/s1.bin"]
    log = (tmp_path / "again" / "out" / "ymir-executor-out.log").read_text(encoding="utf-8")
    assert "starting from weights 1" in log
    both = executor.report(
        "--task", "mining+infer", "--model", tmp_path / "first", "--topk", "2", "--work", tmp_path / "both"
    )
    assert both["verdict"]["success"], both
    assert (len(both["mining"]["selected"]), both["infer"]["boxes"]) == (2, 6)
    assert set(both["dropped"]) == {"lazy", "gpu_count", "openpai_enable"}
    assert json.loads((tmp_path / "both" / "report.json").read_text(encoding="utf-8")) == both


BROKEN: list[Any] = [
    pytest.param("infer", "floats", 169999, ("rejected", "3.3", "boxes[0].box.x"), "round it: 2", id="float boxes"),
    pytest.param("training", "numpy", 160011, ("rejected", "3.2", "line 7"), "float(metric)", id="numpy metric"),
    pytest.param("training", "percent", 160011, ("rejected", "3.2", "s0.mAP"), "write 0.25 for 25 %", id="metric in percent"),
    pytest.param("training", "absolute", 0, ("lost", "3.2", "files[0]"), "relative to /out/models", id="absolute path in result.yaml"),
    pytest.param("training", "percent-1.2", 0, ("lost", "3.1", "column 3 (percent)"), "fraction from 0 to 1", id="percent 1.2"),
    pytest.param("training", "exit-137", 160004, ("lost", "4.2", "column 5 (code)"), "300103", id="exit 137"),
    pytest.param("mining", "unsorted", 0, ("lost", "3.4", "line 2"), "highest first", id="scores not sorted"),
    pytest.param("mining", "blanks", 0, ("lost", "3.4", "line 1"), "tab", id="blanks in place of tabs"),
]  # fmt: skip


@pytest.mark.parametrize(("task", "mode", "code", "expected", "repair"), BROKEN)
def test_a_broken_executor_is_named_with_the_rule_and_the_repair(
    executors: Make, task: str, mode: str, code: int, expected: tuple[str, str, str], repair: str
) -> None:
    engine = "docker" if mode in {"floats", "numpy", "exit-137"} else "native"
    report = executors(engine).report("--task", task, mode=mode, status=1)
    assert report["verdict"]["code"] == code
    outcome, rule, field = expected
    found = [
        one
        for one in report["remarks"]
        if (one["outcome"], one["rule"]) == (outcome, rule) and one["field"].endswith(field)
    ]
    assert found, report["remarks"]
    assert repair in found[0]["repair"]


def test_a_path_in_file_name(executors: Make) -> None:
    report = executors("native").report("--task", "infer", "--object-type", "4", mode="path", status=1)
    assert report["verdict"]["success"]
    (remark,) = [one for one in report["remarks"] if one["outcome"] == "lost"]
    assert (remark["rule"], remark["field"], remark["count"]) == ("3.3", "images[0].file_name", 6)
    assert report["infer"]["boxes"] == 0
    good = executors("native").report("--task", "infer", "--object-type", "4")
    assert good["infer"]["boxes"] == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_a_banner_in_the_entry_point(executors: Make, engine: str) -> None:
    done = executors(engine).run(image="banner", status=2)
    error = done.json()["error"] if "error" in done.json() else done.json()
    text = json.dumps(error)
    assert "130401, rule 1.2" in text
    assert "== CUDA ==" in text
    assert "exec" in text


def test_the_text_of_a_report(executors: Make) -> None:
    done = executors("native").run(mode="absolute", status=1, json_=False)
    assert "training of trial (native): success" in done.out
    assert "lost /out/models/result.yaml model_stages.s0.files[0] (rule 3.2" in done.out
    assert "hint: write hostname" in done.out
    assert "left" in done.err


def containers() -> str:
    return subprocess.run(
        ["docker", "ps", "--all", "--format", "{{.Names}}"], capture_output=True, check=True
    ).stdout.decode()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_job_is_cancelled_and_its_result_fetched(executors: Make, engine: str, tmp_path: Path) -> None:
    executor = executors(engine)
    work = tmp_path / "work"
    found: list[dict[str, Any]] = []
    thread = threading.Thread(
        target=lambda: found.append(
            executor.report("--work", work, "--param", "steps=200", "--param", "pause=0.2", status=1)
        )
    )
    thread.start()
    deadline = time.monotonic() + 60
    while not (work / "out" / "models" / "result.yaml").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    executor.command("executor", "run", "--cancel", work, "--fetch-result")
    thread.join(30)
    (report,) = found
    assert (report["ending"], report["exit_code"]) == ("cancelled", 137)
    assert report["training"]["package"] is not None
    again = executor.command("executor", "run", "--again", work, "--json", status=1).json()
    assert again == report
    assert report["task_id"] not in containers()
    models = sorted((work / "out" / "models").iterdir())
    time.sleep(0.6)
    assert sorted((work / "out" / "models").iterdir()) == models, "the program still runs"


def test_an_interrupt_ends_the_container(executors: Make, tmp_path: Path) -> None:
    import os
    import signal

    executor = executors("docker")
    process = executor.command.start(
        "executor", "run", "trial", "--engine", "docker", "--data", "data", "--work", tmp_path / "w", "--param",
        "steps=200", "--param", "pause=0.2",
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "w" / "out" / "models" / "result.yaml").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(30) == 130
    process.communicate()
    state = json.loads((tmp_path / "w" / "state.json").read_text(encoding="utf-8"))
    assert state["phase"] == "cancelled"
    assert (
        json.loads((tmp_path / "w" / "job.json").read_text(encoding="utf-8"))["task_id"] not in containers()
    )


def test_what_a_killed_harness_left_is_ended(executors: Make, tmp_path: Path) -> None:
    import os
    import signal

    executor = executors("docker")
    process = executor.command.start(
        "executor", "run", "trial", "--engine", "docker", "--data", "data", "--work", tmp_path / "w", "--param",
        "steps=200", "--param", "pause=0.2",
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "w" / "out" / "models" / "result.yaml").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    task = json.loads((tmp_path / "w" / "job.json").read_text(encoding="utf-8"))["task_id"]
    assert task in containers()
    executor.command("executor", "run", "--cancel", tmp_path / "w")
    assert task not in containers()


def test_torture(executors: Make) -> None:
    table = executors("docker").run(
        "--torture", "--param", "steps=8", "--param", "pause=0.05", mode="hungry"
    ).json()  # fmt: skip
    rows = {row["name"]: row for row in table["rows"]}
    assert {row["shown"] for row in rows.values()} == {"passed"}, table
    assert list(rows) == [
        "plain", "read-only-in", "foreign-user", "no-gpu", "no-falsy", "text-numbers", "no-network", "no-validation",
        "broken-picture", "killed", "out-of-memory",
    ]  # fmt: skip
    assert "code 300103" in rows["out-of-memory"]["detail"]


def test_an_image_of_the_engine_by_its_name(executors: Make) -> None:
    executor = executors("docker")
    report = executor.run(image="docker:demo-trial:1").json()  # that the tests above have loaded
    assert report["verdict"]["success"]
    refused = executor.command(
        "executor", "run", "docker:demo-trial:1", "--engine", "native", "--data", "data", status=2
    )
    assert "a native run takes images of the spec" in refused.err
