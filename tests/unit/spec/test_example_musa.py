"""The example of Moore Threads' images says what the documents and the records say."""

from pathlib import Path

import pytest

from layerwright.facts.compat import musa
from layerwright.spec.load import load_spec
from layerwright.spec.model import Spec, UrlPackage
from layerwright.spec.musa.records import recorded

EXAMPLE = Path(__file__).parents[3] / "examples" / "musa" / "layerwright.toml"
LATER = {"libelf1", "libncurses-dev", "pkg-config"}
"""Debian packages that the scripts' Dockerfiles name beside the list."""


@pytest.fixture(scope="module")
def example() -> Spec:
    return load_spec(EXAMPLE, Path("/"))


def test_the_toolchain_is_the_documented_one(example: Spec) -> None:
    release = recorded().release("22.04")
    assert release is not None
    wanted = {*recorded().packages(release), "python3.10", "python3.10-dev"}
    assert set(example.cells["base"].apt) == wanted | LATER
    assert example.cells["base"].base.source == "ubuntu:22.04"
    assert example.cells["base"].timezone == "Asia/Shanghai"


def test_tags_go_together_and_sources_stand_where_the_documents_say(example: Spec) -> None:
    release = musa.release("1.3.0")
    assert release is not None
    revs = {name: source.rev for name, source in example.sources.items()}
    assert revs == {
        "torch_musa": f"v{release.version}",
        "pytorch": f"v{release.torch}",
        "vision": f"v{release.torchvision}",
        "audio": f"v{release.torchaudio}",
    }
    assert example.cells["base"].python in release.python
    places = {item.source.name: item.to for cell in example.cells.values() for item in cell.sources}
    assert places == {name: f"/home/{name}" for name in revs}
    assert {source.git for source in example.sources.values()} == {
        "https://github.com/pytorch/pytorch.git",
        "https://github.com/pytorch/vision.git",
        "https://github.com/pytorch/audio.git",
        "https://github.com/MooreThreads/torch_musa.git",
    }


def test_both_logs_are_where_the_documents_say(example: Spec) -> None:
    logs = [test.log for test in example.cells["dev"].tests]
    assert logs == ["/home/ut_output.txt", "/home/integration_test_output.txt"]
    assert all(test.allow == () for test in example.cells["dev"].tests)


def test_components_are_installed_in_the_order_that_works(example: Spec) -> None:
    for name in ("dev", "release"):
        cell = example.cells[name]
        assert [one.kind for one in cell.components] == ["musa_toolkit", "mudnn", "mccl"]
        assert (cell.gpu_arch, cell.accelerator) == ("qy2", "mthreads")


def test_what_is_to_be_set_is_seen_and_can_fetch_nothing(example: Spec) -> None:
    """``.invalid`` is no domain (RFC 2606), and no file has this digest."""
    wheels = [one for one in example.cells["release"].packages if isinstance(one, UrlPackage)]
    assert len(wheels) == 4
    for one in (*wheels, *example.components.values()):
        assert one.url.startswith("https://set-this.invalid/")
        assert one.sha256 == "0" * 64
