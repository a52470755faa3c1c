"""cuDNN releases and nvidia-* wheels."""

import pytest

from layerwright.facts.compat import cuda_wheels, cudnn
from layerwright.facts.compat.records import load


def test_a_release():
    found = cudnn.release("9.1.0.70")
    assert found.soname == "libcudnn.so.9"
    assert {"11", "12"} <= set(found.cuda_majors)
    assert "libcudnn_ops.so.9" in found.sonames
    assert cudnn.release("9.1.0") == found, "a shorter version is its newest release"
    assert cudnn.release("7.0.0") is None


def test_releases_of_a_cuda_major():
    assert "9.10.2.21" in cudnn.releases("11")
    assert "9.11.0.98" not in cudnn.releases("11")
    assert cudnn.cuda_majors("9") == ("11", "12", "13")
    assert cudnn.cuda_majors("99") == ()


def test_libraries_of_a_major_are_those_that_all_releases_have():
    common = cudnn.sonames("9")
    assert "libcudnn.so.9" in common
    assert "libcudnn_ext.so.9" not in common
    assert "libcudnn_ext.so.9" in cudnn.sonames("9.24.0.43")
    assert cudnn.sonames("99") == cudnn.sonames("99.0") == ()


def test_every_release_has_its_libraries():
    for version in cudnn.releases():
        assert cudnn.release(version).sonames, version


@pytest.mark.parametrize(
    ("version", "cuda", "driver"),
    [
        ("9.10.2.21", "12.9.1", "570.26"),
        ("9.10.2.21", "11.8.0", "450.80.02"),
        ("9.10.2.21", "13.0", None),
        ("9.1.0.70", "12.4", None),
    ],
)
def test_the_support_matrix(version, cuda, driver):
    found = cudnn.support(version, cuda)
    assert (found.driver if found else None) == driver


def test_a_sentence_in_the_matrix():
    assert cudnn.support("8.2.2", "11.2").capabilities == ("3.5+",)


def test_rules_of_cudnn():
    assert "not interchangeable" in cudnn.rule("major").text
    assert cudnn.rule("nonsense") is None


def test_what_a_wheel_holds():
    found = cuda_wheels.provides("nvidia-cublas-cu12", "12.1.3.1")
    assert set(found.sonames) == {"libcublas.so.12", "libcublasLt.so.12", "libnvblas.so.12"}
    assert (found.cuda_major, found.libdir) == ("12", "nvidia/cublas/lib")
    assert not found.placeholder


def test_cudnn_wheels_come_from_the_releases():
    found = cuda_wheels.provides("nvidia-cudnn-cu12", "9.1.0.70")
    assert "libcudnn.so.9" in found.sonames
    assert cuda_wheels.provides("nvidia-cudnn-cu13", "9.1.0.70") is None
    assert cuda_wheels.provides("nvidia-cudnn-cu12", "9.1") is None


def test_placeholders_hold_nothing():
    found = cuda_wheels.provides("nvidia-cuda-runtime-cu13", "0.0.1")
    assert found.placeholder
    assert found.sonames == ()
    assert "placeholder" in found.evidence[0].text


@pytest.mark.parametrize("package", ["nvidia-cufft-cu12", "nvidia-nccl-cu12", "numpy", ""])
def test_other_wheels_are_not_known(package):
    assert cuda_wheels.provides(package, "1.0") is None


def test_what_torch_pins():
    assert cuda_wheels.torch_pins("2.4.1").requires["nvidia-cudnn-cu12"] == "==9.1.0.70"
    assert cuda_wheels.torch_pins("1.12.1") is None


def test_every_recorded_pin_is_a_specifier():
    from packaging.specifiers import SpecifierSet

    for record in load(cuda_wheels.CudaWheelsFile).torch_pins:
        for specifier in cuda_wheels.torch_pins(record.torch).requires.values():
            assert len(SpecifierSet(specifier)) >= 1


def test_what_extras_ask_for():
    assert cuda_wheels.extra_pins("onnxruntime-gpu", "cudnn", "1.22.0").requires == {
        "nvidia-cudnn-cu12": "~=9.0"
    }
    assert "nvidia-cuda-runtime" in cuda_wheels.extra_pins("onnxruntime-gpu", "cuda", "1.29.0").requires
    assert (
        cuda_wheels.extra_pins("tensorflow", "and-cuda", "2.17.0").requires["nvidia-cudnn-cu12"]
        == "==8.9.7.29"
    )
    assert cuda_wheels.extra_pins("tensorflow", "and-cuda", "2.0.0") is None
    assert cuda_wheels.extra_pins("tensorflow", "and-cuda", "x") is None
