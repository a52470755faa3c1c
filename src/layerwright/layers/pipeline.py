"""Small jobs run in order in one helper thread, so that hashing goes on while the next bytes are inflated."""

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

__all__ = ["InlinePipeline", "Pipeline", "ThreadPipeline"]

Job = Callable[[], object]

_MOST_WAITING = 8  # jobs, each holding a mebibyte at most: the bound on memory


class Pipeline(Protocol):
    """Runs jobs in the order given; the context's end waits for all of them."""

    def submit(self, job: Job) -> None:
        """Run the job now or later. Raises what an earlier job raised."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class InlinePipeline:
    """Runs each job at once: for little work, where a thread costs more than it gives."""

    def submit(self, job: Job) -> None:
        """Run the job."""
        job()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return


class ThreadPipeline:
    """Runs jobs in one thread; at most a few wait, the giver waits when there are more."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[Job | None] = queue.Queue(_MOST_WAITING)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="layer-hash", daemon=True)

    def submit(self, job: Job) -> None:
        """Queue the job. Raises what an earlier job raised."""
        if self._error is not None:
            raise self._error
        self._jobs.put(job)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._jobs.put(None)
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._error is not None:
                continue  # the queue is emptied, so that the giver never waits for a dead thread
            try:
                job()
            except BaseException as error:  # noqa: BLE001 - raised again in the giving thread
                self._error = error
