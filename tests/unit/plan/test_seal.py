"""What stands in an environment of its lock, and who has it."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from layerwright.lock.model import Lock, LockedBase, LockedCell, LockedSource, LockedWheel
from layerwright.plan.build import make_plan
from layerwright.plan.seal import CONSTRAINTS, read_locked, seal_files
from layerwright.plan.steps import CellPlan, InstallSeal, SealedPackage
from layerwright.spec.parse import parse_spec

SPEC = """
[project]
name = "p"
[images.base]
from = "{base}"
python = "3.11"
packages = ["torch"]
{first}
[images.child]
from = "image:base"
packages = ["vision"]
run = [{{ script = "pip check" }}]
{second}
"""
TORCH = SealedPackage(name="torch", version="2.1.0+musa", sha256="a" * 64)
VISION = SealedPackage(name="vision", version="0.16", sha256="b" * 64)


def cells(tmp_path: Path, first: str = "", second: str = "", base: str = "debian:bookworm"):
    text = SPEC.format(base=base, first=first, second=second)
    kind, _, source = base.partition(":")
    locked_base = LockedBase(
        kind="debian" if kind == "debian" else "registry",
        source=source,
        python="3.11.2",
        interpreter="/usr/bin/python3.11",
    )
    wheels = [
        LockedWheel(name=one.name, version=one.version, file="x.whl", sha256=one.sha256, size=1)
        for one in (TORCH, VISION)
    ]
    made = {
        name: LockedCell(
            name=name,
            spec_digest="s",
            base=locked_base if name == "base" else LockedBase(kind="image", source="base"),
            python="3.11",
            platform="linux/amd64",
            wheels=(wheel,),
        )
        for name, wheel in zip(("base", "child"), wheels, strict=True)
    }
    return make_plan(parse_spec(text.encode(), file="s.toml", root=tmp_path), Lock(cells=made), {}).cells


def seals(cell: CellPlan) -> list[tuple[SealedPackage, ...]]:
    return [node.step.packages for node in cell.nodes if isinstance(node.step, InstallSeal)]


def test_b06_a_child_seals_its_parents_packages_too(tmp_path):
    base, child = cells(tmp_path)
    assert seals(base) == [(TORCH,)]
    assert seals(child) == [(TORCH,), (TORCH, VISION)]
    command = next(node.step for node in child.nodes if node.title.startswith("run"))
    for step in (base.nodes[-1].step, child.nodes[-1].step, command):
        assert step.env["UV_CONSTRAINT"] == CONSTRAINTS
        assert "PIP_CONSTRAINT" not in step.env


def test_b06_a_seal_can_be_left_out_or_opened(tmp_path):
    base, child = cells(tmp_path, "sealed = false")
    assert (seals(base), seals(child)) == ([], [(TORCH, VISION)])
    assert "UV_CONSTRAINT" not in base.nodes[-1].step.env
    base, child = cells(tmp_path, "", "sealed = false")
    assert (seals(base), seals(child)) == ([(TORCH,)], [(TORCH,), ()])
    assert "UV_CONSTRAINT" not in child.nodes[-1].step.env


def test_b06_a_variable_of_a_base_does_not_open_the_seal(tmp_path):
    base, child = cells(tmp_path, base="nvcr.io/nvidia/pytorch:24.05-py3")
    assert base.nodes[-1].step.env["PIP_CONSTRAINT"] == CONSTRAINTS
    assert child.nodes[-1].step.env["PIP_CONSTRAINT"] == CONSTRAINTS
    base, _ = cells(
        tmp_path, 'env = { PIP_CONSTRAINT = "/own", UV_CONSTRAINT = "" }', base="nvcr.io/nvidia/pytorch:24.05"
    )
    assert base.nodes[-1].step.env["PIP_CONSTRAINT"] == "/own"
    assert base.nodes[-1].step.env["UV_CONSTRAINT"] == ""


def test_b06_the_texts(tmp_path):
    own = SealedPackage(name="own")
    files = seal_files(InstallSeal(packages=(own, TORCH)))
    assert files["share/layerwright/constraints.txt"].splitlines()[1:] == ["torch==2.1.0+musa"]
    assert files["pip.conf"] == f"[install]\nconstraint = {CONSTRAINTS}\n"
    assert read_locked(files["share/layerwright/locked.json"].encode()) == (own, TORCH)
    assert read_locked(seal_files(InstallSeal(packages=()))["share/layerwright/locked.json"].encode()) == ()


@given(st.binary() | st.from_regex(rb'\{"schema": ?1, ?"packages": ?\{.*\}\}', fullmatch=True))
def test_notes_that_anyone_wrote_are_read_or_passed_over(text):
    assert isinstance(read_locked(text), tuple)


def test_sources_are_noted_without_the_digest_of_another_file(tmp_path):
    source = LockedSource(name="own", version="1", kind="sdist", source="own-1.tar.gz", sha256="c" * 64)
    text = (
        '[project]\nname = "p"\n[images.app]\nfrom = "debian:bookworm"\npython = "3.11"\npackages = ["own"]\n'
    )
    base = LockedBase(kind="debian", source="bookworm", python="3.11.2", interpreter="/usr/bin/python3.11")
    cell = LockedCell(
        name="app", spec_digest="s", base=base, python="3.11", platform="linux/amd64", sources=(source,)
    )
    spec = parse_spec(text.encode(), file="s.toml", root=tmp_path)
    (planned,) = make_plan(spec, Lock(cells={"app": cell}), {}).cells
    assert seals(planned) == [(SealedPackage(name="own", version="1"),)]
