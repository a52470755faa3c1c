"""Who needs CUDA, and who brings it."""

import pytest

from layerwright.facts.model import BaseFacts, Library, Package
from layerwright.rules import Case
from layerwright.rules.cuda_names import base_brings, cuda_majors, cudnn_major, is_cuda_library, name_brings
from support.clashes import CUDA_118, CUDA_124, cell, wheel


@pytest.mark.parametrize(
    ("soname", "majors"),
    [
        ("libcudart.so.11.0", {"11"}),
        ("libcublasLt.so.12", {"12"}),
        ("libcufft.so.10", {"11"}),
        ("libcufft.so.11", {"12"}),
        ("libcusolver.so.11", {"11", "12"}),
        ("libcusparse.so.12", {"12", "13"}),
        ("libnvrtc.so.11.2", {"11"}),
        ("libcudart-80664282.so.11.0", {"11"}),
        ("libcudnn.so.9", set()),
        ("libnccl.so.2", set()),
        ("libfoo.so.12", set()),
    ],
)
def test_sonames_tell_majors(soname: str, majors: set[str]) -> None:
    assert cuda_majors(soname) == majors


def test_cudnn_has_its_own_numbers() -> None:
    assert cudnn_major("libcudnn.so.8") == "8"
    assert cudnn_major("libcudnn_ops.so.9") == "9"
    assert cudnn_major("libcublas.so.12") == ""
    assert is_cuda_library("libcudnn.so.9")
    assert not is_cuda_library("libcuda.so.1")
    assert not is_cuda_library("libcudart.so")


@pytest.mark.parametrize(
    ("base", "soname", "state"),
    [
        (CUDA_118, "libcublas.so.11", "base"),
        (CUDA_118, "libcublas.so.12", "missing"),
        (CUDA_118, "libcudnn.so.8", "base"),
        (CUDA_118, "libcudnn.so.9", "missing"),
        (CUDA_124, "libcudnn_graph.so.9", "base"),
        ("nvidia/cuda:12.4.1-runtime-ubuntu22.04", "libcudnn.so.9", "missing"),
        ("nvidia/cuda:12.4.1-base-ubuntu22.04", "libcudart.so.12", "base"),
        ("nvidia/cuda:12.4.1-base-ubuntu22.04", "libcublas.so.12", "missing"),
        ("debian:bookworm", "libcudart.so.12", "missing"),
        ("registry.example/x:1", "libcudart.so.12", "unknown"),
    ],
)
def test_bases_bring_what_their_tag_says(base: str, soname: str, state: str) -> None:
    assert base_brings(cell(base).base, soname) == state


def test_a_base_that_was_looked_into_counts_more_than_its_name() -> None:
    base = BaseFacts(
        reference=CUDA_118, known=True, cuda="11.8.0", cudnn="8", closed=True, sonames={"libcudart.so.12": ""}
    )
    assert base_brings(cell(base).base, "libcudart.so.12") == "base"
    assert base_brings(cell(base).base, "libcudart.so.11.0") == "missing"


@pytest.mark.parametrize(
    ("name", "version", "soname", "brings"),
    [
        ("nvidia-cudnn-cu12", "9.1.0.70", "libcudnn.so.9", True),
        ("nvidia-cudnn-cu12", "8.9.2.26", "libcudnn.so.9", False),
        ("nvidia-cublas-cu12", "12.1.3.1", "libcublas.so.12", True),
        ("nvidia-cublas-cu12", "12.1.3.1", "libcublas.so.11", False),
        ("nvidia-cublas", "13.1.0.3", "libcublas.so.13", True),
        ("nvidia-cufft-cu12", "11.0.2.54", "libcufft.so.11", True),
        ("torch", "2.4.1", "libcudnn.so.9", False),
    ],
)
def test_wheels_that_nobody_read_go_by_their_name(name: str, version: str, soname: str, brings: bool) -> None:
    assert name_brings(Package(name=name, version=version), soname) is brings


def test_binaries_tell_what_a_package_needs() -> None:
    library = Library(
        path="x/_c.so", needed=("libcudart.so.12", "libcudnn.so.9", "libcuda.so.1", "libc.so.6")
    )
    need = Case(cell(CUDA_124, {"x": wheel("x", "1", library)})).cuda.need("x")
    assert need is not None
    assert (need.cuda, need.cudnn) == ("12", "9")
    assert need.libraries == ("libcudart.so.12", "libcudnn.so.9")
    assert need.evidence[0].confidence == "binary"


def test_a_wheel_that_carries_its_cuda_needs_none() -> None:
    libraries = (
        Library(path="x/_c.so", needed=("libcudart-80664282.so.11.0",)),
        Library(path="x.libs/libcudart-80664282.so.11.0"),
    )
    need = Case(cell(CUDA_124, {"x": wheel("x", "1", *libraries)})).cuda.need("x")
    assert need is not None
    assert need.libraries == ()
    assert need.carried == ("libcudart-80664282.so.11.0",)


def test_what_pieces_do_not_tell_the_record_of_the_release_does() -> None:
    libraries = (
        Library(path="torch/lib/libc10_cuda.so", needed=("libcudart.so.12",)),
        Library(path="torch/lib/libtorch_cuda.so", whole=False, unread=("needed",)),
    )
    need = Case(cell(CUDA_124, {"torch": wheel("torch", "2.4.1", *libraries)})).cuda.need("torch")
    assert need is not None
    assert (need.cuda, need.cudnn, need.cuda_version) == ("12", "9", "12.1")
    assert "libcublas.so.12" in need.libraries


def test_the_record_does_not_speak_for_another_build() -> None:
    libraries = (
        Library(path="torch/lib/libc10_cuda.so", needed=("libcudart.so.11.0",)),
        Library(path="torch/lib/libtorch_cuda.so", whole=False, unread=("needed",)),
    )
    need = Case(cell(CUDA_124, {"torch": wheel("torch", "2.4.1", *libraries)})).cuda.need("torch")
    assert need is not None
    assert need.cuda == "11"
    assert need.libraries == ("libcudart.so.11.0",)


def test_a_cpu_build_needs_none() -> None:
    assert Case(cell(CUDA_124, {"torch": "2.4.1+cpu"})).cuda.need("torch") is None
    assert Case(cell(CUDA_124, {"torch": "99.0"})).cuda.need("torch") is None
