"""What a base's name says."""

import pytest

from layerwright.facts.bases import base_facts, debian_facts, reference_facts
from layerwright.facts.compat import cuda_images, ngc
from layerwright.facts.compat.records import load
from layerwright.facts.model import BaseFacts

DIGEST = "@sha256:" + "0123456789abcdef" * 4


class TestNvidiaCuda:
    def test_the_base_of_the_inference_image(self):
        base = reference_facts("nvcr.io/nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04")
        assert base.known
        assert base.family == "nvidia-cuda"
        assert (base.cuda, base.cudnn, base.flavour, base.os) == (
            "12.4.1",
            "9.1.0.70",
            "runtime",
            "ubuntu22.04",
        )
        assert (base.glibc, base.glibcxx, base.python) == ("2.35", "3.4.30", "3.10")
        assert base.driver_branch == 550
        assert {
            "libcudart.so.12",
            "libcublas.so.12",
            "libcublasLt.so.12",
            "libcufft.so.11",
            "libcurand.so.10",
        } <= set(base.sonames)
        assert {"libcudnn.so.9", "libcudnn_ops.so.9", "libnccl.so.2"} <= set(base.sonames)
        assert base.torch == ""
        assert base.pip_constraint == ""
        assert not base.closed
        assert base.evidence[0].confidence == "docs"

    def test_systems_with_different_cudnn_leave_its_major(self):
        base = reference_facts("nvcr.io/nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04")
        assert (base.cuda, base.cudnn) == ("11.8.0", "8")
        assert {"libcudnn.so.8", "libcublas.so.11", "libnvrtc.so.11.2"} <= set(base.sonames)
        assert any("8.6.0.163 or 8.9.6.50" in one.text for one in base.evidence)

    def test_the_flavour_base_has_the_runtime_alone(self):
        base = reference_facts("nvidia/cuda:12.8.1-base-ubuntu24.04")
        assert set(base.sonames) == {"libcudart.so.12"}
        assert (base.cudnn, base.python) == ("none", "3.12")

    def test_without_a_cudnn_flavour_there_is_none(self):
        base = reference_facts("nvidia/cuda:12.8.1-devel-ubuntu24.04")
        assert (base.flavour, base.cudnn) == ("devel", "none")
        assert not any("cudnn" in name for name in base.sonames)

    def test_a_plain_cudnn_whose_version_nobody_wrote_down_is_9(self):
        base = reference_facts("nvidia/cuda:13.3.0-cudnn-runtime-ubuntu24.04")
        assert base.cudnn == "9"
        assert "libcudnn.so.9" in base.sonames
        assert "libcudnn_ext.so.9" not in base.sonames, "not all releases of 9 have it"

    def test_a_release_nobody_recorded_says_what_its_tag_says(self):
        base = reference_facts("nvidia/cuda:13.9.0-cudnn-runtime-ubuntu26.04")
        assert base.known
        assert (base.cuda, base.cudnn, base.os, base.driver_branch) == ("13.9.0", "", "ubuntu26.04", 0)
        assert "libcublas.so.13" in base.sonames
        assert not any("cudnn" in name for name in base.sonames)
        assert reference_facts("nvidia/cuda:77.0.0-runtime-ubuntu22.04").sonames == {}

    def test_a_major_cannot_be_told_from_a_future_plain_cudnn(self):
        assert reference_facts("nvidia/cuda:14.0.0-cudnn-runtime-ubuntu24.04").cudnn == ""

    def test_the_first_releases_of_11_had_other_names(self):
        first = reference_facts("nvidia/cuda:11.0.3-runtime-ubuntu20.04").sonames
        assert not {"libnvrtc.so.11.2", "libcusolver.so.11"} & set(first)
        second = reference_facts("nvidia/cuda:11.1.1-runtime-ubuntu20.04").sonames
        assert "libcusolver.so.11" in second
        assert "libnvrtc.so.11.2" not in second

    @pytest.mark.parametrize(
        ("suffix", "glibc", "python"),
        [
            ("ubi8", "2.28", "3.6"),
            ("rockylinux9", "2.34", "3.9"),
            ("ubuntu20.04", "2.31", "3.8"),
            ("cm2", "", ""),
        ],
    )
    def test_systems(self, suffix, glibc, python):
        base = reference_facts(f"nvidia/cuda:12.6.3-runtime-{suffix}")
        assert (base.os, base.glibc, base.python) == (suffix, glibc, python)

    @pytest.mark.parametrize(
        "name",
        [
            "nvidia/cuda",
            "docker.io/nvidia/cuda",
            "index.docker.io/nvidia/cuda",
            "nvcr.io/nvidia/cuda",
            "nvcr.io/nvidia/cuda-arm64",
            "docker.m.example.org/nvidia/cuda",
            "mirror.example.org:5000/proxy/docker.io/nvidia/cuda",
            "localhost:5000/nvidia/cuda",
        ],
    )
    @pytest.mark.parametrize("end", ["", DIGEST])
    def test_registries_mirrors_and_digests(self, name, end):
        text = f"{name}:12.4.1-cudnn-runtime-ubuntu22.04{end}"
        base = reference_facts(text)
        assert base.known
        assert base.reference == text
        assert base.cudnn == "9.1.0.70"

    @pytest.mark.parametrize(
        "tag",
        [
            "latest",
            "12.4.1",
            "12-runtime-ubuntu22.04",
            "12.4.1-runtime",
            "12.4.1-cudnn-base-ubuntu22.04",
            "12.4.1-runtime-ubuntu22.04-mine",
            "mine-12.4.1-runtime-ubuntu22.04",
            "12.4.1-cuDNN-runtime-ubuntu22.04",
            "12.4.1-runtime-ubuntu",
        ],
    )
    def test_other_tags_are_unknown(self, tag):
        assert reference_facts(f"nvidia/cuda:{tag}") == BaseFacts(reference=f"nvidia/cuda:{tag}")

    def test_every_recorded_image_is_understood(self):
        for image in load(cuda_images.CudaImagesFile).image:
            for system in image.os:
                for token in ("", *image.cudnn_token):
                    tag = f"{image.cuda}-{token}{'-' if token else ''}runtime-{system}"
                    base = reference_facts(f"nvidia/cuda:{tag}")
                    assert (base.known, base.cuda, base.os) == (True, image.cuda, system)
                    assert (base.cudnn == "none") == (not token)
                    assert base.cudnn in (
                        *image.cudnn,
                        *(version.partition(".")[0] for version in image.cudnn),
                        "none",
                        "9",
                    )


