"""Rules on shared libraries, glibc, symbol versions, Python."""

import pytest
from msgspec import structs

from layerwright.core.findings import Finding
from layerwright.facts.model import BaseFacts, Library, WheelFacts
from layerwright.rules import Case, glibc, libraries, python_range, symbol_versions
from support.clashes import CUDA_118, CUDA_124, cell, wheel

CLOSED = BaseFacts(
    reference="oci:base", known=True, closed=True, os="debian12", glibc="2.36", glibcxx="3.4.30"
)


def found(rule, base, packages, **options) -> list[Finding]:
    return list(rule.check(Case(cell(base, packages, **options))))


def test_a_missing_library_of_a_module_is_an_error() -> None:
    facts = wheel("thing", "1.0", Library(path="thing/_c.abi3.so", needed=("libfoo.so.1", "libc.so.6")))
    (one,) = found(libraries, CLOSED, {"thing": facts})
    assert (one.code, one.level) == ("LW-LIBRARY-MISSING", "error")
    assert "thing 1.0 loads libfoo.so.1 on import" in one.message
    assert "oci:base" in one.message
    assert one.fix[0].edit == 'apt = [..., "libfoo1"]'
    assert one.evidence[0].text == "thing/_c.abi3.so needs libfoo.so.1"


def test_a_missing_library_of_a_plugin_is_a_warning() -> None:
    facts = wheel("thing", "1.0", Library(path="thing/plugins/libplugin.so", needed=("libfoo.so.1",)))
    (one,) = found(libraries, CLOSED, {"thing": facts})
    assert one.level == "warning"
    assert "when that part of it is used" in one.message


def test_what_a_module_loads_through_others_counts() -> None:
    facts = wheel(
        "thing",
        "1.0",
        Library(path="thing/_c.abi3.so", needed=("libinner.so",)),
        Library(path="thing.libs/libinner.so", needed=("libfoo.so.1",)),
    )
    (one,) = found(libraries, CLOSED, {"thing": facts})
    assert one.level == "error"


def test_optional_parts_are_notes() -> None:
    facts = wheel(
        "onnxruntime-gpu",
        "1.20.0",
        Library(path="onnxruntime/capi/libonnxruntime_providers_tensorrt.so", needed=("libnvinfer.so.10",)),
    )
    (one,) = found(libraries, CLOSED, {"onnxruntime-gpu": facts})
    assert (one.code, one.level) == ("LW-LIBRARY-OPTIONAL", "note")
    assert "the TensorRT provider of onnxruntime-gpu 1.20.0" in one.message
    assert one.fix == ()


def test_the_driver_is_never_missing() -> None:
    facts = wheel(
        "thing", "1.0", Library(path="thing/_c.abi3.so", needed=("libcuda.so.1", "libnvidia-ml.so.1"))
    )
    assert found(libraries, CLOSED, {"thing": facts}) == []


def test_what_nobody_knows_is_one_finding() -> None:
    packages = {
        name: wheel(name, "1", Library(path=f"{name}/_c.abi3.so", needed=("libfoo.so.1", "libbar.so.2")))
        for name in ("one", "two")
    }
    (one,) = found(libraries, CUDA_124, packages)
    assert (one.code, one.level) == ("LW-LIBRARY-UNKNOWN", "unknown")
    assert "libbar.so.2, libfoo.so.1" in one.message
    assert one.members == ()


def test_every_debian_has_its_essentials() -> None:
    facts = wheel("thing", "1", Library(path="thing/_c.abi3.so", needed=("libstdc++.so.6", "libz.so.1")))
    assert found(libraries, CUDA_124, {"thing": facts}) == []


def test_a_library_of_a_stranger_is_remarked_on() -> None:
    packages = {
        "thing": wheel("thing", "1", Library(path="thing/_c.abi3.so", needed=("libother.so.1",))),
        "other": wheel("other", "2", Library(path="other/libother.so.1")),
    }
    (one,) = found(libraries, CLOSED, packages)
    assert (one.code, one.level) == ("LW-LIBRARY-UNDECLARED", "note")
    assert "libother.so.1 of other 2" in one.message


# glibc and libstdc++


def needs(version: str, library: str = "libc.so.6") -> WheelFacts:
    return wheel(
        "thing", "1.0", Library(path="thing/_c.abi3.so", versions_needed={library: (version, "GLIBC_2.2.5")})
    )


def test_a_newer_glibc_than_the_bases() -> None:
    (one,) = found(glibc, CLOSED, {"thing": needs("GLIBC_2.38")})
    assert (one.code, one.level) == ("LW-GLIBC", "error")
    assert "thing 1.0 needs glibc 2.38, and the base oci:base has glibc 2.36" in one.message
    assert any("ubuntu24.04" in fix.text for fix in one.fix)
    assert found(glibc, CLOSED, {"thing": needs("GLIBC_2.36")}) == []


def test_a_newer_libstdcxx_than_the_bases() -> None:
    (one,) = found(glibc, CLOSED, {"thing": needs("GLIBCXX_3.4.32", "libstdc++.so.6")})
    assert (one.code, one.level) == ("LW-GLIBCXX", "error")
    assert "GLIBCXX_3.4.32" in one.message
    assert "3.4.30" in one.message


def test_a_copy_in_the_wheel_is_new_enough() -> None:
    facts = wheel(
        "thing",
        "1.0",
        Library(
            path="thing/_c.abi3.so",
            needed=("libstdc++.so.6",),
            versions_needed={"libstdc++.so.6": ("GLIBCXX_3.4.32",)},
        ),
        Library(path="thing.libs/libstdc++.so.6", soname="libstdc++.so.6"),
    )
    assert found(glibc, CLOSED, {"thing": facts}) == []


