"""Components in a plan: what a step is made of, what it stands on, what the image says of MUSA."""

import pytest
import tree_sitter
import tree_sitter_bash

from layerwright.lock.model import Lock, LockedBase, LockedCell, LockedComponent
from layerwright.plan.build import make_plan
from layerwright.plan.components import archive_name, component_command
from layerwright.plan.config import image_env
from layerwright.plan.draw import plan_to_json
from layerwright.plan.nodes import make_node
from layerwright.plan.steps import MountedFile, Node, RunCommand
from layerwright.spec.model import Cell, Spec
from support.change import replace
from support.spec import spec_of

D = "0" * 64
SPEC = f"""
[components.mudnn]
url = "https://example.org/mudnn.tar.gz"
sha256 = "{"1" * 64}"
[components.musa_toolkit]
url = "https://example.org/toolkit.tar.gz"
sha256 = "{"2" * 64}"
[components.newer]
kind = "musa_toolkit"
url = "https://example.org/newer.tar.gz"
sha256 = "{"3" * 64}"
[defaults]
from = "debian:bookworm"
accelerator = "mthreads"
[images.base]
components = ["mudnn", "musa_toolkit"]
gpu_arch = "qy2"
[images.py]
python = "3.11"
components = ["mudnn", "musa_toolkit"]
env = {{ A = "1" }}
[images.child]
from = "image:base"
[images.next]
from = "image:base"
components = ["newer"]
"""


def lock_of(spec: Spec, *, size: int = 7) -> Lock:
    base = LockedBase(
        kind="debian",
        source="bookworm",
        digest=f"sha256:{D}",
        python="3.11.2",
        interpreter="/usr/bin/python3.11",
    )
    return Lock(
        cells={
            name: LockedCell(
                name=name,
                spec_digest="",
                base=LockedBase(kind="image", source=cell.base.source) if cell.base.kind == "image" else base,
                python=cell.python,
                platform="linux/amd64",
                components=tuple(
                    LockedComponent(name=one.name, url=one.url, sha256=one.sha256, size=size)
                    for one in cell.components
                ),
            )
            for name, cell in spec.cells.items()
        }
    )


def nodes_of(text: str = SPEC, *, size: int = 7) -> dict[str, dict[str, Node]]:
    """By cell, its nodes by title."""
    spec = spec_of(text)
    return {
        cell.cell: {node.title: node for node in cell.nodes}
        for cell in make_plan(spec, lock_of(spec, size=size), {}).cells
    }


def test_a_component_is_a_command_with_its_archive_beside_it() -> None:
    nodes = nodes_of()["base"]
    assert list(nodes)[:3] == ["base debian:bookworm", "component musa_toolkit", "component mudnn"]
    step = nodes["component mudnn"].step
    assert isinstance(step, RunCommand)
    assert step.files == (
        MountedFile(name="mudnn.tar.gz", url="https://example.org/mudnn.tar.gz", sha256="1" * 64, size=7),
    )
    assert (step.keep, step.network, step.secrets, step.workdir) == (True, False, (), "/")
    assert step.location is not None
    assert step.location.key == "components.mudnn"
    assert nodes["component mudnn"].inputs[-1] == nodes["component musa_toolkit"].digest


def test_all_that_follows_stands_on_the_toolkit() -> None:
    before = nodes_of()["base"]
    after = nodes_of(SPEC.replace("2" * 64, "4" * 64))["base"]
    same = {title for title in before if before[title].digest == after[title].digest}
    assert same == {"base debian:bookworm", "entry program"}
    changed = nodes_of(SPEC.replace("1" * 64, "4" * 64))["base"]
    assert changed["component musa_toolkit"].digest == before["component musa_toolkit"].digest
    assert changed["component mudnn"].digest != before["component mudnn"].digest


def test_where_an_archive_comes_from_and_what_else_the_image_has_do_not_matter() -> None:
    cells = nodes_of()
    assert cells["py"]["component mudnn"].digest == cells["base"]["component mudnn"].digest
    elsewhere = nodes_of(SPEC.replace("https://example.org/mudnn.tar.gz", "archives/mudnn.tar.gz"), size=0)
    assert elsewhere["base"]["component mudnn"].digest == cells["base"]["component mudnn"].digest


def test_commands_without_files_have_the_digests_they_always_had() -> None:
    one = make_node(RunCommand(argv=("true",)), (), "")
    assert one.digest == "sha256:23b7cbea55d31520b1652038a01c40d84a83a489efe2dc08d644a4afc0ef1bd3"


