"""§3: whatever an executor hands in, the platform's parsers take what is written, with nothing lost."""

import contextlib
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from model import infer, mining, training
from model import monitor as platform
from ymir_exc import monitor, parameters, util
from ymir_exc import result_writer as rw
from ymir_exc.dataset_convert import ark, masks

pytestmark = [pytest.mark.property, pytest.mark.filterwarnings("ignore::UserWarning")]

# One task serves all examples of a test: each writes its file anew, or starts by taking it away.
one_task = settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

fractions = st.floats(0, 1)
dressed = st.sampled_from([float, np.float64, np.float32, np.array, str, lambda value: np.array([value])])
line_text = st.text(st.characters(blacklist_categories=("Cs",)), max_size=40)
identifiers = st.from_regex(r"[a-z_][a-z0-9_-]{0,8}", fullmatch=True)


@one_task
@given(
    percent=fractions,
    kind=dressed,
    error=st.booleans(),
    code=st.integers(0, 999999),
    message=line_text,
    details=line_text,
)
def test_monitor_lines(task, percent, kind, error, code, message, details):
    monitor.write_monitor_logger(kind(percent), 4 if error else 2, code, message=message, details=details)
    line = platform.parse(task.monitor)
    assert line.task_id == "t0000001000002ebb7f11653630774"
    assert abs(line.percent - percent) <= 0.005 + 1e-6
    assert platform.fits_web_page(line)
    assert (line.state, line.code) == ((4, code) if error else (2, 0))


@one_task
@given(
    st.lists(
        st.tuples(st.sampled_from(["preprocess", "task", "postprocess"]), fractions), min_size=1, max_size=4
    ),
    st.sampled_from(["tmi", "tim"]),
    st.sampled_from(["training", "mining", "infer"]),
)
def test_progress_by_stages(task, steps, order, name):
    task.mining(mining=True, infer=True)
    cfg = util.get_merged_config()
    for stage, percent in steps:
        util.write_ymir_monitor_process(cfg, name, percent, stage, task_order=order)
        assert platform.fits_web_page(platform.parse(task.monitor))


metric = st.one_of(st.floats(0, 1), st.floats(-5, 0), st.just(math.nan), st.just(-math.inf))
metrics = st.fixed_dictionaries(
    {"mAP": metric},
    optional={
        "mAR": metric,
        "mIoU": metric,
        "maskAP": metric,
        "tp": st.integers(-2, 99),
        "note": st.text(max_size=5),
    },
)
calls = st.lists(
    st.tuples(
        identifiers,
        st.lists(st.sampled_from(["a.pt", "b.pt", "w/c.pt"]), min_size=1, max_size=3, unique=True),
        metrics,
        dressed,
        st.integers(0, 2**31),
    ),
    min_size=1,
    max_size=4,
)


@one_task
@given(calls)
@example([("é-x", ["a.pt"], {"mAP": 0.0}, float, 0)])
def test_results_of_training(task, calls):
    (task.models / "result.yaml").unlink(missing_ok=True)
    task.weights("a.pt", "b.pt", "w/c.pt")
    for name, files, values, kind, moment in calls:
        dressed_values = {
            key: kind(value) if isinstance(value, float) else value for key, value in values.items()
        }
        rw.write_model_stage(name, files, dressed_values, timestamp=moment)
        found = training.read(str(task.models))
        stage = name.replace("-", "_")
        assert len(found.members) <= 11
        if stage in found.members:
            assert found.members[stage] == [f"{stage}/{each}" for each in files]
        top = next(key for key in ("maskAP", "mIoU", "mAP") if key in task.result)
        best = max(float(each.get(top, 0)) for each in task.result["model_stages"].values())
        assert task.result[top] == best == found.metrics[top]


names = st.from_regex(r"/?([a-z0-9]{1,4}/){0,2}[a-z0-9]{1,6}\.(jpg|png)", fullmatch=True)
corner = st.one_of(
    st.integers(-(2**31), 2**31), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6, width=32).map(np.float32)
)
boxes = st.builds(lambda x, y, w, h: rw.Box(x=x, y=y, w=w, h=h), corner, corner, corner, corner)
annotations = st.builds(
    lambda name, score, box: rw.Annotation(class_name=name, score=score, box=box),
    st.text(max_size=5),
    st.one_of(fractions, fractions.map(np.float64), fractions.map(str), st.just(math.nan)),
    boxes,
)


@one_task
@given(st.dictionaries(names, st.lists(annotations, max_size=3), max_size=5))
def test_results_of_detection(task, found):
    rw.write_infer_result(found)
    kept, dropped = infer.read_detection((task.out / "infer-result.json").read_bytes())
    assert dropped == 0
    wanted = {}
    for path, objects in found.items():
        rows = [
            infer.Found(each.class_name, each.score, (each.box.x, each.box.y, each.box.w, each.box.h))
            for each in objects
            if not math.isnan(each.score)
        ]
        wanted[path.rpartition("/")[2]] = rows
    assert kept == {name: rows for name, rows in wanted.items() if rows}


