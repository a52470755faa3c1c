"""GPUs handed to real containers: stand-ins of the null device, by a specification as NVIDIA's tool writes it."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.run.conftest import Place

pytestmark = pytest.mark.engine

SHOW = (
    "import glob, json, os; print(json.dumps([sorted(glob.glob('/dev/lwgpu*')), "
    "os.environ.get('LW_SEEN'), os.environ.get('NVIDIA_VISIBLE_DEVICES')]))"
)


@pytest.fixture
def two_gpus() -> Iterator[None]:
    """A specification of two GPUs, which are null devices, where Podman looks."""
    folder = Path("/var/run/cdi")
    file = folder / f"layerwright-test-{os.getpid()}.json"
    there = folder.is_dir()

    def device(name: str, *numbers: int) -> dict[str, object]:
        nodes = [{"path": f"/dev/lwgpu{number}"} for number in numbers]
        return {"name": name, "containerEdits": {"deviceNodes": nodes, "env": [f"LW_SEEN={name}"]}}

    document = {
        "cdiVersion": "0.5.0",
        "kind": "nvidia.com/gpu",
        "containerEdits": {"env": ["NVIDIA_VISIBLE_DEVICES=void"]},
        "devices": [device("0", 0), device("1", 1), device("all", 0, 1)],
    }
    # Without root a node is not made but mounted, so it must be there under its own name.
    stand_ins = [Path(f"/dev/lwgpu{number}") for number in (0, 1)]
    for node in stand_ins:
        os.mknod(node, 0o666 | stat.S_IFCHR, os.stat("/dev/null").st_rdev)  # noqa: PTH116
        node.chmod(0o666)
    folder.mkdir(exist_ok=True)
    file.write_text(json.dumps(document))
    file.chmod(0o644)
    yield
    for path in (file, *stand_ins):
        path.unlink()
    if not there:
        folder.rmdir()


@pytest.fixture(params=["podman-root", "podman-user"])
def podman_place(request: pytest.FixtureRequest, places) -> Place:
    return places(request.param)


@pytest.mark.usefixtures("two_gpus")
def test_c03_all_some_or_none(podman_place: Place) -> None:
    place = podman_place
    assert place.python(SHOW, image="nvidia").json() == [["/dev/lwgpu0", "/dev/lwgpu1"], "all", "void"]
    one = place.run("--gpus", "1", "nvidia", "-c", SHOW).json()
    assert one == [["/dev/lwgpu0"], "0", "void"]
    assert place.run("--gpus", "device=1", "nvidia", "-c", SHOW).json()[0] == ["/dev/lwgpu1"]
    assert place.run("--gpus", "none", "nvidia", "-c", SHOW).json() == [[], None, None]
    done = place.run("--gpus", "device=7", "nvidia", "-c", "print('ran')", status=125)
    assert "there is no GPU 7" in done.err
    assert "lists 0, 1, all" in done.err
    assert done.out == ""


@pytest.mark.parametrize("name", ["docker-root", "podman-root"])
def test_c03_no_driver_is_said_and_nothing_runs_on_the_cpu(places, name: str) -> None:
    if any(Path(node).exists() for node in ("/dev/nvidiactl", "/dev/dxg")):
        pytest.skip("this machine has an NVIDIA driver")
    place = places(name)
    done = place.python("print('ran')", image="nvidia", status=125)
    assert "no NVIDIA driver" in done.err
    assert "--gpus none" in done.err
    assert done.out == ""
    assert place.run("--gpus", "none", "nvidia", "-c", "print('ran')").out == "ran\n"


def test_c03_natively_gpus_are_refused(places) -> None:
    done = places("native-root").python("print('ran')", image="nvidia", status=125)
    assert (done.out, "--engine docker" in done.err) == ("", True)


def test_c03_an_image_for_gpus_that_gets_none_by_nobodys_word(places) -> None:
    place = places("native-root")
    spec = place.folder / "layerwright.toml"
    text = spec.read_text()
    try:
        spec.write_text(text + '\n[images.unsaid]\nfrom = "image:app"\naccelerator = "nvidia"\n')
        done = place.python("print('ran')", image="unsaid")
    finally:
        spec.write_text(text)
    assert done.out == "ran\n"
    assert "made for nvidia and gets no GPU" in done.err


def test_f16_moore_threads_without_their_toolkit(places) -> None:
    if any(Path("/dev").glob("mtgpu*")):
        pytest.skip("this machine has a Moore Threads driver")
    done = places("docker-root").python("print('ran')", image="musa", status=125)
    assert "no Moore Threads driver" in done.err
    assert done.out == ""
    # The variable is not in the image: it is given at run, and only when GPUs are asked for.
    show = "import os; print(os.environ.get('MTHREADS_VISIBLE_DEVICES'))"
    assert places("docker-root").run("--gpus", "none", "musa", "-c", show).out == "None\n"


@pytest.mark.parametrize("name", ["native-root", "docker-root"])
def test_c14_processors_that_are_not_there_are_refused(places, name: str) -> None:
    place = places(name)
    spec = place.folder / "layerwright.toml"
    text = spec.read_text()
    try:
        spec.write_text(text + '\n[images.many]\nfrom = "image:app"\nrun = { cpu_set = "0-4095" }\n')
        done = place.python("print('ran')", image="many", status=2)
    finally:
        spec.write_text(text)
    assert "`cpu_set` is 0-4095, and this machine has" in done.err
    assert done.out == ""
