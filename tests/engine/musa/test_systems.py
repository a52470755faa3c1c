"""Rows F09 and F10 for specs: systems and Pythons that Moore Threads' software is not for."""

import pytest

from support.musa_sources import Workplace

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("command", [("check",), ("lock",), ("plan",), ("build",), ("render", "dockerfile")])
def test_f10_other_systems_are_refused_by_every_command(
    workplace: Workplace, command: tuple[str, ...]
) -> None:
    """With no network, no engine, and no lock of it."""
    spec = workplace.folder / "layerwright.toml"
    spec.write_text(
        '[project]\nname = "x"\n[images.dev]\nfrom = "centos:7"\naccelerator = "mthreads"\npython = "3.8"\n',
        encoding="utf-8",
    )
    alone = workplace.command.with_variables(DOCKER_HOST="unix:///nowhere", https_proxy="http://127.0.0.1:9")
    done = alone(*command, status=2)
    assert done.err == (
        "error: 'dev' is for accelerator 'mthreads', and centos:7 is no system that Moore Threads' software is for\n"
        "  --> layerwright.toml:4:8 [images.dev.from]\n"
        '   | from = "centos:7"\n'
        "hint: supported are ubuntu:20.04, ubuntu:22.04, ubuntu:24.04\n"
    )
    assert not workplace.lock.exists()


def test_f09_f10_check_knows_what_sources_are_for(workplace: Workplace) -> None:
    """Sources have no wheel tags that could tell; the records do."""
    workplace.write(
        workplace.source("torch_musa", "v1.2.1")
        + '[images.dev]\naccelerator = "mthreads"\nwithout = ["musa_toolkit", "mudnn", "mccl"]\n'
        'sources = [{ source = "torch_musa", to = "/home/torch_musa" }]\n'
    )
    workplace("lock")
    findings = {one["code"]: one for one in workplace("check", "--json", status=1).json()["findings"]}
    python = findings["LW-MUSA-PYTHON"]
    assert python["level"] == "error"
    assert python["message"].endswith("are for Python 3.8, 3.9, 3.10, and the image has Python 3.11")
    assert python["fix"][0]["edit"] == 'python = "3.10"'
    system = findings["LW-MUSA-SYSTEM"]
    assert system["level"] == "warning"
    assert "tried on Ubuntu 20.04, 22.04" in system["message"]
