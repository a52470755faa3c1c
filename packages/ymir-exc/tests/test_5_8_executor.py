"""§5.8: the usual start of an executor."""

import shlex
import subprocess
import sys

import pytest

from model import monitor as platform
from ymir_exc import executor
from ymir_exc.executor import Executor


@pytest.fixture
def apps(task, monkeypatch):
    """Commands that leave a line each, and the lines."""
    script = task.root / "note.py"
    script.write_text(
        "import sys\nopen(sys.argv[1], 'a').write(' '.join(sys.argv[2:]) + chr(10))\nsys.exit(int(sys.argv[2]))\n",
        encoding="utf-8",
    )
    notes = task.root / "notes.txt"
    notes.write_text("", encoding="utf-8")
    command = f"{shlex.quote(sys.executable)} {script} {notes}"
    made = {name: f"{command} 0 {name}" for name in ("training", "mining", "infer")}
    made["failing"] = f"{command} 3 failing"
    made["lines"] = notes
    return made


def started(apps, **changes):
    chosen = {name: apps[name] for name in ("training", "mining", "infer")}
    return Executor(apps={**chosen, **changes})


def lines(apps):
    return apps["lines"].read_text(encoding="utf-8").splitlines()


def test_default_commands():
    assert Executor().apps == {
        "training": "python3 ymir/ymir_training.py",
        "mining": "python3 ymir/ymir_mining.py",
        "infer": "python3 ymir/ymir_infer.py",
    }
    assert Executor({"mining": "true"}).apps["training"] == executor.DEFAULT_APPS["training"]


def test_training_runs_alone(task, apps):
    task.write_env(run_training=True, run_mining=True, run_infer=True)
    assert started(apps).start() == 0
    assert lines(apps) == ["0 training"]
    assert platform.parse(task.monitor).percent == 1


@pytest.mark.parametrize(
    ("mining", "infer", "run", "percent"),
    [
        (True, True, ["0 mining", "0 infer"], 1.0),
        (True, False, ["0 mining"], 1.0),
        (False, True, ["0 infer"], 1.0),
    ],
)
def test_mining_then_infer(task, apps, mining, infer, run, percent):
    task.mining(mining=mining, infer=infer)
    assert started(apps).start() == 0
    assert lines(apps) == run
    assert platform.parse(task.monitor).percent == percent


def test_after_mining_half_is_done(task, apps):
    task.mining(mining=True, infer=True)
    with pytest.raises(subprocess.CalledProcessError):
        started(apps, infer=apps["failing"]).start()
    line = platform.parse(task.monitor)
    assert (line.percent, line.state, line.code) == (0.5, 2, 0)


def test_commands_are_split_at_white_space_without_a_shell(task, apps):
    started(apps, training=apps["training"] + "  'a b' $HOME ;  true").start()
    assert lines(apps) == ["0 training 'a b' $HOME ; true"]


def test_a_failing_command_is_an_error(task, apps):
    with pytest.raises(subprocess.CalledProcessError) as raised:
        started(apps, training=apps["failing"]).start()
    assert raised.value.returncode == 3
    assert not (task.out / "monitor.txt").exists()


def test_nothing_to_do(task, apps):
    task.write_env(run_training=False)
    with pytest.warns(UserWarning, match="asks for neither training, mining nor infer"):
        assert started(apps).start() == 0
    assert lines(apps) == []
    assert not (task.out / "monitor.txt").exists()


def test_ymir_debug_fails_on_purpose_after_the_work(task, apps):
    task.write_config(ymir_debug="True")
    with pytest.raises(RuntimeError, match="ymir_debug is true"):
        started(apps).start()
    assert lines(apps) == ["0 training"]
    task.write_config(ymir_debug="False")
    assert started(apps).start() == 0


def test_the_merged_config_is_logged(task, apps, caplog):
    caplog.set_level("INFO", logger="ymir_exc")
    started(apps).start()
    assert "'class_names': ['cat', 'dog']" in caplog.text


def test_failures_can_be_reported(task, apps):
    script = task.root / "die.py"
    script.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", encoding="utf-8")
    with pytest.raises(subprocess.CalledProcessError):
        Executor({"training": f"{shlex.quote(sys.executable)} {script}"}, report_errors=True).start()
    line = platform.parse(task.monitor)
    assert (line.state, line.code) == (4, 300103)
    assert "SIGKILL" in line.message
