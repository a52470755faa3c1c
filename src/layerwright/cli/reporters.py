"""Events as text for people: plain lines, JSON lines, or bars on a terminal."""

import json
import threading
import time
from typing import TYPE_CHECKING, Protocol

from msgspec import structs

from layerwright.cli.terminal import Terminal
from layerwright.core.events import BytesMoved, Event, Notice, OutputLine, TaskEnded, TaskStarted, Warned
from layerwright.core.text import size_text as format_size

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = [
    "ClosingReporter",
    "JsonReporter",
    "LiveReporter",
    "PlainReporter",
    "QuietReporter",
    "format_size",
    "make_reporter",
]


class ClosingReporter(Protocol):
    """A reporter that may hold the terminal."""

    def __call__(self, event: Event, /) -> None:
        """Take one event."""

    def close(self) -> None:
        """Give the terminal back; must be called before other text goes to it."""


def make_reporter(terminal: Terminal) -> ClosingReporter:
    """The reporter that fits the terminal."""
    if terminal.json:
        return JsonReporter(terminal)
    if terminal.quiet:
        return QuietReporter(terminal)
    if terminal.live:
        return LiveReporter(terminal)
    return PlainReporter(terminal)


def _warning_lines(terminal: Terminal, event: Warned) -> str:
    text = f"{terminal.paint('warning', '1;33')}: {event.message}"
    return f"{text}\n{terminal.paint('hint', '1;36')}: {event.hint}" if event.hint else text


class QuietReporter:
    """Tells warnings only."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal

    def __call__(self, event: Event, /) -> None:
        """Take one event."""
        if isinstance(event, Warned):
            self.terminal.tell(_warning_lines(self.terminal, event))

    def close(self) -> None:
        """Nothing is held open."""


class JsonReporter:
    """One JSON object a line, ``{"event": "TaskStarted", …}``; byte counts at most ten times a second a task."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.lock = threading.Lock()
        self.moved = dict[str, tuple[int, float]]()

    def __call__(self, event: Event, /) -> None:
        """Take one event."""
        with self.lock:
            if isinstance(event, BytesMoved):
                amount, last = self.moved.get(event.task, (0, 0.0))
                amount += event.amount
                now = time.monotonic()
                if now - last < 0.1:  # noqa: PLR2004 - seconds, as documented
                    self.moved[event.task] = (amount, last)
                    return
                self.moved[event.task] = (0, now)
                event = BytesMoved(task=event.task, amount=amount)
            elif isinstance(event, TaskEnded):
                amount, _ = self.moved.pop(event.task, (0, 0.0))
                if amount:
                    self._write(BytesMoved(task=event.task, amount=amount))
            self._write(event)

    def _write(self, event: Event) -> None:
        self.terminal.tell(json.dumps({"event": type(event).__name__, **structs.asdict(event)}))

    def close(self) -> None:
        """Nothing is held open."""


class PlainReporter:
    """One line when a task ends, with its time and size; made for CI logs."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.tell = terminal.tell
        self.lock = threading.Lock()
        self.started = dict[str, tuple[TaskStarted, float]]()
        self.moved = dict[str, int]()

    def __call__(self, event: Event, /) -> None:
        """Take one event."""
        with self.lock:
            match event:
                case TaskStarted():
                    self.started[event.task] = (event, time.monotonic())
                    if event.kind in {"base", "apt", "run", "load", "push"}:
                        # These can be silent for many seconds; say what is going on.
                        self.tell(f"{event.kind:<9} {event.title} …")
                case BytesMoved():
                    self.moved[event.task] = self.moved.get(event.task, 0) + event.amount
                case TaskEnded():
                    self._ended(event)
                case OutputLine() if self.terminal.verbose:
                    self.tell(f"  | {event.line}")
                case Notice():
                    self.tell(f"note: {event.message}")
                case Warned():
                    self.tell(_warning_lines(self.terminal, event))
                case _:
                    pass

    def _ended(self, event: TaskEnded) -> None:
        started, since = self.started.pop(event.task, (None, 0.0))
        moved = self.moved.pop(event.task, 0)
        if started is None or (event.cached and not self.terminal.verbose):
            return
        facts = [f"{time.monotonic() - since:.1f} s"]
        size = moved or started.total_bytes
        if size:
            facts.insert(0, format_size(size))
        if event.cached:
            facts = ["cached"]
        if event.failed:
            facts = ["failed"]
        if event.detail:
            facts.append(event.detail)
        self.tell(f"{started.kind:<9} {started.title}  {', '.join(facts)}")

    def close(self) -> None:
        """Nothing is held open."""


class LiveReporter:
    """Bars with bytes and remaining time on a terminal; ended tasks stay as one line each."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.plain = PlainReporter(terminal)
        self.lock = threading.Lock()
        self.progress: Progress | None = None
        self.bars: dict[str, TaskID] = {}

    def _open(self) -> "Progress":
        if self.progress is None:
            from rich.console import Console  # noqa: PLC0415 - start-up
            from rich.progress import (  # noqa: PLC0415 - start-up
                BarColumn,
                DownloadColumn,
                Progress,
                SpinnerColumn,
                TextColumn,
                TimeRemainingColumn,
            )
            from rich.text import Text  # noqa: PLC0415 - start-up

            console = Console(file=self.terminal.messages, no_color=not self.terminal.colour, highlight=False)
            self.progress = Progress(
                SpinnerColumn(),
                TextColumn("{task.fields[kind]:<9} {task.description}", markup=False),
                BarColumn(bar_width=24),
                DownloadColumn(),
                TimeRemainingColumn(compact=True),
                console=console,
                transient=True,
            )
            self.progress.start()
            # Lines told while bars are drawn go above them.
            self.plain.tell = lambda text: console.print(Text.from_ansi(text), soft_wrap=True)
        return self.progress

    def __call__(self, event: Event, /) -> None:
        """Take one event."""
        with self.lock:
            match event:
                case TaskStarted():
                    total = event.total_bytes or None
                    self.bars[event.task] = self._open().add_task(event.title, total=total, kind=event.kind)
                    self.plain.started[event.task] = (event, time.monotonic())
                    return
                case BytesMoved() if event.task in self.bars and self.progress is not None:
                    self.progress.advance(self.bars[event.task], event.amount)
                case TaskEnded() if event.task in self.bars and self.progress is not None:
                    self.progress.remove_task(self.bars.pop(event.task))
                case _:
                    pass
            self.plain(event)

    def close(self) -> None:
        """Stop drawing; must be called before other text goes to the terminal."""
        with self.lock:
            if self.progress is not None:
                self.progress.stop()
                self.progress = None
                self.plain.tell = self.terminal.tell
