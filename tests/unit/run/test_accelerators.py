"""What hands GPUs to a container, and what is said when they cannot be handed: on machines that are folders."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.core.errors import RunStartError
from layerwright.host.environment import HostEnvironment
from layerwright.run.accelerators import Engine, grant_devices
from layerwright.run.cdi import parse_devices
from layerwright.run.command_line import Grant

SPEC = {
    "cdiVersion": "0.5.0",
    "kind": "nvidia.com/gpu",
    "containerEdits": {"env": ["NVIDIA_VISIBLE_DEVICES=void"]},
    "devices": [
        {"name": name, "containerEdits": {"deviceNodes": [{"path": f"/dev/nvidia{node}"}]}}
        for name, node in (("0", 0), ("1", 1), ("GPU-8f2a", 1), ("all", 0))
    ],
}
DOCKER = Engine(name="docker", cdi_folders=())
PODMAN = Engine(name="podman")


def host(*, path="", uid=0, groups=()):
    return HostEnvironment(
        variables={},
        uid=uid,
        gid=uid,
        groups=groups,
        home=Path("/"),
        cpu_count=1,
        path=path,
        python=Path("/"),
    )


@pytest.fixture
def machine(tmp_path):
    (tmp_path / "dev").mkdir()
    return tmp_path


@pytest.fixture
def with_cdi(machine):
    (machine / "etc/cdi").mkdir(parents=True)
    (machine / "etc/cdi/nvidia.json").write_text(json.dumps(SPEC))
    for node in (0, 1):
        (machine / f"dev/nvidia{node}").touch()
    return machine


def options(gpus, engine, root, accelerator="nvidia", caller=None):
    return grant_devices(gpus, accelerator, engine, host=caller or host(), root=root).options


def devices(gpus, root):
    return [word.partition("=")[2] for word in options(gpus, PODMAN, root)[1::2]]


def test_c03_podman_gets_devices_by_their_specification(with_cdi):
    assert options("all", PODMAN, with_cdi) == ("--device", "nvidia.com/gpu=all")
    assert devices("2", with_cdi) == ["0", "1"]
    assert devices("1", with_cdi) == ["0"]
    assert devices("device=1", with_cdi) == ["1"]
    assert devices("device=GPU-8f2a,0", with_cdi) == ["GPU-8f2a", "0"]
    # A Docker that reads specifications, too; one that does not is asked in its own way.
    assert options("all", Engine(name="docker", cdi_folders=("/etc/cdi",)), with_cdi)[0] == "--device"
    assert options("all", Engine(name="docker", cdi_folders=(), runtimes=("nvidia",)), with_cdi) == (
        "--gpus",
        "all",
    )


@pytest.mark.parametrize(
    ("gpus", "said"),
    [("3", "3 GPUs are asked for, and"), ("device=7", "there is no GPU 7"), ("device=0,x", "no GPU x")],
)
def test_c03_devices_that_are_not_there_are_told(with_cdi, gpus, said):
    with pytest.raises(RunStartError, match=said) as caught:
        options(gpus, PODMAN, with_cdi)
    assert "nvidia.json" in caught.value.what
    assert caught.value.hint


def test_c03_a_specification_of_yesterday(with_cdi):
    (with_cdi / "dev/nvidia1").unlink()
    assert devices("1", with_cdi) == ["0"]
    with pytest.raises(RunStartError, match="/dev/nvidia1, which does not exist") as caught:
        options("2", PODMAN, with_cdi)
    assert "nvidia-ctk cdi generate" in caught.value.hint


@pytest.mark.parametrize(
    ("gpus", "value"), [("all", "all"), ("2", "2"), ("device=0", "device=0"), ("device=0,1", '"device=0,1"')]
)
def test_c03_gpus_reach_docker_as_it_reads_them(machine, gpus, value):
    (machine / "dev/nvidiactl").touch()
    engine = Engine(name="docker", cdi_folders=(), runtimes=("nvidia", "runc"))
    assert options(gpus, engine, machine) == ("--gpus", value)


def test_c03_no_driver_no_toolkit_no_such_number(machine):
    for engine in (DOCKER, PODMAN):
        with pytest.raises(RunStartError, match="no NVIDIA driver") as caught:
            options("all", engine, machine)
        assert "--gpus none" in caught.value.hint
    (machine / "dev/nvidiactl").touch()
    with pytest.raises(RunStartError, match="toolkit is not installed"):
        options("all", DOCKER, machine)
    with pytest.raises(RunStartError, match="no device specification") as caught:
        options("all", PODMAN, machine)
    assert "nvidia-ctk cdi generate" in caught.value.hint
    tool = machine / "nvidia-container-runtime-hook"
    tool.touch(mode=0o755)
    tools = host(path=str(machine))
    assert options("all", DOCKER, machine, caller=tools) == ("--gpus", "all")
    for slot in ("0000:01:00.0", "0000:02:00.0"):
        (machine / "proc/driver/nvidia/gpus" / slot).mkdir(parents=True)
    assert options("2", DOCKER, machine, caller=tools)
    for gpus in ("3", "device=0,2"):
        with pytest.raises(RunStartError, match="driver lists 2"):
            options(gpus, DOCKER, machine, caller=tools)


def test_c03_an_engine_elsewhere_is_not_judged_by_this_machine(machine):
    assert options("all", Engine(name="docker", local=False), machine) == ("--gpus", "all")


def test_f16_moore_threads_by_their_variable_and_runtime(machine):
    engine = Engine(name="docker", runtimes=("mthreads", "runc"))
    with pytest.raises(RunStartError, match="no Moore Threads driver"):
        options("all", engine, machine, "mthreads")
    (machine / "dev/mtgpu.0").touch(mode=0o666)
    for gpus, value in (("all", "all"), ("2", "0,1"), ("device=1,3", "1,3")):
        grant = grant_devices(gpus, "mthreads", engine, host=host(), root=machine)
        assert grant.options == ("--runtime", "mthreads")
        assert grant.env == {"MTHREADS_VISIBLE_DEVICES": value}
    with pytest.raises(RunStartError, match="knows no runtime `mthreads`") as caught:
        options("all", DOCKER, machine, "mthreads")
    assert "docker setup" in caught.value.hint


def test_c10_moore_threads_devices_want_the_group(machine):
    engine = Engine(name="docker", runtimes=("mthreads",))
    node = machine / "dev/mtgpu.0"
    node.touch()
    node.chmod(0o660)
    gid = node.stat().st_gid
    with pytest.raises(RunStartError, match="you may not use"):
        options("all", engine, machine, "mthreads", host(uid=4321, groups=()))
    assert options("all", engine, machine, "mthreads", host(uid=4321, groups=(gid,)))


def test_none_keeps_devices_away_though_the_base_asks_for_all():
    grant = grant_devices("none", "nvidia", DOCKER, host=host())
    image = {"NVIDIA_VISIBLE_DEVICES": "all", "A": "1"}
    assert grant.applied(image) == {"NVIDIA_VISIBLE_DEVICES": "void", "A": "1"}
    assert grant.applied({"MTHREADS_VISIBLE_DEVICES": "all"}) == {"MTHREADS_VISIBLE_DEVICES": "none"}
    assert grant.applied({"A": "1"}) == {"A": "1"}
    assert grant.applied(image, asked={"NVIDIA_VISIBLE_DEVICES"}) == image


def test_the_engines_own_variables_are_left_to_it():
    grant = Grant(without=("NVIDIA_VISIBLE_DEVICES",), env={"B": "2"})
    assert grant.applied({"NVIDIA_VISIBLE_DEVICES": "all", "B": "1"}) == {"B": "2"}
    assert grant.applied({"B": "1"}, asked={"B"}) == {"B": "1"}


@given(st.binary(max_size=300), st.sampled_from(["a.json", "a.yaml"]))
def test_specifications_of_any_bytes(data, file):
    assert isinstance(parse_devices(data, "nvidia.com/gpu", file=file), tuple)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["kind", "devices", "name", "containerEdits", "deviceNodes"]), inner
            )
        ),
        max_leaves=10,
    )
)
def test_specifications_of_any_json(document):
    assert isinstance(parse_devices(json.dumps(document).encode(), "nvidia.com/gpu", file="a.json"), tuple)