class TestNgc:
    def test_a_recorded_month(self):
        base = reference_facts("nvcr.io/nvidia/pytorch:24.05-py3")
        assert (base.family, base.torch) == ("ngc-pytorch", "2.4.0a0+07cecf4168")
        assert (base.cuda, base.cudnn, base.python, base.os) == ("12.4.1", "9.1.0.70", "3.10", "ubuntu22.04")
        assert base.glibc == "2.35"
        assert base.driver_branch == 545
        assert {"libcublas.so.12", "libcudnn.so.9", "libnccl.so.2"} <= set(base.sonames)
        assert base.pip_constraint == ""

    def test_pip_is_constrained_from_25_03_on(self):
        assert reference_facts("nvcr.io/nvidia/pytorch:25.02-py3").pip_constraint == ""
        assert reference_facts("nvcr.io/nvidia/pytorch:25.03-py3").pip_constraint == "/etc/pip/constraint.txt"

    def test_an_unknown_cudnn_stays_unknown(self):
        base = reference_facts("nvcr.io/nvidia/pytorch:24.08-py3")
        assert base.cudnn == ""
        assert not any("cudnn" in name for name in base.sonames)

    @pytest.mark.parametrize("tag", ["25.07-py3", "24.05-py3-igpu", "24.05", "99.01-py3", "latest"])
    def test_other_tags_are_unknown(self, tag):
        assert not reference_facts(f"nvcr.io/nvidia/pytorch:{tag}").known

    def test_every_recorded_month_is_understood(self):
        for image in load(ngc.NgcFile).image:
            base = reference_facts(f"nvcr.io/nvidia/pytorch:{image.tag}")
            assert (base.torch, base.cuda, base.python) == (image.pytorch, image.cuda, image.python)
            assert base.glibc

    def test_triton_says_its_onnxruntime_and_leaves_the_rest(self):
        base = reference_facts("nvcr.io/nvidia/tritonserver:26.08-py3")
        assert (base.known, base.family, base.cuda, base.os) == (True, "ngc-triton", "", "")
        assert "ONNX Runtime 1.28.0" in base.evidence[0].text
        assert not reference_facts("nvcr.io/nvidia/tritonserver:20.01-py3").known


class TestPyTorch:
    def test_its_devel_images_stand_on_nvidia_cuda(self):
        base = reference_facts("pytorch/pytorch:2.4.1-cuda12.4-cudnn9-devel")
        assert (base.family, base.torch, base.cuda, base.cudnn) == ("pytorch", "2.4.1", "12.4", "9")
        assert (base.flavour, base.driver_branch) == ("devel", 550)
        assert {"libcublas.so.12", "libcudnn.so.9"} <= set(base.sonames)
        assert (base.os, base.glibc, base.python) == ("", "", ""), "its tag does not say"

    def test_in_its_runtime_images_torch_alone_has_cuda(self):
        """Its libraries serve torch and nobody else, so the image must not count as one with CUDA."""
        base = reference_facts("pytorch/pytorch:2.4.1-cuda12.4-cudnn9-runtime")
        assert (base.known, base.torch, base.flavour) == (True, "2.4.1", "runtime")
        assert (base.cuda, base.cudnn, dict(base.sonames)) == ("", "", {})
        assert "CUDA 12.4" in base.evidence[0].text

    @pytest.mark.parametrize(
        "tag", ["latest", "2.4.1", "2.4.1-cuda12.4", "2.4.1-cuda12.4-cudnn9-base", "nightly"]
    )
    def test_other_tags_are_unknown(self, tag):
        assert not reference_facts(f"pytorch/pytorch:{tag}").known


