"""From the command line of ``executor run`` to a request."""

import argparse
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from layerwright.cli.commands.executor.run import _request
from layerwright.cli.main import make_parser
from layerwright.core.errors import UsageError


def asked(*words: str) -> Any:
    options = make_parser().parse_args(["executor", "run", *words])
    context: Any = SimpleNamespace(session=SimpleNamespace(start=Path("/here")))
    return _request(context, options)


def test_the_least() -> None:
    request = asked("--data", "pets")
    assert (request.image, request.task, request.engine, request.poll_seconds) == (
        "",
        "training",
        "docker",
        20.0,
    )
    assert (request.data.path, request.data.form, request.gpus) == (Path("/here/pets"), "auto", ())


def test_the_most() -> None:
    request = asked(
        "app", "--task", "mining+infer", "--data", "/pets", "--format", "voc", "--validation", "more", "--classes",
        "cat, dog,", "--limit", "5", "--param", "a=1", "--param", "b=x=y", "--model", "m", "--stage", "s",
        "--topk", "3", "--gpus", "2,5", "--object-type", "4", "--user", "1:2", "--protocol", "1.0.0", "--old-codes",
        "--poll", "1.5", "--timeout", "9", "--work", "w", "--engine", "podman",
    )  # fmt: skip
    assert (request.task, request.also_infer) == ("mining", True)
    assert request.data.class_names == ("cat", "dog")
    assert (request.data.validation, request.data.limit) == (Path("/here/more"), 5)
    assert request.edits == {"a": "1", "b": "x=y"}
    assert (request.gpus, request.object_type, request.user) == ((2, 5), 4, "1:2")
    assert (request.protocol, request.honours_codes, request.poll_seconds, request.timeout) == (
        "1.0.0",
        False,
        1.5,
        9.0,
    )
    assert (request.model, request.stage, request.topk, request.work) == (Path("m"), "s", 3, Path("w"))


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ([], "which pictures"),
        (["--data", "x", "--poll", "0"], "above 0"),
        (["--data", "x", "--param", "epochs"], "sets no parameter"),
        (["--data", "x", "--param", "=3"], "sets no parameter"),
        (["--data", "x", "--limit", "-1"], "--limit is -1"),
        (["--data", "x", "--topk", "-3"], "--topk is -3"),
        (["--data", "x", "--timeout", "nan"], "--timeout is nan"),
        (["--data", "x", "--fetch-result"], "belongs to --cancel"),
        (["--data", "x", "--validation-share", "3"], "from 0 to below 1"),
        (["--data", "x", "--validation-share", "nan"], "from 0 to below 1"),
    ],
)
def test_what_makes_no_sense(words: list[str], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        asked(*words)


@pytest.mark.parametrize("text", ["all", "1,", "-1", "0;1"])
def test_gpus_are_numbers(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises((SystemExit, argparse.ArgumentTypeError)):
        asked("--data", "x", f"--gpus={text}")
    assert "none, or numbers with commas" in capsys.readouterr().err


def test_none() -> None:
    assert asked("--data", "x", "--gpus", "none").gpus == ()
