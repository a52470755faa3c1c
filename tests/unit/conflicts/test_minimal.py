"""Minimal sets, with rules made up for it: any function of the parts that are there."""

from collections.abc import Callable
from itertools import chain, combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwright.conflicts.minimal import minimal_set, same
from layerwright.conflicts.parts import (
    ACCELERATOR,
    BASE,
    DRIVER,
    PYTHON,
    ROLE,
    Part,
    as_member,
    parts_of,
    with_only,
)
from layerwright.core.findings import Finding, Kind, Member
from layerwright.facts.model import HostFacts, Subject
from layerwright.rules.case import Case
from support.clashes import CUDA_118, cell

KIND = Kind(code="LW-MADE-UP", title="t", why="w", evidence="e", repair="r")


class Made:
    """A rule that finds its finding when a condition holds for the parts of the case."""

    KINDS = (KIND,)

    def __init__(self, holds: Callable[[frozenset[Part]], bool], said: tuple[Member, ...] = ()) -> None:
        self.holds = holds
        self.said = said
        self.asked = 0

    def check(self, case: Case):
        self.asked += 1
        if self.holds(present(case.subject)):
            yield Finding(code=KIND.code, level="error", message="m", members=self.said)


def present(subject: Subject) -> frozenset[Part]:
    """Which parts are in a subject, told from the subject alone."""
    found = {Part("wheel", name) for name in subject.packages}
    found |= {Part("apt", name) for name, one in subject.system.items() if one.location}
    if subject.base.known:
        found.add(BASE)
    if subject.host is not None:
        found.add(DRIVER)
    if subject.python:
        found.add(PYTHON)
    if subject.role == "inference":
        found.add(ROLE)
    if subject.accelerator == "nvidia":
        found.add(ACCELERATOR)
    return frozenset(found)


SUBJECT = cell(
    CUDA_118,
    {f"p{n}": "1" for n in range(6)},
    apt=["libgl1", "ffmpeg"],
    debs=["libc6"],
    host=HostFacts(driver_version="525.1"),
)
PARTS = parts_of(SUBJECT)


def found_in(rule: Made) -> Finding:
    return next(rule.check(Case(SUBJECT)))


def test_every_part_can_be_taken_out_and_is_then_gone():
    assert present(SUBJECT) == set(PARTS)
    for part in PARTS:
        assert present(with_only(SUBJECT, set(PARTS) - {part})) == set(PARTS) - {part}
    assert present(with_only(SUBJECT, ())) == set()


def test_the_base_takes_its_own_packages_along():
    without = with_only(SUBJECT, set(PARTS) - {BASE})
    assert set(without.system) == {"libgl1", "ffmpeg"}
    assert not without.system_known
    assert without.base.reference == CUDA_118


@pytest.mark.parametrize(
    "core",
    [
        {BASE, Part("wheel", "p3")},
        {Part("wheel", "p0"), Part("wheel", "p5"), PYTHON},
        {DRIVER},
        {ROLE, ACCELERATOR, Part("apt", "ffmpeg"), BASE, Part("wheel", "p1")},
        set(PARTS),
    ],
    ids=len,
)
def test_the_core_of_a_clash_is_found(core):
    rule = Made(lambda parts: parts >= core)
    assert set(minimal_set(SUBJECT, found_in(rule), [rule])) == core


def test_what_the_rule_names_is_tried_first():
    said = (
        Member(kind="wheel", name="p4"),
        Member(kind="base", name=CUDA_118),
        Member(kind="wheel", name="p2"),
    )
    rule = Made(lambda parts: parts >= {BASE, Part("wheel", "p4")}, said)
    assert minimal_set(SUBJECT, found_in(rule), [rule]) == (Part("wheel", "p4"), BASE)
    assert rule.asked < 15


def test_a_rule_that_names_too_little_does_not_mislead():
    said = (Member(kind="wheel", name="p4"),)
    core = {Part("wheel", "p4"), Part("wheel", "p5")}
    rule = Made(lambda parts: parts >= core, said)
    assert set(minimal_set(SUBJECT, found_in(rule), [rule])) == core


def test_a_finding_that_is_gone_has_no_set():
    rule = Made(lambda _: True)
    finding = found_in(rule)
    rule.holds = lambda _: False
    assert minimal_set(SUBJECT, finding, [rule]) == ()


def test_other_rules_are_not_asked():
    rule, other = Made(lambda parts: BASE in parts), Made(lambda _: True)
    other.KINDS = (Kind(code="LW-OTHER", title="t", why="w", evidence="e", repair="r"),)
    assert minimal_set(SUBJECT, found_in(rule), [rule, other]) == (BASE,)
    assert other.asked == 0


def test_what_one_part_breaks_and_another_mends():
    """Taking out what mends is no progress: the smallest set without it is the answer."""
    breaks, mends = Part("wheel", "p0"), Part("wheel", "p1")
    rule = Made(lambda parts: breaks in parts and (mends not in parts or BASE in parts))
    assert minimal_set(SUBJECT, found_in(rule), [rule]) == (breaks,)


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(
            st.frozensets(st.sampled_from(PARTS), min_size=1, max_size=5),
            st.frozensets(st.sampled_from(PARTS), max_size=2),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_every_proper_subset_is_free_of_it(clauses):
    """Whatever the rule: any of several cores, each of which other parts may mend."""
    rule = Made(lambda parts: any(core <= parts and not cure & parts for core, cure in clauses))
    finding = Finding(code=KIND.code, level="error", message="m")
    found = minimal_set(SUBJECT, finding, [rule])
    clashes = rule.holds(frozenset(PARTS))
    assert bool(found) == clashes
    if not clashes:
        return
    assert rule.holds(frozenset(found))
    for subset in chain.from_iterable(combinations(found, size) for size in range(len(found))):
        assert not rule.holds(frozenset(subset)), (found, subset)


def test_findings_are_the_same_about_the_same_thing():
    one = Finding(code="A", level="error", message="x", members=(Member(kind="wheel", name="p"),))
    assert same(one, Finding(code="A", level="error", message="y", members=(Member(kind="wheel", name="p"),)))
    assert not same(
        one, Finding(code="A", level="error", message="x", members=(Member(kind="wheel", name="q"),))
    )
    assert not same(one, Finding(code="B", level="error", message="x", members=one.members))


def test_members_say_where_they_come_from():
    for part in PARTS:
        member = as_member(part, SUBJECT, ())
        assert member.kind == part.kind
        assert member.origin
        if part.kind != "driver":
            assert member.location is not None
    said = Member(kind="base", name="b", origin="in the rule's words")
    assert as_member(BASE, SUBJECT, [said]) == said
