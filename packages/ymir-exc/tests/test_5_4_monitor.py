"""§5.4: reports of progress."""

import re
import sys
import time
import types

import numpy as np
import pytest

from model import monitor as platform
from ymir_exc import monitor, util
from ymir_exc.code import ExecutorReturnCode, ExecutorState

TASK_ID = "t0000001000002ebb7f11653630774"


class Scalar:
    """A number as torch has it: nothing but item()."""

    def __init__(self, value):
        self.value = value

    def item(self):
        return self.value


def test_the_line(task):
    before = time.time()
    monitor.write_monitor_logger(percent=0.2)
    assert re.fullmatch(rb"t[0-9a-f]{29}\t\d+\.\d+\t0\.20\t2\t0\n", task.monitor)
    line = platform.parse(task.monitor)
    assert before <= line.timestamp <= time.time()


def test_each_report_has_a_time_of_its_own(task):
    times = set()
    for _ in range(20):
        monitor.write_monitor_logger(0.5)
        times.add(task.monitor.split(b"\t")[1])
    assert len(times) == 20


@pytest.mark.parametrize(
    ("percent", "text"),
    [(0.005, "0.01"), (0.015, "0.01"), (0.995, "0.99"), (0.999, "1.00"), (1 / 3, "0.33"), (1, "1.00")],
)
def test_two_decimals_of_binary_floats(task, percent, text):
    monitor.write_monitor_logger(percent)
    assert task.monitor.split(b"\t")[2].decode() == text


@pytest.mark.parametrize(
    "percent", [np.float32(0.5), np.float64(0.5), np.array(0.5), np.array([0.5]), Scalar(0.5), "0.5"]
)
def test_numbers_of_other_libraries(task, percent):
    monitor.write_monitor_logger(percent)
    assert platform.parse(task.monitor).percent == 0.5


def test_an_array_is_not_a_percent(task):
    with pytest.raises(ValueError, match="percent has several elements, and one number is wanted"):
        monitor.write_monitor_logger(np.array([0.1, 0.2]))
    with pytest.raises(TypeError, match="percent is a object, and a number is wanted"):
        monitor.write_monitor_logger(object())
    assert not (task.out / "monitor.txt").exists()


@pytest.mark.parametrize("state", [ExecutorState.ES_ERROR, 4, np.int64(4)])
def test_an_error_carries_its_code(task, state):
    monitor.write_monitor_logger(0.3, state, ExecutorReturnCode.RC_EXEC_OOM)
    line = platform.parse(task.monitor)
    assert (line.state, line.code, line.percent) == (4, 300103, 0.3)


def test_a_running_report_has_code_0(task):
    with pytest.warns(UserWarning, match="code 300103 was given with a report of a running executor"):
        monitor.write_monitor_logger(0.3, return_code=300103)
    assert platform.parse(task.monitor).code == 0


@pytest.mark.parametrize("percent", [1.2, -3, float("nan")])
def test_no_range_is_checked_but_it_is_said(task, percent):
    with pytest.warns(UserWarning, match="whose progress is not from 0 to 1"):
        monitor.write_monitor_logger(percent)
    assert not platform.fits_web_page(platform.parse(task.monitor))


def test_message_and_details_stay_in_their_places(task):
    monitor.write_monitor_logger(
        0.1, ExecutorState.ES_ERROR, 300201, message="loss\tis\nnan", details="Traceback:\n  line 1"
    )
    line = platform.parse(task.monitor)
    assert (line.code, line.message, line.stack) == (300201, "loss is nan", ("Traceback:", "  line 1"))


def test_the_name_of_sdk_1(task):
    monitor.write_monitor_logger(percent=0.5, state=monitor.TASK_STATE_RUNNING)
    assert platform.parse(task.monitor).state == 2


def test_tasks():
    assert {each.name: int(each) for each in monitor.YmirTask} == {"TRAINING": 1, "MINING": 2, "INFER": 3}
    assert util.YmirTask is monitor.YmirTask


