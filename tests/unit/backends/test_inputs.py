from types import SimpleNamespace

from layerwright.backends.native.inputs import fetch_inputs, needs_fetch
from layerwright.core.source import Location
from layerwright.lock import LockedFile
from layerwright.plan.nodes import make_node
from layerwright.plan.steps import FetchFile, InstallWheels, MountedFile, RunCommand, WheelInput

HERE = Location(file="layerwright.toml", key="images.a.models[0]")
MODEL = FetchFile(url="models/m.onnx", sha256="1" * 64, to="/m.onnx", location=HERE)
WHEEL = WheelInput(
    name="six", version="1", file="six-1-py3-none-any.whl", sha256="2" * 64, size=3, index="pypi"
)


def fetched(nodes, *, present=()):
    """What the fetcher is asked for, when the store has ``present``."""
    calls = []
    workshop = SimpleNamespace(
        store=SimpleNamespace(has=lambda room, digest: (room, digest) in present),
        fetcher=lambda: SimpleNamespace(fetch=lambda **asked: calls.append(asked)),
    )
    fetch_inputs(workshop, nodes)
    return calls


def test_what_is_missing_is_fetched_in_one_go_and_models_point_at_the_spec():
    wheels = InstallWheels(wheels=(WHEEL,), part="files", python="3.11")
    [asked] = fetched([make_node(step, (), "") for step in (MODEL, wheels)])
    assert asked["files"] == [LockedFile(url="models/m.onnx", sha256="1" * 64, size=0, to="/m.onnx")]
    assert [wheel.file for wheel in asked["wheels"]] == ["six-1-py3-none-any.whl"]
    assert asked["places"] == {"1" * 64: HERE}


def test_what_is_there_is_not_asked_for():
    assert fetched([make_node(MODEL, (), "")], present={("files", "1" * 64)}) == []


def test_files_that_a_command_sees_are_fetched_and_point_at_the_spec():
    step = RunCommand(
        argv=("true",),
        files=(MountedFile(name="a.tgz", url="a.tgz", sha256="3" * 64, size=5),),
        location=HERE,
    )
    [asked] = fetched([make_node(step, (), "")])
    assert asked["files"] == [LockedFile(url="a.tgz", sha256="3" * 64, size=5, to="a.tgz")]
    assert asked["places"] == {"3" * 64: HERE}
    assert needs_fetch(make_node(step, (), ""))
    assert not needs_fetch(make_node(RunCommand(argv=("true",)), (), ""))
    assert fetched([make_node(step, (), "")], present={("files", "3" * 64)}) == []
