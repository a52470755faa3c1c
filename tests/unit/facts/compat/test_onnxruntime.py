"""ONNX Runtime beside torch."""

import pytest

from layerwright.facts.compat import elf, numpy, onnxruntime
from layerwright.facts.compat.records import load


def test_a_build_on_pypi():
    build = onnxruntime.gpu_build("1.20.0")
    assert build.on_pypi
    assert (build.cuda_major, build.cudnn_major, build.linkage) == ("12", "9", "needed")
    assert {"libcublas.so.12", "libcudnn.so.9"} <= set(build.cuda_needed)
    assert "8.0" in build.sm
    assert build.numpy_api == 2
    assert build.evidence[0].confidence == "binary"
    assert build.evidence[0].text == "onnxruntime-gpu 1.20.0 on PyPI needs CUDA 12 and cuDNN 9"


def test_old_builds_open_their_libraries_at_run_time():
    build = onnxruntime.gpu_build("1.15.1")
    assert build.linkage == "preload"
    assert build.cuda_needed == ()
    assert "libcudnn.so.8" in build.cuda_named


def test_the_wheel_is_believed_before_the_documentation():
    build = onnxruntime.gpu_build("1.21.1")
    assert build.cuda == "12.2"
    (difference,) = build.disagreements
    assert "12.8" in difference.other.text


def test_from_1_28_the_cuda_provider_does_without_cudnn():
    build = onnxruntime.gpu_build("1.28.0")
    assert build.cudnn_in == "TensorRT provider only"
    assert not any("cudnn" in name for name in build.cuda_needed)


def test_an_extra_that_cannot_be_resolved():
    assert not onnxruntime.gpu_build("1.27.0").extras_resolvable
    assert onnxruntime.gpu_build("1.28.0").extras_resolvable
    assert "nvidia-cudnn-cu13~=9.0" in onnxruntime.gpu_build("1.28.0").extras_cudnn


def test_releases_that_nobody_opened_are_known_by_documentation():
    build = onnxruntime.gpu_build("1.20.1")
    assert not build.on_pypi
    assert (build.cuda_major, build.cudnn_major, build.cuda) == ("12", "9", "")
    assert build.evidence[0].confidence == "docs"
    assert onnxruntime.gpu_build("1.9.0").cuda == "11.4"
    assert onnxruntime.gpu_build("1.40.0").cuda_major == "13", "the documentation speaks of 1.27 and later"


def test_builds_from_elsewhere_are_not_those_of_pypi():
    assert onnxruntime.gpu_build("1.17.1").cuda_major == "11"
    assert onnxruntime.gpu_build("1.17.1", from_pypi=False).cuda_major == "12"
    assert onnxruntime.gpu_build("1.20.0", from_pypi=False).cuda_major == "11"
    assert onnxruntime.gpu_build("1.13.1", from_pypi=False) is None


@pytest.mark.parametrize("version", ["", "x", "1", "0.1"])
def test_unknown_builds_are_unknown(version):
    assert onnxruntime.gpu_build(version) is None
    assert not onnxruntime.partners_of_onnxruntime(version).known


@pytest.mark.parametrize(
    ("torch", "onnxruntime_gpu", "partners"),
    [
        ("2.3.1", "1.19.2", False),
        ("2.4.1", "1.20.0", True),
        ("2.4.1", "1.18.1", False),
        ("2.0.1", "1.18.1", True),
        ("2.11.0", "1.26.0", False),
        ("2.11.0", "1.27.0", True),
        ("2.4.1+cu118", "1.20.0", False),
        ("2.3.1+cu118", "1.18.1", True),
        ("2.4.1+cpu", "1.20.0", False),
        ("1.12.1", "1.12.1", False),
    ],
)
def test_partners(torch, onnxruntime_gpu, partners):
    found = onnxruntime.partners_of_torch(torch)
    assert found.known
    assert (onnxruntime_gpu in found.versions) is partners
    assert found.evidence
    if "+" not in torch and torch != "1.12.1":
        assert (torch in onnxruntime.partners_of_onnxruntime(onnxruntime_gpu).versions) is partners


def test_an_unknown_torch_has_no_known_partners():
    assert not onnxruntime.partners_of_torch("2.4.0a0+07cecf4168").known


def test_partners_equal_the_recorded_stacks():
    for stack in load(onnxruntime.OnnxRuntimeFile).stack:
        for torch in stack.torch:
            assert onnxruntime.partners_of_torch(torch).versions == stack.onnxruntime_gpu
        for version in stack.onnxruntime_gpu:
            assert onnxruntime.partners_of_onnxruntime(version).versions == stack.torch


def test_records_agree_with_the_binaries():
    found = [check for check in elf.checks() if check.package == "onnxruntime-gpu"]
    assert len(found) == 26
    for check in found:
        build = onnxruntime.gpu_build(check.version)
        assert (build.cuda_major, build.cudnn_major) == (check.elf_cuda_major, check.elf_cudnn_major)
        assert build.glibc == check.glibc_needed


def test_numpy_is_said_alike_in_both_files():
    for version in onnxruntime.gpu_releases():
        assert (
            onnxruntime.gpu_build(version).numpy_api == numpy.built_against("onnxruntime-gpu", version).value
        )


def test_the_build_for_the_cpu():
    assert onnxruntime.cpu_build("1.18.1").numpy_api == 1
    assert onnxruntime.cpu_build("1.20.1").numpy_api == 2
    assert onnxruntime.cpu_build("99.0") is None


def test_triton_and_tensorrt():
    assert onnxruntime.triton_onnxruntime("26.08").value == "1.28.0"
    assert onnxruntime.triton_onnxruntime("20.01") is None
    assert onnxruntime.tensorrt("1.20.1").value == "10.4"
    assert onnxruntime.tensorrt("1.10.0") is None


@pytest.mark.parametrize("name", ["one-process", "both-packages", "silent-cpu", "1.23.0-ptx"])
def test_rules(name):
    assert onnxruntime.rule(name).text
