"""The page of a project with one executor and one data set, served by the command itself."""

import json
import re
import signal
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.command import Command, finish

FILES = Path(__file__).parents[2] / "support" / "executor_files"
SPEC = """\
[project]
name = "page"
version = "1"

[images.busy]
from = "debian:bookworm"
role = "executor"
python = "3.11"
copy = [{ from = "start.sh", to = "/usr/bin/start.sh" }, { from = "busy.py", to = "/app/busy.py" }]
executor = { tasks = ["training", "mining", "infer"], object_types = ["detection"] }
parameters = [
  { name = "epochs", default = 4, minimum = 1, maximum = 1000, help = "passes over the pictures", task = ["training"] },
  { name = "pause", default = 0.6, minimum = 0, unit = "seconds", help = "between two reports", task = ["training"] },
  { name = "size", default = "small", choices = ["small", "large"], task = ["training"] },
  { name = "seed", default = 1, task = ["mining", "infer"] },
]
"""
START = r"""#!/bin/bash
epochs=$(sed -n 's/^epochs: //p' /in/config.yaml | tr -d "'")
pause=$(sed -n 's/^pause: //p' /in/config.yaml | tr -d "'")
CONFIG="{\"epochs\": ${epochs:-1}, \"pause\": ${pause:-0}}" exec python /app/busy.py
"""


def png(width: int, height: int, grey: int) -> bytes:
    """A plain picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = (b"\0" + bytes([grey]) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )


def write_pictures(folder: Path, count: int) -> None:
    (folder / "images").mkdir(parents=True)
    images, boxes = [], []
    for number in range(count):
        name = f"scene-{number}.png"
        (folder / "images" / name).write_bytes(png(48, 32, 40 + 20 * number))
        images.append({"id": number, "file_name": name, "width": 48, "height": 32})
        boxes.append(
            {"id": number, "image_id": number, "category_id": 1, "bbox": [3, 3, 20, 12], "iscrowd": 0}
        )
    document = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]}
    (folder / "train.json").write_text(json.dumps(document))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, debian_store: Path) -> Command:
    folder = tmp_path_factory.mktemp("page") / "work"
    folder.mkdir()
    (folder / "layerwright.toml").write_text(SPEC, encoding="utf-8")
    (folder / "start.sh").write_text(START, encoding="utf-8")
    (folder / "busy.py").write_bytes((FILES / "busy.py").read_bytes())
    write_pictures(folder / "data" / "cats", 6)
    return Command(folder=folder, store=debian_store, home=tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def address(project: Command) -> Iterator[str]:
    """Where the page answers."""
    process = project.start("executor", "serve", "--port", "0", "--engine", "native", "--poll", "0.2")
    line = process.stdout.readline().decode()
    if not line.startswith("http://127.0.0.1:"):
        pytest.fail(f"{line}{finish(process, timeout=20)}")
    yield line.strip()
    process.send_signal(signal.SIGINT)
    done = finish(process, timeout=30)
    assert re.search("Traceback", done.err) is None, done


@pytest.fixture
def visit(chromium: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Opens a page; at the end, the browser must have asked nobody else and complained of nothing."""
    said: list[str] = []
    asked: list[str] = []
    contexts = []

    def start(place: str = "", **options: Any) -> Any:
        context = chromium.new_context(
            base_url=address, **{"viewport": {"width": 1100, "height": 900}, **options}
        )
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address + place)
        return page

    yield start
    for context in contexts:
        context.close()
    # A form that is sent back is an answer with status 422, of which Chromium tells on the console.
    assert [text for text in said if "422" not in text] == []
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
