"""Typed parameters: what layerwright writes into an image, ``ymir_exc`` inside of it reads in the same way."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from ymir_exc import parameters as inside

from layerwright.ymir.parameters import (
    TASKS,
    Parameter,
    ParameterError,
    coerce,
    faults,
    form_text,
    parameters_document,
)

pytestmark = pytest.mark.property

numbers = st.one_of(
    st.integers(-20, 20), st.floats(-20, 20), st.sampled_from([0.001, 1e-5, 1e300, 2**53 - 1])
)
texts = st.one_of(st.text(max_size=5), st.sampled_from(["", "no", "1", "1.0", "True", "a b", " a"]))
values = st.one_of(numbers, texts, st.booleans())
limits = st.one_of(st.none(), st.integers(-25, 0), st.floats(-25, 0))


@st.composite
def declared(draw):
    kind = draw(st.sampled_from(["int", "float", "bool", "str", "choice"]))
    limited = kind in ("int", "float")
    choices = tuple(draw(st.lists(st.one_of(numbers, texts), max_size=4))) if kind == "choice" else ()
    own = {"int": st.integers(-20, 20), "float": st.floats(-20, 20), "bool": st.booleans(), "str": texts}
    default = draw(st.sampled_from(choices) if choices else own.get(kind, texts))
    least = draw(limits) if limited else None
    most = draw(st.one_of(st.none(), st.integers(0, 25))) if limited else None
    tasks = tuple(draw(st.lists(st.sampled_from(TASKS), min_size=1, unique=True)))
    parameter = Parameter(
        name="key", type=kind, default=default, minimum=least, maximum=most, choices=choices, tasks=tasks
    )
    assume(not faults(parameter))
    return parameter


@given(declared(), st.one_of(values, values.map(form_text), values.map(str), st.none()))
def test_both_read_the_same_value(parameter, value):
    described = inside.parse(parameters_document([parameter]))
    assert described[0].tasks == parameter.tasks
    try:
        expected = coerce(parameter, value)
    except ParameterError:
        return  # ymir_exc may be more lenient, as with long texts
    found = inside.coerce({"key": value}, described)["key"]
    assert (found, type(found)) == (expected, type(expected))


@given(declared(), st.one_of(values, values.map(str)))
def test_what_ymir_exc_refuses_layerwright_refuses(parameter, value):
    try:
        inside.coerce({"key": value}, inside.parse(parameters_document([parameter])))
    except inside.ParameterError:
        with pytest.raises(ParameterError):
            coerce(parameter, value)
