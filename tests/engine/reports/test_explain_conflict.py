"""``explain conflict`` and the reports of ``check``: the real command line, uv, and an index on this machine.

The base is one that is known by its name, so nothing is pulled.
"""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from support.command import Project, new_project
from support.index import Index
from support.packages import make_wheel, project_text

pytestmark = pytest.mark.engine

BASE = "nvcr.io/nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04"
SCHEMA = json.loads((Path(__file__).parents[2] / "data/sarif/sarif-2.1.0.json").read_text(encoding="utf-8"))


@pytest.fixture
def readers(tmp_path: Path, home: Path, index: Index) -> Project:
    """A project on a known base with an index of its own."""
    return new_project(
        tmp_path / "project", home=home, store=tmp_path / "store", base=BASE, index=index.simple
    )


def write(project: Project, images: str) -> None:
    project.spec(images)
    text = (project.folder / "layerwright.toml").read_text(encoding="utf-8")
    (project.folder / "layerwright.toml").write_text(text.replace('"3.11"', '"3.10"'), encoding="utf-8")


BOTH = """\
[images.both]
packages = [
  "docaligner-docsaid==1.1.1",
  { path = "mrz" },
]
"""


@pytest.fixture
def both(readers: Project, index: Index) -> Project:
    """Two projects whose requirements exclude each other; an older release of one of them would do."""
    index.add(
        make_wheel("capybara-docsaid", "0.12.0"),
        make_wheel("capybara-docsaid", "1.0.1"),
        make_wheel("docaligner-docsaid", "1.1.1", requires=["capybara_docsaid>=0.5.1,<1.0.0"]),
        make_wheel("docaligner-docsaid", "1.1.0", requires=["capybara_docsaid>=0.5.1"]),
    )
    readers.write(
        {
            "mrz/pyproject.toml": project_text(
                "mrzscanner", "2.0.0", requires=["capybara-docsaid>=1.0.0,<2.0.0"]
            )
        }
    )
    write(readers, BOTH)
    return readers


def test_two_projects_that_exclude_each_other(both: Project) -> None:
    done = both("explain", "conflict", status=1)
    assert "capybara-docsaid>=0.5.1,<1.0.0" in done.out
    assert "capybara-docsaid>=1.0.0,<2.0.0" in done.out
    assert "no version of capybara-docsaid is both" in done.out
    lines = (both.folder / "layerwright.toml").read_text(encoding="utf-8").splitlines()
    for asked in ('"docaligner-docsaid==1.1.1"', '{ path = "mrz" }'):
        number = next(at for at, line in enumerate(lines, 1) if asked in line)
        assert f"layerwright.toml:{number}:3" in done.out
    assert "we can conclude that your requirements are unsatisfiable" in done.out
    # what the resolver would take instead was tried, and works
    assert '+ "docaligner-docsaid==1.1.0",' in done.out
    assert not both.lock.exists()
    text = (both.folder / "layerwright.toml").read_text(encoding="utf-8")
    mended = text.replace("docaligner-docsaid==1.1.1", "docaligner-docsaid==1.1.0")
    (both.folder / "layerwright.toml").write_text(mended, encoding="utf-8")
    assert both("explain", "conflict").out == "nothing clashes in 1 image\n"


def test_the_same_as_json(both: Project) -> None:
    (found,) = both("explain", "conflict", "--json", status=1).json()["findings"]
    assert found["code"] == "LW-REQUIREMENTS"
    assert [one["kind"] for one in found["members"]] == ["requirement", "requirement"]
    assert all(one["location"]["line"] for one in found["members"])
    assert found["fix"][0]["verified"]


def test_other_commands_point_to_it(both: Project) -> None:
    done = both("check", status=3)
    assert "depends on capybara-docsaid>=0.5.1,<1.0.0" in done.err
    assert "layerwright explain conflict" in done.err


@pytest.fixture
def old_base(readers: Project, index: Index) -> Project:
    """ONNX Runtime for CUDA 12 on CUDA 11.8. The wheels are hollow, so the recorded releases speak."""
    index.add(
        make_wheel("onnxruntime-gpu", "1.20.0", tag="cp310-cp310-manylinux_2_27_x86_64"),
        make_wheel("numpy", "1.26.4", tag="cp310-cp310-manylinux_2_17_x86_64"),
    )
    write(
        readers,
        '[images.infer]\nrole = "inference"\naccelerator = "nvidia"\n'
        'packages = ["onnxruntime-gpu==1.20.0", "numpy==1.26.4"]\n',
    )
    return readers


def test_a_clash_of_base_and_wheel(old_base: Project) -> None:
    done = old_base("explain", "conflict", status=1)
    assert "onnxruntime-gpu 1.20.0 needs CUDA 12" in done.out
    assert "Take any one of them away" in done.out
    assert BASE in done.out
    assert '+ from = "nvcr.io/nvidia/cuda:12.' in done.out
    # the repair holds when it is made
    edit = next(line for line in done.out.splitlines() if '+ from = "' in line).partition("+ ")[2]
    text = (old_base.folder / "layerwright.toml").read_text(encoding="utf-8")
    (old_base.folder / "layerwright.toml").write_text(
        text.replace(f'from = "{BASE}"', edit), encoding="utf-8"
    )
    assert old_base("explain", "conflict").out == "nothing clashes in 1 image\n"
    old_base("check")


def test_check_tells_it_to_code_hosts(old_base: Project) -> None:
    done = old_base("check", "--sarif", "findings.sarif", status=1)
    assert "error[LW-ORT-CUDA]" in done.out
    assert "(checked: the clash is gone)" in done.out
    log = json.loads((old_base.folder / "findings.sarif").read_text(encoding="utf-8"))
    Draft202012Validator(SCHEMA).validate(log)
    (run,) = log["runs"]
    result = next(one for one in run["results"] if one["ruleId"] == "LW-ORT-CUDA")
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "layerwright.toml", "uriBaseId": "%SRCROOT%"}
    lines = (old_base.folder / "layerwright.toml").read_text(encoding="utf-8").splitlines()
    region = place["region"]
    marked = lines[region["startLine"] - 1][region["startColumn"] - 1 : region["endColumn"] - 1]
    assert marked == '"onnxruntime-gpu==1.20.0"'
    rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert rule["help"]["text"]
    only = json.loads(old_base("check", "--sarif", "-", "--quiet", status=1).out)
    assert only["runs"][0]["results"] == run["results"]


def test_text_survives_a_locale_without_letters(old_base: Project) -> None:
    text = (old_base.folder / "layerwright.toml").read_text(encoding="utf-8")
    (old_base.folder / "layerwright.toml").write_text(
        text.replace('"numpy==1.26.4"]', '"numpy==1.26.4"]  # 影像'), encoding="utf-8"
    )
    done = old_base.command.with_variables(LC_ALL="C", PYTHONUTF8="0")("check", status=1)
    assert "\N{CJK UNIFIED IDEOGRAPH-5F71}" in done.out
    assert "^^^" in done.out
