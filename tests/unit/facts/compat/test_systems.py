"""NumPy, OpenCV, glibc, Moore Threads, images."""

import pytest

from layerwright.facts.compat import cuda_images, elf, glibc, musa, ngc, numpy, opencv
from layerwright.facts.compat.records import load


class TestNumpy:
    def test_built_against(self):
        found = numpy.built_against("onnxruntime", "1.18.1")
        assert found.value == 1
        assert found.evidence.confidence == "binary"
        assert numpy.built_against("torch", "2.3.0+cpu").value == 2
        assert numpy.built_against("torch", "99.0") is None
        assert numpy.built_against("scipy", "1.0") is None

    def test_the_first_build_for_numpy_2(self):
        assert numpy.first_with_numpy_2("torch") == "2.3.0"
        assert numpy.first_with_numpy_2("opencv-python") == "4.10.0.84"
        assert numpy.first_with_numpy_2("scipy") == ""

    def test_bounds(self):
        assert numpy.bounds("torch", "2.4.1").requires == ()
        assert numpy.bounds("onnxruntime-gpu", "1.18.1").requires == ("numpy<2.0,>=1.21.6",)
        assert "nothing of NumPy" in numpy.bounds("torch", "2.4.1").evidence.text
        assert numpy.bounds("torch", "0.1") is None
        assert numpy.bounds("torch", "nonsense") is None

    def test_pythons(self):
        assert "3.12" in numpy.pythons("1.26.4").value
        assert "3.8" not in numpy.pythons("2.0.0").value
        assert numpy.pythons("0.9") is None

    def test_rules(self):
        assert "breaks the C ABI" in numpy.rule("abi-break").text


class TestOpenCv:
    def test_a_build(self):
        build = opencv.build("opencv-python", "4.9.0.80")
        assert (build.numpy_api, build.qt) == (1, True)
        assert build.numpy_capped is False
        assert not opencv.build("opencv-python-headless", "4.10.0.84").qt
        assert opencv.build("opencv-python", "1.0") is None

    def test_what_the_system_must_have(self):
        found = opencv.system_libraries("opencv-python", "5.0.0.93")
        assert found.exact
        assert "libGL.so.1" in found.libraries
        assert "libgl1" in found.debian_packages
        assert found.evidence[0].confidence == "binary"
        assert opencv.system_libraries("numpy", "1.0") is None

    def test_other_releases_say_which_one_was_read(self):
        found = opencv.system_libraries("opencv-contrib-python", "4.10.0.84")
        assert (found.exact, found.read_in) == (False, "5.0.0.93")
        assert "libGL.so.1" in found.libraries
        headless = opencv.system_libraries("opencv-contrib-python-headless", "4.10.0.84")
        assert "libGL.so.1" not in headless.libraries

    def test_the_first_build_for_numpy_2(self):
        assert opencv.first_with_numpy_2("opencv-python") == "4.10.0.84"
        assert opencv.first_with_numpy_2("numpy") == ""

    @pytest.mark.parametrize("name", ["one-flavour", "no-cuda", "numpy"])
    def test_rules(self, name):
        assert opencv.rule(name).text


class TestGlibc:
    @pytest.mark.parametrize("name", ["debian12", "debian-12", "bookworm"])
    def test_a_system_by_any_spelling(self, name):
        found = glibc.operating_system(name)
        assert (found.name, found.glibc, found.glibcxx, found.python) == (
            "debian12",
            "2.36",
            "3.4.30",
            "3.11",
        )

    def test_ubuntu(self):
        found = glibc.operating_system("ubuntu22.04")
        assert (found.glibc, found.python) == ("2.35", "3.10")
        assert glibc.operating_system("jammy") == found

    @pytest.mark.parametrize("name", ["", "sid", "debian99", "windows", "-"])
    def test_unknown_systems(self, name):
        assert glibc.operating_system(name) is None

    def test_every_recorded_system_is_found_by_its_name(self):
        for record in load(glibc.GlibcFile).os:
            assert glibc.operating_system(record.os).glibc == record.glibc

    def test_every_code_name_is_a_system(self):
        for name in glibc.CODENAMES:
            assert glibc.operating_system(name)

    def test_suffixes_of_images(self):
        assert glibc.os_of_image("nvidia/cuda", "ubi8").glibc == "2.28"
        assert glibc.os_of_image("python", "bookworm").name == "debian12"
        assert glibc.os_of_image("nvidia/cuda", "bookworm") is None
        assert glibc.os_of_image("python", "alpine") is None

    def test_policies(self):
        assert glibc.manylinux("manylinux2014_x86_64").glibc == "2.17"
        assert glibc.manylinux("manylinux_2_28").glibc == "2.28"
        assert glibc.manylinux("manylinux_2_26_aarch64").max_glibcxx == "3.4.24"
        assert glibc.manylinux("manylinux_2_26_x86_64").max_glibcxx == "3.4.22"
        assert glibc.manylinux("musllinux_1_2_x86_64") is None
        assert glibc.manylinux("manylinux_2_99") is None

    def test_rules(self):
        assert glibc.rule("tag-can-lie").confidence == "metadata"


