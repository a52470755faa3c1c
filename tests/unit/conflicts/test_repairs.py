"""Repairs, by the real rules: each is applied and judged again here, too."""

import pytest
from msgspec.structs import replace

from layerwright.conflicts import explain_findings
from layerwright.conflicts.changes import AddApt, Drop, Require, SetBase, SetEnv, SetRole, Swap, apply
from layerwright.conflicts.debian import with_dependencies, without_implied
from layerwright.conflicts.edits import as_fix, cost
from layerwright.conflicts.minimal import same
from layerwright.conflicts.parts import claimed, parts_of, with_only
from layerwright.conflicts.proposals import changes_of
from layerwright.core.findings import Finding, Fix
from layerwright.core.source import Location
from layerwright.facts.model import HostFacts
from layerwright.rules import RULES, judge
from support.clashes import CUDA_118, CUDA_124, cell, wheel

MACHINE = HostFacts(name="gpu1", driver_version="525.147.05", driver_cuda="12.0", data_center=False)
CLASHES = {
    "ONNX Runtime for CUDA 12 on CUDA 11.8": cell(CUDA_118, {"onnxruntime-gpu": "1.20.0", "numpy": "1.26.4"}),
    "torch and torchvision": cell(
        CUDA_118, {"torch": "2.0.0", "torchvision": "0.16.0", "numpy": "1.26.4"}, role="training"
    ),
    "OpenCV with windows on a slim base": cell(
        "debian:bookworm",
        {"opencv-python": "4.10.0.84", "numpy": "1.26.4"},
        accelerator="cpu",
        python="3.11",
        debs=["libc6", "zlib1g", "libstdc++6"],
    ),
    "two OpenCVs": cell(
        "debian:bookworm",
        {"opencv-python": "4.10.0.84", "opencv-python-headless": "4.10.0.84"},
        accelerator="cpu",
        python="3.11",
        apt=["libgl1", "libglib2.0-0"],
    ),
    "NumPy 1 and 2": cell(
        "debian:bookworm",
        {"opencv-python-headless": "4.8.0.76", "numpy": "2.1"},
        accelerator="cpu",
        python="3.11",
    ),
    "CUDA 13 beside 12": cell(
        CUDA_124, {"torch": "2.11.0", "onnxruntime-gpu": "1.26.0", "numpy": "2.1"}, role="release"
    ),
    "a driver that is too old": cell(
        "nvidia/cuda:13.0.1-cudnn-runtime-ubuntu22.04", {"onnxruntime-gpu": "1.28.0"}, host=MACHINE
    ),
    "a framework in an inference image": cell(
        "debian:bookworm",
        {"timm": wheel("timm", "1.0.19", requires=["torch"]), "numpy": "1.26.4"},
        under={"torch": ("2.4.1+cpu", "timm")},
        accelerator="cpu",
        python="3.11",
    ),
}


def errors(subject):
    found = judge(subject)
    return [one for one in explain_findings(subject, found) if one.level == "error"]


@pytest.fixture(params=CLASHES, ids=str)
def clash(request):
    return CLASHES[request.param]


def test_a_repair_is_offered_for_every_known_clash(clash):
    found = errors(clash)
    assert found
    assert all(fix.verified for one in found for fix in one.fix[:1])


def test_repairs_do_what_they_say(clash):
    """Independent of how they were found: what stands in the edit is made, and the rules judge."""
    before = {(one.code, one.level) for one in judge(clash)}
    for finding in errors(clash):
        for fix in finding.fix:
            if not fix.verified or "\n" in fix.edit:
                continue
            (change,) = changes_of(fix, clash)
            after = {(one.code, one.level) for one in judge(apply(change, clash))}
            assert (finding.code, "error") not in after, fix
            assert (finding.code, "unknown") not in after, fix
            assert {one for one in after - before if one[1] == "error"} == set(), fix


def test_the_cheapest_comes_first_and_no_more_than_a_handful(clash):
    for finding in errors(clash):
        checked = [fix for fix in finding.fix if fix.verified]
        assert [fix.cost for fix in checked] == sorted(fix.cost for fix in checked)
        assert len(checked) <= 5
        assert len({fix.edit or fix.text for fix in checked}) == len(checked)


