"""Rules on NumPy, OpenCV, placeholders, files, bindings and what was not read."""

import pytest
from msgspec import structs

from layerwright.core.findings import Finding
from layerwright.facts.model import Library
from layerwright.rules import (
    Case,
    files_twice,
    numpy_abi,
    opencv_gui,
    opencv_variants,
    placeholders,
    system_packages,
    wheel_facts,
)
from support.clashes import CUDA_124, cell, wheel

DEBS = ("libc6", "zlib1g", "libstdc++6", "libgcc-s1")


def only(found: list[Finding]) -> Finding:
    (finding,) = found
    return finding


def test_numpy_1_extensions_do_not_meet_numpy_2() -> None:
    old = wheel("thing", "1.0", Library(path="thing/_c.abi3.so", numpy_api=1), requires=("numpy>=1.20",))
    found = only(list(numpy_abi.check(Case(cell("debian:bookworm", {"thing": old, "numpy": "2.1.0"})))))
    assert (found.code, found.level) == ("LW-NUMPY-ABI", "error")
    assert "thing 1.0" in found.message
    assert "numpy 2.1.0" in found.message
    assert found.evidence[0].confidence == "binary"
    assert "numpy<2" in found.fix[0].edit
    assert list(numpy_abi.check(Case(cell("debian:bookworm", {"thing": old, "numpy": "1.26.4"})))) == []
    new = wheel("thing", "1.1", Library(path="thing/_c.abi3.so", numpy_api=2))
    assert list(numpy_abi.check(Case(cell("debian:bookworm", {"thing": new, "numpy": "2.1.0"})))) == []


@pytest.mark.parametrize(
    ("name", "version", "refused"),
    [
        ("opencv-python-headless", "4.9.0.80", True),
        ("opencv-contrib-python", "4.9.0.80", True),
        ("opencv-python", "4.10.0.84", False),
        ("torch", "2.2.2", True),
        ("torch", "2.3.0", False),
        ("onnxruntime-gpu", "1.18.0", True),
        ("nobody-knows", "1.0", False),
    ],
)
def test_records_tell_where_no_binary_was_read(name: str, version: str, refused: bool) -> None:
    found = list(numpy_abi.check(Case(cell("debian:bookworm", {name: version, "numpy": "2.1.0"}))))
    assert bool(found) is refused


def test_a_binary_counts_more_than_the_record() -> None:
    facts = wheel("torch", "2.2.2", Library(path="torch/_C.abi3.so", numpy_api=2))
    assert list(numpy_abi.check(Case(cell("debian:bookworm", {"torch": facts, "numpy": "2.1.0"})))) == []


# OpenCV


def test_one_opencv() -> None:
    packages = {"opencv-python": "4.10.0.84", "opencv-python-headless": "4.10.0.84"}
    found = only(list(opencv_variants.check(Case(cell("debian:bookworm", packages)))))
    assert (found.code, found.level) == ("LW-OPENCV-TWO", "error")
    assert len(found.fix) == 2
    assert list(opencv_variants.check(Case(cell("debian:bookworm", {"opencv-python": "4.10.0.84"})))) == []


def gui(base: str, **options) -> list[Finding]:
    return list(opencv_gui.check(Case(cell(base, {"opencv-python": "4.10.0.84"}, **options))))


def test_windows_need_libgl() -> None:
    found = only(gui("debian:bookworm", debs=DEBS))
    assert (found.code, found.level) == ("LW-OPENCV-GL", "error")
    assert "opencv-python 4.10.0.84" in found.message
    assert "libGL.so.1" in found.message
    assert [fix.edit for fix in found.fix] == [
        '"opencv-python-headless==4.10.0.84",',
        'apt = [..., "libgl1"]',
    ]


def test_libgl_from_apt_is_enough() -> None:
    assert gui("debian:bookworm", debs=DEBS, apt=("libgl1", "libglib2.0-0")) == []


def test_of_a_base_that_nobody_looked_into_it_is_not_known() -> None:
    assert only(gui(CUDA_124)).level == "unknown"


def test_headless_needs_nothing() -> None:
    subject = cell("debian:bookworm", {"opencv-python-headless": "4.10.0.84"}, debs=DEBS)
    assert list(opencv_gui.check(Case(subject))) == []


