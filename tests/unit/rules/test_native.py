"""Where libraries come from."""

import pytest
from msgspec import structs

from layerwright.facts.model import BaseFacts, Library, Package, Subject
from layerwright.rules import Case
from layerwright.rules.debian_names import debian_packages, installed_package
from layerwright.rules.native import is_driver, is_extension
from support.clashes import cell, wheel


@pytest.mark.parametrize(
    ("soname", "package"),
    [
        ("libGL.so.1", "libgl1"),
        ("libz.so.1", "zlib1g"),
        ("libglib-2.0.so.0", "libglib2.0-0"),
        ("libX11.so.6", "libx11-6"),
        ("libstdc++.so.6", "libstdc++6"),
        ("libSM.so.6", "libsm6"),
        ("libpng16.so.16", "libpng16-16"),
        ("libxcb-shm.so.0", "libxcb-shm0"),
        ("libpython3.11.so.1.0", "libpython3.11-1.0"),
    ],
)
def test_debian_names_packages_after_sonames(soname: str, package: str) -> None:
    assert debian_packages(soname)[0] == package


def test_packages_of_64_bit_time_count_too() -> None:
    assert installed_package("libglib-2.0.so.0", {"libglib2.0-0t64"}) == "libglib2.0-0t64"
    assert installed_package("libglib-2.0.so.0", {"libgl1"}) == ""


@pytest.mark.parametrize(
    ("path", "extension"),
    [
        ("cv2/cv2.abi3.so", True),
        ("torch/_C.cpython-311-x86_64-linux-gnu.so", True),
        ("torchvision/_C.so", True),
        ("torch/lib/libtorch_cuda.so", False),
        ("opencv_python.libs/libQt5Core-1.so.5", False),
    ],
)
def test_what_import_loads(path: str, extension: bool) -> None:
    assert is_extension(path) is extension


def test_the_driver_brings_its_own() -> None:
    assert is_driver("libcuda.so.1")
    assert is_driver("libnvidia-ml.so.1")
    assert not is_driver("libcudart.so.12")


def state(subject: Subject, package: str, library: int, name: str) -> str:
    case = Case(subject)
    found = subject.packages[package]
    assert found.facts is not None
    return case.native.find(name, found, found.facts.libraries[library]).state


def test_runpath_leads_to_another_wheel() -> None:
    user = Library(
        path="app/_c.so", needed=("libcudart.so.12",), runpath=("$ORIGIN/../nvidia/cuda_runtime/lib",)
    )
    subject = cell(
        "debian:bookworm",
        {
            "app": wheel("app", "1", user),
            "nvidia-cuda-runtime-cu12": wheel(
                "nvidia-cuda-runtime-cu12",
                "12.1.105",
                Library(path="nvidia/cuda_runtime/lib/libcudart.so.12"),
            ),
        },
    )
    assert state(subject, "app", 0, "libcudart.so.12") == "wheel"


def test_another_wheels_library_without_a_way_to_it_is_elsewhere() -> None:
    packages = {
        "app": wheel("app", "1", Library(path="app/_c.so", needed=("libother.so.1",))),
        "other": wheel("other", "1", Library(path="other/libother.so.1")),
    }
    assert state(cell("debian:bookworm", packages), "app", 0, "libother.so.1") == "elsewhere"


def test_what_a_package_requires_is_loaded_before_it() -> None:
    app = wheel("app", "1", Library(path="app/_c.so", needed=("libother.so.1",)))
    other = wheel("other", "1", Library(path="other/libother.so.1"))
    subject = cell("debian:bookworm", {"app": app}, under={"other": (other, "app")})
    assert state(subject, "app", 0, "libother.so.1") == "wheel"


@pytest.mark.parametrize(
    ("base", "debs", "expected"),
    [
        (BaseFacts(reference="x", known=True, closed=True, sonames={"libfoo.so.1": ""}), (), "base"),
        (BaseFacts(reference="x", known=True, closed=True), (), "missing"),
        (BaseFacts(reference="x", known=True), (), "unknown"),
        (BaseFacts(reference="x"), (), "unknown"),
        (BaseFacts(reference="x", known=True), ("libfoo1",), "base"),
        (BaseFacts(reference="x", known=True), ("libbar1",), "unknown"),
    ],
)
def test_the_system_has_it_or_not_or_nobody_knows(
    base: BaseFacts, debs: tuple[str, ...], expected: str
) -> None:
    assert Case(cell(base, debs=debs)).native.system("libfoo.so.1").state == expected


def test_apt_brings_it() -> None:
    assert (
        Case(cell("debian:bookworm", apt=("libgl1",), debs=("libc6",))).native.system("libGL.so.1").state
        == "apt"
    )


def test_a_complete_list_of_packages_tells_what_is_missing() -> None:
    assert Case(cell("debian:bookworm", debs=("libc6",))).native.system("libGL.so.1").state == "missing"
    assert Case(cell("debian:bookworm")).native.system("libGL.so.1").state == "unknown"


def test_an_unread_module_needs_what_nothing_else_in_its_folder_needs() -> None:
    libraries = (
        Library(path="cv2/cv2.abi3.so", whole=False, unread=("needed",)),
        Library(path="cv2/plugin/libplugin.so", needed=("libb.so",)),
        Library(path="cv2.libs/liba.so", needed=("libGL.so.1",)),
        Library(path="cv2.libs/libb.so", needed=("libSM.so.6",)),
    )
    package = Package(name="cv2", version="1", facts=wheel("cv2", "1", *libraries))
    subject = structs.replace(cell("debian:bookworm"), packages={"cv2": package})
    loaded = Case(subject).native.loaded_on_import(package)
    assert loaded == {"cv2/cv2.abi3.so", "cv2.libs/liba.so"}
