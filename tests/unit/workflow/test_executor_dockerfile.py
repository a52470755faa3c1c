"""How an executor's image starts, by its Dockerfile: what the last stage has, and where that is said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.workflow.executor_dockerfile import dockerfile_findings

START = 'CMD ["bash", "/usr/bin/start.sh"]\n'


def found(text: str) -> list[tuple[str, str, int]]:
    return [
        (one.level, one.code.removeprefix("LW-YMIR-"), one.where.location.line if one.where.location else 0)
        for one in dockerfile_findings(text, "Dockerfile")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"FROM python:3.11\n{START}", []),
        (f"FROM nvidia/cuda:11.8.0-base-ubuntu22.04\n{START}", [("warning", "ENTRYPOINT", 1)]),
        (f"FROM nvidia/cuda:11.8.0-base-ubuntu22.04\nENTRYPOINT []\n{START}", []),
        (f"ARG V=11.8.0\nFROM nvidia/cuda:$V-base\n{START}", [("warning", "ENTRYPOINT", 2)]),
        (f"FROM team/base:1\n{START}", [("unknown", "ENTRYPOINT", 1)]),
        (f'FROM python:3.11\nENTRYPOINT ["python"]\n{START}', [("error", "ENTRYPOINT", 2)]),
        ("FROM python:3.11\nENTRYPOINT bash /usr/bin/start.sh\n", [("error", "ENTRYPOINT", 2)]),
        (f'FROM python:3.11\nENTRYPOINT ["/own"]\n{START}', [("unknown", "ENTRYPOINT", 2)]),
        ("FROM python:3.11\nENTRYPOINT []\n", [("error", "COMMAND", 1)]),
        ("FROM python:3.11\nRUN true\n", [("warning", "COMMAND", 1)]),
        # The last stage counts, with what it has from the stage that it starts from.
        (f'FROM python:3.11 AS tools\nENTRYPOINT ["python"]\nFROM debian:12\n{START}', []),
        (f'FROM python:3.11 AS a\nENTRYPOINT ["python"]\nFROM a\n{START}', [("error", "ENTRYPOINT", 2)]),
        (f"FROM python:3.11 AS a\n{START}FROM a\nENTRYPOINT []\n", [("error", "COMMAND", 2)]),
        ("", []),
    ],
)
def test_what_the_last_stage_starts(text, expected):
    assert found(text) == expected


words = st.sampled_from(
    ["FROM", "ENTRYPOINT", "CMD", "AS", "ARG", "SHELL", "[", "]", '"a"', ",", "x", "\n", " ", "$V", "<<E"]
)


@given(st.lists(words, max_size=30).map("".join))
def test_any_text_is_judged(text):
    found(text)
