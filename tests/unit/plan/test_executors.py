"""What images of executors hold beyond others: /img-man, and an entrypoint that is silent."""

from pathlib import Path

import pytest
import yaml

from layerwright.guest import ENTRY_PATH
from layerwright.lock.model import Lock, LockedBase, LockedCell
from layerwright.plan.build import make_plan
from layerwright.plan.steps import CellPlan, Node, RunCommand, SetConfig, WriteFiles
from layerwright.spec.parse import parse_spec

SPEC = """
[project]
name = "p"
[images.a]
from = "debian:bookworm"
role = "executor"
run = [{{ script = "true" }}]
{first}
[images.b]
from = "image:a"
{second}
"""


def plans(
    tmp_path: Path, first: str = "", second: str = "", *, base: str = "debian:bookworm"
) -> dict[str, CellPlan]:
    text = SPEC.format(first=first, second=second).replace("debian:bookworm", base)
    kind = "debian" if base.startswith("debian") else "registry"
    bases = {"a": LockedBase(kind=kind, source=base), "b": LockedBase(kind="image", source="a")}
    cells = {
        name: LockedCell(name=name, spec_digest="s", base=one, python="", platform="linux/amd64")
        for name, one in bases.items()
    }
    spec = parse_spec(text.encode(), file="s.toml", root=tmp_path)
    return {one.cell: one for one in make_plan(spec, Lock(cells=cells), {}).cells}


def texts(plan: CellPlan) -> list[Node]:
    return [node for node in plan.nodes if isinstance(node.step, WriteFiles)]


def config(plan: CellPlan) -> SetConfig:
    step = plan.nodes[-1].step
    assert isinstance(step, SetConfig)
    return step


def test_the_files_stand_before_the_commands(tmp_path):
    plan = plans(tmp_path, 'parameters = [{ name = "x", default = 1 }]')["a"]
    (node,) = texts(plan)
    assert isinstance(node.step, WriteFiles)
    assert node.step.to == "/img-man"
    files = {file.path: file.text for file in node.step.files}
    assert list(files) == sorted(files)
    assert yaml.safe_load(files["training-template.yaml"]) == {"x": 1}
    command = next(node for node in plan.nodes if isinstance(node.step, RunCommand))
    assert plan.nodes.index(node) < plan.nodes.index(command)
    assert node.title == "img-man training mining infer"


def test_other_roles_have_none(tmp_path):
    made = plans(tmp_path, second='role = "inference"')["b"]
    assert len(texts(made)) == 1  # the parent's
    assert not texts(plans(tmp_path)["b"])[1:]


def test_a_child_that_says_the_same_adds_nothing(tmp_path):
    made = plans(tmp_path, second='role = "executor"')
    assert [node.digest for node in texts(made["b"])] == [node.digest for node in texts(made["a"])]


def test_a_child_that_says_more_has_its_own(tmp_path):
    made = plans(tmp_path, second='role = "executor"\nparameters = [{ name = "y", default = 2 }]')
    assert len(texts(made["b"])) == 2


@pytest.mark.parametrize("change", ["default = 2", 'help = "more"', "maximum = 5"])
def test_every_part_of_a_parameter_changes_the_digest(tmp_path, change):
    before = '[[images.a.parameters]]\nname = "x"\ndefault = 1\n'
    after = before.replace("default = 1", change if "default" in change else f"default = 1\n{change}")
    one, other = (texts(plans(tmp_path, text)["a"])[0] for text in (before, after))
    assert one.digest != other.digest


def test_the_place_in_the_file_changes_nothing(tmp_path):
    parameters = '[[images.a.parameters]]\nname = "x"\ndefault = 1\n'
    one, other = (texts(plans(tmp_path, text)["a"])[0] for text in (parameters, f"\n\n{parameters}"))
    assert one.digest == other.digest


@pytest.mark.parametrize("base", ["debian:bookworm", "nvcr.io/nvidia/cuda:12.4.1-runtime-ubuntu22.04"])
def test_the_entrypoint_is_ours_whatever_the_base_has(tmp_path, base):
    made = config(plans(tmp_path, base=base)["a"])
    assert made.entrypoint == (ENTRY_PATH,)
    assert made.command == ("bash", "/usr/bin/start.sh")
    assert made.labels["dev.layerwright.role"] == "executor"
