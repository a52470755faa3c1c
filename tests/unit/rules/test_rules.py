"""What holds for all rules."""

import pkgutil
import re

import pytest
from msgspec import structs

from layerwright import rules
from layerwright.core.findings import LEVELS
from layerwright.facts.model import Library, Subject
from layerwright.rules import RULES, Case, judge, kinds
from support.clashes import CUDA_118, cell, wheel

HELPERS = {
    "case",
    "cuda",
    "cuda_names",
    "debian_names",
    "native",
    "optional_libraries",
    "releases",
    "repairs",
    "requirements",
    "words",
}


def test_every_module_is_a_rule_or_a_helper() -> None:
    modules = {module.name for module in pkgutil.iter_modules(rules.__path__)}
    listed = {rule.__name__.rpartition(".")[2] for rule in RULES}  # type: ignore[attr-defined]
    assert modules == listed | HELPERS


def test_codes_are_unique_and_well_formed() -> None:
    codes = [kind.code for kind in kinds()]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"LW-[A-Z0-9]+(-[A-Z0-9]+)*", code) for code in codes)


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.code)
def test_kinds_are_explained(kind) -> None:
    assert not kind.title.endswith(".")
    for text in (kind.why, kind.evidence, kind.repair):
        assert text.endswith(".")
        assert "  " not in text


def crowded() -> Subject:
    """A cell that breaks many rules at once."""
    return cell(
        CUDA_118,
        {
            "torch": "2.3.1",
            "torchvision": "0.16.0",
            "onnxruntime-gpu": "1.20.0",
            "onnxruntime": "1.20.0",
            "opencv-python": "4.9.0.80",
            "opencv-python-headless": "4.9.0.80",
            "numpy": "2.1.0",
            "pdf2image": "1.17.0",
            "thing": wheel("thing", "1", Library(path="thing/_c.so", needed=("libmissing.so.1",))),
        },
        python="3.11",
    )


def test_findings_are_told_as_all_others_are() -> None:
    found = judge(crowded())
    assert len({one.code for one in found}) > 6
    known = {kind.code for kind in kinds()}
    for one in found:
        assert one.code in known
        assert one.level in LEVELS
        assert not one.message.endswith(".")
        assert "  " not in one.message
        assert one.where.image == "infer"
        assert one.where.location is not None
        assert [fix.cost for fix in one.fix] == sorted(fix.cost for fix in one.fix)
        assert all(fact.source for fact in one.evidence)
        assert not one.members or one.level in {"error", "warning"}


def test_a_rule_alone_says_what_it_says_among_others() -> None:
    subject = crowded()
    alone = tuple(one for rule in RULES for one in rule.check(Case(subject)))
    assert alone == judge(subject)


def test_an_empty_image_has_nothing_to_say() -> None:
    assert judge(cell("debian:bookworm", accelerator="cpu", debs=("libc6",), python="")) == ()


def test_taking_everything_out_leaves_nothing() -> None:
    subject = structs.replace(crowded(), packages={}, host=None)
    assert {one.level for one in judge(subject)} <= {"note", "unknown", "error"}
    assert {one.code for one in judge(subject)} <= {"LW-DRIVER-FLOOR", "LW-PYTHON-BASE"}
