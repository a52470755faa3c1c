from pathlib import Path

import pytest

from layerwright.backends.native.apt import _failure, install_script, scrubbed
from layerwright.backends.native.debian import _finish_lines, _setup_lines
from layerwright.lock.model import Deb
from layerwright.sandbox.changes import Change


def deb(name: str) -> Deb:
    return Deb(name=name, version="1:2~3", architecture="amd64", sha256="a" * 64, size=1, path="pool/x")


def test_traces_of_the_run_are_left_out_and_results_stay() -> None:
    kept = [
        "etc/ld.so.cache",
        "usr/bin/tool",
        "var/lib/dpkg/status",
        "var/cache/debconf/config.dat",
        "var/log/tool",
        "run",
    ]
    traces = [
        "etc/machine-id",
        "run/layerwright-apt",
        "usr/sbin/policy-rc.d",
        "var/cache/apt/pkgcache.bin",
        "var/cache/debconf/config.dat-old",
        "var/cache/ldconfig/aux-cache",
        "var/lib/apt/lists/x/y",
        "var/lib/dpkg/status-old",
        "var/log/alternatives.log",
        "var/log/apt/term.log",
        "tmp/x",
    ]
    changes = [Change(path=path, kind="put", source=Path("/u") / path) for path in sorted(kept + traces)]
    assert [change.path for change in scrubbed(changes)] == sorted(kept)


def test_exact_versions_are_installed_and_the_unasked_marked_automatic() -> None:
    script = install_script([deb("a"), deb("b"), deb("c")], ["b=1:2~3", "c"])
    assert "install --yes --no-install-recommends" in script
    assert "'a=1:2~3' 'b=1:2~3' 'c=1:2~3'" in script
    assert "apt-mark -qq auto a >" in script


@pytest.mark.parametrize(
    ("lines", "part"),
    [
        (["dpkg: error processing package foo (--configure):", " failed"], "on package foo"),
        (["/run/x/install: 5: apt-get: not found"], "no apt-get"),
    ],
)
def test_failures_name_the_package(lines: list[str], part: str) -> None:
    error = _failure(127 if "not found" in lines[-1] else 100, lines)
    assert part in error.what


def test_a_base_names_debian_s_mirror_whatever_served_it() -> None:
    text = "\n".join(_finish_lines("trixie"))
    assert "http://deb.debian.org/debian trixie main" in text
    assert "trixie-security" in text
    assert _setup_lines(merged=False) == []
