"""Rules on the driver, GPU code, one CUDA or two, accelerators and Moore Threads."""

import pytest

from layerwright.core.findings import Finding
from layerwright.facts.model import BaseFacts, Gpu, HostFacts, Library
from layerwright.rules import Case, accelerator, cuda_count, driver, gpu_arch, musa
from support.clashes import CUDA_118, CUDA_124, cell, wheel

CUDA_128 = "nvcr.io/nvidia/cuda:12.8.1-cudnn-runtime-ubuntu22.04"
CUDA_130 = "nvcr.io/nvidia/cuda:13.0.2-cudnn-runtime-ubuntu24.04"


def host(
    driver_version: str, cuda: str = "", *capabilities: str, data_center: bool | None = None
) -> HostFacts:
    return HostFacts(
        name="box",
        driver_version=driver_version,
        driver_cuda=cuda,
        gpus=tuple(Gpu(name=f"GPU {one}", compute_capability=one) for one in capabilities),
        data_center=data_center,
    )


def found(rule, base, packages=None, **options) -> list[Finding]:
    return list(rule.check(Case(cell(base, packages or {}, **options))))


def codes(findings: list[Finding]) -> dict[str, str]:
    return {one.code: one.level for one in findings}


def test_without_a_machine_the_floor_is_told() -> None:
    (one,) = found(driver, CUDA_124)
    assert (one.code, one.level) == ("LW-DRIVER-FLOOR", "note")
    assert "525.60.13" in one.message
    assert "CUDA 12" in one.message
    (one,) = found(driver, "debian:bookworm", {"torch": "2.11.0"})
    assert "580.65.06" in one.message


def test_images_without_cuda_need_no_driver() -> None:
    assert found(driver, "debian:bookworm", {"numpy": "2.0"}) == []
    assert found(driver, CUDA_124, accelerator="cpu") == []


@pytest.mark.parametrize(
    ("base", "machine", "expected"),
    [
        (CUDA_124, host("550.90.07", "12.4"), {}),
        (CUDA_118, host("525.147.05", "12.0"), {}),
        (CUDA_128, host("525.147.05", "12.0"), {"LW-DRIVER-MINOR": "note", "LW-DRIVER-REQUIRE": "warning"}),
        (CUDA_128, host("535.183.01", "12.2"), {"LW-DRIVER-MINOR": "note"}),
        (CUDA_130, host("525.147.05", "12.0"), {"LW-DRIVER": "error"}),
        (CUDA_130, host("570.86.10", "12.8", data_center=True), {"LW-DRIVER": "warning"}),
        (CUDA_130, host("570.86.10", "12.8", data_center=False), {"LW-DRIVER": "error"}),
        (CUDA_130, host("570.86.10", "12.8"), {"LW-DRIVER": "unknown"}),
        (CUDA_124, host("450.36.06", "11.0"), {"LW-DRIVER": "error"}),
        (CUDA_124, host(""), {"LW-DRIVER": "unknown"}),
    ],
)
def test_drivers(base: str, machine: HostFacts, expected: dict[str, str]) -> None:
    assert codes(found(driver, base, host=machine)) == expected


def test_a_too_old_driver_names_both_sides_and_the_way_out() -> None:
    (one,) = found(driver, "debian:bookworm", {"torch": "2.11.0"}, host=host("525.147.05", "12.0"))
    for text in ("torch 2.11.0 uses CUDA 13.0", "580.65.06", "box has driver 525.147.05"):
        assert text in one.message
    assert {member.kind for member in one.members} == {"wheel", "driver"}
    assert any("torch==2.10.0" in fix.edit for fix in one.fix)
    assert one.fix[-1].cost == 100


def test_disabling_the_requirement_is_seen() -> None:
    from msgspec import structs

    subject = structs.replace(
        cell(CUDA_128, host=host("525.147.05", "12.0")), env={"NVIDIA_DISABLE_REQUIRE": "1"}
    )
    assert codes(list(driver.check(Case(subject)))) == {"LW-DRIVER-MINOR": "note"}


# GPU code


