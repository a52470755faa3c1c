"""Rules on ONNX Runtime: its CUDA, torch beside it, its variants, preloading."""

import pytest

from layerwright.core.findings import Finding
from layerwright.facts.model import Library, Subject
from layerwright.rules import Case, ort_cuda, ort_packages, ort_preload, ort_torch
from support.clashes import CUDA_118, CUDA_124, cell, wheel

PROVIDER = "onnxruntime/capi/libonnxruntime_providers_cuda.so"
NEEDS_12 = Library(
    path=PROVIDER, needed=("libcublasLt.so.12", "libcudart.so.12", "libcudnn.so.9", "libc.so.6")
)
ORT_120 = wheel("onnxruntime-gpu", "1.20.0", NEEDS_12)
CU12 = {
    "nvidia-cublas-cu12": (
        wheel(
            "nvidia-cublas-cu12",
            "12.4.5.8",
            Library(path="nvidia/cublas/lib/libcublas.so.12"),
            Library(path="nvidia/cublas/lib/libcublasLt.so.12"),
        ),
        "onnxruntime-gpu",
    ),
    "nvidia-cuda-runtime-cu12": (
        wheel(
            "nvidia-cuda-runtime-cu12", "12.4.127", Library(path="nvidia/cuda_runtime/lib/libcudart.so.12")
        ),
        "onnxruntime-gpu",
    ),
    "nvidia-cudnn-cu12": (
        wheel("nvidia-cudnn-cu12", "9.1.0.70", Library(path="nvidia/cudnn/lib/libcudnn.so.9")),
        "onnxruntime-gpu",
    ),
}


def one(found: list[Finding]) -> Finding:
    (finding,) = found
    return finding


def cuda(subject: Subject) -> list[Finding]:
    return list(ort_cuda.check(Case(subject)))


def test_another_cuda_major_is_refused_by_the_binary() -> None:
    found = one(cuda(cell(CUDA_118, {"onnxruntime-gpu": ORT_120})))
    assert (found.code, found.level) == ("LW-ORT-CUDA", "error")
    assert "onnxruntime-gpu 1.20.0 needs CUDA 12 and cuDNN 9" in found.message
    assert "CUDA 11.8.0 and cuDNN 8" in found.message
    assert found.evidence[0].confidence == "binary"
    assert [member.kind for member in found.members] == ["wheel", "base", "role"]
    edits = [fix.edit for fix in found.fix]
    assert any("onnxruntime-gpu==1.18.1" in edit for edit in edits)
    assert any("cudnn-runtime-ubuntu22.04" in edit and "cuda:12" in edit for edit in edits)


def test_the_right_base_is_accepted() -> None:
    assert cuda(cell(CUDA_124, {"onnxruntime-gpu": ORT_120})) == []


def test_a_base_without_cuda_is_said_in_a_whole_sentence() -> None:
    found = one(cuda(cell("debian:bookworm", {"onnxruntime-gpu": ORT_120})))
    assert ", but the base debian:bookworm has no CUDA: the session would run on the CPU" in found.message


def test_cudnn_alone_can_be_wrong() -> None:
    base = "nvidia/cuda:12.2.2-cudnn8-runtime-ubuntu22.04"
    found = one(cuda(cell(base, {"onnxruntime-gpu": ORT_120})))
    assert (found.code, found.level) == ("LW-ORT-CUDNN", "error")
    assert "needs cuDNN 9 (libcudnn.so.9)" in found.message
    assert "has cuDNN 8" in found.message


def test_wheels_of_the_extras_are_as_good_as_a_base() -> None:
    assert cuda(cell("debian:bookworm", {"onnxruntime-gpu": ORT_120}, under=CU12)) == []


def test_wheels_that_nobody_read_count_by_their_names() -> None:
    under = {name: (facts.version, above) for name, (facts, above) in CU12.items()}
    for name, version in (("curand", "10.3.5.147"), ("cufft", "11.2.1.3"), ("cuda-nvrtc", "12.4.127")):
        under[f"nvidia-{name}-cu12"] = (version, "onnxruntime-gpu")
    assert cuda(cell("debian:bookworm", {"onnxruntime-gpu": "1.20.0"}, under=under)) == []


def test_cudnn_8_wheels_beside_a_cudnn_9_user_are_named() -> None:
    under = CU12 | {
        "nvidia-cudnn-cu12": (
            wheel("nvidia-cudnn-cu12", "8.9.2.26", Library(path="nvidia/cudnn/lib/libcudnn.so.8")),
            "onnxruntime-gpu",
        )
    }
    found = one(cuda(cell("debian:bookworm", {"onnxruntime-gpu": ORT_120}, under=under)))
    assert found.code == "LW-ORT-CUDNN"
    assert "nvidia-cudnn-cu12 8.9.2.26" in found.message
    assert "nvidia-cudnn-cu12" in {member.name for member in found.members}


@pytest.mark.parametrize(
    ("role", "level"), [("inference", "error"), ("release", "error"), ("training", "note")]
)
def test_falling_back_to_the_cpu_is_an_error_but_in_training(role: str, level: str) -> None:
    assert one(cuda(cell("debian:bookworm", {"onnxruntime-gpu": ORT_120}, role=role))).level == level


def test_an_image_for_cpus_is_not_asked() -> None:
    assert cuda(cell("debian:bookworm", {"onnxruntime-gpu": ORT_120}, accelerator="cpu")) == []


def test_an_unknown_base_is_unknown() -> None:
    found = one(cuda(cell("registry.example/base:1", {"onnxruntime-gpu": ORT_120})))
    assert found.level == "unknown"
    assert "registry.example/base:1" in found.message


