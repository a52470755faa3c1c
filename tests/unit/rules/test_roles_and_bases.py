"""Rules on roles and on how bases are named."""

import pytest

from layerwright.core.findings import Finding
from layerwright.rules import Case, base_tag, roles
from support.clashes import CUDA_124, cell


def found(rule, base, packages=None, **options) -> list[Finding]:
    return list(rule.check(Case(cell(base, packages or {}, **options))))


def test_an_inference_image_holds_no_training_framework() -> None:
    (one,) = found(roles, CUDA_124, {"timm": "1.0.9"}, under={"torch": ("2.4.1", "timm")})
    assert (one.code, one.level) == ("LW-ROLE-FRAMEWORK", "error")
    assert "torch 2.4.1" in one.message
    assert "timm 1.0.9 needs torch" in one.message
    assert "leave out timm, which pulls in torch" in one.fix[0].text
    assert 'role = "release"' in {fix.edit for fix in one.fix}


def test_training_tools_are_a_warning() -> None:
    (one,) = found(roles, CUDA_124, {"tensorboard": "2.17"})
    assert (one.code, one.level) == ("LW-ROLE-TOOL", "warning")


@pytest.mark.parametrize("role", ["training", "dev", "release", "base", "executor"])
def test_other_roles_may_hold_what_they_like(role: str) -> None:
    assert found(roles, CUDA_124, {"torch": "2.4.1", "tensorboard": "2.17"}, role=role) == []


def test_inference_with_what_it_needs() -> None:
    assert found(roles, CUDA_124, {"onnxruntime-gpu": "1.20.0", "numpy": "2.0"}) == []


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("debian:bookworm", {}),
        ("nvcr.io/nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04", {}),
        ("python:3.11-slim-bookworm", {}),
        ("python:latest", {"LW-BASE-LATEST": "warning", "LW-BASE-UNKNOWN": "unknown"}),
        ("registry.example:5000/team/base", {"LW-BASE-LATEST": "warning", "LW-BASE-UNKNOWN": "unknown"}),
        ("registry.example:5000/team/base:3", {"LW-BASE-UNKNOWN": "unknown"}),
        (f"registry.example/team/base@sha256:{'0' * 64}", {"LW-BASE-UNKNOWN": "unknown"}),
        ("nvidia/cuda:latest", {"LW-BASE-LATEST": "error", "LW-BASE-UNKNOWN": "unknown"}),
        ("nvidia/cuda:12.4.0-runtime-ubuntu22.04", {"LW-BASE-RETIRED": "warning"}),
    ],
)
def test_bases_by_their_names(base: str, expected: dict[str, str]) -> None:
    assert {one.code: one.level for one in found(base_tag, base)} == expected
