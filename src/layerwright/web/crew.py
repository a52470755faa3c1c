"""Jobs that this program started: they end with it, and leave no container behind."""

import threading
import time
from typing import Final

from layerwright.core.errors import LayerwrightError
from layerwright.harness.jobs import cancel_job
from layerwright.workflow.executor_run import Running

__all__ = ["Crew"]

_END_SECONDS: Final = 30.0


class Crew:
    """Jobs of this program, until they have ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: list[Running] = []

    def add(self, job: Running) -> None:
        """Remember a job that was started."""
        with self._lock:
            self._running = [one for one in self._running if one.thread.is_alive()] + [job]

    def stop(self, seconds: float = _END_SECONDS) -> tuple[Running, ...]:
        """Kill what still runs, as the platform does, and wait until it is gone.

        Threads end with their program, and containers do not: an engine's client that nobody waits for leaves its
        container behind.

        Args:
            seconds: to wait for all of them together.

        Returns:
            Those that had not ended by then.
        """
        with self._lock:
            running = [one for one in self._running if one.thread.is_alive()]
        for one in running:
            try:
                cancel_job(one.folder)
            except (LayerwrightError, OSError):  # its folder was removed: nothing can be asked of it
                continue
        end = time.monotonic() + seconds
        for one in running:
            one.thread.join(max(0.0, end - time.monotonic()))
        return tuple(one for one in running if one.thread.is_alive())
