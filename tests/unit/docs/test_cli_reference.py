"""The page of the command line is what its generator writes."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location(
        "generate_cli_reference", ROOT / "tools/generate_cli_reference.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(generator, monkeypatch):
    monkeypatch.setattr("sys.argv", ["generate_cli_reference.py", "--check"])
    assert generator.main() == 0, "run `nox -s docs`"


def test_an_old_page_is_told(generator, monkeypatch, tmp_path, capsys):
    page = tmp_path / "cli.md"
    page.write_text("# Command line\n", encoding="utf-8")
    monkeypatch.setattr(generator, "PAGE", page)
    monkeypatch.setattr("sys.argv", ["generate_cli_reference.py", "--check"])
    assert generator.main() == 1
    assert "out of date" in capsys.readouterr().err


def test_the_page_does_not_depend_on_the_terminal(generator, monkeypatch):
    wide = generator.page()
    monkeypatch.setenv("COLUMNS", "40")
    assert generator.page() == wide


def test_every_command_has_a_purpose_and_a_usage_line(generator):
    sections = re.split(r"^##+ (?=layerwright)", generator.page(), flags=re.MULTILINE)[1:]
    assert len(sections) > 10
    for section in sections:
        title, _, body = section.partition("\n")
        assert re.match(r"\n[A-Z][^\n]+\.\n", body), title
        assert f"```text\n{title}" in body, title
