"""Binary before metadata before documentation before third parties."""

import itertools

from layerwright.core.findings import CONFIDENCES, Evidence
from layerwright.facts.compat.evidence import Claim, settle, strongest_first


def claim(value, confidence, text="said"):
    return Claim(value=value, evidence=Evidence(text=text, source="test", confidence=confidence))


def test_nothing_said_is_nothing_known():
    settled = settle([])
    assert settled.value is None
    assert settled.evidence == ()


def test_the_strongest_wins_whatever_the_order():
    claims = [claim(confidence, confidence) for confidence in CONFIDENCES]
    for order in itertools.permutations(claims):
        settled = settle(order)
        assert settled.value == "binary"
        assert [one.other.confidence for one in settled.disagreements] == ["metadata", "docs", "community"]
        assert {one.believed.confidence for one in settled.disagreements} == {"binary"}


def test_among_equals_the_first_is_believed():
    assert settle([claim("a", "docs"), claim("b", "docs")]).value == "a"


def test_agreeing_sources_stand_together():
    settled = settle(
        [claim("12.x", "docs", "page"), claim("12.4", "metadata", "wheel")], lambda a, b: a[:2] == b[:2]
    )
    assert settled.value == "12.4"
    assert [one.text for one in settled.evidence] == ["wheel", "page"]
    assert settled.disagreements == ()


def test_evidence_is_ordered_and_each_stands_once():
    docs, binary = claim(1, "docs").evidence, claim(1, "binary").evidence
    assert strongest_first([docs, binary, docs]) == (binary, docs)
