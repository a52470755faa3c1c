"""Tasks run when what they need is done; a failure stops only what stands on it."""

import threading
import time

import pytest

from layerwright.backends.schedule import Processors, Task, run_tasks


def test_needs_are_done_first():
    order = []
    tasks = {
        "c": Task(work=lambda: order.append("c"), needs=("a", "b")),
        "a": Task(work=lambda: order.append("a")),
        "b": Task(work=lambda: order.append("b"), needs=("a",)),
    }
    run_tasks(tasks, workers=3)
    assert order == ["a", "b", "c"]


def test_heaviest_ready_task_starts_first():
    order = []
    tasks = {
        name: Task(work=lambda name=name: order.append(name), weight=weight)
        for name, weight in [("x", 1), ("y", 3), ("z", 2)]
    }
    run_tasks(tasks, workers=1)
    assert order == ["y", "z", "x"]


def test_failure_stops_only_what_stands_on_it():
    def fail():
        raise ValueError("no")

    ran = run_tasks(
        {
            "bad": Task(work=fail),
            "above": Task(work=lambda: 1, needs=("bad",)),
            "other": Task(work=lambda: 2),
        },
        workers=2,
    )
    assert ran.done == {"other": 2}
    assert list(ran.failed) == ["bad"]


def test_tasks_run_at_the_same_time():
    meeting = threading.Barrier(2, timeout=10)
    ran = run_tasks({name: Task(work=meeting.wait) for name in "ab"}, workers=2)
    assert set(ran.done) == {"a", "b"}


def test_need_outside_the_tasks_counts_as_met():
    assert run_tasks({"a": Task(work=lambda: 5, needs=("elsewhere",))}, workers=1).done == {"a": 5}


def test_interrupt_is_raised_again_and_starts_nothing_more(monkeypatch):
    started = []
    release = threading.Event()

    def slow():
        started.append("slow")
        release.wait(10)

    real = threading.Thread.join

    def join(self, timeout=None):
        if started:
            release.set()
            raise KeyboardInterrupt
        real(self, timeout)

    monkeypatch.setattr(threading.Thread, "join", join)
    with pytest.raises(KeyboardInterrupt):
        run_tasks(
            {"slow": Task(work=slow), "next": Task(work=lambda: started.append("next"), needs=("slow",))},
            workers=1,
        )
    monkeypatch.undo()
    assert started == ["slow"]


def test_no_more_processors_are_given_than_there_are():
    processors = Processors()
    busy = 0
    most = 0
    given = []
    guard = threading.Lock()

    def work(wanted):
        nonlocal busy, most
        with processors.take(wanted, there_are=3) as number:
            with guard:
                busy += number
                most = max(most, busy)
                given.append(number)
            time.sleep(0.002)
            with guard:
                busy -= number

    threads = [threading.Thread(target=work, args=(1 + index % 4,)) for index in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(given) == 24
    assert most == 3
    assert min(given) >= 1

    with pytest.raises(ValueError, match="in the block"), processors.take(3, there_are=3):
        raise ValueError("in the block")
    with processors.take(5, there_are=3) as number:
        assert number == 3
