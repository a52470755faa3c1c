"""§7.3.8: which code an exception is, and how it is reported."""

import socket
import subprocess
import urllib.error

import pytest
import yaml
from PIL import UnidentifiedImageError

from model import monitor as platform
from ymir_exc import failures, monitor, parameters
from ymir_exc.code import ExecutorReturnCode, ExecutorState
from ymir_exc.failures import return_code_of


def made(name, base=RuntimeError, **attributes):
    """An exception of a library that is not here."""
    return type(name, (base,), attributes)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), 300103),
        (made("OutOfMemoryError")("CUDA out of memory. Tried to allocate 20.00 MiB"), 300103),
        (
            RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 10.76 GiB total capacity)"),
            300103,
        ),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), 300103),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:73] DefaultCPUAllocator: can't allocate memory"),
            300103,
        ),
        (OSError(12, "Cannot allocate memory"), 300103),
        (made("_ArrayMemoryError", MemoryError)("Unable to allocate 8.00 GiB for an array"), 300103),
        (subprocess.CalledProcessError(-9, ["python3", "train.py"]), 300103),
        (subprocess.CalledProcessError(137, ["sh"]), 300103),
        (subprocess.CalledProcessError(1, ["sh"]), 160004),
        (FloatingPointError("overflow"), 300201),
        (ValueError("loss is NaN at step 12"), 300201),
        (RuntimeError("Function 'MulBackward0' returned nan values in its 0th output."), 300201),
        (ValueError("loss is non-finite, stopping training"), 300201),
        (ValueError("the name of a banana"), 160004),
        (RuntimeError("No CUDA GPUs are available"), 300102),
        (AssertionError("Torch not compiled with CUDA enabled"), 300102),
        (RuntimeError("CUDA error: invalid device ordinal"), 300102),
        (RuntimeError("CUDA error: no kernel image is available for execution on the device"), 300101),
        (RuntimeError("The NVIDIA driver on your system is too old (found version 10010)"), 300101),
        (RuntimeError("CUDA driver version is insufficient for CUDA runtime version"), 300101),
        (ConnectionRefusedError(111, "Connection refused"), 300301),
        (socket.gaierror(-2, "Name or service not known"), 300301),
        (urllib.error.URLError("no route"), 300301),
        (made("ConnectTimeout", made("RequestException", OSError))("timed out"), 300301),
        (UnidentifiedImageError("cannot identify image file 'a.jpg'"), 300003),
        (FileNotFoundError(2, "No such file or directory", "/in/models/best.pt"), 300004),
        (FileNotFoundError(2, "No such file or directory", "/in/assets/a.jpg"), 160004),
        (parameters.ParameterError("epochs is 'many'"), 300001),
        (yaml.scanner.ScannerError("while scanning"), 300001),
        (KeyError("key"), 160004),
        (made("OwnError", return_code=300005)("no such object type"), 300005),
        (made("OwnError", return_code=7)("an own meaning"), 160004),
        (made("OwnError", return_code=ExecutorReturnCode.RC_EXEC_DATASET_ERROR)("empty"), 300002),
    ],
    ids=lambda value: value if isinstance(value, int) else f"{type(value).__name__}: {value}"[:40],
)
def test_codes(error, code):
    assert return_code_of(error) == code


def raised(cause=None, context=None, suppress=False):
    error = ValueError("training failed")
    error.__context__ = context
    error.__cause__ = cause
    error.__suppress_context__ = suppress
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (raised(cause=MemoryError(), suppress=True), 300103),
        (raised(context=MemoryError()), 300103),
        (raised(context=raised(context=MemoryError())), 300103),
        (raised(context=MemoryError(), suppress=True), 160004),
    ],
)
def test_what_it_came_from_counts_when_it_says_nothing_itself(error, code):
    assert return_code_of(error) == code


def test_a_circle_of_causes_ends():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert return_code_of(first) == 160004


def test_a_failure_is_reported_and_goes_on(task):
    monitor.write_monitor_logger(0.42)
    with pytest.raises(RuntimeError, match="out of memory"), failures.reporting():
        raise RuntimeError("CUDA out of memory.\n\tTried to allocate 2 GiB")
    line = platform.parse(task.monitor)
    assert (line.percent, line.state, line.code) == (0.42, 4, 300103)
    assert line.message == "RuntimeError: CUDA out of memory. Tried to allocate 2 GiB"
    assert line.stack[0] == "Traceback (most recent call last):"
    assert any("test_a_failure_is_reported_and_goes_on" in each for each in line.stack)


def test_a_function_can_be_reported_on(task):
    @failures.reporting()
    def train():
        raise ValueError("loss is nan")

    for _ in range(2):
        with pytest.raises(ValueError, match="nan"):
            train()
    assert platform.parse(task.monitor).code == 300201


def test_success_writes_nothing(task):
    with failures.reporting():
        pass
    assert not (task.out / "monitor.txt").exists()


def test_an_interrupt_is_no_failure(task):
    with pytest.raises(KeyboardInterrupt), failures.reporting():
        raise KeyboardInterrupt
    assert not (task.out / "monitor.txt").exists()


def test_a_report_nearer_to_the_cause_stays(task):
    monitor.write_monitor_logger(
        0.5, ExecutorState.ES_ERROR, ExecutorReturnCode.RC_EXEC_NAN_ERROR, message="by the child"
    )
    failures.report_failure(subprocess.CalledProcessError(1, ["python3"]))
    assert platform.parse(task.monitor).message == "by the child"
    (task.out / "monitor.txt").write_text("t9\t1.0\t0.5\t4\t300201\n", encoding="utf-8")
    failures.report_failure(MemoryError(), return_code=300002)
    assert platform.parse(task.monitor).code == 300002


@pytest.mark.parametrize("before", ["", "nonsense", "t0000001000002ebb7f11653630774\t1\tnan\t2\t0\n"])
def test_progress_that_is_not_known_is_0(task, before):
    (task.out / "monitor.txt").write_text(before, encoding="utf-8")
    failures.report_failure(MemoryError())
    line = platform.parse(task.monitor)
    assert (line.percent, line.message) == (0, "MemoryError")


def test_a_report_that_cannot_be_written_does_not_hide_the_failure(task):
    (task.inside / "env.yaml").unlink()
    with pytest.raises(ValueError, match="the first"), failures.reporting():
        raise ValueError("the first")


def test_a_path_that_is_no_text_does_not_hide_the_failure(task):
    with pytest.raises(ValueError, match="is no image"), failures.reporting():
        raise ValueError("/in/\udcff.jpg is no image")
    assert platform.parse(task.monitor).message == r"ValueError: /in/\udcff.jpg is no image"


def test_long_messages_are_cut(task):
    failures.report_failure(ValueError("x" * 5000))
    message = platform.parse(task.monitor).message
    assert len(message) == failures.MESSAGE_LENGTH
    assert message.endswith("...")
