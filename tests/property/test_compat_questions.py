"""Questions to the compatibility records take any text, and never answer with a fault."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layerwright.facts.compat import (
    cuda,
    cuda_images,
    cuda_wheels,
    cudnn,
    elf,
    glibc,
    gpu,
    musa,
    ngc,
    numpy,
    onnxruntime,
    opencv,
    torch,
    vision,
)
from layerwright.facts.compat.versions import at_least, dotted, first_parts, same_release

pytestmark = pytest.mark.property

numbers = st.lists(st.integers(0, 30), min_size=1, max_size=5).map(lambda parts: ".".join(map(str, parts)))
versions = st.one_of(
    numbers,
    st.builds(
        "{}+{}".format, numbers, st.sampled_from(["cu118", "cu12", "cpu", "rocm6.0", "", "CU118", "x.y"])
    ),
    st.builds("{}{}".format, numbers, st.sampled_from(["a0", "rc1", ".post1", ".dev3", "-x", "..", " "])),
    st.text(max_size=40),
    st.just("9" * 5000),
    st.just("1." * 3000),
)
names = st.one_of(
    st.sampled_from(
        ["torch", "torchvision", "onnxruntime-gpu", "opencv-python", "nvidia-cudnn-cu12", "tensorflow"]
    ),
    st.text(max_size=40),
)


@settings(max_examples=40)  # each asks many questions
@given(versions, versions)
def test_versions(one, other):
    torch.build(one)
    torch.build(one, "arm64")
    torch.tags(one)
    vision.companions(one)
    for name in ("torchvision", "torchaudio"):
        vision.build(name, one)
        found = vision.fits(name, one, other)
        assert found.fits is None or found.evidence
    onnxruntime.gpu_build(one)
    onnxruntime.gpu_build(one, from_pypi=False)
    onnxruntime.cpu_build(one)
    onnxruntime.partners_of_torch(one)
    onnxruntime.partners_of_onnxruntime(one)
    onnxruntime.tensorrt(one)
    onnxruntime.triton_onnxruntime(one)
    musa.release(one)
    musa.releases_for_torch(one)
    cudnn.release(one)
    cudnn.sonames(one)
    cudnn.support(one, other)


@given(versions, versions)
def test_drivers(version, driver):
    found = cuda.driver_support(version, driver)
    assert found.verdict == "unknown" or (found.needed and found.evidence)
    cuda.toolkit(version)
    cuda.minor_floor(version)
    cuda.image_branches(version)
    cuda.sonames(version)
    cuda_images.image(version)


@given(names, versions)
def test_packages(name, version):
    cuda_wheels.provides(name, version)
    cuda_wheels.extra_pins(name, "cuda", version)
    cuda_wheels.torch_pins(version)
    numpy.built_against(name, version)
    numpy.bounds(name, version)
    numpy.pythons(version)
    opencv.build(name, version)
    opencv.system_libraries(name, version)
    elf.libraries(name, version)


@given(st.text(max_size=60))
def test_names(text):
    cuda.soname(text)
    cuda_wheels.library(text)
    cuda_images.parse_tag(text)
    ngc.image(text)
    glibc.operating_system(text)
    glibc.os_of_image("python", text)
    glibc.manylinux(text)


capabilities = st.builds(
    "{}.{}{}".format, st.integers(2, 13), st.integers(0, 9), st.sampled_from(["", "a", "f"])
)


@given(st.lists(capabilities, max_size=5), st.lists(capabilities, max_size=3), capabilities)
def test_more_code_is_never_worse(sm, ptx, capability):
    order = {"none": 0, "unknown": 1, "ptx": 2, "cubin": 3}
    plain = capability.rstrip("af")
    before = gpu.kernels(sm, ptx, plain)
    after = gpu.kernels([*sm, plain], ptx, plain)
    assert after.verdict == "cubin"
    if sm or ptx:
        more = gpu.kernels(sm, [*ptx, plain], plain)
        assert order[more.verdict] >= order[before.verdict]
        assert more.verdict != "none"


@given(numbers, numbers)
def test_order_of_versions(one, other):
    assert at_least(one, other) or at_least(other, one)
    assert same_release(one, f"{one}.0.0")
    assert dotted(f"{one}.0") == dotted(one)
    assert first_parts(one, 1) == one.partition(".")[0]