class TestMusa:
    def test_a_release(self):
        found = musa.release("1.3.0")
        assert (found.torch, found.torchvision, found.driver) == ("2.2.0", "0.17.2", "2.7.0-rc4-0822")
        assert "3.8" in found.python
        assert "torch 2.2.0" in found.evidence.text
        assert musa.release("9.9") is None

    def test_what_is_not_recorded_stays_empty(self):
        assert musa.release("2.1.0").sdk == ""
        assert musa.release("2.9.1").python == ()

    def test_a_tag_that_is_no_version(self):
        assert musa.release("2.0.0-pt25").torch == "2.5.0"
        assert musa.release("2.0.0").torch == "2.2.0"

    def test_releases_of_a_torch(self):
        assert [found.version for found in musa.releases_for_torch("2.7.1")] == ["2.7.1", "2.7.0"]
        assert musa.releases_for_torch("2.4.1") == ()

    def test_rules(self):
        assert "not from PyPI" in musa.rule("not-on-pypi").text


class TestImages:
    def test_a_month_of_ngc(self):
        found = ngc.image("24.05-py3")
        assert (found.torch, found.cuda, found.cudnn) == ("2.4.0a0+07cecf4168", "12.4.1", "9.1.0.70")
        assert found.os == "ubuntu22.04"
        assert found.pip_constraint == ""

    def test_from_25_03_pip_is_constrained(self):
        assert ngc.image("25.02-py3").pip_constraint == ""
        assert ngc.image("25.03-py3").pip_constraint == "/etc/pip/constraint.txt"
        assert "PIP_CONSTRAINT" in ngc.image("25.03-py3").evidence[1].text

    @pytest.mark.parametrize("tag", ["25.07-py3", "24.05", "latest", ""])
    def test_unknown_months(self, tag):
        assert ngc.image(tag) is None

    def test_images_of_a_toolkit(self):
        found = cuda_images.image("12.4.1")
        assert (found.cudnn, found.cudnn_token, found.supported) == (("9.1.0.70",), "cudnn", True)
        assert "ubuntu22.04" in found.cudnn_os
        assert cuda_images.image("12.4") is None
        assert cuda_images.image("12.2.0").cudnn_os == ()

    def test_our_pattern_reads_what_the_recorded_one_does(self):
        import re

        recorded = next(one.pattern for one in load(cuda_images.CudaImagesFile).grammar if one.id == "tag")
        for image in load(cuda_images.CudaImagesFile).image:
            for system in image.os:
                for token in ("", *image.cudnn_token):
                    for flavour in ("base", "runtime", "devel"):
                        if token and flavour == "base":
                            continue
                        tag = f"{image.cuda}-{token}{'-' if token else ''}{flavour}-{system}"
                        theirs, ours = re.match(recorded, tag), cuda_images.parse_tag(tag)
                        assert (ours.cuda, ours.cudnn, ours.flavour, ours.os) == (
                            theirs["cuda"],
                            theirs["cudnn"] or "",
                            theirs["flavour"],
                            theirs["os"],
                        )


def test_libraries_of_a_wheel():
    found = elf.libraries("opencv-python", "5.0.0.93")
    assert any("libGL.so.1" in one.needed_outside for one in found)
    assert elf.libraries("opencv-python", "1.0") == ()
