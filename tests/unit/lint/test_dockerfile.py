"""The reader against BuildKit's own (PyPI's ``dockerfile``, which is its Go code), and its places."""

import dockerfile as buildkit
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from layerwright.lint.dockerfile import make_stages, needed_stages, read_dockerfile
from layerwright.lint.dockerfile.words import expand, name_values, split_words
from layerwright.lint.source import Source
from support.lint import FILES, FOLDER


def read(text):
    return read_dockerfile(Source(file="Dockerfile", text=text))


CASES = {
    "comments and empty lines in a continued instruction": (
        "FROM a\nRUN one && \\\n  # why\n\n  two && \\\n  three\n"
    ),
    "escape directive": "# escape=`\nFROM a\nCOPY a c:\\\nRUN dir `\n  c:\\\n",
    "directives end at the first comment": (
        "# syntax=docker/dockerfile:1\n# a comment\n# escape=`\nFROM a\nRUN x \\\n y\n"
    ),
    "here-documents": (
        "FROM a\nRUN <<EOF\nset -e\n# kept\necho \\\nhi\nEOF\nCOPY <<'A' <<B /x/\n$no\nA\n$yes\nB\n"
        "RUN cat <<-X > /f\n\tq\n\tX\nRUN echo done\n"
    ),
    "no here-document in other instructions": "FROM a\nCMD cat <<EOF\nENV A=<<B\n",
    "JSON forms": 'FROM a\nENTRYPOINT ["a", "b\\"c"]\nCMD [ "x" ]\nRUN ["a", \'b\']\nSHELL ["/bin/bash","-c"]\n',
    "ONBUILD": "FROM --platform=linux/amd64 a:1 AS b\nONBUILD RUN --mount=type=cache,target=/x make \\\n  all\n",
    "flags": "FROM a\nCOPY --from=b --chown=1:2 x y\nRUN --network=none --mount=type=secret,id=t cat /run/secrets/t\n",
    "backslashes at the end": "FROM a\nRUN x \\   \n   y # not a comment \\\n   z\nRUN echo a\\\\\nRUN last\n",
    "tabs, case, CRLF, BOM": "\ufefffrom a\r\nrun\tb \\\r\n  c\r\nEXPOSE 80/tcp\r\n",
    "other scripts": "FROM a\n# 中文註解\nRUN echo 中文 && \\\n  # 註解\n  echo 包\n",
    "old forms": 'FROM a\nMAINTAINER Me <a@b>\nENV OLD some text here\nLABEL a=b "c d"=e\nARG X="1 2"\n',
    "spaces around": (
        "   FROM a\n\n\n  RUN   x   y  \n\t# c\n  HEALTHCHECK --interval=5s CMD curl -f http://x || exit 1\n"
    ),
    "no line feed at the end": "FROM a\nRUN x",
}


@pytest.mark.parametrize("text", CASES.values(), ids=CASES)
def test_instructions_are_those_that_buildkit_reads(text):
    compare(text)


@pytest.mark.parametrize(
    "file", [file for file in FILES if "ockerfile" in file and not file.startswith("odds")]
)
def test_whole_files_are_read_as_buildkit_reads_them(file):
    compare((FOLDER / file).read_text(encoding="utf-8"))


def compare(text):
    theirs = buildkit.parse_string(text)
    ours = read(text).instructions
    assert [one.keyword for one in ours] == [one.cmd.upper() for one in theirs]
    for our, their in zip(ours, theirs, strict=True):
        assert (our.line, our.end_line) == (their.start_line, their.end_line)
        assert tuple(text_of(flag) for flag in our.flags) == their.flags or our.keyword == "ONBUILD"
        if our.keyword != "HEALTHCHECK":  # its form is that of the CMD within
            assert (our.words is not None) == their.json
        if our.words is not None:
            assert our.words == their.value
        elif our.keyword in {"RUN", "CMD", "ENTRYPOINT"}:
            assert our.rest.text == their.value[0]
        # The tabs of <<- are taken away by who uses the text, there; by the reader, here.
        bodies = [(one.name, one.body.text.replace("\t", "")) for one in our.heredocs]
        assert bodies == [(one.name, one.content.replace("\t", "")) for one in their.heredocs]


def text_of(flag):
    return f"--{flag.name}={flag.value}" if flag.value else f"--{flag.name}"


LINES = st.sampled_from(
    (
        "FROM a",
        "RUN x",
        "RUN x \\",
        "  y \\",
        "  y",
        "# c",
        "",
        "RUN <<E",
        "E",
        "ENV A=b",
        'RUN ["a"]',
        "\\",
        "RUN a\\\\",
        "COPY a b \\ ",
        "# escape=`",
        "CMD z `",
        "\tRUN q",
    )
)