@pytest.mark.parametrize(
    ("sm", "ptx", "capability", "driver_version", "expected"),
    [
        (("8.0", "8.6"), (), "8.6", "570.124.06", {}),
        (("8.0",), (), "8.9", "570.124.06", {}),
        (("8.0", "9.0"), (), "12.0", "570.124.06", {"LW-GPU-ARCH": "error"}),
        (("9.0a",), (), "9.0", "570.124.06", {}),
        (("9.0a",), (), "10.0", "570.124.06", {"LW-GPU-ARCH": "error"}),
        (("8.0",), ("9.0",), "12.0", "570.124.06", {"LW-GPU-ARCH": "note"}),
        (("8.0",), ("9.0",), "12.0", "525.147.05", {"LW-GPU-ARCH": "error"}),
        (("7.5",), (), "", "570.124.06", {"LW-GPU-ARCH": "unknown"}),
    ],
)
def test_gpus_run_some_code(sm, ptx, capability: str, driver_version: str, expected: dict[str, str]) -> None:
    torch = wheel(
        "torch",
        "2.4.1",
        Library(path="torch/lib/libtorch_cuda.so", needed=("libcudart.so.12",), sm=sm, ptx=ptx),
    )
    findings = found(gpu_arch, "debian:bookworm", {"torch": torch}, host=host(driver_version, "", capability))
    assert codes(findings) == expected


def test_a_release_with_code_for_the_gpu_is_offered() -> None:
    (one,) = found(gpu_arch, "debian:bookworm", {"torch": "2.4.1"}, host=host("570.124.06", "12.8", "12.0"))
    assert one.level == "error"
    assert "torch 2.4.1" in one.message
    assert "compute capability 12.0" in one.message
    assert one.fix[0].edit.startswith('"torch==2.')


def test_no_machine_no_verdict_on_gpus() -> None:
    assert found(gpu_arch, "debian:bookworm", {"torch": "2.4.1"}) == []


# one CUDA


def lib(name: str, version: str, path: str):
    return wheel(name, version, Library(path=path))


def test_wheels_for_two_majors() -> None:
    packages = {
        "nvidia-cublas-cu12": lib("nvidia-cublas-cu12", "12.4.5.8", "nvidia/cublas/lib/libcublas.so.12"),
        "nvidia-cublas": lib("nvidia-cublas", "13.1.0.3", "nvidia/cu13/lib/libcublas.so.13"),
    }
    (one,) = found(cuda_count, "debian:bookworm", packages)
    assert (one.code, one.level) == ("LW-CUDA-TWO", "warning")
    same = packages | {
        "nvidia-cudnn-cu12": lib("nvidia-cudnn-cu12", "9.1.0.70", "nvidia/cudnn/lib/libcudnn.so.9"),
        "nvidia-cudnn-cu13": lib("nvidia-cudnn-cu13", "9.19.0.56", "nvidia/cudnn/lib/libcudnn.so.9"),
    }
    (one,) = found(cuda_count, "debian:bookworm", same)
    assert one.level == "error"
    assert "nvidia-cudnn-cu13 9.19.0.56" in one.message


def test_wheels_for_another_major_than_the_bases() -> None:
    packages = {
        "nvidia-cublas-cu12": lib("nvidia-cublas-cu12", "12.4.5.8", "nvidia/cublas/lib/libcublas.so.12")
    }
    (one,) = found(cuda_count, CUDA_118, packages)
    assert (one.code, one.level) == ("LW-CUDA-TWO", "warning")
    assert "11.8.0-base-ubuntu22.04" in one.fix[0].edit


def test_wheels_beside_the_same_cuda_in_the_base() -> None:
    packages = {
        "nvidia-cublas-cu12": lib("nvidia-cublas-cu12", "12.4.5.8", "nvidia/cublas/lib/libcublas.so.12"),
        "nvidia-cudnn-cu12": lib("nvidia-cudnn-cu12", "9.1.0.70", "nvidia/cudnn/lib/libcudnn.so.9"),
    }
    (one,) = found(cuda_count, CUDA_124, packages)
    assert (one.code, one.level) == ("LW-CUDA-TWICE", "note")
    assert found(cuda_count, "nvidia/cuda:12.4.1-base-ubuntu22.04", packages) == []
    assert found(cuda_count, "debian:bookworm", packages) == []


