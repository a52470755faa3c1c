"""torch_musa computes on a Moore Threads GPU.

``LAYERWRIGHT_TEST_MUSA_IMAGE`` names an image with torch_musa that Docker has or can pull, such as one of Moore
Threads' own; its SDK must be the one that the machine's driver goes with.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from support.command import Command

pytestmark = [pytest.mark.gpu, pytest.mark.network, pytest.mark.timeout(3600)]

SPEC = """
[project]
name = "musa-trial"
version = "1"

[images.musa]
from = "BASE"
role = "inference"
accelerator = "mthreads"
check_device = true
entrypoint = ["python", "-c"]
"""
COMPUTE = """
import torch, torch_musa
a = torch.arange(16.0).reshape(4, 4)
assert torch.allclose((a.to("musa") @ a.to("musa")).cpu(), a @ a)
print(torch.musa.device_count() > 0)
"""


@pytest.fixture(scope="module")
def trial(project: Callable[[str, str], Command]) -> Command:
    if not list(Path("/dev").glob("mtgpu*")):
        pytest.skip("this machine has no Moore Threads GPU")
    image = os.environ.get("LAYERWRIGHT_TEST_MUSA_IMAGE", "")
    if not image:
        pytest.skip("LAYERWRIGHT_TEST_MUSA_IMAGE names no image with torch_musa")
    return project("musa", SPEC.replace("BASE", f"docker:{image}"))


def test_torch_musa_computes_on_the_gpu(trial: Command) -> None:
    done = trial("run", "--engine", "docker", "--gpus", "all", "musa", COMPUTE, timeout=3000)
    assert done.out.strip() == "True"


def test_the_self_check_agrees(trial: Command) -> None:
    trial("run", "--engine", "docker", "--gpus", "all", "musa", "check-device", timeout=600)
    trial("run", "--engine", "docker", "--gpus", "none", "musa", "check-device", status=1, timeout=600)


def test_one_of_the_devices(trial: Command) -> None:
    text = "import torch, torch_musa; print(torch.musa.device_count())"
    done = trial("run", "--engine", "docker", "--gpus", "device=0", "musa", text, timeout=600)
    assert done.out.strip() == "1"
