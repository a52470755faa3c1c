"""Whatever a spec says of components, it is refused with a place and words, or means images in the order that works."""

import string
from pathlib import Path

import pytest
import tomli_w
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from layerwright.core.errors import SpecError
from layerwright.facts.components import COMPONENT_KINDS
from layerwright.plan.components import archive_name, component_command
from layerwright.spec.model import Spec
from layerwright.spec.parse import parse_spec

pytestmark = pytest.mark.property

KINDS = [kind.name for kind in COMPONENT_KINDS]
NAMES = ("musa_toolkit", "mudnn", "mccl", "a", "b", "c")
names = st.sampled_from(NAMES)
urls = st.sampled_from(["https://e.org/a.tar.gz", "a.tgz", "http://127.0.0.1/x"]) | st.text(max_size=30)
archs = st.lists(st.sampled_from(["qy1", "qy2", "ph1", "S80", "22"]), max_size=2)


def tables(*, sound: bool) -> st.SearchStrategy[dict[str, object]]:
    if sound:
        return st.fixed_dictionaries(
            {
                "url": st.just("https://e.org/a.tar.gz"),
                "sha256": st.just("0" * 64),
                "kind": st.sampled_from(KINDS),
            },
            optional={"arch": st.just(["qy1"])},
        )
    return st.fixed_dictionaries(
        {"url": urls, "sha256": st.just("0" * 64)},
        optional={
            "kind": st.sampled_from(KINDS),
            "arch": archs,
            "install": st.text(string.printable, min_size=1, max_size=20),
        },
    )


def specs(*, sound: bool) -> st.SearchStrategy[dict[str, object]]:
    image = st.fixed_dictionaries(
        {"from": st.just("debian:bookworm"), "accelerator": st.just("mthreads")},
        optional={
            "components": st.lists(names, max_size=5),
            "without": st.lists(st.sampled_from(KINDS), max_size=1),
            "gpu_arch": st.sampled_from(["qy1", "MTT S4000", "detect"]) | st.text(min_size=1, max_size=6),
        }
        if not sound
        else {"components": st.lists(names, max_size=5), "gpu_arch": st.just("S3000")},
    )
    child = image.map(lambda table: {**table, "from": "image:base"})
    return st.fixed_dictionaries(
        {
            "project": st.just({"name": "p"}),
            "components": st.fixed_dictionaries({name: tables(sound=True) for name in NAMES})
            if sound
            else st.dictionaries(names, tables(sound=False), max_size=6),
            "images": st.fixed_dictionaries({"base": image}, optional={"child": child}),
        }
    )


def read(document: dict[str, object]) -> Spec | None:
    text = tomli_w.dumps(document).encode()
    try:
        return parse_spec(text, file="layerwright.toml", root=Path("/nowhere"))
    except SpecError as error:
        problems = error.problems
    assert problems
    assert all(problem.what and problem.where.line for problem in problems)
    return None


def check(spec: Spec) -> None:
    order = {kind: position for position, kind in enumerate(KINDS)}
    for cell in spec.cells.values():
        kinds = [one.kind for one in cell.components]
        assert kinds == sorted(kinds, key=order.__getitem__)
        whole = [*cell.inherited_components, *cell.components]
        single = [one.kind for one in whole if one.kind in {"musa_toolkit", "mudnn", "mccl"}]
        assert len(single) == len(set(single))
        assert "musa_toolkit" not in kinds or not cell.inherited_components
        assert not {one.kind for one in whole} & set(cell.without)
        for one in whole:
            assert not cell.gpu_arch or not one.arch or cell.gpu_arch in one.arch
            command = component_command(one)
            assert command.files[0].name == archive_name(one)
            assert "/" not in archive_name(one)


@settings(max_examples=150)
@given(specs(sound=False))
def test_any_words_are_refused_in_their_place_or_mean_something(document: dict[str, object]) -> None:
    spec = read(document)
    if spec is not None:
        check(spec)


@settings(max_examples=80, suppress_health_check=[HealthCheck.filter_too_much])
@given(specs(sound=True))
def test_sound_ones_come_in_the_order_that_works(document: dict[str, object]) -> None:
    spec = read(document)
    assume(spec is not None)
    assert spec is not None
    check(spec)
