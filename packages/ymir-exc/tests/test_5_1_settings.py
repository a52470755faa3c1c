"""§5.1: where the task is described."""

import os
import subprocess
import sys
from pathlib import Path

from ymir_exc import env, settings

SOURCES = Path(__file__).parents[1] / "src"
ASK = (
    "from ymir_exc import settings as s; print(s.DEFAULT_ENV_FILE_PATH, s.DEFAULT_CONFIG_FILE_PATH, "
    "s.MONITOR_MONOTONIC, s.MONITOR_MIN_SECONDS)"
)


def ask(**variables):
    paths = [str(SOURCES), *filter(None, sys.path)]
    answer = subprocess.run(
        [sys.executable, "-c", ASK],
        env={"PYTHONPATH": os.pathsep.join(paths), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.split() or answer.stderr


def test_paths_of_the_platform_are_the_defaults():
    assert ask() == ["/in/env.yaml", "/in/config.yaml", "False", "0.0"]


def test_environment_variables_of_the_same_names_move_them():
    told = ask(
        DEFAULT_ENV_FILE_PATH="/a",
        DEFAULT_CONFIG_FILE_PATH="/b",
        YMIR_MONITOR_MONOTONIC="True",
        YMIR_MONITOR_MIN_SECONDS="2.5",
    )
    assert told == ["/a", "/b", "True", "2.5"]


def test_a_bad_number_of_seconds_names_its_variable():
    assert "YMIR_MONITOR_MIN_SECONDS is 'soon', and a number of seconds is wanted" in ask(
        YMIR_MONITOR_MIN_SECONDS="soon"
    )


def test_attributes_are_read_when_they_are_needed(task, monkeypatch):
    other = task.root / "other.yaml"
    other.write_text("task_id: elsewhere\n", encoding="utf-8")
    monkeypatch.setattr(settings, "DEFAULT_ENV_FILE_PATH", str(other))
    monkeypatch.setattr(settings, "DEFAULT_CONFIG_FILE_PATH", "/elsewhere/config.yaml")
    assert env.get_current_env().task_id == "elsewhere"
    assert env.get_current_env().input.config_file == "/elsewhere/config.yaml"
