"""The plan: what is shared, what changes a digest, and in which order layers stand."""

from pathlib import Path

import pytest
from msgspec import structs

from layerwright.core.errors import UsageError
from layerwright.guest import ENTRY_PATH
from layerwright.lock.model import Deb, Lock, LockedBase, LockedCell, LockedSource, LockedWheel
from layerwright.plan.build import make_plan
from layerwright.plan.draw import plan_to_json, plan_to_lines
from layerwright.plan.steps import BuildWheel, InstallWheels, RunCommand, SetConfig
from layerwright.plan.trees import TreeRequest, tree_requests
from layerwright.spec.parse import parse_spec
from support.change import replace

SPEC = """
[project]
name = "p"

[images.base]
from = "debian:bookworm"
python = "3.11"
tags = ["1"]
packages = ["big", "small"]
apt = ["libgl1"]

[images.infer]
from = "image:base"
tags = ["1"]
packages = ["extra"]
copy = [{ from = "src", to = "/code/src" }]
run = [{ script = "make -C /code" }]
smoke = ["python -c 'import big'"]
env = { A = "1" }
"""


def wheel(name: str, size: int) -> LockedWheel:
    return LockedWheel(
        name=name,
        version="1",
        file=f"{name}-1-py3-none-any.whl",
        sha256=name[0] * 64,
        size=size,
        index="pypi",
    )


def lock(*, big: str = "b", python: str = "3.11.2") -> Lock:
    deb = Deb(name="libgl1", version="1", architecture="amd64", sha256="d" * 64, size=1, path="pool/x.deb")
    base = LockedBase(
        kind="debian",
        source="bookworm",
        digest="sha256:" + "0" * 64,
        debs=(deb,),
        python=python,
        interpreter="/usr/bin/python3.11",
        glibc="2.36",
    )
    big_wheel = LockedWheel(
        name="big", version="1", file="big-1-py3-none-any.whl", sha256=big * 64, size=9_000_000
    )
    return Lock(
        cells={
            "base": LockedCell(
                name="base",
                spec_digest="s",
                base=base,
                python="3.11",
                platform="linux/amd64",
                apt=(deb,),
                wheels=(big_wheel, wheel("small", 10)),
            ),
            "infer": LockedCell(
                name="infer",
                spec_digest="s",
                base=LockedBase(kind="image", source="base"),
                python="3.11",
                platform="linux/amd64",
                wheels=(wheel("extra", 20),),
            ),
        }
    )


@pytest.fixture
def spec(tmp_path: Path):
    (tmp_path / "src").mkdir()
    return parse_spec(SPEC.encode(), file="layerwright.toml", root=tmp_path)


TREES = {TreeRequest(source="src"): "sha256:" + "7" * 64}


def kinds(cell) -> list[str]:
    return [type(node.step).__name__ for node in cell.nodes]


def test_layers_stand_in_the_canonical_order(spec):
    base, infer = make_plan(spec, lock(), TREES).cells
    assert kinds(base) == [
        "Base",
        "InstallApt",
        "InstallPython",
        "InstallEntry",
        *["InstallWheels"] * 4,
        "InstallSeal",
        "SetConfig",
    ]
    parts = [
        (node.step.part, [w.name for w in node.step.wheels])
        for node in base.nodes
        if isinstance(node.step, InstallWheels)
    ]
    assert parts == [("files", ["big"]), ("bytecode", ["big"]), ("files", ["small"]), ("bytecode", ["small"])]
    assert kinds(infer)[len(base.nodes) - 1 :] == [
        "InstallWheels",
        "InstallWheels",
        "InstallSeal",
        "CopyTree",
        "RunCommand",
        "RunCommand",
        "SetConfig",
    ]


def test_small_wheels_that_the_spec_names_stand_above_those_that_came_with_them(spec):
    cells = dict(lock().cells)
    more = (replace(wheel("named", 10), requested=True), wheel("came", 10), wheel("along", 10))
    cells["base"] = replace(cells["base"], wheels=(*cells["base"].wheels, *more))
    base, _ = make_plan(spec, Lock(cells=cells), TREES).cells
    steps = [node.step for node in base.nodes if isinstance(node.step, InstallWheels)]
    groups = [[item.name for item in step.wheels] for step in steps if step.part == "files"]
    assert groups == [["big"], ["along", "came", "small"], ["named"]]


