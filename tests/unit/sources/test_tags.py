import pytest

from layerwright.core.errors import ResolveError
from layerwright.oci.platform import Platform
from layerwright.sources.tags import choose_wheel, supported_tags, uv_platform

AMD, ARM = Platform(), Platform(architecture="arm64")


@pytest.mark.parametrize(
    ("glibc", "name"),
    [
        ("2.36", "x86_64-manylinux_2_36"),
        ("2.31", "x86_64-manylinux_2_31"),
        ("2.30", "x86_64-manylinux_2_28"),
        ("2.17", "x86_64-manylinux_2_17"),
        ("2.41", "x86_64-manylinux_2_40"),
        ("2.36.9000", "x86_64-manylinux_2_36"),
        ("", "x86_64-manylinux_2_17"),
    ],
)
def test_uvs_platform_is_never_above_the_bases_glibc(glibc, name):
    assert uv_platform(AMD, glibc) == name


def test_a_glibc_older_than_any_wheel_is_refused():
    with pytest.raises(ResolveError, match=r"2\.12 is older than 2\.17"):
        uv_platform(AMD, "2.12")


@pytest.mark.parametrize(
    ("tag", "fits"),
    [
        ("cp311-cp311-manylinux_2_36_x86_64", True),
        ("cp311-cp311-manylinux_2_37_x86_64", False),
        ("cp311-cp311-manylinux1_x86_64", True),
        ("cp311-cp311-manylinux2010_x86_64", True),
        ("cp311-cp311-linux_x86_64", True),
        ("cp311-cp311-musllinux_1_2_x86_64", False),
        ("cp311-cp311-manylinux_2_28_aarch64", False),
        ("cp37-abi3-manylinux_2_28_x86_64", True),
        ("cp312-abi3-manylinux_2_28_x86_64", False),
        ("cp311-none-manylinux_2_28_x86_64", True),
        ("py3-none-manylinux_2_28_x86_64", True),
        ("cp311-cp311t-manylinux_2_28_x86_64", False),
        ("cp310-cp310-manylinux_2_28_x86_64", False),
        ("pp311-pypy311_pp73-manylinux_2_28_x86_64", False),
        ("py2.py3-none-any", True),
        ("py2-none-any", False),
    ],
)
def test_what_fits_debian_12(tag, fits):
    file = f"x-1.0-{tag}.whl"
    assert choose_wheel([file], python="3.11", platform=AMD, glibc="2.36") == (file if fits else "")


def test_the_most_specific_wins_then_the_highest_build_whatever_the_order():
    files = [
        "x-1.0-py3-none-any.whl",
        "x-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
        "x-1.0-2-cp311-cp311-manylinux_2_28_x86_64.whl",
        "x-1.0-10-cp311-cp311-manylinux_2_28_x86_64.whl",
        "not a wheel",
    ]
    for order in (files, files[::-1]):
        assert choose_wheel(order, python="3.11", platform=AMD, glibc="2.36") == files[3]


def test_arm_begins_at_manylinux_2_17():
    tags = supported_tags("3.11", ARM, "2.36")
    assert "cp311-cp311-manylinux2014_aarch64" in tags
    assert "cp311-cp311-manylinux_2_12_aarch64" not in tags
