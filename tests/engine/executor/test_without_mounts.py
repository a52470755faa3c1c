"""An executor where nothing can be mounted, as in an ordinary unprivileged container: copies in, results back."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from layerwright.core.events import Event, Notice
from layerwright.harness.sources import DataSource
from layerwright.host.environment import HostEnvironment
from layerwright.sandbox.model import Capabilities
from layerwright.workflow import workshop
from layerwright.workflow.executor_run import ExecutorRequest, run_executor
from layerwright.workflow.session import Session
from support.command import Command

pytestmark = pytest.mark.engine


def test_a_training(executor_project: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = workshop.sandbox_capabilities

    def poor(session: Session) -> Capabilities:
        return replace(
            found(session), runners=("chroot",), mount_namespace=False, network_namespace=False, overlay=False
        )

    monkeypatch.setattr(workshop, "sandbox_capabilities", poor)
    events: list[Event] = []
    session = Session(
        host=HostEnvironment.gather(executor_project.environment),
        reporter=events.append,
        start=executor_project.folder,
        spec_file=None,
        store_root=executor_project.store,
        offline=False,
    )
    request = ExecutorRequest(
        image="trial",
        task="training",
        engine="native",
        data=DataSource(path=executor_project.folder / "data"),
        work=tmp_path / "w",
        poll_seconds=0.3,
    )
    report = run_executor(session, request)
    assert report.good, report
    assert report.training is not None
    assert report.training.package is not None
    notices = [event.message for event in events if isinstance(event, Notice)]
    assert any("nothing can be mounted here: the executor gets copies" in notice for notice in notices)
