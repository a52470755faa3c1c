"""§3.1: whoever reads monitor.txt while it is written finds a whole report."""

import errno
import os
import subprocess
import sys
import threading
import types

import pytest

from model import monitor as platform
from model import training
from ymir_exc import _files, monitor
from ymir_exc import result_writer as rw

WRITER = """
import sys
from ymir_exc import monitor
for number in range(int(sys.argv[1])):
    monitor.write_monitor_logger(number / int(sys.argv[1]), message="", details="x" * (number % 5000))
"""


def test_a_reader_in_a_tight_loop_never_sees_a_part(task):
    monitor.write_monitor_logger(0)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, "400"], env=task.variables(), stdin=subprocess.DEVNULL
        )
        for _ in range(2)
    ]
    reads, seen = 0, set()
    while any(writer.poll() is None for writer in writers):
        content = task.monitor
        line = platform.parse(content)  # EOFError, ValueError: empty or half
        assert content.endswith(b"\n")
        seen.add(line.timestamp)
        reads += 1
    assert [writer.returncode for writer in writers] == [0, 0]
    assert len(seen) > 20
    assert reads > 100
    assert sorted(os.listdir(task.out)) == ["models", "monitor.txt", "tensorboard"]


def test_a_result_is_whole_at_any_moment(task):
    task.weights("a.pt")
    rw.write_model_stage("first", ["a.pt"], {"mAP": 0.5})
    done = threading.Event()

    def write():
        for number in range(60):
            rw.write_model_stage(f"e{number}", ["a.pt"], {"mAP": 0.1, "note": "x" * 2000})
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not done.is_set():
        assert training.read(str(task.models)).best == "first"
    thread.join()


def test_a_killed_writer_leaves_the_last_whole_file(task, monkeypatch):
    monitor.write_monitor_logger(0.5)

    def killed(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(_files.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        monitor.write_monitor_logger(0.6)
    assert platform.parse(task.monitor).percent == 0.5
    assert sorted(os.listdir(task.out)) == ["models", "monitor.txt", "tensorboard"]


def test_a_full_disk_leaves_the_last_whole_file(task, monkeypatch):
    monitor.write_monitor_logger(0.5)

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_files.os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        monitor.write_monitor_logger(0.6)
    assert platform.parse(task.monitor).percent == 0.5


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EXDEV, errno.EPERM, errno.EACCES])
def test_a_file_that_is_mounted_by_itself_is_overwritten_without_being_emptied(task, monkeypatch, number):
    """Platform 1.1 mounts files of mining and infer by themselves, so that none can be renamed over them."""
    (task.out / "monitor.txt").write_text(
        "a long line that was there before, longer than the report will be" * 3, encoding="utf-8"
    )
    before = os.stat(task.out / "monitor.txt").st_ino

    def refused(*arguments):
        raise OSError(number, os.strerror(number))

    sizes = []
    write = os.write
    monkeypatch.setattr(_files.os, "replace", refused)
    monkeypatch.setattr(
        _files.os,
        "write",
        lambda *args: sizes.append(os.stat(task.out / "monitor.txt").st_size) or write(*args),
    )
    monitor.write_monitor_logger(0.5)
    assert platform.parse(task.monitor).percent == 0.5
    assert os.stat(task.out / "monitor.txt").st_ino == before
    assert 0 not in sizes
    assert sorted(os.listdir(task.out)) == ["models", "monitor.txt", "tensorboard"]


def test_a_folder_that_takes_no_new_files(task, monkeypatch):
    path = task.out / "monitor.txt"
    path.write_text("old", encoding="utf-8")
    opened = os.open

    def guarded(name, flags, *more):
        if flags & os.O_EXCL:
            raise PermissionError(errno.EACCES, "Permission denied", name)
        return opened(name, flags, *more)

    monkeypatch.setattr(_files.os, "open", guarded)
    monitor.write_monitor_logger(0.5)
    assert platform.parse(task.monitor).percent == 0.5


def test_mode_and_link_of_an_existing_file_stay(task):
    place = task.root / "elsewhere.txt"
    place.write_text("", encoding="utf-8")
    place.chmod(0o666)
    (task.out / "monitor.txt").symlink_to(place)
    monitor.write_monitor_logger(0.5)
    assert (task.out / "monitor.txt").is_symlink()
    assert os.stat(place).st_mode & 0o777 == 0o666
    assert platform.parse(place.read_bytes()).percent == 0.5


def test_a_new_file_has_the_mode_of_any_other(task):
    old = os.umask(0o022)
    try:
        monitor.write_monitor_logger(0.5)
    finally:
        os.umask(old)
    assert os.stat(task.out / "monitor.txt").st_mode & 0o777 == 0o644


def test_the_owner_of_an_existing_file_stays(task, monkeypatch):
    """A container that runs as root must not take the file from the platform, which writes the last line."""
    path = task.out / "monitor.txt"
    path.write_text("", encoding="utf-8")
    given = []
    stat = os.stat
    owned = types.SimpleNamespace(st_uid=4321, st_gid=4322, st_mode=stat(path).st_mode)
    monkeypatch.setattr(
        _files.os, "stat", lambda name, **more: owned if name == str(path) else stat(name, **more)
    )
    monkeypatch.setattr(_files.os, "fchown", lambda _, user, group: given.append((user, group)))
    monitor.write_monitor_logger(0.5)
    assert given == [(4321, 4322)]