def test_every_member_is_needed(clash):
    for finding in errors(clash):
        parts = claimed(finding, parts_of(clash))
        assert len(parts) == len(finding.members) >= 1
        assert any(same(one, finding) and one.level == "error" for one in judge(with_only(clash, parts)))
        for part in parts:
            rest = judge(with_only(clash, [one for one in parts if one != part]))
            assert not any(same(one, finding) and one.level == "error" for one in rest)


def fixes(name, code):
    return next(one.fix for one in errors(CLASHES[name]) if one.code == code)


def test_the_line_is_shown_as_it_should_be():
    found = fixes("ONNX Runtime for CUDA 12 on CUDA 11.8", "LW-ORT-CUDA")
    release = next(fix for fix in found if fix.edit.startswith('"onnxruntime-gpu=='))
    assert release.replaces.line == 10
    base = next(fix for fix in found if fix.edit.startswith('from = "nvcr.io/nvidia/cuda:12.'))
    assert base.replaces.text == f'from = "{CUDA_118}"'
    assert release.cost < base.cost


def test_debian_packages_are_all_that_it_takes():
    found = fixes("OpenCV with windows on a slim base", "LW-OPENCV-GL")
    assert found[0].edit.startswith("apt = [..., ")
    assert '"libgl1"' in found[0].edit
    assert any("headless" in fix.edit for fix in found)


def test_a_driver_is_the_last_resort():
    found = fixes("a driver that is too old", "LW-DRIVER")
    assert "driver" in [fix.text for fix in found if fix.verified][-1]
    assert found[-1].cost == 100


def test_only_errors_are_explained():
    subject = cell(CUDA_124, {"onnxruntime-gpu": "1.20.0"})
    found = judge(subject)
    assert not any(one.level == "error" for one in found)
    assert explain_findings(subject, found) == found


def test_advice_that_nobody_can_try_is_kept_behind_what_was_tried():
    class Rule:
        KINDS = RULES[0].KINDS[:1]

        @staticmethod
        def check(case):
            if case.subject.base.cuda == "11.8.0":
                yield case.finding(
                    Rule.KINDS[0],
                    "error",
                    "m",
                    members=[case.base()],
                    fix=[Fix(text="think", cost=1), Fix(text="move", edit=f'from = "{CUDA_124}"', cost=9)],
                )

    subject = cell(CUDA_118)
    (found,) = explain_findings(subject, judge(subject, [Rule]), [Rule])
    assert found.members == ()
    assert f'from = "{CUDA_124}"' in [fix.edit for fix in found.fix[:-1]]
    assert [fix.verified for fix in found.fix][-1] is False
    assert found.fix[-1].text == "think"


# changes


SUBJECT = cell(
    "debian:bookworm",
    {
        "torch": "2.4.1",
        "albumentations": wheel(
            "albumentations", "1.4.0", requires=["opencv-python-headless", "numpy>=1.24,<2"]
        ),
    },
    under={"numpy": ("1.26.4", "albumentations"), "nvidia-cudnn-cu12": ("9.1.0.70", "torch")},
    python="3.11",
)


def test_what_only_a_package_needed_goes_with_it():
    after = apply(Drop("albumentations"), SUBJECT)
    assert set(after.packages) == {"torch", "nvidia-cudnn-cu12"}


def test_what_the_spec_does_not_ask_for_cannot_be_left_out():
    assert apply(Drop("numpy"), SUBJECT) is None


def test_a_version_that_another_package_refuses_is_no_change():
    assert apply(Require("numpy>=2"), SUBJECT) is None
    assert apply(Require("numpy==1.26.4"), SUBJECT).packages["numpy"].requested


def test_another_torch_brings_its_own_cuda_wheels():
    after = apply(Require("torch==2.3.1"), SUBJECT)
    assert after.packages["torch"].version == "2.3.1"
    assert after.packages["nvidia-cudnn-cu12"].version.startswith("8.")


def test_nobody_can_say_what_an_unrecorded_release_is():
    assert apply(Require("torch==99.0"), SUBJECT) is None
    assert apply(Require("some-project==1.0"), SUBJECT) is None
    assert apply(Require("not a requirement"), SUBJECT) is None
    assert apply(SetBase("example.org/team/cuda:latest"), SUBJECT) is None
    assert apply(AddApt(("python3.12",)), SUBJECT) is None


