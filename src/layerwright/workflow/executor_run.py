"""Run an executor as the YMIR platform would: inspect, prepare, start, watch, judge.

The way in for programs is ``start_executor``: it makes the work folder and runs the job in a thread; the folder then
tells everything (``harness.jobs``: ``list_jobs``, ``read_job``, ``read_log``, ``cancel_job``).
"""

import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from layerwright.core.errors import LayerwrightError, UsageError
from layerwright.harness.folders import Inputs, prepare
from layerwright.harness.inspect_image import ImageSays, inspect_image
from layerwright.harness.jobs import JobView, cancel_job, read_job
from layerwright.harness.records import Report, State
from layerwright.harness.running import RunOptions, run_job
from layerwright.harness.sources import DataSource, LoadedData, load_data
from layerwright.harness.start_model import StartModel, open_package
from layerwright.harness.watch import Clock
from layerwright.spec.faults import nearest
from layerwright.workflow.executor_engines import EngineStarter, find_starter
from layerwright.workflow.session import Session, read_spec
from layerwright.ymir.codes import Task
from layerwright.ymir.configuration import fill_form
from layerwright.ymir.environment import PROTOCOLS, make_task_id
from layerwright.ymir.remarks import Remark

if TYPE_CHECKING:
    from layerwright.harness.starter import Starter

__all__ = [
    "ExecutorRequest",
    "Ready",
    "Running",
    "cancel_executor",
    "make_ready",
    "run_executor",
    "start_executor",
    "system_clock",
]

FOREIGN_USER: Final = (61357, 61357)
"""Ids that no image knows: what the program runs as when root runs the harness."""

ROOT_FOLDER: Final = "executor-runs"
"""Folder in the current one that work folders are made in."""


class ExecutorRequest(Struct, frozen=True, kw_only=True):
    """What is asked for.

    Attributes:
        image: an image or cell of the spec, ``docker:NAME``, or a reference of the engine's.
        task: what runs.
        data: where the pictures are.
        engine: ``docker``, ``podman`` or ``native``.
        also_infer: infer runs beside mining.
        edits: what is typed into the form, by key (``ymir.configuration.fill_form``).
        work: the work folder; None for a new one in ``executor-runs``.
        object_type: of the project; None takes the image's first.
        model: package, or work folder of a training, that the task starts from; None for none.
        stage: of the package; empty for the best.
        topk: how many pictures a mining selects; 0 for a fifth of them, at least one.
        gpus: numbers of the host's GPUs.
        user: ``UID:GID``; ``root``; empty for the caller's ids, or ids that nobody has when root asks.
        protocol: version that env.yaml announces.
        honours_codes: the platform takes the executor's own code (2.3 and later).
        poll_seconds: between two polls; the platform's is 20.
        timeout: seconds after which the job is killed; 0 for never.
    """

    image: str
    task: Task
    data: DataSource
    engine: str = "docker"
    also_infer: bool = False
    edits: Mapping[str, str] = field(default_factory=dict)
    work: Path | None = None
    object_type: int | None = None
    model: Path | None = None
    stage: str = ""
    topk: int = 0
    gpus: tuple[int, ...] = ()
    user: str = ""
    protocol: str = PROTOCOLS[0]
    honours_codes: bool = True
    poll_seconds: float = 20.0
    timeout: float = 0.0


class Ready(Struct, frozen=True, kw_only=True):
    """A job that everything is known of.

    Attributes:
        starter: of the image.
        says: what the image says about itself.
        inputs: of the job.
        folder: the work folder.
    """

    starter: "Starter"
    says: ImageSays
    inputs: Inputs
    folder: Path


def system_clock() -> Clock:
    """This machine's clock."""
    return Clock(now=time.time, sleep=time.sleep)


def make_ready(session: Session, request: ExecutorRequest) -> Ready:
    """Look at image, data and model; nothing is written but what a build of the image writes.

    Raises:
        UsageError: the platform would refuse it, or data cannot be read.
        EngineError: the engine does not answer.
    """
    model = open_package(_below(session, request.model), request.stage) if request.model is not None else None
    data = load_data(request.data, training=request.task == "training")
    starter = find_starter(session, request.image, request.engine)
    says = inspect_image(starter, request.task, request.object_type)
    user, owner = _ids(session, request.user)
    created = time.time()
    task_id = make_task_id(created, secrets.token_hex(3))
    inputs = Inputs(
        task=request.task,
        also_infer=request.also_infer,
        task_id=task_id,
        image=starter.image,
        image_name=_asked_for(session, request, starter),
        engine=request.engine,
        form=fill_form(says.template, request.edits),
        data=data,
        created=created,
        object_type=says.object_type,
        protocol=request.protocol,
        honours_codes=request.honours_codes,
        gpus=request.gpus,
        topk=(request.topk or _fifth(data)) if request.task == "mining" else 0,
        model=model,
        user=user,
        owner=owner,
        source=str(request.data.path),
        limit=request.data.limit,
        remarks=(
            *says.remarks,
            *_added_remarks(says, request),
            *_owner_remarks(session, user, owner),
            *_model_remarks(request, model),
        ),
    )
    folder = (
        _below(session, request.work) if request.work is not None else session.start / ROOT_FOLDER / task_id
    )
    return Ready(starter=starter, says=says, inputs=inputs, folder=folder)