def test_child_starts_with_its_parents_nodes(spec):
    base, infer = make_plan(spec, lock(), TREES).cells
    shared = [node for node in base.nodes if not isinstance(node.step, SetConfig)]
    assert list(infer.nodes[: len(shared)]) == shared
    assert infer.parent == "base"


def test_asking_for_a_child_plans_its_parent(spec):
    assert [cell.cell for cell in make_plan(spec, lock(), TREES, cells=["infer"]).cells] == ["base", "infer"]


def test_one_changed_wheel_changes_its_own_nodes_and_what_runs_over_them(spec):
    before = {node.digest: node for cell in make_plan(spec, lock(), TREES).cells for node in cell.nodes}
    after = {node.digest: node for cell in make_plan(spec, lock(big="c"), TREES).cells for node in cell.nodes}
    changed = sorted(
        {
            type(node.step).__name__ + ":" + node.title
            for digest, node in after.items()
            if digest not in before
        }
    )
    assert changed == [
        "InstallSeal:seal of 2 packages",
        "InstallSeal:seal of 3 packages",
        "InstallWheels:big 1",
        "InstallWheels:big 1 (bytecode)",
        "RunCommand:run make -C /code",
        "RunCommand:smoke python -c 'import big'",
        "SetConfig:config",
    ]


def test_another_interpreter_keeps_the_wheels_files_and_not_their_bytecode(spec):
    def wheels(python: str, part: str) -> list[str]:
        plan = make_plan(spec, lock(python=python), TREES, cells=["base"])
        return [
            n.digest for n in plan.cells[0].nodes if isinstance(n.step, InstallWheels) and n.step.part == part
        ]

    assert wheels("3.11.2", "files") == wheels("3.11.3", "files")
    assert not set(wheels("3.11.2", "bytecode")) & set(wheels("3.11.3", "bytecode"))


def test_titles_and_positions_stay_out_of_digests(spec, tmp_path):
    moved = parse_spec(b"# a comment\n\n" + SPEC.encode(), file="other.toml", root=tmp_path)
    first = [[node.digest for node in cell.nodes] for cell in make_plan(spec, lock(), TREES).cells]
    second = [[node.digest for node in cell.nodes] for cell in make_plan(moved, lock(), TREES).cells]
    assert first == second


def test_changed_source_changes_copy_and_what_follows(spec):
    other = {TreeRequest(source="src"): "sha256:" + "8" * 64}
    before = make_plan(spec, lock(), TREES).cells[1].nodes
    after = make_plan(spec, lock(), other).cells[1].nodes
    changed = [
        type(new.step).__name__ for old, new in zip(before, after, strict=True) if old.digest != new.digest
    ]
    assert changed == ["CopyTree", "RunCommand", "RunCommand", "SetConfig"]


def test_image_variables_reach_commands_and_config(spec):
    infer = make_plan(spec, lock(), TREES).cells[1]
    command = next(node.step for node in infer.nodes if isinstance(node.step, RunCommand))
    assert command.env["A"] == "1"
    assert command.env["PATH"] == "/opt/venv/bin"
    assert infer.nodes[-1].step.env["A"] == "1"


def config_of(text: str, tmp_path: Path) -> tuple[SetConfig, list[str]]:
    described = SPEC.replace('env = { A = "1" }', f'env = {{ A = "1" }}\n{text}')
    cell = make_plan(parse_spec(described.encode(), file="s.toml", root=tmp_path), lock(), TREES).cells[-1]
    config = cell.nodes[-1].step
    assert isinstance(config, SetConfig)
    return config, kinds(cell)