def test_the_tag_counts_where_nothing_else_was_read() -> None:
    new = wheel("thing", "1.0", tags="cp310-cp310-manylinux_2_39_x86_64")
    (one,) = found(glibc, CLOSED, {"thing": new})
    assert "glibc 2.39" in one.message
    either = wheel("thing", "1.0", tags="cp310-cp310-manylinux_2_39_x86_64.manylinux2014_x86_64")
    assert found(glibc, CLOSED, {"thing": either}) == []


def test_an_unknown_glibc_refuses_nothing() -> None:
    assert found(glibc, BaseFacts(reference="x"), {"thing": needs("GLIBC_2.99")}) == []


def test_alpine_has_no_glibc_at_all() -> None:
    packages = {"thing": wheel("thing", "1.0", tags="cp311-cp311-manylinux2014_x86_64")}
    (one,) = found(glibc, "python:3.11-alpine3.20", packages)
    assert (one.code, one.level) == ("LW-GLIBC", "error")
    assert "thing 1.0 needs glibc, and the base python:3.11-alpine3.20 has musl" in one.message
    musl = {"thing": wheel("thing", "1.0", tags="cp311-cp311-musllinux_1_2_x86_64")}
    assert found(glibc, "python:3.11-alpine3.20", musl) == []


# symbol versions


def test_an_older_nvjitlink_than_its_user_wants() -> None:
    user = wheel(
        "nvidia-cusparse-cu12",
        "12.3.1.170",
        Library(
            path="nvidia/cusparse/lib/libcusparse.so.12",
            needed=("libnvJitLink.so.12",),
            versions_needed={"libnvJitLink.so.12": ("libnvJitLink.so.12", "__nvJitLinkComplete_12_4")},
            runpath=("$ORIGIN/../../nvjitlink/lib",),
        ),
    )

    def jit(version: str, *defined: str) -> WheelFacts:
        return wheel(
            "nvidia-nvjitlink-cu12",
            version,
            Library(
                path="nvidia/nvjitlink/lib/libnvJitLink.so.12",
                soname="libnvJitLink.so.12",
                versions_defined=("libnvJitLink.so.12", *defined),
            ),
        )

    old = {"nvidia-cusparse-cu12": user, "nvidia-nvjitlink-cu12": jit("12.1.105", "__nvJitLinkComplete_12_1")}
    (one,) = found(symbol_versions, "debian:bookworm", old)
    assert (one.code, one.level) == ("LW-SYMBOL-VERSION", "error")
    assert "nvidia-cusparse-cu12 12.3.1.170 wants __nvJitLinkComplete_12_4" in one.message
    assert "nvidia-nvjitlink-cu12 12.1.105" in one.message
    new = jit("12.4.127", "__nvJitLinkComplete_12_1", "__nvJitLinkComplete_12_4")
    assert found(symbol_versions, "debian:bookworm", old | {"nvidia-nvjitlink-cu12": new}) == []
    facts = old["nvidia-nvjitlink-cu12"]
    unread = structs.replace(
        facts, libraries=(structs.replace(facts.libraries[0], unread=("versions_defined",)),)
    )
    assert found(symbol_versions, "debian:bookworm", old | {"nvidia-nvjitlink-cu12": unread}) == []


# Python


@pytest.mark.parametrize(
    ("requires", "tags", "python", "refused"),
    [
        (">=3.9", "py3-none-any", "3.8", True),
        (">=3.9", "py3-none-any", "3.9", False),
        (">=3.10,!=3.14.1", "py3-none-any", "3.14", False),
        (">=3.11.4", "py3-none-any", "3.11", False),
        ("<3.12", "py3-none-any", "3.12", True),
        ("", "cp310-cp310-manylinux2014_x86_64", "3.11", True),
        ("", "cp310-cp310-manylinux2014_x86_64", "3.10", False),
        ("", "cp37-abi3-manylinux2014_x86_64", "3.13", False),
        ("", "cp312-abi3-manylinux2014_x86_64", "3.11", True),
        ("", "py2.py3-none-any", "3.11", False),
        ("", "cp36.cp37.cp38-abi3-linux_x86_64", "3.8", False),
    ],
)
def test_wheels_are_for_some_pythons(requires: str, tags: str, python: str, refused: bool) -> None:
    facts = structs.replace(wheel("thing", "1.0", tags=tags), requires_python=requires)
    base = structs.replace(CLOSED, python=python)
    one = found(python_range, base, {"thing": facts}, python=python)
    assert [(finding.code, finding.level) for finding in one] == (
        [("LW-PYTHON-RANGE", "error")] if refused else []
    )
    for finding in one:
        assert f"Python {python}" in finding.message


def test_the_bases_python_is_the_images() -> None:
    (one,) = found(python_range, CUDA_118, {}, python="3.11")
    assert (one.code, one.level) == ("LW-PYTHON-BASE", "error")
    assert "Python 3.11" in one.message
    assert "has 3.10" in one.message
    assert 'python = "3.10"' in {fix.edit for fix in one.fix}
    assert found(python_range, CUDA_118, {}, python="3.10") == []
    assert found(python_range, CUDA_118, {}, python="3.11", apt=("python3.11",)) == []
    assert found(python_range, "registry.example/x:1", {}, python="3.11") == []
