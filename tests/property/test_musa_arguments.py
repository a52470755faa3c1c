"""Whatever words and definitions are given: values, or an error of ours that names a place."""

import contextlib

from hypothesis import given
from hypothesis import strategies as some

from layerwright.core.errors import Problem, SpecError
from layerwright.spec.musa.arguments import WrongWordError, read_arguments
from layerwright.spec.musa.definition import read_definition
from layerwright.spec.musa.options import table_of
from layerwright.spec.musa.requests import Places, read_all, read_base, read_image
from layerwright.spec.musa.said import Given

READERS = {"build-base": read_base, "build": read_image, "build-all": read_all}
NAMES = sorted(
    {name for script in READERS for one in table_of(script) for name in (one.short, one.long) if name}
)
VALUES = some.one_of(
    some.text(max_size=12),
    some.sampled_from([
        "", "-", "NULL", "ubuntu:20.04", "dockerfile.dev", "dockerfile.release", "3.8", "qy1", "mccl", "v2.0.0",
        "https://example.org/musa_toolkits_qy1.tar.gz", "https://example.org/torch-2.0.0-cp38-cp38-linux_x86_64.whl",
        "http://[", "https://a/b.whl#sha256=", "file:///a-1-py3-none-any.whl", "\0",
        "\uff11.\uff12", "\udcff", "a" * 300,
    ]),
)  # fmt: skip
WORDS = some.lists(some.one_of(some.sampled_from(NAMES), VALUES), max_size=24)


@given(script=some.sampled_from(sorted(READERS)), words=WORDS)
def test_any_command_line_is_read_or_refused(script: str, words: list[str]) -> None:
    problems: list[Problem] = []
    try:
        options = read_arguments(table_of(script), words)
        READERS[script](Given(options=options), Places(folder="/work"))
    except WrongWordError as error:
        problems = [error.problem]
    except SpecError as error:
        problems = list(error.problems)
    for problem in problems:
        assert problem.what.isprintable()
        assert problem.hint
        assert problem.where.file == "command line"


@given(
    script=some.sampled_from(sorted(READERS)), pairs=some.lists(some.tuples(some.sampled_from(NAMES), VALUES))
)
def test_any_values_are_read_or_refused(script: str, pairs: list[tuple[str, str]]) -> None:
    fields = {name: option for option in table_of(script) for name in (option.short, option.long) if name}
    options = {
        fields[name].field: (value,) if fields[name].many else (value if fields[name].metavar else True)
        for name, value in pairs
        if name in fields
    }
    with contextlib.suppress(SpecError):
        READERS[script](Given(options=options), Places(folder="/work"))


@given(
    text=some.one_of(
        some.text(max_size=60), some.sampled_from(["tag = 1", "versions = [1]", "[tag]", "a.b.c = 1"])
    )
)
def test_any_definition_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(SpecError):
        read_definition(text, file="build_all.toml")
