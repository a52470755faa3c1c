"""The mirrors of a region by one name."""

from pathlib import Path

import pytest

from layerwright.core.errors import UsageError
from layerwright.host.environment import HostEnvironment
from layerwright.sources.apt import DebianMirror
from layerwright.sources.indexes import index_sites
from layerwright.workflow.mirrors import with_mirrors


def reached(**variables: str) -> tuple[str, str, str]:
    """Where packages, Debian's archive and its security updates come from."""
    found = with_mirrors({"HOME": "/", **variables})
    (site,) = index_sites({}, HostEnvironment.gather(found), Path("/"))
    debian = DebianMirror.parse(found.get("LAYERWRIGHT_DEBIAN_MIRROR", ""))
    return site.url, debian.main, debian.security


def test_f19_none_by_default() -> None:
    own = reached()
    assert own[0] == "https://pypi.org/simple"
    assert reached(LAYERWRIGHT_MIRRORS="none") == own
    assert reached(LAYERWRIGHT_MIRRORS="") == own


def test_f19_one_name_switches_packages_and_debian() -> None:
    assert reached(LAYERWRIGHT_MIRRORS="ustc") == (
        "https://mirrors.ustc.edu.cn/pypi/simple",
        "https://mirrors.ustc.edu.cn/debian",
        "https://mirrors.ustc.edu.cn/debian-security",
    )


def test_f19_ubuntu_too() -> None:
    found = with_mirrors({"LAYERWRIGHT_MIRRORS": "aliyun"})
    mirror = DebianMirror.parse("", ubuntu=found["LAYERWRIGHT_UBUNTU_MIRROR"])
    assert mirror.ubuntu == "https://mirrors.aliyun.com/ubuntu"
    assert mirror.ubuntu_ports == "https://mirrors.aliyun.com/ubuntu-ports"


def test_f19_an_address_of_one_s_own_counts_for_more() -> None:
    found = reached(LAYERWRIGHT_MIRRORS="tuna", LAYERWRIGHT_INDEX_PYPI="https://pypi.example.org/simple")
    assert found[0] == "https://pypi.example.org/simple"
    assert found[1] == "https://mirrors.tuna.tsinghua.edu.cn/debian"


def test_f19_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="'tsinghua'") as caught:
        with_mirrors({"LAYERWRIGHT_MIRRORS": "tsinghua"})
    assert "tuna, ustc, aliyun, or none" in caught.value.hint
