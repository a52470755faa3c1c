"""A small executor of the standard library alone: its project, its pictures, and ways to run it."""

import json
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.command import Command, Done

_FILES = Path(__file__).parent / "executor_files"
_TEMPLATE = "mode: good\nsteps: 3\npause: 0.02\nlazy: false\nexport_format: {form}\n"
SPEC = """\
[images.trial]
command = ["python3", "/app/start.py"]
copy = [{ from = "img-man", to = "/img-man" }, { from = "start.py", to = "/app/start.py" }]
[images.banner]
from = "image:trial"
copy = [{ from = "banner.sh", to = "/app/banner.sh" }]
entrypoint = ["sh", "/app/banner.sh"]
"""


def png(salt: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes((x * y + salt * 7) % 256 for x in range(8 * 3)) for y in range(8))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Executors:
    """The project, its data, and an engine to run it with."""

    command: Command
    engine: str

    def run(
        self,
        *words: str | Path,
        image: str = "trial",
        mode: str = "good",
        status: int | None = 0,
        json_: bool = True,
    ) -> Done:
        return self.command(
            "executor", "run", image, "--engine", self.engine, "--data", "data", "--poll", "0.3", "--param",
            f"mode={mode}", *(["--json"] if json_ else []), *words, status=status,
        )  # fmt: skip

    def report(self, *words: str | Path, mode: str = "good", status: int | None = 0) -> dict[str, Any]:
        found = self.run(*words, mode=mode, status=status).json()
        assert isinstance(found, dict)
        return found


def executor_files() -> dict[str, str | bytes]:
    """Everything of the project but its spec, by name."""
    templates = {
        f"img-man/{place}{task}-template.yaml": _TEMPLATE.format(form=form)
        for place, form in (("det/", "ark:raw"), ("instance-seg/", "seg-coco:raw"))
        for task in ("training", "mining", "infer")
    }
    labels = {
        "images": [{"id": number, "file_name": f"{number}.png", "width": 8, "height": 8} for number in range(6)],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {"id": number, "image_id": number, "category_id": 1, "bbox": [1, 1, 4, 4], "area": 16,
             "segmentation": [[1, 1, 5, 1, 5, 5, 1, 5]]}
            for number in range(6)
        ],
    }  # fmt: skip
    return {
        "img-man/manifest.yaml": "object_type: [2, 4]\n",
        **templates,
        "start.py": (_FILES / "start.py").read_bytes(),
        "banner.sh": '#!/bin/sh\necho "== CUDA =="\necho "NVIDIA: ok, ready"\nexec "$@"\n',
        "data/labels.json": json.dumps(labels),
        **{f"data/images/{number}.png": png(number) for number in range(6)},
    }
