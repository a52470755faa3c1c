"""Doing several things at once, each for so long at most."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

__all__ = ["Once", "run_bounded"]

_Result = TypeVar("_Result")


def run_bounded(
    work: Mapping[str, Callable[[], _Result]], *, seconds: float
) -> Mapping[str, _Result | Exception | None]:
    """Run everything in threads of its own and wait until all is done or the time is over.

    A thread that hangs is left behind: it is a daemon, so it keeps no program from ending. That is why this is no
    ``ThreadPoolExecutor``, whose threads are waited for at exit.

    Returns:
        By name what came out: a result, the exception that was raised, or None when it took too long.
    """
    results: dict[str, _Result | Exception] = {}

    def run(name: str, job: Callable[[], _Result]) -> None:
        try:
            results[name] = job()
        except Exception as error:  # noqa: BLE001 - told to whoever waits
            results[name] = error

    threads = [
        threading.Thread(target=run, args=(name, job), name=f"doctor-{name}", daemon=True)
        for name, job in work.items()
    ]
    for thread in threads:
        thread.start()
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return {name: results.get(name) for name in work}


class Once(Generic[_Result]):
    """Something that several threads ask for and that is worth doing once."""

    def __init__(self, make: Callable[[], _Result]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: list[_Result] = []

    def __call__(self) -> _Result:
        """Make it, or wait until the thread that makes it is done."""
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]
