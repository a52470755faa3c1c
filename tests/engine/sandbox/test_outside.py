"""The process that stays outside of our user namespace."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from layerwright.host.outside import Outside
from layerwright.host.process import ProcessError
from support.command import processes_with

pytestmark = pytest.mark.engine


@pytest.fixture
def outside() -> Iterator[Outside]:
    made = Outside.start()
    yield made
    made.close()


def shell(outside: Outside, text: str, **options: object) -> bytes:
    settings = {"env": dict(os.environ), "timeout": 30.0, **options}
    return outside.run(["sh", "-c", text], **settings).stdout  # type: ignore[arg-type]


def test_it_does_as_the_plain_way(outside: Outside) -> None:
    lines: list[str] = []
    done = shell(outside, "echo one; echo s3cret; printf '\\377'", on_line=lines.append, masked=["s3cret"])
    assert lines[:2] == ["one", "***"]
    assert done.endswith(b"\xff")
    assert shell(outside, "echo $IT", env={"IT": "\udcff中"}).rstrip() == "\udcff中".encode(
        errors="surrogateescape"
    )
    with pytest.raises(ProcessError, match=r"status 3(.|\n)*the reason") as caught:
        shell(outside, "echo the reason >&2; exit 3")
    assert caught.value.status == 3
    assert outside.run(["false"], env={}, timeout=30, check=False).status in {1, 127}
    with pytest.raises(ProcessError, match=r"longer than 0\.2 s") as slow:
        shell(outside, "sleep 60", timeout=0.2)
    assert slow.value.timed_out
    with pytest.raises(ProcessError):
        outside.run(["/no/such/program"], env={}, timeout=30)


def test_an_interrupt_ends_what_runs_outside(outside: Outside) -> None:
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.5, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        shell(outside, "sleep 61.25")
    deadline = time.monotonic() + 10
    while processes_with("sleep 61.25") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_with("sleep 61.25") == []
    with pytest.raises(ProcessError, match="outside of the user namespace ended"):
        shell(outside, "true")


def test_it_ends_with_whoever_made_it() -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        Outside.start()
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    assert os.read(reader, 1) == b""  # it held the other end, and is gone
    os.close(reader)
