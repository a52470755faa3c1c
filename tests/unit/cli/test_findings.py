import io
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from layerwright.cli.excerpts import cells, safe, table, wrapped
from layerwright.cli.findings import findings_result, locate_findings, print_findings
from layerwright.cli.terminal import Terminal
from layerwright.core.errors import UsageError
from layerwright.core.findings import Finding, Fix, Place
from layerwright.core.source import Location
from support.report_samples import CACHE, CUDNN, FINDINGS, HOSTILE, OPENCV, TAG


class Screen(io.StringIO):
    """A stream that says it is a terminal; ``os.get_terminal_size`` is answered by the fixture below."""

    def isatty(self):
        return True

    def fileno(self):
        return 1


@pytest.fixture
def columns(monkeypatch):
    def choose(count):
        monkeypatch.setattr("os.get_terminal_size", lambda _: SimpleNamespace(columns=count))

    return choose


def terminal(out=None, **options):
    chosen = {"colour": False, "live": False, "quiet": False, "verbose": False, "json": False, **options}
    return Terminal(out=out or io.StringIO(), messages=io.StringIO(), **chosen)


def shown(findings, *, strict=False, scope="", **options):
    chosen = terminal(**options)
    print_findings(chosen, findings, strict=strict, scope=scope)
    return chosen.out.getvalue()


def test_an_error_reads_from_top_to_bottom():
    assert (
        shown([CUDNN], scope="2 images")
        == """\
error[LW-ORT-CUDNN]: onnxruntime-gpu 1.20.0 needs cuDNN 9, and nvcr.io/nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04 \
brings cuDNN 8
  --> layerwright.toml:12:13 [images.infer.packages[0]]
  12 | packages = ["onnxruntime-gpu==1.20.0", "opencv-python", "numpy"]
     |             ^^^^^^^^^^^^^^^^^^^^^^^^^
  in image infer-py311
   = libonnxruntime_providers_cuda.so needs libcudnn.so.9 (binary: \
onnxruntime_gpu-1.20.0-cp311-cp311-manylinux_2_27_x86_64.whl)
   = the tag says cuDNN 8 (docs: NVIDIA's grammar of nvidia/cuda tags)
  these clash; without any one of them the rest fits:
    base   nvcr.io/nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04          layerwright.toml:5
    wheel  onnxruntime-gpu                                        1.20.0  asked for, layerwright.toml:12
  fix: take the last onnxruntime-gpu made for CUDA 11.8 and cuDNN 8 (checked: the clash is gone)
       - packages = ["onnxruntime-gpu==1.20.0", "opencv-python", "numpy"]
       + packages = ["onnxruntime-gpu==1.18.0", "opencv-python", "numpy<2"]
  fix: take the base that brings CUDA 12 and cuDNN 9 (checked: the clash is gone)
       - from = "nvcr.io/nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04"
       + from = "nvcr.io/nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04"
  fix: see what the machine has
       $ layerwright doctor

1 error in 2 images
"""
    )


def test_worst_first_and_counted():
    text = shown(reversed(FINDINGS))
    order = [text.index(f"[{one.code}]") for one in (OPENCV, HOSTILE, CACHE, TAG)]
    assert order == sorted(order)
    assert text.endswith("2 errors, 1 warning, 1 note, 1 unknown\n")


def test_nothing_found():
    assert shown([], scope="3 images") == "nothing found in 3 images\n"


def test_a_finding_of_many_images_stands_once():
    cells_ = [replace(CUDNN, where=replace(CUDNN.where, image=f"cell{n}")) for n in range(6)]
    text = shown(cells_)
    assert text.count("error[") == 1
    assert "in images cell0, cell1, cell2, cell3 and 2 more" in text
    assert text.endswith("6 errors\n")


def test_quiet_leaves_out_what_does_not_fail():
    text = shown(FINDINGS, quiet=True)
    assert "warning[" in text
    assert "note[" not in text
    assert "unknown[" not in text
    assert "1 note, 1 unknown" in text
    assert "unknown[" in shown(FINDINGS, quiet=True, strict=True)