def test_a_child_does_not_install_again_what_its_parent_has_but_after_another_toolkit() -> None:
    cells = nodes_of()
    titles = {
        name: [title for title in nodes if title.startswith("component")] for name, nodes in cells.items()
    }
    assert titles["child"] == ["component musa_toolkit", "component mudnn"]
    # A title stands once in a table by titles: what counts is that muDNN is above the newer toolkit.
    spec = spec_of(SPEC)
    (plan,) = (cell for cell in make_plan(spec, lock_of(spec), {}).cells if cell.cell == "next")
    assert [node.title for node in plan.nodes if node.title.startswith("component")] == [
        "component musa_toolkit", "component mudnn", "component newer", "component mudnn",
    ]  # fmt: skip
    assert cells["child"]["component mudnn"].digest == cells["base"]["component mudnn"].digest


def env_of(name: str, text: str = SPEC) -> dict[str, str]:
    return image_env(spec_of(text).cells[name])


def test_programs_find_musa() -> None:
    assert env_of("base") == {
        "LANG": "C.UTF-8",
        "MUSA_HOME": "/usr/local/musa",
        "LD_LIBRARY_PATH": "/usr/local/musa/lib",
        "PATH": "/usr/local/musa/bin",
        "TORCH_MUSA_ARCH_LIST": "22",
    }
    assert env_of("child") == env_of("base")
    python = env_of("py")
    assert python["PATH"] == "/opt/venv/bin:/usr/local/musa/bin"
    assert "TORCH_MUSA_ARCH_LIST" not in python


def test_an_image_without_musa_says_nothing_of_it() -> None:
    plain = env_of("a", '[images.a]\nfrom = "debian:bookworm"\npython = "3.11"\n')
    assert plain == {"LANG": "C.UTF-8", "PATH": "/opt/venv/bin", "VIRTUAL_ENV": "/opt/venv"}
    bare = env_of("a", '[images.a]\nfrom = "x/musa:1"\naccelerator = "mthreads"\ngpu_arch = "ph1"\n')
    assert bare == {"LANG": "C.UTF-8", "TORCH_MUSA_ARCH_LIST": "31"}


def test_what_the_spec_says_counts_for_more() -> None:
    text = SPEC.replace(
        'env = { A = "1" }', 'env = { LD_LIBRARY_PATH = "/own", MTHREADS_VISIBLE_DEVICES = "0" }'
    )
    env = env_of("py", text)
    assert (env["LD_LIBRARY_PATH"], env["MTHREADS_VISIBLE_DEVICES"]) == ("/own", "0")


def test_the_plan_tells_what_is_mounted() -> None:
    spec = spec_of(SPEC)
    document = plan_to_json(make_plan(spec, lock_of(spec), {}))
    steps = document["images"][0]["steps"]
    (files,) = [step["files"] for step in steps if step["title"] == "component mudnn"]
    assert files == [
        {"name": "mudnn.tar.gz", "url": "https://example.org/mudnn.tar.gz", "sha256": "1" * 64, "size": 7}
    ]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://e.org/a/musa_toolkits_rc4.0.1.tar.gz", "musa_toolkits_rc4.0.1.tar.gz"),
        ("https://e.org/a.tar.gz?version=1/2#x", "a.tar.gz"),
        ("dir/odd 'name' $x,y=1.tgz", "odd__name___x_y_1.tgz"),
        ("https://e.org/", "e.org"),
        ("..", "archive"),
        ("a/.hidden.tar", "hidden.tar"),
    ],
)
def test_an_archives_name_is_plain(url: str, name: str) -> None:
    component = replace(spec_of(SPEC).components["mudnn"], url=url)
    assert archive_name(component) == name


@pytest.mark.parametrize("kind", ["musa_toolkit", "mudnn", "mccl", "musa_math", "other"])
@pytest.mark.parametrize("install", ["", "echo 'it''s' \"$PWD\" && ./x"])
def test_the_script_is_one_that_a_shell_can_read(kind: str, install: str) -> None:
    component = replace(spec_of(SPEC).components["mudnn"], kind=kind, install=install, name="a'b")
    script = component_command(component).argv[2]
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))
    assert not parser.parse(script.encode()).root_node.has_error


def test_a_cell_says_what_it_installs() -> None:
    cell: Cell = spec_of(SPEC).cells["next"]
    assert [one.name for one in cell.components] == ["newer", "mudnn"]
