"""Runs a graph of tasks on a few threads, heaviest first; one failure stops only what stands on it."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Processors", "Ran", "Task", "run_tasks"]

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(Generic[Value]):
    """A piece of work.

    Attributes:
        work: does it; called at most once.
        needs: names of the tasks that must have succeeded.
        weight: expected cost in bytes; ready tasks start heaviest first.
    """

    work: Callable[[], Value]
    needs: tuple[str, ...] = ()
    weight: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran(Generic[Value]):
    """Results by task name; ``failed`` holds what was raised, and tasks that stood on a failure are in neither."""

    done: Mapping[str, Value]
    failed: Mapping[str, BaseException]


class _Run(Generic[Value]):
    def __init__(self, tasks: Mapping[str, Task[Value]]) -> None:
        self.tasks = tasks
        self.done = dict[str, Value]()
        self.failed = dict[str, BaseException]()
        self.waiting = dict(tasks)
        self.running = 0
        self.stopped = False
        self.changed = threading.Condition()

    def _take(self) -> tuple[str, Task[Value]] | None:
        """Next ready task; None when nothing is left that could become ready."""
        with self.changed:
            while True:
                if self.stopped:
                    return None
                ready = [
                    name
                    for name, task in self.waiting.items()
                    if all(need in self.done for need in task.needs if need in self.tasks)
                ]
                if ready:
                    name = max(ready, key=lambda item: self.waiting[item].weight)
                    self.running += 1
                    return name, self.waiting.pop(name)
                if self.running == 0:
                    return None
                self.changed.wait()

    def worker(self) -> None:
        while (taken := self._take()) is not None:
            name, task = taken
            try:
                value = task.work()
            except BaseException as error:  # noqa: BLE001 - kept for the caller, who raises it
                with self.changed:
                    self.failed[name] = error
            else:
                with self.changed:
                    self.done[name] = value
            with self.changed:
                self.running -= 1
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()


class Processors:
    """Keeps programs that several tasks start from being more than there are processors: each has its memory."""

    def __init__(self) -> None:
        self._taken = 0
        self._changed = threading.Condition()

    @contextmanager
    def take(self, most: int, *, there_are: int) -> Iterator[int]:
        """Wait until one is free, and take up to ``most`` of those that are."""
        with self._changed:
            self._changed.wait_for(lambda: self._taken < there_are)
            number = min(most, there_are - self._taken)
            self._taken += number
        try:
            yield number
        finally:
            with self._changed:
                self._taken -= number
                self._changed.notify_all()


def run_tasks(tasks: Mapping[str, Task[Value]], *, workers: int) -> Ran[Value]:
    """Run all tasks whose needs succeed, on ``workers`` threads.

    A need that is not among the tasks counts as met. An interrupt (Ctrl-C) lets running tasks end, starts
    no more, and is raised again.
    """
    run = _Run(tasks)
    threads = [
        threading.Thread(target=run.worker, name=f"build-{number}", daemon=True)
        for number in range(min(workers, len(tasks)))
    ]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                # A plain join would keep the interpreter from seeing signals until it returns.
                thread.join(0.1)
    except BaseException:
        run.stopped = True
        raise
    return Ran(done=run.done, failed=run.failed)