def test_names_cannot_command_the_terminal():
    text = shown([HOSTILE])
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\x1b[2J" in text


def test_colour_says_nothing_that_the_text_does_not(columns):
    columns(0)
    screen = Screen()
    print_findings(terminal(out=screen, colour=True), FINDINGS)
    coloured = screen.getvalue()
    assert "\x1b[1;31merror[LW-ORT-CUDNN]" in coloured
    plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    other = Screen()
    print_findings(terminal(out=other), FINDINGS)
    assert plain == other.getvalue()


def test_results_in_a_file_have_no_colour():
    assert "\x1b" not in shown([CUDNN], colour=True)


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_lines_fit_the_window(columns, width):
    columns(width)
    screen = Screen()
    print_findings(terminal(out=screen), [OPENCV, CACHE])
    for line in screen.getvalue().splitlines():
        longest = max(len(word) for word in line.split()) if line.split() else 0
        if " | " in line or line.startswith(("  -->", "  in", "       +")):
            continue  # source, places and edits stay whole, so that they can be copied
        assert len(line) <= max(min(width, 110), longest + 7)


def test_the_caret_stands_below_wide_letters():
    place = Location(file="f", line=3, column=13, text='# 影像 = "名": x', key="")
    text = shown([replace(TAG, where=Place(location=place))])
    source, caret = text.splitlines()[2:4]
    assert caret.index("^") == len('   3 | # 影像 = "名": ') + 3
    assert source.endswith("x")


def test_a_long_line_is_cut_around_the_caret():
    line = "RUN " + " ".join(f"word{n}" for n in range(100))
    at = line.index("word77")
    place = Location(file="Dockerfile", line=9, column=at + 1, text=line)
    source, caret = shown([replace(TAG, where=Place(location=place))]).splitlines()[2:4]
    assert source[caret.index("^") : caret.rindex("^") + 1] == "word77"
    assert len(source) < 200


@given(st.text(), st.integers(1, 40))
def test_no_place_breaks_the_excerpt(text, column):
    place = Location(file="f", line=1, column=column, text=text)
    said = shown([replace(TAG, where=Place(location=place))])
    assert said.endswith("1 unknown\n")


@given(st.text())
def test_safe_text_is_printable(text):
    assert all(one.isprintable() or one.isspace() for one in safe(text))
    assert not set(safe(text)) & set("\x1b\n\r\x00\u202e\u2028")


def test_tables_align_wide_letters():
    lines = table([("影", "a", ""), ("b", "cc", "")])
    assert lines == ["影  a", "b   cc"]
    assert cells("影") == 2


def test_wrapped_keeps_long_words():
    assert wrapped("aaa " + "b" * 30, 10) == ["aaa", "b" * 30]
    assert wrapped("", 10) == [""]


def spec(tmp_path):
    file = tmp_path / "layerwright.toml"
    file.write_text(
        '[images.infer]\npackages = [\n  "a",\n  "b==1", # https://u:secret@h\n]\n', encoding="utf-8"
    )
    return str(file)


def test_keys_of_a_spec_become_lines(tmp_path):
    file = spec(tmp_path)
    place = Location(file=file, key="images.infer.packages[1]")
    finding = replace(
        CUDNN,
        where=Place(location=place),
        members=(replace(CUDNN.members[0], location=place),),
        fix=(Fix(text="x", replaces=place),),
    )
    (found,) = locate_findings([finding])
    assert (found.where.location.line, found.where.location.column) == (4, 3)
    assert found.members[0].location == found.fix[0].replaces == found.where.location
    assert "secret" not in found.where.location.text


def test_files_that_cannot_be_read_stay_places(tmp_path):
    place = Location(file=str(tmp_path / "gone"), key="a.b")
    assert locate_findings([replace(TAG, where=Place(location=place))])[0].where.location == place


def context(tmp_path, **options):
    events = []

    class Reporter:
        def __call__(self, event):
            events.append(event)

        def close(self):
            events.append("closed")

    return SimpleNamespace(
        terminal=terminal(**options),
        reporter=Reporter(),
        session=SimpleNamespace(start=tmp_path),
        events=events,
    )


@pytest.mark.parametrize(
    ("findings", "strict", "code"),
    [
        ((), False, 0),
        ((TAG,), False, 0),
        ((TAG,), True, 1),
        ((HOSTILE, CACHE), True, 0),
        ((CUDNN, TAG), False, 1),
    ],
)
def test_exit_codes(tmp_path, findings, strict, code):
    assert findings_result(context(tmp_path), findings, strict=strict) == code


def test_json_is_one_object(tmp_path):
    surroundings = context(tmp_path, json=True)
    assert findings_result(surroundings, FINDINGS) == 1
    document = json.loads(surroundings.terminal.out.getvalue())
    assert document["schema"] == 1
    assert document["summary"] == {"error": 2, "warning": 1, "note": 1, "unknown": 1}
    assert [one["level"] for one in document["findings"]][:2] == ["error", "error"]


def test_sarif_and_page_are_written_beside_the_text(tmp_path):
    (tmp_path / ".git").mkdir()
    below = tmp_path / "images"
    below.mkdir()
    surroundings = context(below)
    findings_result(
        surroundings,
        FINDINGS,
        sarif=tmp_path / "f.sarif",
        html=tmp_path / "f.html",
        title="layerwright check",
    )
    log = json.loads((tmp_path / "f.sarif").read_text(encoding="utf-8"))
    places = [
        one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for one in log["runs"][0]["results"]
        if one["ruleId"] == CUDNN.code
    ]
    assert places == ["images/layerwright.toml"]
    assert "<h1>layerwright check</h1>" in (tmp_path / "f.html").read_text(encoding="utf-8")
    assert "error[" in surroundings.terminal.out.getvalue()
    assert [event.message.rpartition("/")[2] for event in surroundings.events[1:]] == ["f.sarif", "f.html"]


def test_sarif_on_standard_output_stands_alone(tmp_path):
    surroundings = context(tmp_path)
    findings_result(surroundings, FINDINGS, sarif=Path("-"))
    assert json.loads(surroundings.terminal.out.getvalue())["version"] == "2.1.0"
    assert "error[" in surroundings.terminal.messages.getvalue()


def test_a_file_that_cannot_be_written(tmp_path):
    with pytest.raises(UsageError, match="cannot write"):
        findings_result(context(tmp_path), (), sarif=tmp_path / "no" / "f.sarif")


def test_a_finding_without_anything_else():
    text = shown([Finding(code="LW-X", level="note", message="m")])
    assert text == "note[LW-X]: m\n\n1 note\n"
