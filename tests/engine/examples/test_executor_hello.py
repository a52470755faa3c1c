"""The smallest executor: it is sound, and does every task as the platform would run it."""

import json
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from support.command import Command

pytestmark = [pytest.mark.engine, pytest.mark.network]


def write_pictures(folder: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    folder.mkdir()
    images, annotations = [], []
    for number in range(6):
        rows = zlib.compress((b"\0" + bytes([number * 40]) * 12) * 4)
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0))
        (folder / f"{number}.png").write_bytes(
            b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
        )
        images.append({"id": number, "file_name": f"{number}.png", "width": 4, "height": 4})
        annotations.append(
            {"id": number, "image_id": number, "category_id": 1, "bbox": [0, 0, 2, 2], "area": 4}
        )
    document = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "cat"}]}
    (folder / "coco.json").write_text(json.dumps(document), encoding="utf-8")


def test_hello_answers_every_task(example: Callable[[str], Command], docker: str, debian_store: Path) -> None:
    # Its base has no Python; the store that may be kept between sessions has it from the second one on.
    command = example("executor-hello").changed(store=debian_store)
    lines = [
        line
        for line in (command.folder / "layerwright.toml").read_text(encoding="utf-8").splitlines()
        if line
    ]
    assert len(lines) <= 10
    write_pictures(command.folder / "data")
    assert "nothing found" in command("executor", "lint").out
    try:
        run = ("executor", "run", "hello", "--data", "data/coco.json", "--poll", "0.5", "--json")
        training = command(*run, "--task", "training", timeout=300).json()
        assert training["verdict"]["success"], training
        (package,) = (command.folder / "executor-runs").glob("*/package/*")
        both = command(*run, "--task", "mining+infer", "--model", package, timeout=120).json()
        assert both["verdict"]["success"], both
    finally:
        names = [docker, "rmi", "--force", "executor-hello-hello:1.0.0"]
        subprocess.run(names, capture_output=True, timeout=60, check=False)
