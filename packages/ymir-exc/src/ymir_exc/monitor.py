"""Reports of progress and of failure: /out/monitor.txt, and texts for TensorBoard (§3.1, §5.4)."""

from __future__ import annotations

import time
import uuid
import warnings
from enum import IntEnum
from typing import Any

from ymir_exc import _files, _report, env, settings
from ymir_exc._plain import number
from ymir_exc.code import ExecutorReturnCode, ExecutorState

__all__ = [
    "TASK_STATE_ERROR",
    "TASK_STATE_RUNNING",
    "YmirTask",
    "write_final_executor_log",
    "write_monitor_logger",
    "write_monitor_logger_for_multiple_tasks",
    "write_tensorboard_text",
]

TASK_STATE_RUNNING = int(ExecutorState.ES_RUNNING)
"""The name that executors written for SDK 1.x use."""

TASK_STATE_ERROR = int(ExecutorState.ES_ERROR)

_ORDERS = ("tmi", "tim")


class YmirTask(IntEnum):
    """What a container may be started for."""

    TRAINING = 1
    MINING = 2
    INFER = 3


def write_monitor_logger(
    percent: float,
    state: int = ExecutorState.ES_RUNNING,
    return_code: int = ExecutorReturnCode.RC_EXEC_NO_ERROR,
    *,
    message: str = "",
    details: str = "",
) -> None:
    """Report progress or failure; the platform looks every 20 seconds.

    The file is replaced as a whole, so that the platform never reads an empty one. Two decimals are written, as the
    SDKs do. A report of a running executor carries code 0, as in SDK 2.0.1 of the platform: a code belongs to an error.

    Args:
        percent: progress from 0 to 1; a number of any library. It is not held to that range unless
            ``settings.MONITOR_MONOTONIC`` is set, but a warning says so.
        state: ES_RUNNING or ES_ERROR; the platform decides alone when a task is done.
        return_code: for an error, why; the platform (2.3 and newer) gives it to the user.
        message: one line that goes with the code. The platform parses it.
        details: further lines, such as a traceback; the platform keeps them as stack information.

    """
    task = env.get_current_env()
    report = _report.Report(
        task.task_id,
        time.time(),
        float(number(percent, "percent")),
        int(number(state, "state")),
        int(number(return_code, "return_code")),
    )
    if report.state == ExecutorState.ES_RUNNING and report.code:
        warnings.warn(
            f"code {report.code} was given with a report of a running executor and is left out; "
            "report a failure with state=ExecutorState.ES_ERROR",
            stacklevel=2,
        )
        report = report._replace(code=0)
    path = task.output.monitor_file
    if settings.MONITOR_MONOTONIC or settings.MONITOR_MIN_SECONDS:
        last = last_report(path)
        if settings.MONITOR_MONOTONIC:
            report = _report.bounded(report, last)
        if _report.too_soon(report, last, settings.MONITOR_MIN_SECONDS):
            return
    _report.warn_of_percent(report.percent)
    _files.write_text(path, _report.format_report(report, message, details))


def write_monitor_logger_for_multiple_tasks(cfg: Any, task: Any, percent: float, order: str = "tmi") -> None:
    """Report progress of one task of a container that may have two.

    When mining and infer run in one container, the first of the order gets 0 to 0.5, the other one 0.5 to 1.

    Args:
        cfg: what ``util.get_merged_config`` gave.
        task: a YmirTask, or ``training``, ``mining``, ``infer``.
        percent: progress of that task, from 0 to 1.
        order: ``tmi``, mining comes first, or ``tim``.

    Raises:
        AssertionError: the task or the order is unknown, or the percent is outside of 0 to 1.

    """
    name = task_of(task).name.lower()
    share = float(number(percent, "percent"))
    if not 0 <= share <= 1:
        msg = f"percent is {share}, and a fraction from 0 to 1 is wanted"
        raise AssertionError(msg)
    if order not in _ORDERS:
        msg = f"the order is {order!r}; it is 'tmi' (mining first) or 'tim' (infer first)"
        raise AssertionError(msg)
    if cfg.ymir.run_infer and cfg.ymir.run_mining:
        first = "mining" if order == "tmi" else "infer"
        share = share / 2 if name == first else 0.5 + share / 2
    write_monitor_logger(share)


def task_of(task: Any) -> YmirTask:
    """A task from itself, its number or its name.

    Raises:
        AssertionError: there is no such task.

    """
    try:
        return YmirTask[task.upper()] if isinstance(task, str) else YmirTask(task)
    except (KeyError, ValueError):
        names = ", ".join(each.name.lower() for each in YmirTask)
        msg = f"there is no task {task!r}; tasks are {names}"
        raise AssertionError(msg) from None


def write_tensorboard_text(text: str, tag: str | None = None) -> None:
    """Show a text in TensorBoard, as code.

    Needs tensorboardX or torch with tensorboard, whichever the executor has.

    Args:
        text: the text.
        tag: its heading, ``default`` when there is none.

    Raises:
        ImportError: neither is installed.

    """
    # tensorboardX names files after the second and the host, and empties one that is there: the training's own, when it
    # began in this second (seen with 2.6.5).
    suffix = f".{uuid.uuid4().hex[:8]}.text"
    writer = _summary_writer()(env.get_current_env().output.tensorboard_dir, filename_suffix=suffix)
    try:
        writer.add_text(tag or "default", f"```\n{text}\n```", global_step=round(time.time() * 1000))
    finally:
        writer.close()


def write_final_executor_log(tag: str | None = None) -> None:
    """Show the log of the executor in TensorBoard: what it printed so far (``output.executor_log_file``)."""
    with open(env.get_current_env().output.executor_log_file, encoding="utf-8", errors="replace") as file:
        write_tensorboard_text(file.read(), tag)


def _summary_writer() -> Any:
    try:
        from tensorboardX import SummaryWriter  # noqa: PLC0415 - start-up
    except ImportError:
        try:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - start-up
        except ImportError as error:
            msg = (
                "texts for TensorBoard need tensorboardX, or torch with tensorboard, and neither is installed; "
                "pip install 'layerwright-ymir-exc[tensorboard]'"
            )
            raise ImportError(msg) from error
    return SummaryWriter


def last_report(path: str) -> _report.Report | None:
    """The report that stands in a monitor.txt; None when there is none."""
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            return _report.parse_report(file.read())
    except OSError:
        return None
