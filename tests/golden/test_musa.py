"""Specs that command lines of the container scripts stand for. ``python tests/golden/test_musa.py`` writes them anew.

``musa/NAME.words`` is a command line, a word each line; ``musa/NAME.toml`` the spec that it stands for.
"""

import sys
from pathlib import Path

import pytest

from layerwright.spec.musa.arguments import read_arguments
from layerwright.spec.musa.definition import TEMPLATE, read_definition
from layerwright.spec.musa.options import table_of
from layerwright.spec.musa.requests import Places, read_all, read_base, read_image
from layerwright.spec.musa.said import Given
from layerwright.spec.musa.write import addresses_of, write_all, write_base, write_image
from layerwright.spec.parse import parse_spec

FOLDER = Path(__file__).parent / "musa"
CASES = sorted(FOLDER.glob("*.words"))
PLACES = Places(folder="/work", pytorch="/clones/pytorch", vision="/clones/vision")
DIGEST = "0123456789abcdef" * 4


def emitted(case: Path) -> str:
    script, *words = case.read_text(encoding="utf-8").split()
    given = Given(options=read_arguments(table_of(script), words))
    command = f"layerwright musa {script} …"
    if script == "build-base":
        base = read_base(given, PLACES)
        digests = dict.fromkeys((one.url for one in addresses_of([base])), DIGEST)
        return write_base(base, command=command, digests=digests)
    if script == "build":
        request = read_image(given, PLACES)
        digests = dict.fromkeys((one.url for one in addresses_of([request])), DIGEST)
        return write_image(request, command=command, digests=digests)
    whole = read_all(given, PLACES)
    digests = dict.fromkeys((one.url for one in addresses_of(whole.variants)), DIGEST)
    return write_all(whole, command=command, digests=digests, bases={"ubuntu:20.04": "docker:ubuntu:20.04"})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_the_spec_is_as_before(case: Path) -> None:
    assert emitted(case) == case.with_suffix(".toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_the_spec_is_one(case: Path, tmp_path: Path) -> None:
    spec = parse_spec(emitted(case).encode(), file="layerwright.toml", root=tmp_path)
    assert all(cell.accelerator == "mthreads" for cell in spec.cells.values())


def test_the_template_is_a_definition() -> None:
    values = read_definition(TEMPLATE, file="build_all.toml")
    assert values["tag"] == "dev1.5.1-qy1"
    assert values["versions"] == ("3.8", "3.9", "3.10")


if __name__ == "__main__":
    for one in CASES:
        one.with_suffix(".toml").write_text(emitted(one), encoding="utf-8")
        sys.stdout.write(f"{one.stem}\n")
