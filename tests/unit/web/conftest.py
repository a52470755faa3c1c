"""The page with an executor that is known already, so that no engine is asked."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from layerwright.core.events import SilentReporter
from layerwright.host.environment import HostEnvironment
from layerwright.web.app import make_app
from layerwright.web.board import Board
from layerwright.web.crew import Crew
from layerwright.web.images import Card, Cards, parameters_of
from layerwright.workflow.session import Session
from layerwright.ymir.parameters import Parameter
from support.jobs import make_site

EPOCHS = Parameter(
    name="epochs", type="int", default=5, minimum=1, maximum=100, help="passes", tasks=("training",)
)
RATE = Parameter(name="rate", type="float", default=0.1, minimum=0.0, unit="per step", tasks=("training",))
HALF = Parameter(name="half", type="bool", default=True, tasks=("training", "infer"))
MODE = Parameter(name="mode", type="choice", default="small", choices=("small", "large"), tasks=("training",))
TEMPLATE = {
    "export_format": "ark:raw",
    "epochs": 5,
    "rate": 0.1,
    "half": True,
    "mode": "small",
    "more": [1, 2],
}


@pytest.fixture
def session(tmp_path: Path) -> Session:
    variables = {"HOME": str(tmp_path), "PATH": "/nowhere"}
    return Session(
        host=HostEnvironment.gather(variables),
        reporter=SilentReporter(),
        start=tmp_path,
        spec_file=None,
        store_root=tmp_path / "store",
        offline=True,
    )


@pytest.fixture
def site(tmp_path: Path, session: Session):
    return make_site(tmp_path, session)


@pytest.fixture
def card() -> Card:
    declared = (EPOCHS, RATE, HALF, MODE)
    tasks = {task: parameters_of(TEMPLATE, declared, task) for task in ("training", "mining", "infer")}
    return Card(name="hello", engine="docker", image="hello:1", object_types=(2,), tasks=tasks)


@pytest.fixture
def app(site, card: Card, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Cards, "_ask", lambda *_: card)
    return make_app(site, token="", board=Board(site.runs, site.session.host), crew=Crew())


@pytest.fixture
def client(app) -> TestClient:
    return TestClient(app, base_url="http://127.0.0.1:8620", follow_redirects=False)
