"""Typed parameters: sound declarations, templates that YAML 1.1 and 1.2 read alike, values back from texts."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from layerwright.core.errors import LayerwrightError, UsageError
from layerwright.ymir.parameters import (
    Parameter,
    ParameterError,
    coerce,
    coerce_all,
    defaults,
    faults,
    form_text,
    parameters_document,
    parse_form,
    parse_text,
    read_parameters,
    scalar_text,
    template_text,
)

EPOCHS = Parameter(
    name="epochs", type="int", default=10, minimum=1, maximum=300, unit="epochs", help="passes"
)
RATE = Parameter(name="learning_rate", type="float", default=1e-5, minimum=0, maximum=1)
FLIP = Parameter(name="flip", type="bool", default=True)
NOTE = Parameter(name="note", type="str", default="no")
SIZE = Parameter(name="size", type="choice", default=640, choices=(320, 640, 0.5))
KIND = Parameter(name="kind", type="choice", default="sgd", choices=("sgd", "no", "1e-3", "ark:raw"))
ALL = (EPOCHS, RATE, FLIP, NOTE, SIZE, KIND)


@pytest.mark.parametrize("parameter", ALL)
def test_sound_ones_have_no_fault(parameter):
    assert faults(parameter) == ()


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"name": "1st"}, "name", "no name"),
        ({"name": "a b"}, "name", "no name"),
        ({"name": "a" * 51}, "name", "51 characters"),
        ({"default": 0}, "default", "below the minimum 1"),
        ({"default": 301}, "default", "above the maximum 300"),
        ({"default": "10"}, "default", "is no whole number"),
        ({"default": True}, "default", "is no whole number"),
        ({"default": 1.5}, "default", "is no whole number"),
        ({"type": "float", "default": float("nan"), "minimum": None}, "default", "not a finite number"),
        ({"default": 2**53, "maximum": None}, "default", "largest whole number"),
        ({"minimum": 1.5}, "minimum", "no whole number"),
        ({"minimum": 400}, "minimum", "above maximum"),
        ({"minimum": float("inf"), "maximum": None}, "minimum", "no whole number"),
        ({"choices": (1, 2)}, "choices", "no choices"),
        ({"type": "bool", "default": True, "maximum": None, "unit": ""}, "minimum", "no minimum"),
        ({"type": "str", "default": "a", "minimum": None, "maximum": None}, "unit", "no unit"),
        (
            {"type": "str", "default": "a" * 101, "minimum": None, "maximum": None, "unit": ""},
            "default",
            "101",
        ),
        (
            {"type": "str", "default": "a\nb", "minimum": None, "maximum": None, "unit": ""},
            "default",
            "one line",
        ),
        (
            {"type": "choice", "default": 1, "minimum": None, "maximum": None},
            "choices",
            "something to choose",
        ),
        (
            {"type": "choice", "default": 1, "choices": (1, "1"), "minimum": None, "maximum": None},
            "choices",
            "stands twice",
        ),
        (
            {"type": "choice", "default": 3, "choices": (1, 2), "minimum": None, "maximum": None},
            "default",
            "none of its choices",
        ),
        ({"help": "two\nlines"}, "help", "one line"),
        ({"tasks": ()}, "tasks", "no task"),
        ({"tasks": ("mining", "mining")}, "tasks", "twice"),
    ],
)
def test_faults_name_the_field(fields, field, words):
    base = {"name": "epochs", "type": "int", "default": 10, "minimum": 1, "maximum": 300, "unit": "epochs"}
    found = faults(Parameter(**{**base, **fields}))
    assert [fault for fault in found if fault.field == field and words in fault.what], found


def test_a_template_holds_what_yaml_reads_back_with_its_type():
    text = template_text(ALL, "training")
    read = yaml.safe_load(text)
    assert read == defaults(ALL, "training")
    assert {name: type(value) for name, value in read.items()} == {
        "epochs": int, "learning_rate": float, "flip": bool, "note": str, "size": int, "kind": str,
    }  # fmt: skip
    assert "# passes; 1 to 300 epochs\nepochs: 10\n" in text
    assert "learning_rate: 1.0e-05\n" in text
    assert 'note: "no"\n' in text


def test_a_template_without_parameters_is_an_empty_mapping():
    assert yaml.safe_load(template_text((), "infer")) == {}


def test_only_the_tasks_own_parameters_stand_in_its_template():
    only = Parameter(name="epochs", type="int", default=3, tasks=("training",))
    assert yaml.safe_load(template_text((only, FLIP), "mining")) == {"flip": True}


values = st.one_of(
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=100),
    st.sampled_from(
        ["yes", "on", "~", "null", "1e-3", "0o17", "1_000", "12:30", "2020-01-01", ".inf", "<<", "=", "- a"]
    ),
)


@given(values)
def test_every_value_survives_yaml(value):
    read = yaml.safe_load(f"key: {scalar_text(value)}\n")["key"]
    assert read == value
    assert type(read) is type(value)


@given(st.text(max_size=50))
def test_every_text_survives_as_a_key(text):
    assert yaml.safe_load(f"{scalar_text(text)}: 1\n") == {text: 1}


def test_the_document_reads_back():
    assert read_parameters(parameters_document(ALL).encode()) == ALL
    assert read_parameters(parameters_document(()).encode()) == ()
    assert json.loads(parameters_document((EPOCHS,))) == {
        "schema": 1,
        "parameters": [
            {
                "name": "epochs", "type": "int", "default": 10, "minimum": 1, "maximum": 300, "choices": [],
                "unit": "epochs", "help": "passes", "tasks": ["training", "mining", "infer"],
            }
        ],
    }  # fmt: skip


def test_a_document_of_another_hand_may_leave_things_out():
    text = b'{"schema": 1, "parameters": [{"name": "a", "type": "float", "default": 1, "more": true}]}'
    (read,) = read_parameters(text)
    assert read == Parameter(name="a", type="float", default=1.0)
    assert type(read.default) is float


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "cannot be read"),
        (b"[]", "cannot be read"),
        (b'{"schema": 2, "parameters": []}', "schema 2"),
        (
            b'{"schema": 1, "parameters": [{"name": "a", "type": "int", "default": "x"}]}',
            "is no whole number",
        ),
        (b'{"schema": 1, "parameters": [{"name": "a", "type": "date", "default": "x"}]}', "cannot be read"),
        (
            b'{"schema":1,"parameters":[{"name":"a","type":"int","default":1},{"name":"a","type":"int","default":2}]}',
            "declares a twice for training",
        ),
        (b'{"schema": 1, "parameters": [' + b"[" * 100_000, "cannot be read"),
        (b" " * 1_000_001, "at most"),
    ],
)
def test_a_document_that_is_none_is_refused(text, words):
    with pytest.raises(UsageError, match=words):
        read_parameters(text)


@given(st.binary(max_size=200))
def test_bytes_from_anywhere_are_refused_or_read(data):
    for text in (data, b'{"schema": 1, "parameters": [' + data + b"]}"):
        try:
            read_parameters(text)
        except LayerwrightError:
            continue


@pytest.mark.parametrize(
    ("parameter", "text", "value"),
    [
        (EPOCHS, "12", 12),
        (EPOCHS, " +7 ", 7),
        (EPOCHS, "7.0", 7),
        (RATE, "1e-3", 0.001),
        (RATE, ".5", 0.5),
        (RATE, "1", 1.0),
        (FLIP, "False", False),
        (FLIP, "t", True),
        (FLIP, "0", False),
        (FLIP, "Yes", True),
        (NOTE, "", ""),
        (NOTE, " a ", " a "),
        (SIZE, "320", 320),
        (SIZE, "320.0", 320),
        (SIZE, "0.5", 0.5),
        (KIND, "1e-3", "1e-3"),
        (KIND, " no ", "no"),
    ],
)
def test_a_forms_text_becomes_a_value(parameter, text, value):
    read = parse_form(parameter, text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("parameter", "text", "what", "hint"),
    [
        (EPOCHS, "", "nothing is given", "a whole number from 1 to 300 epochs"),
        (EPOCHS, "ten", "'ten' is no whole number", "from 1 to 300"),
        (EPOCHS, "1.5", "1.5 is no whole number", "from 1 to 300"),
        (EPOCHS, "0", "0 is below the minimum 1", "from 1 to 300"),
        (EPOCHS, "1_000", "is no whole number", "from 1 to 300"),
        (EPOCHS, "9" * 30, "whole number", "from 1 to 300"),
        (RATE, "0,1", "'0,1' is no number", "the decimal mark is a point"),
        (RATE, "nan", "'nan' is no number", "from 0 to 1"),
        (RATE, "1e999", "not a finite number", "from 0 to 1"),
        (FLIP, "maybe", "neither true nor false", "true or false"),
        (NOTE, "a" * 101, "101 characters", "100 characters"),
        (NOTE, "a\x1b[2J", "not one line", "100 characters"),
        (SIZE, "641", "none of its choices", "one of 320, 640, 0.5"),
        (KIND, "adam", "none of its choices", "one of sgd"),
    ],
)
def test_a_text_that_does_not_fit_is_told_with_what_would(parameter, text, what, hint):
    with pytest.raises(ParameterError) as caught:
        parse_form(parameter, text)
    assert what in caught.value.what
    assert hint in caught.value.hint
    assert caught.value.name == parameter.name


@given(st.sampled_from(ALL), st.text(max_size=200))
def test_any_text_is_a_value_or_a_parameter_error(parameter, text):
    try:
        value = parse_form(parameter, text)
    except ParameterError:
        return
    assert parse_form(parameter, form_text(value)) == value


def test_a_whole_form():
    values_, wrong = parse_text(ALL, {"epochs": "5", "flip": "perhaps", "other": "1"})
    assert values_ == {"epochs": 5, "learning_rate": 1e-5, "note": "no", "size": 640, "kind": "sgd"}
    assert set(wrong) == {"flip", "other"}
    assert wrong["other"].reason == "is no parameter of this task"


@pytest.mark.parametrize(
    ("parameter", "sent", "value"),
    [
        (FLIP, "False", False),
        (FLIP, "", True),
        (FLIP, None, True),
        (FLIP, 0, False),
        (EPOCHS, "20", 20),
        (EPOCHS, 20.0, 20),
        (EPOCHS, " ", 10),
        (RATE, 1, 1.0),
        (NOTE, 5, "5"),
        (NOTE, True, "true"),
        (NOTE, "", ""),
        (SIZE, "640", 640),
    ],
)
def test_what_the_platform_sends_is_coerced(parameter, sent, value):
    found = coerce(parameter, sent)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("sent", [[1], {"a": 1}, "x", True, 1.5, 1000])
def test_what_cannot_be_coerced_is_told(sent):
    with pytest.raises(ParameterError, match="epochs"):
        coerce(EPOCHS, sent)


def test_dropped_values_become_the_defaults():
    assert coerce_all(ALL, {"epochs": "3", "gpu_id": ""}) == {**defaults(ALL, "training"), "epochs": 3}
