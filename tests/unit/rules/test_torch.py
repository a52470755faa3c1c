"""Rules on torch: its companions, the base's own, its CUDA."""

from layerwright.core.findings import Finding
from layerwright.facts.model import Library, Subject
from layerwright.rules import Case, torch_base, torch_cuda, torch_family
from support.clashes import CUDA_124, cell, wheel

NGC = "nvcr.io/nvidia/pytorch:24.05-py3"


def family(subject: Subject) -> list[Finding]:
    return list(torch_family.check(Case(subject)))


def test_the_wheels_own_requirement_decides() -> None:
    facts = wheel("torchvision", "0.16.0", requires=("numpy", "torch (==2.1.0)", 'scipy ; extra == "scipy"'))
    (found,) = family(cell("debian:bookworm", {"torch": "2.0.0+cu121", "torchvision": facts}))
    assert (found.code, found.level) == ("LW-TORCH-VISION", "error")
    assert "torchvision 0.16.0 was built for torch==2.1.0" in found.message
    assert "torch 2.0.0+cu121" in found.message
    assert found.evidence[0].confidence == "metadata"
    assert any("torchvision==0.15.1" in fix.edit for fix in found.fix)
    assert any("torch==2.1.0" in fix.edit for fix in found.fix)
    assert family(cell("debian:bookworm", {"torch": "2.1.0", "torchvision": facts})) == []


def test_the_record_decides_where_the_wheel_was_not_read() -> None:
    (found,) = family(cell("debian:bookworm", {"torch": "2.3.1", "torchaudio": "2.4.1"}))
    assert found.code == "LW-TORCH-AUDIO"
    assert family(cell("debian:bookworm", {"torch": "2.0.0", "torchvision": "0.15.1"})) == []
    assert family(cell("debian:bookworm", {"torch": "2.0.0", "torchaudio": "2.0.1"})) == []


def test_unknown_releases_are_unknown() -> None:
    (found,) = family(cell("debian:bookworm", {"torch": "2.3.1+cpu", "torchvision": "99.0"}))
    assert found.level == "unknown"


def test_the_bases_torch_counts_where_there_is_no_other() -> None:
    facts = wheel("torchvision", "0.19.1", requires=("torch==2.4.1",))
    (found,) = family(cell(NGC, {"torchvision": facts}))
    assert found.level == "error"
    assert "the torch 2.4.0a0+07cecf4168 of the base nvcr.io/nvidia/pytorch:24.05-py3" in found.message


def test_local_tags_do_not_matter_for_the_pin() -> None:
    facts = wheel("torchvision", "0.19.1+cu121", requires=("torch==2.4.1",))
    assert family(cell("debian:bookworm", {"torch": "2.4.1+cu121", "torchvision": facts})) == []


def test_a_cuda_companion_beside_a_cpu_torch() -> None:
    vision = wheel(
        "torchvision",
        "0.19.1",
        Library(path="torchvision/_C.so", needed=("libcudart.so.12",)),
        requires=("torch==2.4.1",),
    )
    (found,) = family(cell("debian:bookworm", {"torch": "2.4.1+cpu", "torchvision": vision}))
    assert (found.code, found.level) == ("LW-TORCH-BUILD", "error")
    assert "torchvision 0.19.1 is built for CUDA 12, and torch 2.4.1+cpu for the CPU only" in found.message


def test_without_torch_there_is_nothing_to_compare() -> None:
    assert family(cell("debian:bookworm", {"torchvision": "0.19.1"})) == []


# the base's own torch


def base(subject: Subject) -> list[Finding]:
    return list(torch_base.check(Case(subject)))


def test_a_replaced_torch_is_refused_and_who_did_it_is_named() -> None:
    (found,) = base(cell(NGC, {"torchvision": "0.19.1"}, under={"torch": ("2.4.1", "torchvision")}))
    assert (found.code, found.level) == ("LW-TORCH-BASE", "error")
    for text in ("torch 2.4.0a0+07cecf4168", "torch 2.4.1", "torchvision 0.19.1"):
        assert text in found.message
    assert "leave out torchvision" in found.fix[0].text


def test_asking_for_torch_is_the_users_choice() -> None:
    (found,) = base(cell(NGC, {"torch": "2.4.1"}))
    assert found.level == "warning"


def test_a_base_that_constrains_pip_says_so() -> None:
    (found,) = base(cell("nvcr.io/nvidia/pytorch:25.03-py3", {"torch": "2.6.0"}))
    assert any("/etc/pip/constraint.txt" in fact.text for fact in found.evidence)


def test_a_base_without_torch_replaces_none() -> None:
    assert base(cell(CUDA_124, {"torch": "2.4.1"})) == []
    assert base(cell(NGC, {"tqdm": "4.0"})) == []


# its CUDA


def own_cuda(subject: Subject) -> list[Finding]:
    return list(torch_cuda.check(Case(subject)))


def test_torch_without_its_wheels_cannot_be_imported() -> None:
    (found,) = own_cuda(cell("debian:bookworm", {"torch": "2.4.1"}))
    assert (found.code, found.level) == ("LW-TORCH-CUDA", "error")
    assert "torch 2.4.1 is built for CUDA 12.1" in found.message
    assert "debian:bookworm" in found.message


def test_a_replaced_cudnn_is_named() -> None:
    torch = wheel(
        "torch", "2.4.1+cu121", Library(path="torch/lib/libtorch_python.so", needed=("libcudnn.so.9",))
    )
    cudnn = wheel("nvidia-cudnn-cu12", "8.9.2.26", Library(path="nvidia/cudnn/lib/libcudnn.so.8"))
    (found,) = own_cuda(cell("debian:bookworm", {"torch": torch, "nvidia-cudnn-cu12": cudnn}))
    assert "nvidia-cudnn-cu12 8.9.2.26" in found.message


def test_libraries_inside_the_wheel_are_enough() -> None:
    assert own_cuda(cell("debian:bookworm", {"torch": "1.12.1"})) == []


def test_what_is_unknown_is_not_missing() -> None:
    assert own_cuda(cell("registry.example/x:1", {"torch": "2.4.1"})) == []