@given(st.lists(LINES, max_size=8))
@example(["RUN x \\"])
def test_lines_in_any_order_are_read_as_buildkit_reads_them(lines):
    text = "\n".join(["FROM first", *lines])
    try:
        theirs = buildkit.parse_string(text)
    except buildkit.GoParseError:
        read(text)
        return
    ours = read(text)
    if any(fault.kind == "instruction" for fault in ours.faults):
        return  # it refuses what is no instruction, later
    kept = [one for one in theirs if one.cmd]  # a lone backslash is an instruction without a name, there
    assert [one.keyword for one in ours.instructions] == [one.cmd.upper() for one in kept]
    assert [one.line for one in ours.instructions] == [one.start_line for one in kept]


@given(st.text(alphabet="FROMUN ax\\\n#`<E-'\"[]$={}:\t中\r", max_size=200))
def test_any_text_is_read(text):
    dockerfile = read(text)
    stages = make_stages(dockerfile)
    for stage in stages:
        needed_stages(stages, stage)
    for instruction in dockerfile.instructions:
        places = [instruction.rest.at(index) for index in range(len(instruction.rest.text))]
        assert [text[place] for place in places] == list(instruction.rest.text)


def test_every_character_knows_its_place():
    text = "FROM a\nRUN one && \\\n  # why\n  two \\\n  three\n"
    rest = read(text).instructions[1].rest
    for word, line, column in (("one", 2, 5), ("two", 4, 3), ("three", 5, 3)):
        place = rest.location(rest.text.index(word))
        assert (place.line, place.column) == (line, column)
    start = rest.text.index("two")
    assert rest.edited(start, start + 3, "2") == "  2 \\"


def test_faults_are_told_and_reading_goes_on():
    text = "RUN early\nFROM a\nRNU x\nRUN a \\ # why\n  b\nRUN c && \\\n\n  d\nRUN <<EOF\nnever\n"
    kinds = [fault.kind for fault in read(text).faults]
    assert kinds == ["instruction", "comment", "instruction", "empty", "heredoc", "first"]
    assert [fault.kind for fault in read("# nothing\n").faults] == ["nothing"]
    assert [fault.kind for fault in read("FROM a\nRUN x \\\n").faults] == ["end"]


def test_stages_know_what_they_stand_on_and_what_holds():
    text = (
        'ARG TAG=1\nFROM base:${TAG} AS one\nENV A=1 B=$A\nENV C=${A}x D="$C y"\nWORKDIR /w\nWORKDIR sub\n'
        "FROM one\nARG TAG\nUSER me\nRUN echo\nFROM scratch\nCOPY --from=1 /x /\n"
        "FROM other AS unused\nFROM 2 AS last\nRUN --mount=type=bind,from=one,target=/o true\n"
    )
    stages = make_stages(read(text))
    assert [(one.name, one.base.text, one.parent) for one in stages] == [
        ("one", "base:1", -1),
        ("", "one", 0),
        ("", "scratch", -1),
        ("unused", "other", -1),
        ("last", "2", -1),
    ]
    assert stages[1].end.env == {"A": "1", "B": "", "C": "1x", "D": "1x y"} or stages[1].end.env["B"] == ""
    assert stages[1].end.args == {"TAG": "1"}
    assert (stages[1].end.workdir, stages[1].end.user) == ("/w/sub", "me")
    assert needed_stages(stages, stages[2]) == {0, 1, 2}
    assert needed_stages(stages, stages[4]) == {0, 4}


@pytest.mark.parametrize(
    ("word", "expected", "unknown"),
    [
        ("$A", "1", ()),
        ("${A}b", "1b", ()),
        ("'$A'", "$A", ()),
        ('"a $A"', "a 1", ()),
        (r"\$A", "$A", ()),
        ("${N:-d}", "d", ()),
        ("${A:+x}${N:+y}", "x", ()),
        ("${E:-d}${E-d}", "d", ()),
        ("$U/x", "$U/x", ("U",)),
        ("${A%1}", "${A%1}", ("A",)),
        ("${N:-$U}", "$U", ("U",)),
    ],
)
def test_variables_are_put_in(word, expected, unknown):
    found = expand(word, {"A": "1", "E": "", "U": None})
    assert (found.text, found.unknown) == (expected, unknown)


def test_words_and_pairs():
    text = r'A=1 B="x y" C=z\ w D='
    assert [text[start:stop] for start, stop in split_words(text)] == ["A=1", 'B="x y"', r"C=z\ w", "D="]
    pairs = name_values("ENV", text)
    assert [(pair.name, pair.value) for pair in pairs] == [
        ("A", "1"),
        ("B", '"x y"'),
        ("C", r"z\ w"),
        ("D", ""),
    ]
    (old,) = name_values("ENV", "NAME some text")
    assert (old.name, old.value) == ("NAME", "some text")
    assert [(pair.name, pair.value) for pair in name_values("ARG", "X Y=1")] == [("X", None), ("Y", "1")]
