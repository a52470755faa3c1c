"""ONNX Runtime computes on an NVIDIA GPU, and says so when it would not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support.command import Command

pytestmark = [pytest.mark.gpu, pytest.mark.network, pytest.mark.timeout(1800)]

SPEC = """
[project]
name = "gpu-trial"
version = "1"

[images.ort]
from = "debian:bookworm"
role = "inference"
accelerator = "nvidia"
python = "3.11"
packages = ["onnxruntime-gpu[cuda,cudnn]==1.26.0", "onnx", "numpy>=2"]
check_device = true
entrypoint = ["python", "-c"]
"""
COMPUTE = """
import numpy, onnx, onnxruntime
from onnx import TensorProto, helper
onnxruntime.preload_dlls()
node = helper.make_node("MatMul", ["a", "b"], ["c"])
shape = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [64, 64])
graph = helper.make_graph([node], "g", [shape("a"), shape("b")], [shape("c")])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CUDAExecutionProvider"])
a = numpy.random.default_rng(0).random((64, 64), dtype=numpy.float32)
(c,) = session.run(None, {"a": a, "b": a})
assert numpy.allclose(c, a @ a, rtol=1e-2)
print(session.get_providers()[0])
"""


@pytest.fixture(scope="module")
def trial(project: Callable[[str, str], Command]) -> Command:
    if not Path("/proc/driver/nvidia/version").exists():
        pytest.skip("this machine has no NVIDIA driver")
    return project("ort", SPEC)


def test_onnx_runtime_computes_on_the_gpu(trial: Command) -> None:
    done = trial("run", "--engine", "docker", "--gpus", "all", "ort", COMPUTE, timeout=1500)
    assert done.out.strip() == "CUDAExecutionProvider"


def test_without_a_gpu_it_does_not(trial: Command) -> None:
    done = trial("run", "--engine", "docker", "--gpus", "none", "ort", COMPUTE, timeout=1500)
    assert done.out.strip() == "CPUExecutionProvider"


def test_the_self_check_agrees(trial: Command) -> None:
    trial("run", "--engine", "docker", "--gpus", "all", "ort", "check-device", timeout=300)
    trial("run", "--engine", "docker", "--gpus", "none", "ort", "check-device", status=1, timeout=300)


def test_the_machine_is_known_to_check(trial: Command, tmp_path: Path) -> None:
    record = tmp_path / "host.json"
    trial("doctor", "--record", record, status=None)
    assert trial("check", "--host", record, status=None).status in {0, 1}