def test_images_start_through_the_entry_program(spec, tmp_path):
    config, steps = config_of('entrypoint = ["python", "-u"]\nwritable = ["HF_HOME", "TORCH_HOME"]', tmp_path)
    assert config.entrypoint == (ENTRY_PATH, "python", "-u")
    assert config.env["LAYERWRIGHT_WRITABLE"] == "HF_HOME=hf_home TORCH_HOME=torch_home"
    assert steps.count("InstallEntry") == 1  # the parent's
    assert config_of("", tmp_path)[0].entrypoint == (ENTRY_PATH,)
    config, _ = config_of('entry_program = false\nentrypoint = ["python"]\nwritable = ["HF_HOME"]', tmp_path)
    assert config.entrypoint == ("python",)
    assert "LAYERWRIGHT_WRITABLE" not in config.env


def test_a_base_with_an_entrypoint_of_its_own_keeps_it(tmp_path):
    described = SPEC.replace("debian:bookworm", "nvcr.io/nvidia/pytorch:24.05-py3")
    cells = dict(lock().cells)
    base = structs.replace(cells["base"].base, kind="registry", source="nvcr.io/nvidia/pytorch:24.05-py3")
    cells["base"] = replace(cells["base"], base=base)
    (tmp_path / "src").mkdir()
    spec = parse_spec(described.encode(), file="s.toml", root=tmp_path)
    cell = make_plan(spec, Lock(cells=cells), TREES, cells=["base"]).cells[0]
    assert "InstallEntry" not in kinds(cell)
    assert cell.nodes[-1].step.entrypoint == ()


def test_cell_missing_from_the_lock_is_said(spec):
    with pytest.raises(UsageError) as caught:
        make_plan(spec, Lock(cells={}), TREES)
    assert "base" in caught.value.what
    assert "layerwright lock" in caught.value.hint


def test_base_without_python_is_said_with_its_place(spec):
    broken = lock()
    cells = dict(broken.cells)
    cells["base"] = replace(cells["base"], base=replace(cells["base"].base, interpreter=""))
    with pytest.raises(UsageError) as caught:
        make_plan(spec, Lock(cells=cells), TREES)
    assert "Python 3.11" in caught.value.what
    assert caught.value.where is not None
    assert caught.value.where.key == "images.base"


def test_tree_requests_name_what_is_copied(spec):
    assert tree_requests(spec.cells.values(), ()) == {TreeRequest(source="src")}


def test_a_project_without_a_version_stands_on_its_commit_too(tmp_path):
    text = SPEC.replace('"small"]', '{ path = "src" }]')
    (tmp_path / "src").mkdir()
    spec = parse_spec(text.encode(), file="layerwright.toml", root=tmp_path)
    known = lock()
    # `other` was brought by `app`, whose own settings name its folder
    sources = tuple(
        LockedSource(name=name, version=version, kind="path", source=folder)
        for name, version, folder in (("app", "", "src"), ("other", "1", "lib"))
    )
    cells = {**known.cells, "base": replace(known.cells["base"], sources=sources)}
    source, lib = TreeRequest(source="src"), TreeRequest(source="lib")
    commit = TreeRequest(source="src", commit=True)
    assert tree_requests(spec.cells.values(), cells.values()) == {source, lib, commit}

    def builds(description):
        trees = {source: "7" * 64, lib: "8" * 64, commit: description}
        nodes = make_plan(spec, Lock(cells=cells), trees).cells[0].nodes
        return [node for node in nodes if isinstance(node.step, BuildWheel)]

    app, other = builds("v1-0-g012345678")
    assert (app.step.commit, other.step.commit) == ("v1-0-g012345678", "")
    assert app.title == "build app"
    tagged_app, tagged_other = builds("v2-0-g012345678")
    assert tagged_app.digest != app.digest
    assert tagged_other.digest == other.digest


def test_json_has_the_fixed_shape(spec):
    document = plan_to_json(make_plan(spec, lock(), TREES))
    assert document["schema"] == 1
    first = document["images"][0]
    assert {"cell", "reference", "platform", "steps"} <= set(first)
    assert first["reference"] == "p-base:1"
    assert all({"kind", "digest"} <= set(step) for step in first["steps"])


def test_text_marks_shared_steps(spec):
    lines = list(plan_to_lines(make_plan(spec, lock(), TREES)))
    assert any(line.endswith("= base") for line in lines)
    assert lines[0].startswith("base  p-base:1")