def test_the_wheels_own_needs_are_read() -> None:
    facts = wheel(
        "opencv-python",
        "4.12.0",
        Library(path="cv2/cv2.abi3.so", needed=("libQt5Gui-1.so.5",)),
        Library(path="opencv_python.libs/libQt5Gui-1.so.5", needed=("libGL.so.1", "libstdc++.so.6")),
        Library(path="cv2/qt/plugins/platforms/libqxcb.so", needed=("libSM.so.6",)),
    )
    found = only(
        list(opencv_gui.check(Case(cell("debian:bookworm", {"opencv-python": facts}, debs=("libc6",)))))
    )
    assert "libGL.so.1" in found.message
    assert "libSM.so.6" not in found.message
    assert found.evidence[0].confidence == "binary"


# placeholders


def test_empty_packages_are_refused() -> None:
    subject = cell(
        "debian:bookworm",
        {"onnxruntime-gpu": "1.27.0"},
        under={"nvidia-cuda-runtime-cu13": ("0.0.1", "onnxruntime-gpu")},
    )
    found = only(list(placeholders.check(Case(subject))))
    assert (found.code, found.level) == ("LW-PLACEHOLDER", "error")
    assert "nvidia-cuda-runtime-cu13 0.0.1" in found.message
    assert "onnxruntime-gpu 1.27.0" in found.message


def test_packages_with_libraries_are_not() -> None:
    facts = wheel("nvidia-cublas", "13.1.0.3", Library(path="nvidia/cu13/lib/libcublas.so.13"))
    assert list(placeholders.check(Case(cell("debian:bookworm", {"nvidia-cublas": facts})))) == []
    assert list(placeholders.check(Case(cell("debian:bookworm", {"nvidia-cublas": "99.0"})))) == []


# files


def test_two_wheels_with_one_library() -> None:
    packages = {name: wheel(name, "1", Library(path="shared/libx.so")) for name in ("one", "other")}
    found = only(list(files_twice.check(Case(cell("debian:bookworm", packages)))))
    assert (found.code, found.level) == ("LW-FILES-TWICE", "error")
    assert "one 1 and other 1 both install shared/libx.so" in found.message
    apart = packages | {"other": wheel("other", "1", Library(path="other/libx.so"))}
    assert list(files_twice.check(Case(cell("debian:bookworm", apart)))) == []


# bindings


@pytest.mark.parametrize(
    ("package", "options", "level"),
    [
        ("pdf2image", {"debs": DEBS}, "warning"),
        ("pdf2image", {"debs": DEBS, "apt": ("poppler-utils",)}, None),
        ("pdf2image", {}, "unknown"),
        ("pyzbar", {"debs": DEBS}, "error"),
        ("pyturbojpeg", {"debs": (*DEBS, "libturbojpeg0")}, None),
    ],
)
def test_bindings_look_for_the_systems(package: str, options, level: str | None) -> None:
    found = list(system_packages.check(Case(cell("debian:bookworm", {package: "1.0"}, **options))))
    assert [one.level for one in found] == ([level] if level else [])
    for one in found:
        assert f"{package} 1.0" in one.message
        assert one.fix[0].edit.startswith("apt = [")


def test_an_older_library_than_the_binding_wants() -> None:
    subject = cell("debian:bookworm", {"pyturbojpeg": "2.0.0"}, debs=(*DEBS, "libturbojpeg0"))
    system = subject.system | {
        "libturbojpeg0": structs.replace(subject.system["libturbojpeg0"], version="1:2.1.5-2")
    }
    found = only(list(system_packages.check(Case(structs.replace(subject, system=system)))))
    assert (found.code, found.level) == ("LW-SYSTEM-PACKAGE", "error")
    assert "pyturbojpeg 2.0.0 needs libturbojpeg 3 or later" in found.message
    assert "libturbojpeg0 1:2.1.5-2" in found.message
    assert "pyturbojpeg<2" in found.fix[0].edit
    new = system | {"libturbojpeg0": structs.replace(system["libturbojpeg0"], version="1:3.0.3-1")}
    assert list(system_packages.check(Case(structs.replace(subject, system=new)))) == []


# what was not read


def test_silence_is_no_yes() -> None:
    subject = cell("debian:bookworm", {"thing": "1.0", "read": wheel("read", "1")})
    packages = {
        name: structs.replace(one, why_not="--offline forbids asking for it") if one.facts is None else one
        for name, one in subject.packages.items()
    }
    found = only(list(wheel_facts.check(Case(structs.replace(subject, packages=packages)))))
    assert (found.code, found.level) == ("LW-WHEEL-UNREAD", "unknown")
    assert "thing 1.0" in found.message
    assert "--offline forbids asking for it" in found.message
    assert "read 1" not in found.message
