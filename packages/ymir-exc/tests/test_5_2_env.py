"""§5.2: env.yaml and config.yaml."""

import os
import pickle
import time

import pytest
import yaml

from ymir_exc import _files, env

LITERAL = {
    "task_id": "default-task",
    "protocol_version": "0.0.1",
    "manifest_file": "/img-man/manifest.yaml",
    "run_training": False,
    "run_mining": False,
    "run_infer": False,
    "input": {
        "root_dir": "/in",
        "assets_dir": "/in/assets",
        "annotations_dir": "/in/annotations",
        "models_dir": "/in/models",
        "training_index_file": "",
        "val_index_file": "",
        "candidate_index_file": "",
    },
    "output": {
        "root_dir": "/out",
        "models_dir": "/out/models",
        "tensorboard_dir": "/out/tensorboard",
        "training_result_file": "/out/models/result.yaml",
        "mining_result_file": "/out/result.tsv",
        "infer_result_file": "/out/infer-result.json",
        "monitor_file": "/out/monitor.txt",
        "executor_log_file": "/out/ymir-executor-out.log",
    },
}


def written(task, text):
    (task.inside / "env.yaml").write_text(text, encoding="utf-8")


def test_dataset_types():
    assert [(each.name, int(each)) for each in env.DatasetType] == [
        ("UNKNOWN", 1),
        ("TRAINING", 2),
        ("VALIDATION", 3),
        ("CANDIDATE", 4),
    ]


def test_every_field_is_read(task):
    assert env.get_current_env().dict() == task.document()


def test_an_empty_mapping_gives_the_defaults(task):
    written(task, "{}\n")
    found = env.get_current_env().dict()
    assert found["input"].pop("config_file") == str(task.inside / "config.yaml")
    assert found == LITERAL


def test_unknown_keys_are_ignored(task):
    task.write_env(something_new={"a": 1})
    assert not hasattr(env.get_current_env(), "something_new")


@pytest.mark.parametrize(("value", "text"), [(5, "5"), (1.5, "1.5"), (True, "True"), ("a", "a")])
def test_text_is_lenient(task, value, text):
    task.write_env(task_id=value, protocol_version=value)
    assert env.get_current_env().task_id == text
    assert env.get_current_env().protocol_version == text


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        (1, True),
        (0, False),
        (1.0, True),
        ("yes", True),
        ("No", False),
        ("on", True),
        ("F", False),
        ("1", True),
    ],
)
def test_truth_is_lenient(task, value, meaning):
    task.write_env(run_mining=value)
    assert env.get_current_env().run_mining is meaning


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "EnvConfig: a mapping is wanted, and nothing was found"),
        ("- a\n", "EnvConfig: a mapping is wanted, and a list was found"),
        ("run_infer: perhaps\n", "run_infer: 'perhaps' is neither true nor false"),
        ("task_id: [1]\n", "task_id: [1] is not text"),
        ("input: 5\n", "EnvInputConfig: a mapping is wanted, and a int was found"),
        ("input: {root_dir: null}\n", "EnvInputConfig: root_dir: None is not text"),
        ("a: [\n", "is not YAML"),
    ],
)
def test_what_does_not_fit_is_an_error_that_names_the_file(task, text, words):
    written(task, text)
    with pytest.raises(ValueError, match=r"env\.yaml") as raised:
        env.get_current_env()
    assert words in str(raised.value)


def test_an_absent_file_is_a_file_not_found_error(task):
    (task.inside / "env.yaml").unlink()
    with pytest.raises(FileNotFoundError, match="set DEFAULT_ENV_FILE_PATH") as raised:
        env.get_current_env()
    assert raised.value.filename == str(task.inside / "env.yaml")


def test_attributes_can_be_set_and_touch_nobody_else(task):
    first = env.get_current_env()
    first.run_infer = True
    first.input.root_dir = "/elsewhere"
    assert first.run_infer
    assert env.get_current_env() == env.EnvConfig.parse_obj(task.document())


def test_what_was_given_is_known(task):
    task.write_env(protocol_version=None)
    assert "protocol_version" not in env.get_current_env().__fields_set__
    assert "task_id" in env.get_current_env().__fields_set__


def test_records_can_be_copied_compared_and_sent_to_other_processes(task):
    found = env.get_current_env()
    assert pickle.loads(pickle.dumps(found)) == found
    other = found.copy()
    other.output.root_dir = "/b"
    assert other != found
    assert found != found.dict()
    assert "task_id='t0000001" in repr(found)


def test_a_file_is_parsed_again_only_when_it_changed(task, monkeypatch):
    path = task.inside / "env.yaml"
    old = time.time() - 100
    parsed = []
    parse = _files.parse_yaml
    monkeypatch.setattr(_files, "parse_yaml", lambda text, name: parsed.append(name) or parse(text, name))
    os.utime(path, (old, old))
    for _ in range(5):
        env.get_current_env()
    assert len(parsed) == 1


def test_a_file_changed_within_one_tick_of_the_clock_is_seen(task):
    path = task.inside / "env.yaml"
    text = path.read_text(encoding="utf-8")
    moment = time.time()
    for letter in "abc":
        # The same file, size and time, as a fast writer would leave it.
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("t0000001", f"{letter}0000001"))
        os.utime(path, (moment, moment))
        assert env.get_current_env().task_id.startswith(letter)


def test_hyper_parameters_come_from_the_file_that_env_names(task):
    task.write_config(a=1, b=[1, 2])
    assert env.get_executor_config() == {"a": 1, "b": [1, 2]}
    env.get_executor_config()["b"].append(3)
    assert env.get_executor_config() == {"a": 1, "b": [1, 2]}


def test_no_hyper_parameters_are_an_empty_mapping(task):
    (task.inside / "config.yaml").write_text("# none\n", encoding="utf-8")
    assert env.get_executor_config() == {}


def test_hyper_parameters_are_a_mapping(task):
    (task.inside / "config.yaml").write_text("- a\n", encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"config\.yaml holds a list, and a mapping of hyper-parameters is wanted"
    ):
        env.get_executor_config()


@pytest.mark.parametrize(
    ("config", "manifest", "answer"),
    [
        (None, None, 2),
        (None, {"object_type": 3}, 3),
        (None, {"object_type": [4]}, 4),
        (4, {"object_type": [2, 4]}, 4),
        (3, None, 3),
    ],
)
def test_object_type(task, config, manifest, answer):
    task.write_config(**({} if config is None else {"object_type": config}))
    if manifest is not None:
        (task.root / "img-man").mkdir()
        (task.root / "img-man/manifest.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
    assert env.get_manifest_object_type() == answer


def test_several_object_types_and_no_choice(task):
    (task.root / "img-man").mkdir()
    (task.root / "img-man/manifest.yaml").write_text("object_type: [2, 3]\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"\[2, 3\], and config.yaml does not say which one"):
        env.get_manifest_object_type()