# accelerators


@pytest.mark.parametrize(("role", "level"), [("inference", "error"), ("training", "warning")])
def test_gpu_images_with_engines_for_the_cpu(role: str, level: str) -> None:
    (one,) = found(accelerator, CUDA_124, {"onnxruntime": "1.20.0"}, role=role)
    assert (one.code, one.level) == ("LW-GPU-UNUSED", level)
    assert found(accelerator, CUDA_124, {"onnxruntime": "1.20.0", "torch": "2.4.1"}, role=role) == []
    assert found(accelerator, CUDA_124, {"numpy": "2.0"}, role=role) == []


def test_a_cpu_torch_is_known_by_tag_and_by_binary() -> None:
    assert codes(found(accelerator, CUDA_124, {"torch": "2.4.1+cpu"})) == {"LW-GPU-UNUSED": "error"}
    read = wheel("torch", "2.4.1", Library(path="torch/lib/libtorch_cpu.so"))
    assert codes(found(accelerator, CUDA_124, {"torch": read})) == {"LW-GPU-UNUSED": "error"}
    front = wheel("torch", "99.0", Library(path="torch/lib/libtorch_cpu.so", unread=("needed",)))
    assert found(accelerator, CUDA_124, {"torch": front}) == []


def test_cpu_images_with_cuda() -> None:
    (one,) = found(
        accelerator,
        "debian:bookworm",
        {"torch": "2.4.1"},
        under={"nvidia-cublas-cu12": ("12.1.3.1", "torch")},
        accelerator="cpu",
    )
    assert (one.code, one.level) == ("LW-CPU-CUDA", "note")
    assert "torch 2.4.1" in one.message
    assert "download.pytorch.org/whl/cpu" in one.fix[0].edit
    assert found(accelerator, "debian:bookworm", {"torch": "2.4.1+cpu"}, accelerator="cpu") == []


# Moore Threads


def moore(packages, base="registry.example/musa:1", python="3.10") -> list[Finding]:
    return found(musa, base, packages, accelerator="mthreads", python=python)


def test_torch_musa_goes_with_one_torch() -> None:
    findings = moore({"torch-musa": "1.3.0", "torch": "2.0.0+cpu"})
    (one,) = (finding for finding in findings if finding.code == "LW-MUSA-TORCH")
    assert one.level == "error"
    assert "torch-musa 1.3.0 was made for torch 2.2.0, and the image has torch 2.0.0+cpu" in one.message
    assert any("torch==2.2.0" in fix.edit for fix in one.fix)


def test_its_companions_and_python() -> None:
    findings = moore(
        {"torch-musa": "1.3.0", "torch": "2.2.0+cpu", "torchvision": "0.16.0+cpu", "torchaudio": "2.2.2+cpu"},
        python="3.11",
    )
    assert codes(findings) == {"LW-MUSA-FAMILY": "error", "LW-MUSA-PYTHON": "error", "LW-MUSA-SDK": "unknown"}


def test_the_sdk_is_in_the_base_or_not_or_unknown() -> None:
    packages = {"torch-musa": "1.3.0", "torch": "2.2.0+cpu"}
    assert codes(moore(packages)) == {"LW-MUSA-SDK": "unknown"}
    empty = BaseFacts(reference="oci:x", known=True, closed=True)
    assert codes(moore(packages, empty)) == {"LW-MUSA-SDK": "error"}
    whole = BaseFacts(reference="oci:x", known=True, closed=True, sonames={"libmusart.so.1.0": ""})
    assert codes(moore(packages, whole)) == {"LW-MUSA-SDK": "note"}


def test_unknown_releases_are_unknown() -> None:
    assert codes(moore({"torch-musa": "99.0", "torch": "2.2.0+cpu"})) == {"LW-MUSA-TORCH": "unknown"}


def test_cuda_is_of_no_use_there() -> None:
    assert codes(moore({"torch": "2.2.0"})) == {"LW-MUSA-CUDA": "warning"}
