"""Numbers of the YMIR contract: tasks, object types, states, and the codes a task may end with (§0.3, §3.1, §4.4)."""

from enum import IntEnum
from typing import Final, Literal

from msgspec import Struct

from layerwright.ymir.parameter import TASKS, Task

__all__ = [
    "CODES",
    "CONTAINER_FAILED",
    "IMAGE_UNUSABLE",
    "INVALID_ARGUMENTS",
    "INVALID_MODEL",
    "MONITOR_ABSENT",
    "MONITOR_UNREADABLE",
    "NO_RESULT",
    "NO_TRAINING_IMAGES",
    "NO_VALIDATION_IMAGES",
    "PERMISSION",
    "TASKS",
    "UNEXPECTED",
    "CodeMeaning",
    "ObjectType",
    "State",
    "Task",
    "meaning_of",
]


class ObjectType(IntEnum):
    """What a project labels (§0.3)."""

    UNKNOWN = 0
    CLASSIFICATION = 1
    DETECTION = 2
    SEMANTIC_SEGMENTATION = 3
    INSTANCE_SEGMENTATION = 4
    MULTI_MODAL = 50
    NONE = 100


class State(IntEnum):
    """Column 4 of monitor.txt (§3.1)."""

    UNKNOWN = 0
    PENDING = 1
    RUNNING = 2
    DONE = 3
    ERROR = 4


IMAGE_UNUSABLE: Final = 130401
MONITOR_ABSENT: Final = 150402
MONITOR_UNREADABLE: Final = 150404
INVALID_ARGUMENTS: Final = 160001
NO_TRAINING_IMAGES: Final = 160002
NO_VALIDATION_IMAGES: Final = 160003
CONTAINER_FAILED: Final = 160004
NO_RESULT: Final = 160011
INVALID_MODEL: Final = 160015
PERMISSION: Final = 160019
UNEXPECTED: Final = 169999


class CodeMeaning(Struct, frozen=True, kw_only=True):
    """What a code says.

    Attributes:
        code: the number.
        source: ``platform`` or ``executor``: who chooses it.
        meaning: in words, without a full stop.
        repair: what an executor's author looks at first; empty when it is not the executor's affair.
    """

    code: int
    source: Literal["platform", "executor"]
    meaning: str
    repair: str = ""


def _platform(code: int, meaning: str, repair: str = "") -> CodeMeaning:
    return CodeMeaning(code=code, source="platform", meaning=meaning, repair=repair)


def _executor(code: int, meaning: str, repair: str = "") -> CodeMeaning:
    return CodeMeaning(code=code, source="executor", meaning=meaning, repair=repair)


_ROWS: Final = (
    _platform(
        130401,
        "image not found, or its /img-man is unusable",
        "`layerwright executor lint IMAGE` says what is wrong",
    ),
    _platform(130402, "running the image's command failed"),
    _platform(130504, "no free GPU"),
    _platform(150402, "monitor file absent", "write /out/monitor.txt, and never remove it"),
    _platform(150403, "bad weights of sub-tasks"),
    _platform(
        150404, "monitor file unreadable", "write task, time, percent and state, with tabs between them"
    ),
    _platform(160001, "invalid arguments: class names or candidate list"),
    _platform(160002, "no training images"),
    _platform(160003, "no validation images"),
    _platform(
        160004,
        "the container failed, and column 5 of monitor.txt names no better code",
        "write state 4 and a code (300103 out of memory, 300201 NaN, …) before the program ends",
    ),
    _platform(160005, "unknown class types"),
    _platform(160011, "no valid result", "look at the remarks on the result file"),
    _platform(160012, "OpenPAI error"),
    _platform(160015, "invalid model"),
    _platform(160016, "invalid data set"),
    _platform(160019, "permission denied", "work as any user: write to /out and /tmp only"),
    _platform(
        169999, "anything unexpected", "the monitor file or the result cannot be read: look at the remarks"
    ),
    _executor(300001, "configuration error"),
    _executor(300002, "no training or validation data"),
    _executor(300003, "unknown image format"),
    _executor(300004, "model file not found"),
    _executor(300005, "object type not given or not supported"),
    _executor(300101, "CUDA and GPU do not match"),
    _executor(300102, "no GPU"),
    _executor(300103, "out of memory"),
    _executor(300201, "NaN"),
    _executor(300301, "network error on download"),
)
CODES: Final = {row.code: row for row in _ROWS}
"""Every code of §4.4, in its order."""

_OLD_FIRST, _OLD_LAST, _OLD_SHIFT = 180001, 180301, 120000


def meaning_of(code: int) -> str:
    """What a code says, in words; the old numbers 180001 to 180301 count as their successors (§4.4)."""
    if code == 0:
        return "success"
    known = CODES.get(code)
    if known is not None:
        return known.meaning
    if _OLD_FIRST <= code <= _OLD_LAST and code + _OLD_SHIFT in CODES:
        return f"{CODES[code + _OLD_SHIFT].meaning} (number of before 2023-03-15)"
    return "a code that the contract does not name"
