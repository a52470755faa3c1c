"""Which code says why an executor failed, and a report of it that the platform can use (§4.2, §4.4).

The platform takes the code of a failed container from monitor.txt (2.3 and newer); without one users see 160004 and
five lines of the log. ``reporting`` writes it::

    with failures.reporting():
        train(cfg)
"""

from __future__ import annotations

import contextlib
import math
import re
import traceback
from typing import Iterator

from ymir_exc import _report, env, monitor
from ymir_exc.code import ExecutorReturnCode, ExecutorState

__all__ = ["MESSAGE_LENGTH", "message_of", "report_failure", "reporting", "return_code_of"]

MESSAGE_LENGTH = 300
"""Characters of an exception that go into the message; the traceback follows it."""

_TRACEBACK_LINES = 60

_KILLED = (-9, 137)
"""SIGKILL as Python and as shells tell it."""

_BY_CLASS = {
    "MemoryError": ExecutorReturnCode.RC_EXEC_OOM,
    "OutOfMemoryError": ExecutorReturnCode.RC_EXEC_OOM,  # torch.cuda's and cupy's
    "ResourceExhaustedError": ExecutorReturnCode.RC_EXEC_OOM,  # tensorflow's
    "FloatingPointError": ExecutorReturnCode.RC_EXEC_NAN_ERROR,
    "UnidentifiedImageError": ExecutorReturnCode.RC_EXEC_UNKNOWN_IMAGE_FORMAT,
    "ConnectionError": ExecutorReturnCode.RC_EXEC_NETWORK_ERROR,
    "gaierror": ExecutorReturnCode.RC_EXEC_NETWORK_ERROR,
    "URLError": ExecutorReturnCode.RC_EXEC_NETWORK_ERROR,
    "RequestException": ExecutorReturnCode.RC_EXEC_NETWORK_ERROR,
    "ParameterError": ExecutorReturnCode.RC_EXEC_CONFIG_ERROR,
    "YAMLError": ExecutorReturnCode.RC_EXEC_CONFIG_ERROR,
}
"""Names of classes, of the exception itself or of one it is derived from, so that no library is imported."""

_BY_TEXT = {
    r"out of memory|can't allocate memory|cannot allocate memory|_STATUS_ALLOC_FAILED|unable to allocate": (
        ExecutorReturnCode.RC_EXEC_OOM
    ),
    r"no CUDA GPUs are available|no CUDA-capable device|Found no NVIDIA driver|not compiled with CUDA enabled"
    r"|invalid device ordinal": ExecutorReturnCode.RC_EXEC_NO_GPU,
    r"no kernel image is available|driver version is insufficient|driver on your system is too old"
    r"|invalid device function|CUDA capability .* is not compatible|PTX was compiled": (
        ExecutorReturnCode.RC_EXEC_CUDA_GPU_ERROR
    ),
    r"connection (refused|reset|aborted|timed out)|name or service not known|temporary failure in name resolution"
    r"|network is unreachable|max retries exceeded": ExecutorReturnCode.RC_EXEC_NETWORK_ERROR,
}
"""Words of CUDA, torch, numpy and the C library in the text of an exception."""

_NAN_TEXT = re.compile(r"\bnan\b|not finite|non-?finite", re.IGNORECASE)
_MODEL_FILE = re.compile(
    r"\.(pt|pth|pkl|onnx|weights|params|ckpt|safetensors|h5|pb|engine|caffemodel)$", re.IGNORECASE
)


def return_code_of(error: BaseException) -> ExecutorReturnCode:
    """The code for an exception: its own ``return_code``, else by its kind, else by its words, else by what caused it.

    Args:
        error: the exception; those it came from are looked at too.

    Returns:
        The code, RC_CMD_CONTAINER_ERROR (160004) when nothing tells more.

    """
    for each in _chain(error):
        code = _code_of_one(each)
        if code is not None:
            return code
    return ExecutorReturnCode.RC_CMD_CONTAINER_ERROR


def message_of(error: BaseException) -> str:
    """One line that says what happened, with the exception's name."""
    text = _report.one_line(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    return text if len(text) <= MESSAGE_LENGTH else text[: MESSAGE_LENGTH - 3] + "..."


def report_failure(error: BaseException, return_code: int | None = None) -> None:
    """Report that the executor failed, with the code, the exception in the message and its traceback below.

    A failure that is reported already, by a program that this one started, stays: it is nearer to the cause.

    Args:
        error: what happened.
        return_code: the code, when the caller knows better than ``return_code_of``.

    """
    task = env.get_current_env()
    last = monitor.last_report(task.output.monitor_file)
    if (
        last is not None
        and (last.task_id, last.state) == (task.task_id, ExecutorState.ES_ERROR)
        and last.code
    ):
        return
    known = last is not None and last.task_id == task.task_id and not math.isnan(last.percent)
    lines = "".join(traceback.format_exception(type(error), error, error.__traceback__)).splitlines()
    monitor.write_monitor_logger(
        percent=min(max(last.percent, 0.0), 1.0) if known and last is not None else 0.0,
        state=ExecutorState.ES_ERROR,
        return_code=return_code_of(error) if return_code is None else return_code,
        message=message_of(error),
        details="\n".join(lines[-_TRACEBACK_LINES:]),
    )


@contextlib.contextmanager
def reporting() -> Iterator[None]:
    """Report whatever exception leaves the block, and let it go on; also a decorator for a function.

    An exception while reporting, as when /out is full, is left out in favour of the first.
    """
    try:
        yield
    except Exception as error:
        with contextlib.suppress(OSError, ValueError):
            report_failure(error)
        raise


def _code_of_one(error: BaseException) -> ExecutorReturnCode | None:
    """The code for one exception, whatever it came from."""
    own = getattr(error, "return_code", None)
    if isinstance(own, int) and own in set(ExecutorReturnCode):
        return ExecutorReturnCode(own)
    if (
        getattr(error, "returncode", None) in _KILLED
    ):  # subprocess.CalledProcessError: killed, mostly for its memory
        return ExecutorReturnCode.RC_EXEC_OOM
    names = [each.__name__ for each in type(error).__mro__]
    by_class = next((_BY_CLASS[name] for name in names if name in _BY_CLASS), None)
    if by_class is not None:
        return by_class
    if isinstance(error, FileNotFoundError) and _MODEL_FILE.search(str(error.filename or "")):
        return ExecutorReturnCode.RC_EXEC_MODEL_ERROR
    text = str(error)
    for pattern, code in _BY_TEXT.items():
        if re.search(pattern, text, re.IGNORECASE):
            return code
    return ExecutorReturnCode.RC_EXEC_NAN_ERROR if _NAN_TEXT.search(text) else None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and those it came from, nearest first."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
