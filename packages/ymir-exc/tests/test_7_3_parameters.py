"""§7.3.6: what the platform's form made of typed parameters, read back."""

import json

import pytest

from ymir_exc import failures, parameters, util
from ymir_exc.parameters import Parameter, ParameterError

DESCRIBED = [
    {
        "name": "epochs",
        "type": "int",
        "default": 10,
        "minimum": 1,
        "maximum": 1000,
        "choices": [],
        "unit": "epochs",
        "help": "How often.",
    },
    {"name": "lr", "type": "float", "default": 0.01, "minimum": 0, "maximum": None},
    {"name": "sync_bn", "type": "bool", "default": False},
    {"name": "model", "type": "choice", "default": "small", "choices": ["small", "large"]},
    {"name": "size", "type": "choice", "default": 640, "choices": [320, 640]},
    {"name": "options", "type": "str", "default": ""},
]


@pytest.fixture
def described(task):
    def write(entries=DESCRIBED, schema=1):
        path = task.root / "img-man/parameters.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"schema": schema, "parameters": entries}), encoding="utf-8")

    write()
    return write


def test_the_file(described):
    first, second = parameters.read()[:2]
    assert first == Parameter(
        "epochs", "int", 10, 1, 1000, (), "epochs", "How often.", ("training", "mining", "infer")
    )
    assert second == Parameter("lr", "float", 0.01, 0, None)


def test_an_image_without_the_file_has_no_types(task):
    task.write_config(epochs="3")
    assert parameters.read() == ()
    assert parameters.get_typed_config().param == {"epochs": "3"}


def test_what_the_form_made_of_them(task, described):
    task.write_config(
        epochs="3", lr="1e-3", sync_bn="False", model=" large", size="320", options="", more="kept"
    )
    cfg = parameters.get_typed_config()
    assert dict(cfg.param) == {
        "epochs": 3,
        "lr": 0.001,
        "sync_bn": False,
        "model": "large",
        "size": 320,
        "options": "",
        "more": "kept",
    }
    assert cfg.ymir.task_id.startswith("t")


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ({}, {"epochs": 5}),
        ({"mining": True}, {"batch": 9}),
        ({"mining": True, "infer": True}, {"batch": 9, "top": 3}),
    ],
)
def test_only_parameters_of_the_tasks_at_hand(task, described, flags, found):
    described(
        [
            {"name": "epochs", "type": "int", "default": 5, "tasks": ["training"]},
            {"name": "batch", "type": "int", "default": 9, "tasks": ["mining"]},
            {"name": "batch", "type": "int", "default": 8, "tasks": ["infer"]},
            {"name": "top", "type": "int", "default": 3, "tasks": ["infer"]},
        ]
    )
    task.write_config()
    if flags:
        task.mining(**flags)
    assert dict(parameters.get_typed_config().param) == found


def test_what_the_platform_drops_has_its_default(task, described):
    task.write_config(epochs=None, lr="")
    assert dict(parameters.get_typed_config().param) == {
        "epochs": 10,
        "lr": 0.01,
        "sync_bn": False,
        "model": "small",
        "size": 640,
        "options": "",
    }


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        ("bool", "False", False), ("bool", "false", False), ("bool", "0", False), ("bool", "no", False),
        ("bool", 0, False), ("bool", "off", False), ("bool", " F ", False), ("bool", "True", True),
        ("bool", "on", True),
        ("bool", 1.0, True),
        ("int", "12", 12), ("int", " 12 ", 12), ("int", 12.0, 12), ("int", "12.0", 12), ("int", "1e3", 1000),
        ("int", "-3", -3),
        ("int", str(2**70), 2**70),
        ("float", "1e-3", 0.001), ("float", 5, 5.0), ("float", "5", 5.0),
        ("str", 5, "5"), ("str", True, "true"), ("str", " a ", " a "),
    ],
)  # fmt: skip
def test_values(kind, value, found):
    answer = parameters.coerce({"key": value}, [Parameter("key", kind)])["key"]
    assert answer == found
    assert type(answer) is type(found)


@pytest.mark.parametrize(
    ("parameter", "value", "words"),
    [
        (Parameter("key", "int"), "many", "key is 'many', and a whole number is wanted"),
        (Parameter("key", "int"), 1.5, "key is 1.5, and a whole number is wanted"),
        (Parameter("key", "int"), True, "key is True, and a whole number is wanted"),
        (Parameter("key", "float"), "nan", "key is 'nan', and a number is wanted"),
        (Parameter("key", "float"), [1], "a number is wanted"),
        (Parameter("key", "float"), True, "a number is wanted"),
        (Parameter("key", "bool"), 2, "key is 2, and true or false is wanted"),
        (Parameter("key", "bool"), "perhaps", "true or false is wanted"),
        (Parameter("key", "str"), [1], "text is wanted"),
        (Parameter("key", "choice", choices=("a", 1)), "b", "one of a, 1 is wanted"),
        (Parameter("key", "int", minimum=1, maximum=9, unit="epochs"), 10, "1 to 9 epochs is wanted"),
        (Parameter("key", "float", minimum=0.5), 0, "at least 0.5 is wanted"),
        (Parameter("key", "float", maximum=0.5), "1", "at most 0.5 is wanted"),
        (Parameter("key", "int", choices=(1, 2)), 3, "one of 1, 2 is wanted"),
    ],
)
def test_values_that_do_not_fit(parameter, value, words):
    with pytest.raises(ParameterError) as raised:
        parameters.coerce({"key": value}, [parameter])
    assert words in str(raised.value)


def test_every_fault_is_named_and_is_a_configuration_error():
    with pytest.raises(ParameterError, match=r"a is 'x', .*; b is 'maybe', ") as raised:
        parameters.coerce({"a": "x", "b": "maybe"}, [Parameter("a", "int"), Parameter("b", "bool")])
    assert failures.return_code_of(raised.value) == 300001


def test_without_a_default_nothing_is_made_up():
    assert parameters.coerce({}, [Parameter("key", "int")]) == {"key": None}


def test_a_configuration_of_the_callers_own(task, described):
    task.write_config(epochs="3")
    cfg = util.get_merged_config()
    parameters.apply(cfg)
    assert cfg.param.epochs == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("[]", 'an object like {"schema": 1'),
        ('{"schema": 2, "parameters": []}', "schema is 2, and this ymir_exc reads 1"),
        ('{"schema": 1, "parameters": [5]}', "parameters[0]: an object with a name and a type"),
        (
            '{"schema": 1, "parameters": [{"name": "a", "type": "list"}]}',
            "(int, float, bool, str, choice) is wanted",
        ),
        (
            '{"schema": 1, "parameters": [{"name": "a", "type": "choice"}]}',
            "a: choices is [], and a list is wanted",
        ),
        (
            '{"schema": 1, "parameters": [{"name": "a", "type": "int", "minimum": "1"}]}',
            "a: minimum and maximum are ['1', None]",
        ),
    ],
)
def test_files_that_do_not_fit(task, text, words):
    path = task.root / "p.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ParameterError) as raised:
        parameters.read(str(path))
    assert words in str(raised.value)
    assert str(path) in str(raised.value)
