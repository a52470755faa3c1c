from pathlib import Path

import pytest

from layerwright.host.environment import HostEnvironment
from layerwright.host.http import HttpClient
from support.index import Index, serve


@pytest.fixture
def host(tmp_path):
    """A caller with an empty home and nothing of this machine's settings but its search path."""
    import os
    import sys

    home = tmp_path / "home"
    home.mkdir()
    return HostEnvironment(
        variables={},
        uid=os.geteuid(),
        gid=os.getegid(),
        groups=(),
        home=home,
        cpu_count=2,
        path=os.environ["PATH"],
        python=Path(sys.executable),
    )


@pytest.fixture
def http():
    return HttpClient(variables={}, attempts=2, sleep=lambda _: None)


@pytest.fixture
def index():
    with serve(Index()) as served:
        yield served
