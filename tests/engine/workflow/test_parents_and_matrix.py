"""Images on images, and cells of a matrix: what is shared is the same."""

from typing import Any

import pytest

from support.command import Project
from support.index import Index
from support.packages import make_heavy_wheel, make_wheel

pytestmark = pytest.mark.engine


def layers(image: dict[str, Any]) -> list[str]:
    return [layer["diff_id"] for layer in image["layers"]]


def by_cell(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {image["cell"]: image for image in document["images"]}


PARENTS = """\
[images.base]
packages = ["heavy", "shared"]
run = [{ script = "echo parent > /parent" }]
env = { FROM_PARENT = "1", BOTH = "parent" }
smoke = ["python -c 'import heavy'"]
[images.app]
from = "image:base"
packages = ["own"]
copy = [{ from = "src", to = "/opt/code" }]
env = { BOTH = "child" }
entrypoint = ["python"]
[images.grandchild]
from = "image:app"
packages = ["more"]
"""


@pytest.fixture
def family(project: Project, index: Index) -> Project:
    index.add(
        make_heavy_wheel("heavy"),
        make_wheel("shared"),
        make_wheel("shared", "2.0"),
        make_wheel("own", requires=["heavy", "shared"]),
        make_wheel("more"),
    )
    project.write({"src/a.py": "1\n"})
    project.spec(PARENTS.replace('"shared"]', '"shared<2"]'))
    return project


def test_a_child_starts_with_its_parents_layers(family: Project) -> None:
    images = by_cell(family("build", "--json").json())
    parent, child, grandchild = (layers(images[name]) for name in ("base", "app", "grandchild"))
    assert child[: len(parent)] == parent
    assert grandchild[: len(child)] == child
    assert len(grandchild) > len(child) > len(parent)
    text = (
        "import heavy, shared, own, os; "
        "print(os.environ['FROM_PARENT'], os.environ['BOTH'], open('/parent').read().strip(), shared.VERSION)"
    )
    assert family("run", "app", "-c", text).out == "1 child parent 1.0\n"
    assert family(
        "run", "grandchild", "-c", text + "; import more; print(open('/opt/code/a.py').read())"
    ).out == ("1 child parent 1.0\n1\n\n")


def test_children_follow_their_parent(family: Project) -> None:
    before = by_cell(family("build", "--json").json())
    family.spec(PARENTS.replace('"shared"]', '"shared>=2"]'))
    told = family("lock").out.splitlines()
    assert told == ["app, base, grandchild: shared 1.0 → 2.0 (loopback)"] or all(
        "shared 1.0 → 2.0" in line for line in told
    )
    after = by_cell(family("build", "--json", "grandchild").json())
    assert family("run", "grandchild", "-c", "import shared; print(shared.VERSION)").out == "2.0\n"
    assert after["grandchild"]["digest"] != before["grandchild"]["digest"]
    heavy = next(
        layer for layer in after["grandchild"]["layers"] if layer["created_by"].endswith("heavy 1.0")
    )
    assert heavy["cached"]
    # A child may not take what its parent has in another version: it says whose fault it is.
    family.spec(PARENTS.replace('["own"]', '["own", "shared<2"]').replace('"shared"]', '"shared>=2"]'))
    done = family("lock", status=3)
    assert "shared" in done.err
    assert "base" in done.err


def test_a_parent_that_fails_fails_its_children_only(family: Project) -> None:
    text = PARENTS.replace("import heavy'", "import heavy, nothing_like_it'")
    family.spec(text + '[images.apart]\npackages = ["more"]\n')
    done = family("build", "--json", status=4)
    assert "nothing_like_it" in done.err
    # A smoke test is no layer: children do not stand on it.
    assert "apart" in {image["cell"] for image in done.json()["images"]}
    assert [failure["cell"] for failure in done.json()["failures"]] == ["base"]
    family.spec(PARENTS.replace("echo parent > /parent", "exit 3") + '[images.apart]\npackages = ["more"]\n')
    document = family("build", "--json", status=4).json()
    assert [failure["cell"] for failure in document["failures"]] == ["base", "app", "grandchild"]
    assert [image["cell"] for image in document["images"]] == ["apart"]


def test_cells_share_what_is_the_same(project: Project, index: Index) -> None:
    index.add(
        make_heavy_wheel("heavy"), make_heavy_wheel("extra"), make_wheel("small"), make_wheel("small", "2.0")
    )
    project.spec(
        '[images.app]\npackages = ["heavy", "small<2"]\nentrypoint = ["python"]\n'
        '[images.app.matrix]\nvariant = ["slim", "full"]\naccelerator = ["cpu", "nvidia"]\n'
        '[[images.app.override]]\nwhen = { variant = "full" }\npackages = ["extra"]\n'
        'env = { KIND = "full" }\n'
    )
    document = project("build", "--json").json()
    images = by_cell(document)
    assert list(images) == ["app-slim-cpu", "app-slim-nvidia", "app-full-cpu", "app-full-nvidia"]
    assert images["app-slim-cpu"]["reference"] == "demo-app:1-slim-cpu"
    assert layers(images["app-slim-cpu"]) == layers(images["app-slim-nvidia"])  # labels differ, layers do not
    assert images["app-slim-cpu"]["digest"] != images["app-slim-nvidia"]["digest"]
    slim, full = set(layers(images["app-slim-cpu"])), set(layers(images["app-full-cpu"]))
    assert len(slim & full) >= 4
    titles = {layer["diff_id"]: layer["created_by"] for layer in images["app-full-cpu"]["layers"]}
    assert sorted(titles[layer] for layer in full - slim) == [
        "layerwright: bytecode extra 1.0",
        "layerwright: seal of the environment",
        "layerwright: wheels extra 1.0",
    ]
    assert "app-slim-cpu" in project("run", "app", status=2).err
    assert (
        project("run", "app-full-nvidia", "-c", "import extra, os; print(os.environ['KIND'])").out == "full\n"
    )
    assert [image["cell"] for image in project("build", "app-slim-cpu", "--json").json()["images"]] == [
        "app-slim-cpu"
    ]
    assert len(project("build", "app", "--json").json()["images"]) == 4
