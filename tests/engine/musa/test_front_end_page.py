"""The page on release matrices is true: its commands are run in order, and what is printed is compared."""

import os
from pathlib import Path

import pytest

from support.command import PROGRAM
from support.documents import Shell, blocks, exchanges, matches
from support.musa_scripts import stand_ins

pytestmark = pytest.mark.engine

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "musa-from-nothing-to-a-release-matrix.md"


def test_g04_the_page_is_true(tmp_path: Path, debian_layout: Path, docker: str) -> None:
    root = tmp_path / "stage"
    root.mkdir()
    with stand_ins(root, layout=debian_layout, store=tmp_path / "store", docker=docker) as there:
        words = {f"https://oss.example.org/{part}": there.url for part in ("qy1", "wheels")}
        environment = {**there.command.environment, "NO_COLOR": "1"}
        environment["PATH"] = f"{PROGRAM.parent}:{Path(docker).parent}:{environment['PATH']}"
        environment.pop("LAYERWRIGHT_MIRRORS", None)
        with Shell(there.command.folder, environment) as shell:
            for problem in _play(shell, there.command.folder, words):
                pytest.fail(problem, pytrace=False)


def _play(shell: Shell, folder: Path, words: dict[str, str]) -> list[str]:
    for block in blocks(PAGE):
        if block.skipped:
            continue
        if block.title:
            (folder / block.title).write_text(_translated(block.text, words), encoding="utf-8")
            continue
        for exchange in exchanges(block):
            status, printed = shell(_translated(exchange.command, words))
            if os.environ.get("LAYERWRIGHT_SHOW_PAGE"):
                print(f"$ {exchange.command}\n{printed}")
            expected = any(line.startswith("error:") for line in exchange.printed)
            shown = tuple(_translated(line, words) for line in exchange.printed)
            if bool(status) != expected or not matches(shown, printed):
                return [
                    f"{PAGE.name}:{exchange.line}: $ {exchange.command} (status {status})\n--- shown\n"
                    + "\n".join(shown)
                    + f"\n--- printed\n{printed}"
                ]
    return []


def _translated(text: str, words: dict[str, str]) -> str:
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    return text
