"""Toolkits, drivers, sonames."""

import pytest

from layerwright.facts.compat import cuda
from layerwright.facts.compat.records import load


@pytest.mark.parametrize(
    ("version", "driver", "verdict"),
    [
        ("12.8.1", "525.147.05", "minor"),
        ("12.8", "525.147.05", "minor"),
        ("12.8.1", "570.124.06", "full"),
        ("12.8.1", "580.65.06", "full"),
        ("12.8.1", "525.60.12", "forward"),
        ("13.0.0", "525.147.05", "forward"),
        ("13.0.0", "570.124.06", "forward"),
        ("13.0.0", "580.65.06", "full"),
        ("13.9.0", "580.65.06", "minor"),
        ("12.3.2", "550.54.15", "full"),
        ("12.3.2", "530.30.02", "minor"),
        ("11.8.0", "450.80.02", "minor"),
        ("11.8.0", "440.33", "forward"),
        ("10.2", "440.33", "full"),
        ("10.2", "418.39", "forward"),
        ("9.2.148", "390.46", "no"),
        ("12", "525.60.13", "minor"),
        ("12", "470.57", "forward"),
        ("99.0", "580.65.06", "unknown"),
        ("", "580.65.06", "unknown"),
        ("12.8.1", "", "unknown"),
        ("12.8.1", "N/A", "unknown"),
    ],
)
def test_how_a_driver_runs_a_toolkit(version, driver, verdict):
    found = cuda.driver_support(version, driver)
    assert found.verdict == verdict
    if verdict != "unknown":
        assert found.needed
        assert found.evidence


def test_both_versions_are_named():
    found = cuda.driver_support("12.8.1", "525.147.05")
    assert (found.needed, found.full) == ("525.60.13", "570.124.06")
    assert "every CUDA 12 toolkit runs on driver 525.60.13 and later" in [one.text for one in found.evidence]


def test_a_toolkit_by_its_minor_release_is_the_earliest():
    assert cuda.toolkit("12.4").cuda == "12.4.0"
    assert cuda.toolkit("12.4.1").driver == "550.54.15"
    assert cuda.toolkit("12.4.1").branch == 550
    assert cuda.toolkit("10.2").driver == "440.33"
    assert cuda.toolkit("99.1") is None
    assert cuda.toolkit("") is None


def test_there_was_no_minor_compatibility_before_11():
    assert cuda.minor_floor("10.2").driver == "none"
    assert cuda.minor_floor("12").driver == "525.60.13"
    assert cuda.minor_floor("14.0") is None


def test_a_newer_driver_is_never_worse():
    order = ["no", "forward", "minor", "full"]
    drivers = sorted(
        {record.driver_linux for record in load(cuda.CudaFile).toolkit},
        key=lambda text: [int(n) for n in text.split(".")],
    )
    for record in load(cuda.CudaFile).toolkit:
        verdicts = [order.index(cuda.driver_support(record.cuda, driver).verdict) for driver in drivers]
        assert verdicts == sorted(verdicts)


def test_images_refuse_drivers_that_minor_compatibility_would_take():
    branches, evidence = cuda.image_branches("12.8.1")
    assert 525 not in branches
    assert 535 in branches
    assert "12.8" in evidence.text
    assert cuda.image_branches("99.0") is None


@pytest.mark.parametrize(
    ("name", "component", "majors", "version"),
    [
        ("libcublas.so.12", "cublas", ("12",), ""),
        ("libcublasLt.so.11", "cublasLt", ("11",), ""),
        ("libcudart.so.11.0", "cudart", ("11",), ""),
        ("libcurand.so.10", "curand", ("11", "12", "13"), ""),
        ("libcusolver.so.11", "cusolver", ("11", "12"), ""),
        ("libcudnn.so.9", "cudnn", (), "9"),
        ("libcudnn_ops_infer.so.8", "cudnn", (), "8"),
        ("libnvblas.so.12", "cublas", ("12",), ""),
    ],
)
def test_what_a_soname_stands_for(name, component, majors, version):
    found = cuda.soname(name)
    assert (found.component, found.cuda_majors, found.version) == (component, majors, version)
    assert not found.copied
    assert name in found.evidence[0].text


def test_a_copy_inside_a_wheel_is_told_apart():
    found = cuda.soname("libcudart-80664282.so.10.2")
    assert (found.component, found.cuda_majors, found.copied) == ("cudart", ("10",), True)


@pytest.mark.parametrize("name", ["libc.so.6", "libfoo.so.1", "", "libcudart.so.99"])
def test_other_names_mean_nothing(name):
    assert cuda.soname(name) is None


def test_sonames_of_a_toolkit():
    assert cuda.sonames("12.4.1")["cublas"] == "libcublas.so.12"
    assert cuda.sonames("99.0") == {}
