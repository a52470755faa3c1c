"""Doing something as another user, without starting a program."""

import os
import pickle
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

NOBODY = 65534


def open_to_all(folder: Path) -> None:
    """Let everybody into a temporary folder: pytest's own belong to the present user alone."""
    for place in (folder, *folder.parents):
        if place.stat().st_uid == os.getuid() and place != Path("/"):
            place.chmod(place.stat().st_mode | 0o055)


def as_nobody(work: Callable[[], None]) -> None:
    """Run the function in a forked child as ``nobody``; as the present user when that is not root."""
    if os.getuid() != 0:
        work()
        return
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(read)
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            work()
            status = 0
        except BaseException:  # noqa: BLE001  (told to the parent)
            os.write(write, pickle.dumps(traceback.format_exc()[-60000:]))
        finally:
            sys.stdout.flush()
            os._exit(status)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        pytest.fail(pickle.loads(said) if said else f"the child ended with {status}")
