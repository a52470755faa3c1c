"""What uv says (0.9 to 0.13), read for who asks for what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.conflicts.demands import Demand, clash, demands_of, exclude_each_other, way_to
from layerwright.conflicts.resolution import resolution_finding
from layerwright.core.errors import ResolveError
from layerwright.core.source import Location

READERS = """\
Because docaligner-docsaid==1.1.1 depends on capybara-docsaid>=0.5.1,<1.0.0 and mrzscanner==2.0.0 depends on \
capybara-docsaid[onnxruntime]>=1.0.0,<2.0.0, we can conclude that docaligner-docsaid==1.1.1 and mrzscanner==2.0.0 are \
incompatible.
And because only mrzscanner==2.0.0 is available, we can conclude that docaligner-docsaid==1.1.1 and all versions of \
mrzscanner are incompatible.
And because you require docaligner-docsaid==1.1.1 and mrzscanner, we can conclude that your requirements are \
unsatisfiable."""
VISION = """\
Because torchvision==0.21.0 depends on torch==2.6.0 and you require torch==2.4.1, we can conclude that your \
requirements and torchvision==0.21.0 are incompatible.
And because you require torchvision==0.21.0, we can conclude that your requirements are unsatisfiable."""
DERIVED = """\
Because docaligner-docsaid>=1.1.1 depends on capybara-docsaid>=0.5.1,<1.0.0 and you require docaligner-docsaid==1.1.1, \
we can conclude that you require capybara-docsaid>=0.5.1,<1.0.0.
And because you require capybara-docsaid>=1.0.0,<2.0.0, we can conclude that your requirements are unsatisfiable."""
PYTHON = """\
Because the requested Python version (3.9.2) does not satisfy Python>=3.10 and numpy==2.1.0 depends on Python>=3.10, \
we can conclude that numpy==2.1.0 cannot be used.
And because you require numpy==2.1.0, we can conclude that your requirements are unsatisfiable."""
DEEP = """\
Because albumentations==1.4.0 depends on opencv-python-headless>=4.9.0 and opencv-python-headless>=4.9.0 depends on \
numpy>=2, we can conclude that albumentations==1.4.0 depends on numpy>=2.
And because old-thing==1.0 depends on numpy<2 and you require albumentations==1.4.0, we can conclude that \
old-thing==1.0 cannot be used."""


def at(line):
    return Location(file="layerwright.toml", line=line, text="x")


def finding(said, **asked):
    error = ResolveError(
        f"both: no set of packages meets the requirements for Python 3.11 on linux/amd64\n{said}"
    )
    places = {name.replace("_", "-"): at(line) for name, line in asked.items()}
    return resolution_finding(error, cell="both", python="3.11", asked=places, place=at(1))


def test_both_sides_with_their_places():
    found = finding(READERS, docaligner_docsaid=5, mrzscanner=6)
    assert found.message == (
        "docaligner-docsaid 1.1.1 asks for capybara-docsaid>=0.5.1,<1.0.0, and mrzscanner 2.0.0 for "
        "capybara-docsaid>=1.0.0,<2.0.0: no version of capybara-docsaid is both"
    )
    assert [(one.kind, one.name, one.origin, one.location.line) for one in found.members] == [
        ("requirement", "capybara-docsaid>=0.5.1,<1.0.0", "asked for by docaligner-docsaid 1.1.1", 5),
        ("requirement", "capybara-docsaid>=1.0.0,<2.0.0", "asked for by mrzscanner 2.0.0", 6),
    ]
    assert "\n".join(fact.text for fact in found.evidence) == READERS
    assert found.where.location.line == 5


def test_the_spec_itself_is_one_side():
    found = finding(VISION, torch=3, torchvision=4)
    assert found.message.startswith("torchvision 0.21.0 asks for torch==2.6.0, and the spec for torch==2.4.1")
    assert [one.location.line for one in found.members] == [4, 3]


def test_what_uv_concludes_is_nobodys_requirement():
    assert clash(demands_of(DERIVED)) == (
        Demand(
            name="capybara-docsaid", specifier=">=0.5.1,<1.0.0", who="docaligner-docsaid", version=">=1.1.1"
        ),
        Demand(name="capybara-docsaid", specifier=">=1.0.0,<2.0.0"),
    )


def test_python_is_a_side_too():
    found = finding(PYTHON, numpy=7)
    assert {one.kind for one in found.members} == {"python", "requirement"}
    assert "numpy 2.1.0 asks for python>=3.10" in found.message


def test_the_way_down_is_told():
    found = finding(DEEP, albumentations=2, old_thing=3)
    assert found.members[0].origin == (
        "asked for by opencv-python-headless 4.9.0 and later, needed by albumentations"
    )
    assert [one.location.line for one in found.members] == [2, 3]


def test_an_explanation_without_two_sides_is_kept_whole():
    said = (
        "Because nothing was not found in the package registry and you require nothing, we can conclude that \
your requirements are unsatisfiable."
    )
    found = finding(said, nothing=3)
    assert found.message == "no set of packages meets the requirements for Python 3.11 on linux/amd64"
    assert found.members == ()
    assert found.evidence[0].text == said


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        (">=1", "<1", True),
        (">=1", "<=1", False),
        ("==1.0", "==1", False),
        ("==1.4.*", "==1.5.2", True),
        ("==1.4.*", "==1.4.2", False),
        (">=0.5.1,<1.0.0", ">=1.0.0,<2.0.0", True),
        (">1,<2", ">=1.5", False),
        ("!=1", "==1", True),
        ("~=2.1", ">=3", True),
        ("~=2.1", ">=2.9", False),
        ("", "==3", False),
        (">=2,<1", "", True),
        ("not a specifier", "==1", False),
        (">1.0", "<1.0.1", False),
    ],
)
def test_which_specifiers_exclude_each_other(one, other, apart):
    assert exclude_each_other(one, other) is apart
    assert exclude_each_other(other, one) is apart


def test_the_way_is_the_shortest():
    demands = [Demand(name="b", who="a"), Demand(name="c", who="b"), Demand(name="c", who="a")]
    assert way_to("c", demands, {"a": 1}) == ("a", "c")
    assert way_to("z", demands, {"a": 1}) == ("z",)
    assert way_to("x", [Demand(name="x", who="y"), Demand(name="y", who="x")], {}) == ("x",)


@given(st.text())
def test_no_text_breaks_it(text):
    clash(demands_of(text))
    finding(f"Because {text} depends on {text} and you require {text}, we can conclude that")


@given(
    st.lists(
        st.sampled_from(
            ["Because ", "a==1 ", "depends on ", "b>=2,", " and ", "you require ", "[x]", ".", "<"]
        )
    )
)
def test_no_pieces_break_it(pieces):
    finding("".join(pieces))
