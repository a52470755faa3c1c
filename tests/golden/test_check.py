"""What ``check`` says of the recorded rows: the verdict, both sides with their versions, the evidence, the repair."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from layerwright.core.findings import Finding
from layerwright.rules import judge
from layerwright.workflow.check import CheckRequest, check_images, gather

sys.path.insert(0, str(Path(__file__).parent))

from check_rows import FOLDER, seed_facts, session_for

HOST_525 = """\
{"schema": 1, "name": "old-box", "driver_version": "525.147.05", "driver_cuda": "12.0",
 "gpus": [{"name": "NVIDIA RTX A4000", "compute_capability": "8.6"}]}
"""


@dataclass(frozen=True)
class Row:
    """A row that is refused or remarked on.

    Attributes:
        code, level: of the finding that says so.
        says: texts of its message, both sides with their versions among them.
        evidence: a text and the confidence of one of its facts.
        edit: a text of one repair's edit.
        rest: level by code of all other findings that are neither notes nor unknown.
    """

    code: str
    level: str
    says: tuple[str, ...]
    evidence: tuple[str, str]
    edit: str = ""
    rest: Mapping[str, str] | None = None


REFUSED = {
    "cuda118-ort120": Row(
        "LW-ORT-CUDA",
        "error",
        ("onnxruntime-gpu 1.20.0", "CUDA 12 and cuDNN 9", "CUDA 11.8.0 and cuDNN 8"),
        ("libonnxruntime_providers_cuda.so needs libcudnn.so.9, libcublas.so.12", "binary"),
        "onnxruntime-gpu==1.18.1",
    ),
    "cuda118-ort120-training": Row(
        "LW-ORT-CUDA",
        "note",
        ("onnxruntime-gpu 1.20.0", "CUDA 11.8.0"),
        ("names CUDA 11.8.0", "docs"),
        "12.9.1-cudnn-runtime-ubuntu22.04",
    ),
    "torch231-ort1192": Row(
        "LW-ORT-TORCH",
        "error",
        ("torch 2.3.1 uses CUDA 12.1 and cuDNN 8", "onnxruntime-gpu 1.19.2", "cuDNN 9"),
        ("needs libcudnn.so.8", "binary"),
        "torch==2.10.0",
    ),
    "torch200-vision0160": Row(
        "LW-TORCH-VISION",
        "error",
        ("torchvision 0.16.0", "torch==2.1.0", "torch 2.0.0"),
        ("torchvision 0.16.0 requires torch==2.1.0", "metadata"),
        "torchvision==0.15.1",
        {"LW-TORCH-BUILD": "error", "LW-NUMPY-ABI": "error", "LW-CUDA-TWO": "error"},
    ),
    "opencv-slim": Row(
        "LW-OPENCV-GL",
        "error",
        ("opencv-python 4.10.0.84", "libGL.so.1", "debian:bookworm"),
        ("needs libGL.so.1", "binary"),
        "opencv-python-headless==4.10.0.84",
    ),
    "opencv-both": Row(
        "LW-OPENCV-TWO",
        "error",
        ("opencv-python 4.10.0.84", "opencv-python-headless 4.10.0.84"),
        ("only one of them may be installed", "docs"),
    ),
    "numpy2-opencv49": Row(
        "LW-NUMPY-ABI",
        "error",
        ("opencv-python-headless 4.9.0.80", "numpy 2.2.6"),
        ("NumPy 1 headers", "binary"),
        "numpy<2",
    ),
    "torch211-ort126": Row(
        "LW-ORT-TORCH",
        "error",
        ("torch 2.11.0 uses CUDA 13.0", "onnxruntime-gpu 1.26.0 was built for CUDA 12", "libcublas.so.12"),
        ("needs libcudart.so.13", "binary"),
        "torch==2.10.0",
    ),
    "torch211-ort126-extras": Row(
        "LW-CUDA-TWO",
        "error",
        ("CUDA 12", "CUDA 13", "onnxruntime-gpu 1.26.0", "torch 2.11.0", "nvidia-cudnn-cu13 9.19.0.56"),
        ("the lock has nvidia-cublas 13.1.0.3", "metadata"),
        rest={"LW-ORT-TORCH": "warning"},
    ),
    "ngc-vision": Row(
        "LW-TORCH-BASE",
        "error",
        ("nvcr.io/nvidia/pytorch:24.05-py3", "torch 2.4.0a0+07cecf4168", "torch 2.4.1", "torchvision 0.19.1"),
        ("holds torch 2.4.0a0+07cecf4168", "docs"),
        "torch==2.4.1",
    ),
    "infer-timm": Row(
        "LW-ROLE-FRAMEWORK",
        "error",
        ("role is inference", "torch 2.4.1"),
        ("torch 2.4.1, 797 MB", "metadata"),
        'role = "release"',
    ),
    "gpu-infer-cpu-ort": Row(
        "LW-GPU-UNUSED",
        "error",
        ("NVIDIA GPUs", "onnxruntime 1.23.2"),
        ("the CUDA provider is in onnxruntime-gpu", "docs"),
        "onnxruntime-gpu[cuda,cudnn]==1.23.2",
    ),
    "ort-both": Row(
        "LW-ORT-BOTH",
        "error",
        ("onnxruntime 1.23.2", "onnxruntime-gpu 1.23.2"),
        ("the same package folder", "metadata"),
    ),
}

ACCEPTED = (
    "cuda124-ort120",
    "cuda128-ort122",
    "cuda130-ort131",
    "numpy1-opencv49",
    "opencv-headless-slim",
    "torch201-vision0152",
    "torch241-ort120",
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that holds the recorded facts and nothing else."""
    folder = tmp_path_factory.mktemp("facts") / "store"
    seed_facts(folder)
    return folder


