"""The page's end is the end of its jobs, containers and all."""

import json
import re
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from http.cookiejar import CookieJar

import pytest

from support.command import finish
from support.executors import Executors

pytestmark = pytest.mark.engine


def containers() -> str:
    return subprocess.run(
        ["docker", "ps", "--all", "--format", "{{.Names}}"], capture_output=True, check=True
    ).stdout.decode()


def test_an_interrupt_ends_the_containers_of_the_page(executors: Callable[[str], Executors]) -> None:
    command = executors("docker").command
    process = command.start("executor", "serve", "--image", "trial", "--port", "0", "--data", "data")
    address = process.stdout.readline().decode().strip()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    form = f"{address}images/trial/training"
    token = re.search(r'name="csrf" value="(\w+)"', browser.open(form, timeout=120).read().decode())[1]
    sent = urllib.parse.urlencode({"csrf": token, "p.steps": "400", "p.pause": "0.2"}).encode()
    task = browser.open(form, sent, timeout=120).url.rpartition("/")[2]
    deadline = time.monotonic() + 60
    while task not in containers() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert task in containers()
    process.send_signal(signal.SIGINT)
    done = finish(process, timeout=60)
    assert done.status == 130, done
    assert task not in containers()
    state = json.loads((command.folder / "executor-runs" / task / "state.json").read_text(encoding="utf-8"))
    assert state["phase"] == "cancelled"
