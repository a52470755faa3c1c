"""What long work tells about itself. Rooms emit; renderers live in ``cli``."""

from typing import Protocol

from msgspec import Struct

__all__ = [
    "BytesMoved",
    "Event",
    "Notice",
    "OutputLine",
    "Reporter",
    "SilentReporter",
    "TaskEnded",
    "TaskStarted",
    "Warned",
]


class TaskStarted(Struct, frozen=True, kw_only=True):
    """A piece of work begins.

    Attributes:
        task: id unique within the run, such as ``layer:torch`` or ``fetch:numpy``.
        title: what people read, such as ``torch 2.13.0``.
        kind: ``resolve``, ``fetch``, ``facts``, ``base``, ``apt``, ``wheel``, ``layer``, ``bytecode``, ``copy``,
            ``run``, ``smoke``, ``push``, ``load`` or ``image``.
        total_bytes: size of the work where known, else 0.
        cell: the cell the work is for, empty when shared.
    """

    task: str
    title: str
    kind: str
    total_bytes: int = 0
    cell: str = ""


class BytesMoved(Struct, frozen=True, kw_only=True):
    """Progress of a started task: ``amount`` more bytes are done."""

    task: str
    amount: int


class TaskEnded(Struct, frozen=True, kw_only=True):
    """A started task is over. ``cached``: nothing had to be done."""

    task: str
    cached: bool = False
    failed: bool = False
    detail: str = ""


class OutputLine(Struct, frozen=True, kw_only=True):
    """One line that a build step's own program printed."""

    task: str
    line: str


class Notice(Struct, frozen=True, kw_only=True):
    """Something worth knowing, such as the fallback that was taken and why."""

    message: str


class Warned(Struct, frozen=True, kw_only=True):
    """Something the user should act on, though work goes on."""

    message: str
    hint: str = ""


Event = TaskStarted | BytesMoved | TaskEnded | OutputLine | Notice | Warned


class Reporter(Protocol):
    """Takes events; must be safe to call from several threads."""

    def __call__(self, event: Event, /) -> None:
        """Take one event."""


class SilentReporter:
    """Drops every event."""

    def __call__(self, event: Event, /) -> None:
        """Drop the event."""
