import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from msgspec.structs import replace

from layerwright.core.findings import LEVELS, Evidence, Finding, Fix, Kind, Member, Place
from layerwright.core.source import Location
from layerwright.reports.sarif import sarif_document
from support.report_samples import CACHE, CUDNN, FINDINGS, FROM, HOSTILE, PACKAGES, TAG

ROOT = Path("/repository")
SCHEMA = json.loads((Path(__file__).parents[2] / "data/sarif/sarif-2.1.0.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=FormatChecker())
KIND = Kind(
    code="LW-ORT-CUDNN",
    title="ONNX Runtime and cuDNN are of different majors",
    why="The provider cannot be loaded.",
    evidence="DT_NEEDED of the provider.",
    repair="Take another base.",
)


def log(*findings, folder=ROOT, root=None, kinds=()):
    document = json.loads(
        json.dumps(sarif_document(findings, version="1.2.3", folder=folder, root=root, kinds=kinds))
    )
    VALIDATOR.validate(document)
    (run,) = document["runs"]
    return run


def result(finding, **options):
    (found,) = log(finding, **options)["results"]
    return found


def test_everything_is_valid():
    run = log(*FINDINGS, kinds=[KIND])
    assert len(run["results"]) == len(FINDINGS)
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == sorted({one.code for one in FINDINGS})
    for one in run["results"]:
        assert run["tool"]["driver"]["rules"][one["ruleIndex"]]["id"] == one["ruleId"]


def test_nothing_found_is_valid():
    assert log()["results"] == []


@pytest.mark.parametrize(
    ("level", "kind", "shown"),
    [
        ("error", "fail", "error"),
        ("warning", "fail", "warning"),
        ("note", "fail", "note"),
        ("unknown", "open", "none"),
    ],
)
def test_levels(level, kind, shown):
    found = result(replace(CUDNN, level=level))
    assert (found["kind"], found["level"]) == (kind, shown)


def test_the_place_is_the_value_and_relative_to_the_repository():
    found = result(CUDNN, folder=ROOT / "images", root=ROOT)
    physical = found["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"] == {"uri": "images/layerwright.toml", "uriBaseId": "%SRCROOT%"}
    region = physical["region"]
    assert (region["startLine"], region["startColumn"]) == (12, 13)
    assert PACKAGES.text[region["startColumn"] - 1 : region["endColumn"] - 1] == '"onnxruntime-gpu==1.20.0"'


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("../other/Dockerfile", "file:///other/Dockerfile"),
        ("a b/映像#1.toml", "a%20b/%E6%98%A0%E5%83%8F%231.toml"),
        ("/repository/x/../y.toml", "y.toml"),
    ],
)
def test_file_names_become_addresses(file, uri):
    found = result(replace(TAG, where=Place(location=Location(file=file, line=1))))
    assert found["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_a_path_in_an_image():
    (place,) = result(HOSTILE)["locations"]
    assert place["physicalLocation"]["artifactLocation"]["uriBaseId"] == "IMAGE"
    assert place["logicalLocations"][0]["name"] == "dev"


def test_an_image_alone_is_a_logical_place():
    (place,) = result(CACHE)["locations"]
    assert "physicalLocation" not in place
    assert place["logicalLocations"][0]["fullyQualifiedName"] == "infer-py312"


def test_members_are_related_places():
    related = result(CUDNN)["relatedLocations"]
    assert [one["physicalLocation"]["region"]["startLine"] for one in related] == [5, 12]


def test_a_fix_turns_the_line_into_the_other():
    fixes = result(CUDNN)["fixes"]
    (change,) = fixes[1]["artifactChanges"]
    (replacement,) = change["replacements"]
    region = replacement["deletedRegion"]
    text = FROM.text
    mended = (
        text[: region["startColumn"] - 1]
        + replacement["insertedContent"]["text"]
        + text[region["endColumn"] - 1 :]
    )
    assert mended == 'from = "nvcr.io/nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04"'
    assert len(fixes) == 2  # what is typed into a shell is no change of a file


def test_a_rule_tells_what_its_kind_tells():
    (rule,) = log(CUDNN, kinds=[KIND])["tool"]["driver"]["rules"]
    assert rule["shortDescription"]["text"] == f"{KIND.title}."
    assert KIND.repair in rule["help"]["text"]
    assert rule["helpUri"].endswith("/docs/reference/findings/LW-ORT-CUDNN.md")


def test_evidence_keeps_source_and_confidence():
    facts = result(CUDNN)["properties"]["evidence"]
    assert [(fact["source"], fact["confidence"]) for fact in facts] == [
        (fact.source, fact.confidence) for fact in CUDNN.evidence
    ]


def fingerprint(finding):
    return result(finding)["partialFingerprints"]["layerwrightFinding/v1"]


def test_a_finding_stays_itself_when_lines_move_and_versions_change():
    moved = replace(CUDNN, where=replace(CUDNN.where, location=replace(PACKAGES, line=99, column=1)))
    newer = replace(CUDNN, message=CUDNN.message.replace("1.20.0", "1.20.1"))
    assert fingerprint(moved) == fingerprint(newer) == fingerprint(CUDNN)
    assert len({fingerprint(finding) for finding in FINDINGS}) == len(FINDINGS)
    other = replace(CUDNN, where=replace(CUDNN.where, image="infer-py312"))
    assert fingerprint(other) != fingerprint(CUDNN)


TEXT = st.text(max_size=20)
LOCATION = st.builds(
    Location,
    file=st.text(min_size=1, max_size=12),
    line=st.integers(0, 9),
    column=st.integers(0, 30),
    key=TEXT,
    text=TEXT,
)
FINDING = st.builds(
    Finding,
    code=st.sampled_from(["LW-A", "LW-B-C"]),
    level=st.sampled_from(LEVELS),
    message=TEXT,
    where=st.builds(Place, location=st.none() | LOCATION, image=TEXT, layer=TEXT, path=TEXT),
    evidence=st.lists(
        st.builds(Evidence, text=TEXT, source=TEXT, confidence=st.just("binary")), max_size=2
    ).map(tuple),
    fix=st.lists(st.builds(Fix, text=TEXT, edit=TEXT, replaces=st.none() | LOCATION), max_size=2).map(tuple),
    members=st.lists(
        st.builds(Member, kind=st.just("wheel"), name=TEXT, location=st.none() | LOCATION), max_size=2
    ).map(tuple),
)


@settings(max_examples=60)
@given(st.lists(FINDING, max_size=4))
def test_whatever_was_found_is_valid(findings):
    run = log(*findings)
    for one in run["results"]:
        for place in one["locations"]:
            region = place.get("physicalLocation", {}).get("region", {})
            if "endColumn" in region:
                assert region["endColumn"] > region["startColumn"]
