"""Kinds of components, in the order that works."""

from typing import get_args

from layerwright.facts.components import COMPONENT_KINDS, MUSA_KINDS, KindName, kind_of
from layerwright.spec.keys.values import ComponentKindName


def test_the_toolkit_is_first_and_what_is_unknown_last() -> None:
    assert [kind.name for kind in COMPONENT_KINDS] == [
        "musa_toolkit",
        "mudnn",
        "mccl",
        "musa_math",
        "python",
        "other",
    ]
    assert MUSA_KINDS == ("musa_toolkit", "mudnn", "mccl", "musa_math")


def test_the_spec_knows_the_same_kinds() -> None:
    names = tuple(kind.name for kind in COMPONENT_KINDS)
    assert get_args(KindName) == get_args(ComponentKindName) == names


def test_a_kind_is_found_by_its_name() -> None:
    mudnn = kind_of("mudnn")
    assert mudnn is not None
    assert mudnn.installers == ("install_mudnn.sh", "install.sh")
    assert kind_of("cudnn") is None