def test_a_release_without_a_wheel_for_this_python_is_not_taken():
    old = replace(SUBJECT, python="3.13")
    assert apply(Require("torch==2.3.1"), old) is None


def test_extras_bring_their_wheels():
    subject = cell("debian:bookworm", {"onnxruntime-gpu": "1.26.0"}, python="3.11")
    after = apply(Require("onnxruntime-gpu[cuda,cudnn]==1.26.0"), subject)
    names = set(after.packages)
    assert {"nvidia-cudnn-cu12", "nvidia-cublas-cu12"} <= names
    assert apply(Require("onnxruntime-gpu[cuda]==1.27.0"), subject) is None  # its extra names placeholders


def test_costs_follow_how_much_changes():
    changes = [
        AddApt(("libgl1",)),
        Swap("torch", "torch-cpu==1"),
        Require("torch==2.4.0"),
        Require("torch==2.3.1"),
        Require("torch==1.13.1"),
        SetBase("debian:trixie"),
    ]
    costs = [cost(change, SUBJECT) for change in changes]
    assert costs == sorted(set(costs))
    assert costs[-1] < 100


@pytest.mark.parametrize(
    ("edit", "changes"),
    [
        ('apt = [..., "libgl1", "libx11-6"]', (AddApt(("libgl1", "libx11-6")),)),
        ('packages = [..., "numpy<2"]', (Require("numpy<2"),)),
        ('from = "debian:trixie"', (SetBase("debian:trixie"),)),
        ('role = "training"', (SetRole("training"),)),
        ('env = { NVIDIA_DISABLE_REQUIRE = "1" }', (SetEnv("NVIDIA_DISABLE_REQUIRE", "1"),)),
        ("RUN something = [", ()),
        ("key = 3", ()),
    ],
)
def test_edits_are_read_back(edit, changes):
    assert changes_of(Fix(text="t", edit=edit), SUBJECT) == changes


def test_a_replaced_value_is_read_at_its_place():
    place = SUBJECT.packages["torch"].location
    assert changes_of(Fix(text="t", edit='"torch==2.5.1",', replaces=place), SUBJECT) == (
        Require("torch==2.5.1"),
    )
    swapped = Fix(text="t", edit='"torch-cpu==2.5.1",', replaces=place)
    assert changes_of(swapped, SUBJECT) == (Swap("torch", "torch-cpu==2.5.1"),)
    base = Fix(text="t", edit='from = "debian:trixie"', replaces=SUBJECT.base_location)
    assert changes_of(base, SUBJECT) == (SetBase("debian:trixie"),)
    assert changes_of(Fix(text="leave it out", replaces=place), SUBJECT) == (Drop("torch"),)


def test_dependencies_of_debian_packages():
    assert {"libx11-6", "libxcb1", "libxau6"} <= set(with_dependencies(["libgl1"]))
    assert without_implied(["libgl1", "libx11-6", "libsm6", "libice6"]) == ("libgl1", "libsm6")


def test_two_values_of_one_line_change_together():
    line = 'packages = ["torch==2.4.1", "torchvision==0.19.1", "numpy"]'
    packages = {
        name: replace(
            SUBJECT.packages["torch"],
            name=name,
            version=version,
            location=Location(file="f", line=4, column=line.index(f'"{name}') + 1, text=line),
        )
        for name, version in (("torch", "2.4.1"), ("torchvision", "0.19.1"))
    }
    subject = replace(SUBJECT, packages=packages)
    fix = as_fix([Require("torch==2.5.1"), Drop("torchvision"), AddApt(("libgl1",))], subject)
    assert fix.edit == 'packages = ["torch==2.5.1", "numpy"]\napt = [..., "libgl1"]'
    assert fix.replaces.line == 4


def test_a_finding_without_parts_stays_as_it_is():
    finding = Finding(code="LW-NOBODY", level="error", message="m", fix=(Fix(text="t"),))
    assert explain_findings(SUBJECT, [finding]) == (finding,)