@one_task
@given(
    st.lists(
        st.fixed_dictionaries(
            {"bbox": st.lists(st.floats(1, 9), min_size=4, max_size=4), "area": st.floats(1, 9)}
        ),
        max_size=4,
    ),
    names,
    st.sampled_from([list, np.array]),
)
def test_results_of_segmentation(task, rows, path, kind):
    document = {
        "images": [{"id": np.int64(7), "file_name": path}],
        "categories": [{"id": 0, "name": "cat"}],
        "annotations": [
            {
                **row,
                "bbox": kind(row["bbox"]),
                "image_id": 7,
                "category_id": np.int32(0),
                "segmentation": {"counts": b"11", "size": (1, 2)},
            }
            for row in rows
        ],
    }
    rw.write_infer_result(document, algorithm="segmentation")
    kept, dropped = infer.read_coco((task.out / "infer-result.json").read_bytes())
    assert (len(kept.get(path.rpartition("/")[2], [])), dropped) == (len(rows), 0)


@one_task
@given(
    st.lists(
        st.tuples(
            st.from_regex(r"/[a-z0-9]{1,5}\.jpg", fullmatch=True), st.floats(-1e30, 1e30) | st.just(math.nan)
        ),
        max_size=8,
    ),
    dressed,
    st.integers(1, 8),
)
def test_results_of_mining(task, rows, kind, topk):
    rows = [(path, float(np.float32(score)) if kind is np.float32 else score) for path, score in rows]
    rw.write_mining_result([(path, kind(score)) for path, score in rows])
    chosen = mining.select((task.out / "result.tsv").read_bytes(), topk)
    ranked = sorted(rows, key=lambda row: -math.inf if math.isnan(row[1]) else row[1], reverse=True)
    last = [row for row in ranked if not math.isnan(row[1])] + [row for row in rows if math.isnan(row[1])]
    assert chosen == [path[1:-4] for path, _ in last[:topk]]


# Readers of what others wrote: an answer or an error of our own, never anything else.


@one_task
@given(st.binary(max_size=200))
@example(b"\xff")
@example(b"a: 2020-13-45")
@example(b"!!timestamp x")
@example(b"[" * 5000)
@example(b"model_stages: &a {x: *a}")
@example(b"{attachments: null, evaluate_config: [], model_stages: {b: {timestamp: 5, files: x}}}")
def test_any_result_yaml_can_be_continued(task, content):
    (task.models / "result.yaml").write_bytes(content)
    rw.write_model_stage("a", task.weights("a.pt"), {"mAP": 0.5})
    assert training.read(str(task.models)).members["a"] == ["a/a.pt"]


@settings(max_examples=200)
@given(st.text(max_size=60))
@example("[" * 100_000)
def test_any_parameters_file(text):
    with contextlib.suppress(parameters.ParameterError):
        parameters.parse(text)


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))


@settings(max_examples=200)
@given(st.sampled_from(parameters.TYPES), scalars, st.lists(scalars, max_size=3))
def test_any_value_of_a_parameter(kind, value, choices):
    described = parameters.Parameter("key", kind, minimum=-5, maximum=5, choices=tuple(choices))
    wanted = {"int": int, "float": float, "bool": bool, "str": str}
    try:
        found = parameters.coerce({"key": value}, [described])["key"]
    except parameters.ParameterError:
        return
    if kind in wanted and not choices and found is not None:
        assert type(found) is wanted[kind]


@settings(max_examples=200)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=12))
def test_run_lengths(lengths):
    assert masks.run_lengths(compressed(lengths)) == lengths


def compressed(lengths):
    """COCO's text of run lengths, the other way round."""
    text = ""
    for index, length in enumerate(lengths):
        value = length - lengths[index - 2] if index > 2 else length
        while True:
            group, value = value & 0x1F, value >> 5
            more = value != (-1 if group & 0x10 else 0)
            text += chr(48 + (group | (0x20 if more else 0)))
            if not more:
                break
    return text


@settings(max_examples=200)
@given(st.text(max_size=20))
def test_any_run_lengths(text):
    with contextlib.suppress(ValueError):
        assert all(each >= 0 for each in masks.run_lengths(text))


@one_task
@given(st.text(st.characters(blacklist_categories=("Cs",)), max_size=40))
def test_any_ark_text(task, text):
    (task.inside / "a.txt").write_text(text, encoding="utf-8")
    try:
        ark.read_boxes(str(task.inside / "a.txt"))
    except ValueError as error:
        assert "is no box" in str(error)  # noqa: PT017 - most texts are an error
