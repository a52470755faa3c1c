"""A real browser, with the network cut off."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A page, and what it did that a quiet page does not do."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def open_page(chromium: Any, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Opens HTML text from a file; at the end it must have asked nothing of anybody and complained of nothing."""
    opened: list[Opened] = []
    contexts = []

    def start(
        text: str, *, width: int = 1280, height: int = 900, scheme: str = "light", scripts: bool = True
    ) -> Opened:
        file = tmp_path / f"report{len(opened)}.html"
        file.write_text(text, encoding="utf-8")
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, java_script_enabled=scripts
        )
        contexts.append(context)
        page = context.new_page()
        one = Opened(page=page)
        opened.append(one)
        page.on("console", lambda message: one.said.append(message.text))
        page.on("pageerror", lambda error: one.said.append(str(error)))
        page.on("dialog", lambda dialog: (one.said.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: one.asked.append(request.url))
        page.goto(file.as_uri())
        return one

    yield start
    for context in contexts:
        context.close()
    for one in opened:
        assert one.said == []
        assert [url for url in one.asked if not url.startswith("file:///")] == []
        assert len(one.asked) == 1
