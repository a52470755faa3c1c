import os
import threading
from pathlib import Path

from layerwright.store.locks import acquire, hold, try_hold


def test_a_lock_on_a_removed_file_is_taken_anew(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    entered, leave = threading.Event(), threading.Event()

    def wait_for_it() -> None:
        with hold(path):
            entered.set()
            leave.wait(10)

    first = acquire(path, shared=False)
    waiter = threading.Thread(target=wait_for_it)
    waiter.start()
    entered.wait(0.05)  # most probably it has opened the file by now and waits for the lock
    path.unlink()
    os.close(first)
    assert entered.wait(10)
    assert path.exists(), "who holds the lock holds it on the file that others open"
    assert try_hold(path) == -1
    leave.set()
    waiter.join()
    handle = try_hold(path)
    assert handle >= 0
    os.close(handle)


def test_trying_makes_no_file(tmp_path: Path) -> None:
    assert try_hold(tmp_path / "absent") == -1
    assert not (tmp_path / "absent").exists()