class TestSystems:
    @pytest.mark.parametrize(
        ("reference", "system", "glibc", "python"),
        [
            ("debian:bookworm", "debian12", "2.36", "3.11"),
            ("debian:bookworm-slim", "debian12", "2.36", "3.11"),
            ("debian:bookworm-20240701-slim", "debian12", "2.36", "3.11"),
            ("debian:12", "debian12", "2.36", "3.11"),
            ("debian:12.5-slim", "debian12", "2.36", "3.11"),
            ("docker.io/library/debian:trixie", "debian13", "2.41", "3.13"),
            ("arm64v8/debian:bullseye", "debian11", "2.31", "3.9"),
            ("ubuntu:22.04", "ubuntu22.04", "2.35", "3.10"),
            ("ubuntu:jammy-20240227", "ubuntu22.04", "2.35", "3.10"),
            ("ubuntu:noble", "ubuntu24.04", "2.39", "3.12"),
            ("public.ecr.example/docker/library/ubuntu:24.04", "ubuntu24.04", "2.39", "3.12"),
            ("mirror.example/ubuntu:22.04", "ubuntu22.04", "2.35", "3.10"),
            ("python:3.11-slim-bookworm", "debian12", "2.36", "3.11"),
            ("python:3.13.1-bookworm", "debian12", "2.36", "3.13.1"),
            ("python:3.14.0rc1-slim-trixie", "debian13", "2.41", "3.14.0rc1"),
            ("python:3.11-slim", "", "", "3.11"),
            ("python:3.11", "", "", "3.11"),
            ("python:3.12-alpine3.19", "alpine3.19", "", "3.12"),
            ("python:3.12-alpine", "alpine", "", "3.12"),
        ],
    )
    def test_official_images(self, reference, system, glibc, python):
        base = reference_facts(reference)
        assert base.known
        assert (base.os, base.glibc, base.python) == (system, glibc, python)
        assert (base.cuda, base.cudnn, base.flavour, dict(base.sonames)) == ("none", "none", "", {})
        assert base.evidence

    def test_alpine_says_that_it_has_no_glibc(self):
        assert any("musl" in one.text for one in reference_facts("python:3.12-alpine3.19").evidence)

    @pytest.mark.parametrize(
        "reference",
        [
            "debian",
            "debian:latest",
            "debian:stable-slim",
            "debian:sid",
            "debian:jammy",
            "debian:99",
            "ubuntu:rolling",
            "ubuntu:bookworm",
            "ubuntu:99.04",
            "python:3",
            "python:latest",
            "python:slim",
            "python:3.11-windowsservercore",
            "python:3.11-slim-nonsense",
            "somebody/python:3.11",
            "mirror.example/team/python:3.11",
            "mirror.example/team/debian:12",
            "nvidia/cudax:12.4.1-runtime-ubuntu22.04",
            "xnvidia/cuda:12.4.1-runtime-ubuntu22.04",
            f"debian{DIGEST}",
            "no reference",
            "",
            "UPPER/case:1",
        ],
    )
    def test_what_says_nothing_is_unknown(self, reference):
        assert reference_facts(reference) == BaseFacts(reference=reference)


class TestKinds:
    def test_debian(self):
        base = base_facts("debian", "bookworm")
        assert (base.reference, base.os, base.glibc, base.cuda) == (
            "debian:bookworm",
            "debian12",
            "2.36",
            "none",
        )
        assert debian_facts("sid") == BaseFacts(reference="debian:sid")
        assert debian_facts("noble") == BaseFacts(reference="debian:noble")
        assert debian_facts("") == BaseFacts(reference="debian")

    def test_references(self):
        text = "nvidia/cuda:12.8.1-base-ubuntu24.04"
        assert base_facts("registry", text) == base_facts("docker", text) == reference_facts(text)

    @pytest.mark.parametrize("kind", ["oci", "archive", "image", "nonsense"])
    def test_the_rest_has_no_telling_name(self, kind):
        source = "nvidia/cuda:12.8.1-base-ubuntu24.04"
        assert base_facts(kind, source) == BaseFacts(reference=source)
