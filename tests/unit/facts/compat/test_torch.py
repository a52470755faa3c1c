"""Builds of torch."""

import pytest

from layerwright.facts.compat import cuda_wheels, elf, numpy, torch
from layerwright.facts.compat.records import load


def test_a_build_on_pypi():
    build = torch.build("2.4.1")
    assert build.on_pypi
    assert (build.cuda, build.cuda_major) == ("12.1", "12")
    assert (build.cudnn, build.cudnn_major, build.cudnn_soname) == ("9.1.0.70", "9", "libcudnn.so.9")
    assert "libcublas.so.12" in build.sonames
    assert build.sm == ("5.0", "6.0", "7.0", "7.5", "8.0", "8.6", "9.0")
    assert build.ptx == ()
    assert build.numpy_api == 2
    assert (build.glibc, build.glibcxx) == ("2.17", "3.4.19")
    assert "3.12" in build.python
    assert build.requires_python == ">=3.8.0"
    assert "torch 2.4.1 on PyPI is built for CUDA 12.1" in [one.text for one in build.evidence]
    assert build.gpu_evidence[0].confidence == "binary"
    assert build.disagreements == ()


def test_numpy_1_builds_are_known():
    assert torch.build("2.2.2").numpy_api == 1
    assert torch.build("2.3.0").numpy_api == 2


def test_where_documentation_and_wheel_differ_the_wheel_is_believed():
    build = torch.build("2.11.0")
    assert build.cudnn == "9.19.0.56"
    (difference,) = build.disagreements
    assert "9.19.0.56" in difference.believed.text
    assert "9.17.1.4" in difference.other.text
    assert difference.other.confidence == "docs"


def test_a_tag_names_its_cuda_and_the_matrix_its_cudnn():
    build = torch.build("2.4.1+cu118")
    assert not build.on_pypi
    assert build.listed
    assert (build.cuda, build.cudnn, build.cudnn_soname) == ("11.8", "9.1.0.70", "libcudnn.so.9")
    assert build.numpy_api == 0, "nobody opened that wheel"
    assert build.sonames == ()
    assert "torch 2.4.1 exists as the build +cu118" in [one.text for one in build.evidence]


def test_a_build_for_the_cpu_has_no_cuda():
    build = torch.build("2.4.1+cpu")
    assert (build.cuda, build.cuda_major, build.cudnn, build.cudnn_major) == ("none", "none", "none", "none")
    assert build.listed


def test_a_tag_without_a_record_says_its_cuda_and_no_more():
    build = torch.build("2.4.1+cu999")
    assert not build.listed
    assert build.cuda == "99.9"
    assert build.cudnn == ""


@pytest.mark.parametrize(
    "version", ["9.9.9", "2.4.0a0+07cecf4168", "2.4.1+rocm6.0", "2.4.1+git1234", "x", "", "2.4.1+"]
)
def test_unknown_builds_are_unknown(version):
    found = torch.build(version)
    assert found is None or version == "2.4.1+"


def test_kernels_of_a_build_off_pypi_are_known_where_they_were_measured():
    build = torch.build("2.7.0+cu128")
    assert build.sm == ("7.5", "8.0", "8.6", "9.0", "10.0", "12.0")
    assert build.ptx == ("12.0",)
    assert build.gpu_evidence[0].confidence == "community"


def test_two_sources_of_an_arch_list_agree():
    build = torch.build("1.13.1+cu117")
    assert build.sm == ("3.7", "5.0", "6.0", "7.0", "7.5", "8.0", "8.6")
    assert [one.confidence for one in build.gpu_evidence] == ["binary", "community"]
    assert build.disagreements == ()


def test_wheels_for_arm_are_judged_by_themselves():
    assert torch.build("2.9.1", "arm64").cuda == "none"
    assert torch.build("2.11.0", "arm64").cuda == "13.0"
    assert torch.build("2.11.0", "arm64").sm == ()


def test_trailing_zeros_do_not_matter():
    assert torch.build("2.4").cuda == torch.build("2.4.0").cuda == "12.1"


def test_tags_of_a_release():
    assert torch.tags("2.4.1") == ("cpu", "cu118", "cu121", "cu124")
    assert torch.tags("2.14.1") == ("cpu", "cu126", "cu130", "cu132")
    assert torch.tags("9.9") == ()


@pytest.mark.parametrize(
    ("tag", "cuda"),
    [
        ("cu102", "10.2"),
        ("cu118", "11.8"),
        ("cu130", "13.0"),
        ("cpu", "none"),
        ("rocm6.0", ""),
        ("", ""),
        ("cu1", ""),
    ],
)
def test_what_a_tag_means(tag, cuda):
    assert torch.cuda_of_tag(tag) == cuda


def test_every_release_answers():
    for version in torch.releases():
        build = torch.build(version)
        assert build.cuda
        assert build.evidence


def test_records_of_torch_agree_with_each_other():
    for record in load(torch.TorchFile).release:
        if record.numpy_api:
            assert numpy.built_against("torch", record.version).value == record.numpy_api
        pins = cuda_wheels.torch_pins(record.version)
        pinned = {name: pin for name, pin in (pins.requires if pins else {}).items() if "cudnn" in name}
        assert list(pinned.values()) == ([f"=={record.cudnn}"] if record.cudnn else [])


def test_records_agree_with_the_binaries():
    found = [check for check in elf.checks() if check.package == "torch"]
    assert len(found) == 18
    for check in found:
        build = torch.build(check.version)
        assert build.cuda_major == check.elf_cuda_major
        assert build.cudnn_major in {check.elf_cudnn_major, ""}
        assert build.glibc == check.glibc_needed