def check(name: str, store: Path, host: Path | None = None) -> tuple[Finding, ...]:
    """The findings of a row, from its lock and the store alone."""
    session = session_for(FOLDER / f"{name}.toml", store)
    (subject,) = gather(session, CheckRequest(locked=True, host=host))
    return judge(subject)


def grave(findings: tuple[Finding, ...]) -> dict[str, str]:
    return {one.code: one.level for one in findings if one.level in {"error", "warning"}}


def test_every_row_has_its_verdict() -> None:
    assert sorted([*REFUSED, *ACCEPTED]) == sorted(path.stem for path in FOLDER.glob("*.toml"))


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_work_is_refused_with_both_sides_evidence_and_a_repair(name: str, store: Path) -> None:
    row = REFUSED[name]
    findings = check(name, store)
    (found,) = (one for one in findings if one.code == row.code)
    assert found.level == row.level
    for text in row.says:
        assert text in found.message
    assert any(row.evidence[0] in fact.text and fact.confidence == row.evidence[1] for fact in found.evidence)
    assert any(row.edit in fix.edit for fix in found.fix)
    expected = {row.code: row.level} if row.level in {"error", "warning"} else {}
    assert grave(findings) == expected | dict(row.rest or {})


@pytest.mark.parametrize("name", [name for name, row in REFUSED.items() if row.level == "error"])
def test_each_side_of_a_clash_has_its_line(name: str, store: Path) -> None:
    (found,) = (one for one in check(name, store) if one.code == REFUSED[name].code)
    assert len(found.members) >= 2
    for member in found.members:
        assert member.origin
        if member.kind in {"wheel", "base", "role"}:
            assert member.location is not None
            assert member.location.line > 0


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_works_is_accepted(name: str, store: Path) -> None:
    assert grave(check(name, store)) == {}


@pytest.mark.parametrize("name", ACCEPTED)
def test_nothing_is_unknown_where_everything_was_recorded(name: str, store: Path) -> None:
    assert [one.message for one in check(name, store) if one.level == "unknown"] == []


@pytest.fixture
def old_box(tmp_path: Path) -> Path:
    """A machine with driver 525."""
    path = tmp_path / "host.json"
    path.write_text(HOST_525, encoding="utf-8")
    return path


def test_driver_525_runs_a_cuda_12_8_image_by_minor_version_compatibility(store: Path, old_box: Path) -> None:
    findings = check("cuda128-ort122", store, old_box)
    (found,) = (one for one in findings if one.code == "LW-DRIVER-MINOR")
    assert found.level == "note"
    for text in ("CUDA 12.8.1", "525.147.05", "minor version compatibility", "570.124.06"):
        assert text in found.message
    assert any("525.60.13" in fact.text for fact in found.evidence)
    # and the container toolkit must be told so, or it refuses to start the image
    assert grave(findings) == {"LW-DRIVER-REQUIRE": "warning"}
    (require,) = (one for one in findings if one.code == "LW-DRIVER-REQUIRE")
    assert "NVIDIA_DISABLE_REQUIRE" in require.fix[0].edit


def test_driver_525_does_not_run_a_cuda_13_image(store: Path, old_box: Path) -> None:
    findings = check("cuda130-ort131", store, old_box)
    (found,) = (one for one in findings if one.code == "LW-DRIVER")
    assert found.level == "error"
    for text in ("CUDA 13", "580.65.06", "525.147.05", "old-box"):
        assert text in found.message
    assert any("NVIDIA CUDA compatibility guide" in fact.source for fact in found.evidence)
    assert any(fix.cost == 100 and "580.65.06" in fix.text for fix in found.fix)
    assert {member.kind for member in found.members} >= {"driver"}


def test_the_driver_is_asked_of_wheels_too(store: Path, old_box: Path) -> None:
    (found,) = (one for one in check("torch211-ort126", store, old_box) if one.code == "LW-DRIVER")
    assert "torch 2.11.0 uses CUDA 13.0" in found.message
    assert any("torch==2.10.0" in fix.edit for fix in found.fix)


def test_the_whole_command_says_the_same(store: Path) -> None:
    for name in ("cuda118-ort120", "torch241-ort120"):
        whole = check_images(session_for(FOLDER / f"{name}.toml", store), CheckRequest(locked=True))
        assert grave(whole.findings) == grave(check(name, store))
        assert [subject.cell for subject in whole.subjects] == ["x"]


def test_without_facts_the_records_of_releases_decide(tmp_path: Path) -> None:
    empty = tmp_path / "store"
    for name in ("cuda118-ort120", "torch231-ort1192", "torch211-ort126", "numpy2-opencv49", "opencv-both"):
        row = REFUSED[name]
        findings = check(name, empty)
        assert row.code in {one.code for one in findings if one.level == row.level}, name
        assert any(one.code == "LW-WHEEL-UNREAD" and "offline" in one.message for one in findings)
    assert grave(check("torch241-ort120", empty)) == {}
