"""The examples' images are in order: verify has no error for any of them."""

from collections.abc import Callable

import pytest

from support.command import Command

pytestmark = [pytest.mark.engine, pytest.mark.network]


@pytest.mark.parametrize("name", ["ocr", "capybara"])
def test_no_error(example: Callable[[str], Command], name: str) -> None:
    command = example(name)
    command("build", timeout=900)
    done = command("verify", "--json", timeout=300)
    levels = [finding["level"] for finding in done.json()["findings"]]
    assert "error" not in levels
    assert "unknown" not in levels
