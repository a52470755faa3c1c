"""Systems and Pythons of images for Moore Threads' GPUs."""

import pytest

from layerwright.core.findings import Finding
from layerwright.facts.distributions import distribution_of
from layerwright.facts.model import Package
from layerwright.rules import Case, musa_system
from support.change import replace
from support.clashes import cell


def found(
    base: str, *, accelerator: str = "mthreads", python: str = "3.10", sources: dict[str, str] | None = None
) -> list[Finding]:
    subject = replace(
        cell(base, {}, accelerator=accelerator, python=python),
        source_trees={name: Package(name=name, version=version) for name, version in (sources or {}).items()},
    )
    return list(musa_system.check(Case(subject)))


@pytest.mark.parametrize(
    ("base", "level"),
    [
        ("ubuntu:20.04", ""),
        ("ubuntu:jammy", ""),
        ("nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04", ""),
        ("registry.mthreads.com/mcconline/musa-pytorch-dev-public:latest", ""),
        ("debian:bookworm", "warning"),
        ("python:3.11-slim-bookworm", "warning"),
        ("ubuntu:18.04", "warning"),
        ("centos:7", "error"),
        ("mirror.example/library/almalinux:9", "error"),
        ("nvidia/cuda:12.4.1-cudnn-runtime-rockylinux9", "error"),
    ],
)
def test_f10_the_base_is_a_system_that_is_known_to_do(base: str, level: str) -> None:
    told = [one for one in found(base) if one.code == "LW-MUSA-SYSTEM"]
    assert [one.level for one in told] == ([level] if level else [])
    assert found(base, accelerator="cpu") == []
    for one in told:
        assert "Ubuntu 20.04, 22.04" in one.message
        assert one.fix[0].edit == 'from = "ubuntu:20.04"'
        assert one.evidence


@pytest.mark.parametrize(
    ("version", "python", "refused"),
    [
        ("1.2.1", "3.8", ""),
        ("1.2.1", "3.10", ""),
        ("1.2.1", "3.7", "are for Python 3.8, 3.9, 3.10, and the image has Python 3.7"),
        ("1.2.1", "3.11", "are for Python 3.8, 3.9, 3.10, and the image has Python 3.11"),
        ("2.1.0", "3.9", "are for Python 3.10, and the image has Python 3.9"),
        ("2.9.1", "3.12", ""),  # not recorded: no yes and no no
        ("dev1.5.1", "3.12", ""),
        ("1.2.1", "", ""),
    ],
)
def test_f09_sources_are_for_some_pythons(version: str, python: str, refused: str) -> None:
    told = found("ubuntu:20.04", python=python, sources={"torch-musa": version})
    if not refused:
        assert told == []
        return
    (one,) = told
    assert (one.code, one.level) == ("LW-MUSA-PYTHON", "error")
    assert refused in one.message
    assert one.fix[0].edit == 'python = "3.10"'


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("centos:7", ("centos", "7")),
        ("centos", ("centos", "")),
        ("quay.io/centos/centos:stream9", ("centos", "")),
        ("ubuntu:22.04", ("ubuntu", "22.04")),
        ("ubuntu:22.04-slim", ("ubuntu", "22.04")),
        ("ubuntu:rolling", ("ubuntu", "")),
        ("registry.access.redhat.com/ubi9:9.4-1214", ("ubi9", "9.4")),
        ("localhost:5000/team/thing:1", ("", "")),
        ("ubuntu-tools:22.04", ("", "")),
        ("", ("", "")),
        ("not a reference", ("", "")),
    ],
)
def test_distributions_by_their_names(source: str, expected: tuple[str, str]) -> None:
    assert distribution_of(source) == expected
