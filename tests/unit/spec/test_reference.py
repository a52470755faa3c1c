"""The schema, the reference page, the examples and the starter agree with the parser."""

import json
import runpy
import sys
from pathlib import Path

import pytest
import tomli
from jsonschema import Draft7Validator

from layerwright.spec import keys
from layerwright.spec.diagnose import structural_faults
from layerwright.spec.schema import json_schema
from layerwright.spec.template import starter
from support.spec import spec_of

ROOT = Path(__file__).parents[3]
TOOL = ROOT / "tools" / "generate_spec_reference.py"
SCHEMA = ROOT / "src" / "layerwright" / "spec" / "layerwright.schema.json"


def examples():
    schema = json_schema()
    for name, table in {"SpecFile": schema, **schema["definitions"]}.items():
        for key, value in table["properties"].items():
            for example in value.get("examples", ()):
                yield pytest.param(value, example, id=f"{name}.{key}")
            if "default" in value:
                yield pytest.param(value, value["default"], id=f"{name}.{key} default")


def test_schema_and_page_are_up_to_date():
    main = runpy.run_path(str(TOOL))["main"]
    assert main(["--check"]) == 0


def test_check_tells_what_is_out_of_date(tmp_path, capsys):
    tool = runpy.run_path(str(TOOL))
    main = tool["main"]
    main.__globals__.update(ROOT=tmp_path, SCHEMA=tmp_path / "s.json", PAGE=tmp_path / "docs" / "p.md")
    assert main(["--check"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "s.json is out of date: run tools/generate_spec_reference.py",
        "docs/p.md is out of date: run tools/generate_spec_reference.py",
    ]
    assert main([]) == 0
    assert main(["--check"]) == 0


def test_the_shipped_schema_is_a_schema():
    Draft7Validator.check_schema(json.loads(SCHEMA.read_text(encoding="utf-8")))


@pytest.mark.parametrize(("schema", "example"), list(examples()))
def test_every_example_and_default_is_valid(schema, example):
    Draft7Validator({**schema, "definitions": json_schema()["definitions"]}).validate(example)


def test_every_key_is_described():
    schema = json_schema()
    for name, table in {"SpecFile": schema, **schema["definitions"]}.items():
        assert table["description"], name
        for key, value in table["properties"].items():
            assert value.get("description"), f"{name}.{key}"


def test_every_table_has_its_section():
    page = (ROOT / "docs" / "reference" / "spec.md").read_text(encoding="utf-8")
    tool = runpy.run_path(str(TOOL))
    assert set(tool["TABLES"]) == set(json_schema()["definitions"])
    for title in tool["TABLES"].values():
        assert f"\n## {title}\n" in page


def test_public_names_of_the_declaration():
    assert set(keys.__all__) == set(json_schema()["definitions"]) | {"SpecFile"}


@pytest.mark.parametrize("name", ["demo", "", "收据", 'a "quoted" \\ name', "tab\there", "\x7f", "bad\udcff"])
def test_the_starter_is_a_valid_spec(name):
    text = starter(name)
    text.encode()
    spec = spec_of(text)
    assert list(spec.cells) == ["base", "app"]
    assert spec.project == (name.encode(errors="replace").decode() or "project")


def test_the_starters_commented_parts_are_valid_too():
    lines = (
        starter("demo").replace("…/model", "example.org/model").replace('"…"', f'"{"0" * 64}"').splitlines()
    )
    start = next(
        number for number, line in enumerate(lines) if line.startswith("# How `layerwright run app`")
    )
    opened = [
        line.removeprefix("# ") if "=" in line or line.startswith("# [") else line for line in lines[start:]
    ]
    text = "\n".join(lines[:start] + opened)
    assert structural_faults(tomli.loads(text)) == []


def test_reading_a_good_spec_loads_nothing_heavy(tmp_path):
    import subprocess

    (tmp_path / "layerwright.toml").write_text(starter("demo"))
    program = (
        "import sys; from pathlib import Path; from layerwright.spec.load import load_spec\n"
        "load_spec(None, Path.cwd())\n"
        "print(*sorted({'jsonschema', 'tree_sitter', 'packaging', 'difflib'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=True, text=True
    )
    assert done.stdout == "\n"
