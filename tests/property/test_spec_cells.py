"""Random matrices and overrides."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.spec import spec_of

pytestmark = pytest.mark.property

VALUES = {
    "python": ["3.9", "3.11", "3.13"],
    "accelerator": ["cpu", "nvidia", "mthreads"],
    "variant": ["slim", "full", "a.b"],
}


@st.composite
def matrices(draw):
    axes = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, unique=True))
    return {axis: draw(st.lists(st.sampled_from(VALUES[axis]), min_size=1, unique=True)) for axis in axes}


def toml(table):
    return "{ " + ", ".join(f"{key} = {value!r}" for key, value in table.items()) + " }"


def text_of(matrix, overrides=()):
    lines = [
        "[images.a]",
        'from = "debian:sid"',
        'packages = ["numpy"]',
        'python = "3.8"',
        'env = { A = "0", B = "0" }',
    ]
    lines.append(f"matrix = {toml(matrix)}")
    for number, when in enumerate(overrides):
        lines += ["[[images.a.override]]", f"when = {toml(when)}"]
        lines += [
            f'packages = ["p{number}"]',
            f'env = {{ A = "{number}" }}',
            'workdir = "/o"',
            'apt = ["git"]',
        ]
    return "\n".join(lines)


@settings(deadline=None)
@given(matrices())
def test_cells_are_the_product_of_the_axes(matrix):
    cells = spec_of(text_of(matrix)).cells
    assert len(cells) == math.prod(len(values) for values in matrix.values())
    assert len({tuple(cell.axes.items()) for cell in cells.values()}) == len(cells)
    assert len({reference for cell in cells.values() for reference in cell.references}) == len(cells)
    for cell in cells.values():
        assert list(cell.axes) == list(matrix)
        assert all(value in matrix[axis] for axis, value in cell.axes.items())
        assert cell.python == cell.axes.get("python", "3.8")
        assert cell.accelerator == cell.axes.get("accelerator", "cpu")


@st.composite
def overridden(draw):
    matrix = draw(matrices())
    whens = []
    for _ in range(draw(st.integers(1, 3))):
        axes = draw(st.lists(st.sampled_from(list(matrix)), min_size=1, unique=True))
        whens.append(
            {axis: draw(st.lists(st.sampled_from(matrix[axis]), min_size=1, unique=True)) for axis in axes}
        )
    return matrix, whens


@settings(deadline=None)
@given(overridden())
def test_overrides_change_their_cells_and_no_other(drawn):
    matrix, whens = drawn
    plain = spec_of(text_of(matrix)).cells
    changed = spec_of(text_of(matrix, whens)).cells
    assert list(plain) == list(changed)
    for name, cell in changed.items():
        meant = [
            number
            for number, when in enumerate(whens)
            if all(cell.axes[axis] in values for axis, values in when.items())
        ]
        if not meant:
            assert cell == plain[name]
            continue
        assert [package.requirement for package in cell.packages] == [
            "numpy",
            *(f"p{number}" for number in meant),
        ]
        assert cell.env == {"A": str(meant[-1]), "B": "0"}
        assert (cell.workdir, cell.apt) == ("/o", ("git",))