@pytest.mark.parametrize(
    ("task_name", "order", "percent", "answer"),
    [
        ("mining", "tmi", 0.4, 0.2),
        ("infer", "tmi", 0.4, 0.7),
        ("mining", "tim", 0.4, 0.7),
        ("infer", "tim", 0.4, 0.2),
        ("training", "tmi", 0.4, 0.7),
        (monitor.YmirTask.MINING, "tmi", 1, 0.5),
        (3, "tmi", 1, 1),
    ],
)
def test_two_tasks_in_one_container(task, task_name, order, percent, answer):
    task.mining(mining=True, infer=True)
    monitor.write_monitor_logger_for_multiple_tasks(util.get_merged_config(), task_name, percent, order)
    assert platform.parse(task.monitor).percent == pytest.approx(answer)


@pytest.mark.parametrize("flags", [{"mining": True}, {"mining": False, "infer": True}])
def test_one_task_has_it_all(task, flags):
    task.mining(**flags)
    monitor.write_monitor_logger_for_multiple_tasks(util.get_merged_config(), "mining", 0.4)
    assert platform.parse(task.monitor).percent == 0.4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sleeping", 0.5), "there is no task 'sleeping'; tasks are training, mining, infer"),
        ((7, 0.5), "there is no task 7"),
        (("mining", 1.01), "percent is 1.01, and a fraction from 0 to 1 is wanted"),
        (("mining", -0.1), "percent is -0.1"),
        (("mining", float("nan")), "percent is nan"),
        (("mining", 0.5, "mti"), "the order is 'mti'"),
    ],
)
def test_what_is_refused(task, arguments, words):
    with pytest.raises(AssertionError, match=re.escape(words)):
        monitor.write_monitor_logger_for_multiple_tasks(util.get_merged_config(), *arguments)
    assert not (task.out / "monitor.txt").exists()


def written_texts(folder):
    """The text summaries of TensorBoard's event files, by tag."""
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    for path in folder.rglob("*tfevents*"):
        data = path.read_bytes()
        while data:
            length = int.from_bytes(data[:8], "little")
            for value in Event.FromString(data[12 : 12 + length]).summary.value:
                found[value.tag] = value.tensor.string_val[0].decode()
            data = data[12 + length + 4 :]
    return found


# tensorboardX names a function of numpy that is going away.
@pytest.mark.filterwarnings("ignore:::tensorboardX")
def test_texts_for_tensorboard(task):
    (task.out / "ymir-executor-out.log").write_bytes(b"epoch 1\n\xff\n")
    monitor.write_tensorboard_text("learning rate 0.1")
    monitor.write_tensorboard_text("other", tag="notes")
    monitor.write_final_executor_log(tag="log")
    found = written_texts(task.out / "tensorboard")
    assert found["default/text_summary"] == "```\nlearning rate 0.1\n```"
    assert found["notes/text_summary"] == "```\nother\n```"
    assert found["log/text_summary"] == "```\nepoch 1\n�\n\n```"


def test_torchs_writer_serves_as_well(task, monkeypatch):
    calls = []

    class Writer:
        def __init__(self, folder, filename_suffix):
            calls.append(folder)

        def add_text(self, tag, text, global_step):
            calls.append((tag, text, global_step))

        def close(self):
            calls.append("closed")

    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    monkeypatch.setitem(sys.modules, "torch", types.ModuleType("torch"))
    monkeypatch.setitem(sys.modules, "torch.utils", types.ModuleType("torch.utils"))
    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    before = time.time() * 1000
    monitor.write_tensorboard_text("a")
    assert calls[0] == str(task.out / "tensorboard")
    assert calls[1][:2] == ("default", "```\na\n```")
    assert before - 1 <= calls[1][2] <= time.time() * 1000 + 1
    assert calls[2] == "closed"


def test_without_a_writer_it_says_what_to_install(task, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"pip install 'layerwright-ymir-exc\[tensorboard\]'"):
        monitor.write_tensorboard_text("a")
