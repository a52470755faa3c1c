"""monitor.txt as the platform parses it (§3.1)."""

from __future__ import annotations

from typing import NamedTuple, Sequence

LEAST_COLUMNS = 4
STATES = {0: "unknown", 1: "pending", 2: "running", 3: "done", 4: "error"}


class Line(NamedTuple):
    task_id: str
    timestamp: float
    percent: float
    state: int
    code: int
    message: str
    stack: tuple[str, ...]


def parse(content: bytes) -> Line:
    """EOFError: the poll is skipped. ValueError: the task ends with 150404."""
    if not content:
        raise EOFError
    first, *rest = content.decode("utf-8-sig").split("\n")
    columns = first.strip().split("\t")
    if len(columns) < LEAST_COLUMNS:
        msg = f"{len(columns)} columns"
        raise ValueError(msg)
    state = int(columns[3])
    if state not in STATES:
        msg = f"state {state}"
        raise ValueError(msg)
    code = int(columns[4]) if len(columns) > LEAST_COLUMNS else 0
    message = columns[5] if len(columns) > LEAST_COLUMNS + 1 else ""
    return Line(
        columns[0],
        float(columns[1]),
        float(columns[2]),
        state,
        code,
        message,
        tuple(each for each in rest if each),
    )


def fits_web_page(line: Line) -> bool:
    """The task record's schema: a percent above 1 makes it unreadable."""
    return 0 <= line.percent <= 1


def merge(files: Sequence[tuple[Line, float]]) -> tuple[float, int, int]:
    """Percent, state and code of a task with several files, each with its weight."""
    code = max(files, key=lambda each: each[0].timestamp)[0].code
    states = [line.state for line, _ in files]
    if 4 in states:
        return 1.0, 4, code
    if all(state == 3 for state in states):
        return 1.0, 3, code
    if all(state == 1 for state in states):
        return 0.0, 1, code
    total = sum(weight for _, weight in files)
    return sum(line.percent * weight for line, weight in files) / total, 2, code