def test_an_unknown_release_is_unknown() -> None:
    found = one(cuda(cell(CUDA_124, {"onnxruntime-gpu": "1.2.0"})))
    assert found.level == "unknown"
    assert "1.2.0" in found.message


def test_the_record_decides_where_no_wheel_was_read() -> None:
    found = one(cuda(cell(CUDA_118, {"onnxruntime-gpu": "1.20.0"})))
    assert found.level == "error"
    assert cuda(cell(CUDA_124, {"onnxruntime-gpu": "1.20.0"})) == []
    assert cuda(cell(CUDA_118, {"onnxruntime-gpu": "1.18.0"})) == []


def test_libraries_that_old_releases_open_by_name_count() -> None:
    opened = Library(path=PROVIDER, opens=("libcublas.so.11", "libcudart.so.11.0", "libcudnn.so.8"))
    facts = wheel("onnxruntime-gpu", "1.15.1", opened)
    assert one(cuda(cell(CUDA_124, {"onnxruntime-gpu": facts}))).level == "error"
    assert cuda(cell(CUDA_118, {"onnxruntime-gpu": facts})) == []


def test_extras_are_offered_first_where_they_exist() -> None:
    found = one(
        cuda(cell("debian:bookworm", {"onnxruntime-gpu": wheel("onnxruntime-gpu", "1.23.2", NEEDS_12)}))
    )
    assert "onnxruntime-gpu[cuda,cudnn]==1.23.2" in found.fix[0].edit
    broken = one(cuda(cell("debian:bookworm", {"onnxruntime-gpu": "1.27.0"})))
    assert not any("[cuda,cudnn]" in fix.edit for fix in broken.fix)


# torch beside it


def torch(subject: Subject) -> list[Finding]:
    return list(ort_torch.check(Case(subject)))


def pair(torch_version: str, ort_version: str, **options) -> Subject:
    return cell("debian:bookworm", {"torch": torch_version, "onnxruntime-gpu": ort_version}, **options)


def test_majors_must_be_equal() -> None:
    found = one(torch(pair("2.3.1", "1.19.2")))
    assert (found.code, found.level) == ("LW-ORT-TORCH", "error")
    assert "torch 2.3.1 uses CUDA 12.1 and cuDNN 8" in found.message
    assert "onnxruntime-gpu 1.19.2" in found.message
    assert "cuDNN 9" in found.message
    assert any("torch==" in fix.edit for fix in found.fix)
    assert torch(pair("2.4.1", "1.20.0")) == []


def test_cuda_13_beside_cuda_12() -> None:
    found = one(torch(pair("2.11.0", "1.26.0", python="3.11")))
    assert "CUDA 13.0" in found.message
    assert any("onnxruntime-gpu==1.31.1" in fix.edit for fix in found.fix)
    assert any("torch==2.10.0" in fix.edit for fix in found.fix)


def test_two_whole_sets_are_a_warning() -> None:
    found = one(
        torch(
            cell(
                CUDA_124,
                {"torch": "2.11.0", "onnxruntime-gpu": "1.23.2"},
            )
        )
    )
    assert found.level == "warning"
    assert "two sets of CUDA libraries" in found.message


def test_training_is_told_more_softly() -> None:
    assert one(torch(pair("2.3.1", "1.19.2", role="training"))).level == "warning"


def test_builds_without_cuda_do_not_clash() -> None:
    assert torch(pair("2.3.1+cpu", "1.19.2")) == []
    assert torch(pair("99.0", "1.19.2")) == []


def test_torch_explains_what_its_cuda_lacks() -> None:
    assert cuda(pair("2.3.1", "1.19.2")) == []


# variants


def test_two_variants_clash() -> None:
    found = one(
        list(ort_packages.check(Case(cell(CUDA_124, {"onnxruntime": "1.20.0", "onnxruntime-gpu": "1.20.0"}))))
    )
    assert (found.code, found.level) == ("LW-ORT-BOTH", "error")
    assert "leave out onnxruntime: onnxruntime-gpu does what it does" in found.fix[0].text
    assert list(ort_packages.check(Case(cell(CUDA_124, {"onnxruntime-gpu": "1.20.0"})))) == []


def test_who_asks_for_the_other_variant_is_named() -> None:
    subject = cell(
        CUDA_124,
        {"onnxruntime-gpu": "1.23.2", "rapidocr": "1.4"},
        under={"onnxruntime": ("1.23.2", "rapidocr")},
    )
    found = one(list(ort_packages.check(Case(subject))))
    assert "rapidocr 1.4" in found.fix[0].text


# preloading


def preload(subject: Subject) -> list[Finding]:
    return list(ort_preload.check(Case(subject)))


def test_cuda_from_wheels_must_be_loaded() -> None:
    facts = wheel("onnxruntime-gpu", "1.23.2", NEEDS_12)
    found = one(preload(cell("debian:bookworm", {"onnxruntime-gpu": facts}, under=CU12)))
    assert (found.code, found.level) == ("LW-ORT-PRELOAD", "note")
    assert "preload_dlls() is called" in found.message
    assert " of nvidia-cublas-cu12 12.4.5.8" in found.message


def test_releases_that_cannot_preload_are_a_warning() -> None:
    found = one(preload(cell("debian:bookworm", {"onnxruntime-gpu": ORT_120}, under=CU12)))
    assert found.level == "warning"
    assert "onnxruntime-gpu>=1.21" in found.fix[0].edit


def test_cuda_of_the_base_needs_no_preloading() -> None:
    assert preload(cell(CUDA_124, {"onnxruntime-gpu": ORT_120})) == []


def test_what_is_missing_is_not_preloaded() -> None:
    assert preload(cell("debian:bookworm", {"onnxruntime-gpu": ORT_120})) == []
