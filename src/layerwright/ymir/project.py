"""The files of a new executor's project. Pure: texts in, texts out."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from layerwright.ymir.parameter import TASKS, Task

__all__ = ["project_files"]

_SCAFFOLD: Final = Path(__file__).with_name("scaffold")
_ONLY: Final = re.compile(r"#: only ([a-z ]+)")
_END: Final = "#: end"
_BLANKS: Final = re.compile(r"\n{4,}")
_WORDS: Final = {"training": "training", "mining": "mining", "infer": "inference"}


def project_files(
    name: str, *, tasks: Iterable[Task] = TASKS, segmentation: bool = False, wheel: str
) -> dict[str, str]:
    """The texts by their path in the project's folder.

    Args:
        name: the project's.
        tasks: that the executor does.
        segmentation: it finds masks, not boxes.
        wheel: path of the ``ymir_exc`` wheel in the project.
    """
    done = [task for task in TASKS if task in set(tasks)]
    kind = "segmentation" if segmentation else "detection"
    kept = {*done, kind}
    words = " and ".join(filter(None, [", ".join(_WORDS[task] for task in done[:-1]), _WORDS[done[-1]]]))
    values = {
        "@NAME@": _quoted(name),
        "@TITLE@": name,
        "@WHEEL@": _quoted(wheel),
        "@TASKS@": json.dumps(done),
        "@WORDS@": f"{words} for {kind}",
    }
    sources = {
        "layerwright.toml": "layerwright.toml",
        "start.sh": "start.sh",
        "README.md": "readme",
        ".gitignore": "gitignore",
        "executor/__init__.py": "",
        "executor/tasks.py": "tasks.py",
        "executor/model.py": f"model_{kind}.py",
        "executor/data.py": f"data_{kind}.py",
        "executor/measure.py": f"measure_{kind}.py",
        "tests/test_model.py": f"test_{kind}.py",
    }
    if segmentation:
        sources["executor/masks.py"] = "masks_segmentation.py"
    return {path: _filled(source, kept, values) for path, source in sources.items()}


def _quoted(text: str) -> str:
    """As TOML has it; JSON's escapes are TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _filled(source: str, kept: set[str], values: dict[str, str]) -> str:
    if not source:
        return '"""An executor for the YMIR platform."""\n'
    lines = list[str]()
    open_: list[bool] = []
    for line in (_SCAFFOLD / f"{source}.txt").read_text(encoding="utf-8").splitlines():
        only = _ONLY.fullmatch(line)
        if only is not None:
            open_.append(bool(kept & set(only[1].split())))
        elif line == _END:
            open_.pop()
        elif all(open_):
            lines.append(line)
    text = "\n".join(lines).strip("\n") + "\n"
    text = _BLANKS.sub("\n\n\n", text)
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text