def run_executor(
    session: Session, request: ExecutorRequest, *, on_state: Callable[[State], None] = lambda _: None
) -> Report:
    """Run a job to its end.

    Args:
        session: surroundings.
        request: what to run.
        on_state: gets each new state.

    Raises:
        UsageError: the platform would refuse it before its start.
        EngineError: the container could not be started.
    """
    ready = make_ready(session, request)
    prepared = prepare(ready.folder, ready.inputs)
    options = RunOptions(poll_seconds=request.poll_seconds, timeout=request.timeout, on_state=on_state)
    return run_job(prepared, ready.starter, options, system_clock())


class Running(Struct, frozen=True, kw_only=True):
    """A job that runs in a thread of this process.

    Attributes:
        folder: the work folder, which tells everything (``harness.jobs``).
        task_id: of the job.
        thread: ends with the job.
    """

    folder: Path
    task_id: str
    thread: threading.Thread


def start_executor(session: Session, request: ExecutorRequest) -> Running:
    """Prepare a job, start it in a thread, and come back.

    What stands in its way before the start is raised here; what happens later stands in the folder: ``read_job``
    gives its state, and its report when it has ended. ``cancel_job`` ends it.

    Args:
        session: surroundings; they may be shared by several jobs.
        request: what to run.

    Raises:
        UsageError: the platform would refuse it before its start.
        EngineError: the engine does not answer.
    """
    ready = make_ready(session, request)
    prepared = prepare(ready.folder, ready.inputs)
    options = RunOptions(poll_seconds=request.poll_seconds, timeout=request.timeout)

    def work() -> None:
        # An engine that fails is told in the folder's state.
        try:
            run_job(prepared, ready.starter, options, system_clock())
        except LayerwrightError:
            return

    thread = threading.Thread(target=work, name=f"executor {prepared.job.task_id}", daemon=True)
    thread.start()
    return Running(folder=prepared.folder, task_id=prepared.job.task_id, thread=thread)


def cancel_executor(session: Session, folder: Path, *, fetch_result: bool = False) -> JobView:
    """Ask for the end of a job (``harness.jobs.cancel_job``), and end a container that nobody looks after any more.

    Args:
        session: surroundings.
        folder: the work folder.
        fetch_result: "terminate and fetch result".

    Returns:
        The job as it was before; one that had ended stays as it is.

    Raises:
        UsageError: the folder holds no job.
    """
    view = read_job(folder)
    cancel_job(folder, fetch_result=fetch_result)
    if view.state.phase == "failed" and view.report is None and view.job.engine != "native":
        # A harness that was killed leaves its container: the client's end is not the container's.
        left = EngineStarter(session=session, engine=view.job.engine, image=view.job.image)
        left.remove(view.job.task_id)
    return view


def _below(session: Session, path: Path) -> Path:
    return session.start / path.expanduser()


def _asked_for(session: Session, request: ExecutorRequest, starter: "Starter") -> str:
    """The image's name as people use it: without one, the spec's only image, so that its jobs are found by it."""
    if request.image:
        return request.image
    cells = tuple(read_spec(session).cells)
    return cells[0] if len(cells) == 1 else starter.image


def _added_remarks(says: ImageSays, request: ExecutorRequest) -> tuple[Remark, ...]:
    """Keys that the form does not have are rows that a person added there, or a slip of the pen here."""
    return tuple(
        Remark(
            outcome="fine",
            rule="1.3",
            file="/in/config.yaml",
            field=key,
            message=f"the template of {request.task} has no such key: it arrives as text, like a row added to the form",
            repair=f"{key!r} may be meant as {near!r}" if (near := nearest(key, says.template)) else "",
        )
        for key in request.edits
        if key not in says.template
    )


def _owner_remarks(
    session: Session, user: tuple[int, int] | None, owner: tuple[int, int] | None
) -> tuple[Remark, ...]:
    """Who is not root cannot give the folders to somebody else, and the platform's executors own theirs."""
    host = session.host
    if user is None or owner is not None or user[0] == host.caller_uid or host.caller_uid == 0:
        return ()
    return (
        Remark(
            outcome="unknown",
            rule="4.1",
            file="the container",
            message=f"it runs as {user[0]}:{user[1]}, and /out is {host.caller_uid}:{host.caller_gid}'s, who alone may "
            "write there: only root can give it to others, so this run may fail where the platform's does not",
            repair="leave --user out, or run this as root",
        ),
    )


def _fifth(data: LoadedData) -> int:
    return max(1, len(data.dataset.candidates) // 5)


def _model_remarks(request: ExecutorRequest, model: StartModel | None) -> tuple[Remark, ...]:
    if request.task == "training" or model is not None:
        return ()
    return (
        Remark(
            outcome="fine",
            rule="1.4",
            file="/in/config.yaml",
            field="model_params_path",
            message=f"no model is given, and the platform never runs {request.task} without one",
            repair="give one: --model PACKAGE, or the work folder of a training",
        ),
    )


def _ids(session: Session, text: str) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """Ids of the program, and those that its folders are given to."""
    host = session.host
    if text == "root":
        return None, None
    if text:
        uid, _, gid = text.partition(":")
        if not uid.isdecimal() or not gid.isdecimal():
            raise UsageError(f"{text!r} are no ids", hint="write UID:GID in numbers, or root")
        user = (int(uid), int(gid))
        return user, user if os.geteuid() == 0 and host.caller_uid == 0 else None
    if host.caller_uid != 0:
        return (host.caller_uid, host.caller_gid), None
    return FOREIGN_USER, FOREIGN_USER
