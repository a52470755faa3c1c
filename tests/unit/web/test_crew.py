"""Jobs end with the page that started them."""

import shutil
import threading
import time
from pathlib import Path

from layerwright.harness.jobs import asked_to_cancel
from layerwright.web.crew import Crew
from layerwright.workflow.executor_run import Running
from support.jobs import make_job


def job(folder: Path, *, deaf: float = 0) -> tuple[Running, threading.Event]:
    """A thread that looks after a job until somebody asks for its end, and removes its container then."""
    removed = threading.Event()

    def work() -> None:
        while not asked_to_cancel(folder):
            time.sleep(0.01)
            if deaf:
                time.sleep(deaf)
                return
        removed.set()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return Running(folder=folder, task_id=folder.name, thread=thread), removed


def test_jobs_that_run_are_stopped(site) -> None:
    crew = Crew()
    jobs = [job(make_job(site, "training", number)) for number in (1, 2)]
    for running, _ in jobs:
        crew.add(running)
    assert crew.stop(20) == ()
    assert all(removed.is_set() for _, removed in jobs)
    assert crew.stop(20) == ()  # nothing runs any more


def test_what_does_not_end_is_told(site) -> None:
    crew = Crew()
    stuck, _ = job(make_job(site, "training", 1), deaf=1.0)
    lost, _ = job(make_job(site, "training", 2), deaf=0.2)
    shutil.rmtree(lost.folder)  # nobody can be asked, and it ends by itself
    for running in (stuck, lost):
        crew.add(running)
    assert crew.stop(0.5) == (stuck,)
