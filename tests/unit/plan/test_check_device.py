"""check-device in plans: its step, the health check, children, labels; and where a spec cannot have it."""

import pytest

from layerwright.guest import CHECK_DEVICE_PATH
from layerwright.lock.model import Lock, LockedBase, LockedCell
from layerwright.oci.config import Settings
from layerwright.oci.fields import Fields
from layerwright.oci.image import build_image
from layerwright.plan.build import make_plan
from layerwright.plan.labels import declared_labels
from layerwright.plan.steps import CellPlan, InstallCheckDevice, SetConfig
from layerwright.spec.model import Spec
from support.spec import problem_of, spec_of

SHA = "0" * 64
SPEC = f"""\
[components.musa_toolkit]
url = "https://example.org/musa_toolkits_rc4.0.1.tar.gz"
sha256 = "{SHA}"
[components.extra]
kind = "other"
url = "https://example.org/extra_1.0.0.tar.gz"
sha256 = "{SHA}"
[sources.pytorch]
git = "https://github.com/pytorch/pytorch"
rev = "v2.2.0"
[images.base]
from = "ubuntu:22.04"
accelerator = "mthreads"
gpu_arch = "S80"
check_device = true
sources = [{{ source = "pytorch", to = "/home/pytorch" }}]
[images.child]
from = "image:base"
[images.without]
from = "image:base"
check_device = false
"""


def plans(spec: Spec) -> dict[str, CellPlan]:
    base = LockedBase(kind="registry", source="ubuntu:22.04", digest=f"sha256:{SHA}")
    cells = {
        name: LockedCell(name=name, spec_digest="s", base=base, python="", platform="linux/amd64", trees=())
        for name in spec.cells
    }
    return {plan.cell: plan for plan in make_plan(spec, Lock(cells=cells), {}).cells}


def config_of(plan: CellPlan) -> SetConfig:
    step = plan.nodes[-1].step
    assert isinstance(step, SetConfig)
    return step


def test_f17_one_step_and_a_health_check_for_children_too() -> None:
    spec = spec_of(SPEC.replace('sources = [{ source = "pytorch", to = "/home/pytorch" }]\n', ""))
    made = plans(spec)
    for name in ("base", "child", "without"):
        steps = [node.step for node in made[name].nodes if isinstance(node.step, InstallCheckDevice)]
        assert [step.accelerator for step in steps] == ["mthreads"]
    assert config_of(made["base"]).health == config_of(made["child"]).health == (CHECK_DEVICE_PATH, "--quick")
    assert config_of(made["without"]).health == ()


def test_f17_the_health_check_in_a_config() -> None:
    image = build_image(health=(CHECK_DEVICE_PATH, "--quick"))
    fields = Fields.parse(image.config, what="the config", limit=1 << 20)
    assert Settings.read(fields).health == ("CMD", CHECK_DEVICE_PATH, "--quick")
    check = fields.child("config").child("Healthcheck").values
    assert (check["Interval"], check["Retries"]) == (300 * 10**9, 3)
    assert any("HEALTHCHECK CMD" in line.text("created_by", "") for line in fields.children("history"))
    # A child without one keeps its base's, and says nothing of it anew.
    child = build_image(base=image)
    assert Settings.read(Fields.parse(child.config, what="x", limit=1 << 20)).health[1] == CHECK_DEVICE_PATH


def test_g01_what_an_image_says_of_its_parts() -> None:
    spec = spec_of(SPEC)
    cell = spec.cells["child"]
    said = declared_labels(cell.gpu_arch, spec.components.values(), spec.cells["base"].sources)
    assert said == {
        "dev.layerwright.gpu-arch": "qy1",
        "dev.layerwright.component.musa_toolkit": "rc4.0.1",
        "dev.layerwright.source.torch": "2.2.0",
    }


def test_f17_an_image_for_the_cpu_has_no_device() -> None:
    problem = problem_of('[images.a]\nfrom = "ubuntu:22.04"\ncheck_device = true\n')
    assert "computes on the CPU" in problem.what
    assert problem.where.key == "images.a.check_device"
    assert "mthreads" in problem.hint


@pytest.mark.parametrize("where", ["defaults", "images.a"])
def test_f17_cells_for_the_cpu_get_none(where: str) -> None:
    text = (
        '[defaults]\nfrom = "ubuntu:22.04"\n[images.a]\nlabels = {}\n[images.b]\n'
        '[images.a.matrix]\naccelerator = ["cpu", "nvidia", "mthreads"]\n'
    ).replace(f"[{where}]\n", f"[{where}]\ncheck_device = true\n")
    found = {name: cell.check_device for name, cell in spec_of(text).cells.items()}
    assert found == {"a-cpu": False, "a-nvidia": True, "a-mthreads": True, "b": False}
