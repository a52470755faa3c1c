import os
import subprocess
import sys
from pathlib import Path

import pytest

from layerwright.core.errors import SpecError, UsageError
from layerwright.spec.load import find_spec, load_spec
from layerwright.spec.parse import parse_spec
from layerwright.spec.positions import locate
from support.spec import problem_of, problems_of, spec_of

TEXT = '[project]\nname = "demo"\n[images.a]\nfrom = "debian:bookworm"\n'


def test_the_nearest_file_is_found(tmp_path):
    (tmp_path / "layerwright.toml").write_text(TEXT)
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    spec = load_spec(None, deep)
    assert (spec.file, spec.root, spec.project) == ("../../layerwright.toml", tmp_path, "demo")
    (tmp_path / "a" / "pyproject.toml").write_text("[tool.other]")
    assert load_spec(None, deep).root == tmp_path
    (tmp_path / "a" / "pyproject.toml").write_text(
        '[project]\nname="p"\nversion="1+x"\n[tool.layerwright.images.b]\nfrom="debian:sid"'
    )
    spec = load_spec(None, deep)
    assert (spec.file, spec.root, spec.cells["b"].references) == (
        "../pyproject.toml",
        tmp_path / "a",
        ("p-b:1_x",),
    )
    assert str(spec.cells["b"].location) == "../pyproject.toml [tool.layerwright.images.b]"


def test_layerwright_toml_goes_before_pyproject_toml(tmp_path):
    (tmp_path / "layerwright.toml").write_text(TEXT)
    (tmp_path / "pyproject.toml").write_text('[tool.layerwright.project]\nname="p"')
    assert find_spec(None, tmp_path).name == "layerwright.toml"


def test_another_projects_faulty_pyproject_is_passed_by(tmp_path):
    (tmp_path / "layerwright.toml").write_text(TEXT)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "pyproject.toml").write_text("layerwright = = 1")
    assert find_spec(None, tmp_path / "a").parent == tmp_path


def test_a_file_or_folder_can_be_named(tmp_path):
    (tmp_path / "other.toml").write_text(TEXT)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "layerwright.toml").write_text(TEXT)
    assert load_spec(Path("other.toml"), tmp_path).file == "other.toml"
    assert load_spec(Path("../other.toml"), tmp_path / "sub").root == tmp_path
    assert load_spec(Path("sub"), tmp_path).file == "sub/layerwright.toml"
    assert load_spec(tmp_path / "other.toml", tmp_path).file == str(tmp_path / "other.toml")


@pytest.mark.parametrize("name", ["nix.toml", "empty"])
def test_a_named_file_that_is_not_there(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError) as caught:
        load_spec(Path(name), tmp_path)
    assert caught.value.what == f"there is no spec at {name}"
    assert "layerwright init" in caught.value.hint


def test_no_file_at_all(tmp_path):
    with pytest.raises(UsageError, match=r"no layerwright\.toml, and no pyproject.toml"):
        load_spec(None, tmp_path)


def test_a_huge_file_is_refused(tmp_path):
    (tmp_path / "layerwright.toml").write_bytes(b"#" * (4 * 2**20 + 1))
    with pytest.raises(UsageError, match="larger than 4 MiB"):
        load_spec(None, tmp_path)


def test_an_unreadable_file(tmp_path):
    (tmp_path / "layerwright.toml").symlink_to("layerwright.toml")
    with pytest.raises(UsageError, match="there is no spec at"):
        load_spec(Path("layerwright.toml"), tmp_path)


def test_pyproject_without_our_table():
    with pytest.raises(SpecError, match=r"there is no table \[tool.layerwright\]"):
        parse_spec(b'[project]\nname = "x"\n', file="sub/pyproject.toml", root=Path("/"))


def test_positions_in_pyproject_start_from_the_file():
    text = '[project]\nname = "x"\n[tool.layerwright.images.a]\nfrm = "debian:sid"\n'
    (problem,) = problems_of(text, file="sub/pyproject.toml")
    assert problem.what == "unknown key 'frm'"
    assert (problem.where.line, problem.where.key) == (4, "tool.layerwright.images.a.frm")


def test_a_byte_order_mark_is_accepted():
    spec = parse_spec(b"\xef\xbb\xbf" + TEXT.encode(), file="x.toml", root=Path("/"))
    assert list(spec.cells) == ["a"]


def test_positions_after_a_byte_order_mark():
    with pytest.raises(SpecError) as caught:
        parse_spec(b"\xef\xbb\xbfx = 1\n" + TEXT.encode(), file="x.toml", root=Path("/"))
    where = caught.value.problems[0].where
    assert (where.line, where.column, where.text) == (1, 1, "x = 1")


def test_windows_line_ends():
    problem = problem_of(TEXT.replace("\n", "\r\n") + 'rolle = "base"\r\n')
    assert (problem.where.line, problem.where.text) == (5, 'rolle = "base"')


def test_a_schema_comment_is_a_comment():
    assert spec_of("#:schema ./layerwright.schema.json\n" + TEXT).cells


def test_bytes_that_are_not_utf8_are_shown_with_their_place():
    with pytest.raises(SpecError) as caught:
        parse_spec('[project]\nname = "é'.encode() + b'\xff"\n', file="x.toml", root=Path("/"))
    (problem,) = caught.value.problems
    assert problem.what == "the file is not UTF-8: byte 0xff"
    assert (problem.where.line, problem.where.column) == (2, 10)
    assert problem.where.text == 'name = "é\ufffd"'


@pytest.mark.parametrize(
    ("text", "what", "line", "column"),
    [
        ("a = 1\nb = = 2\n", "not TOML: invalid value", 2, 5),
        ('a = "x\n', "not TOML: ", 1, 7),
        ("[a]\nb = 1\nb = 2\n", "not TOML: cannot overwrite a value", 3, None),
        ("a = [1,", "not TOML: ", 1, None),
        ("\n\n\n[", "not TOML: ", 4, None),
    ],
)
def test_text_that_is_not_toml(text, what, line, column):
    with pytest.raises(SpecError) as caught:
        parse_spec(text.encode(), file="x.toml", root=Path("/"))
    (problem,) = caught.value.problems
    assert problem.what.startswith(what)
    assert problem.where.line == line
    assert column in {None, problem.where.column}


@pytest.mark.parametrize("depth", [500, 2_000, 100_000])
@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ("{a=", "}")])
def test_deep_nesting_is_an_error(depth, opened, closed):
    with pytest.raises(SpecError):
        parse_spec(f"a = {opened * depth}1{closed * depth}".encode(), file="x.toml", root=Path("/"))


def test_a_long_dotted_key_is_an_error():
    with pytest.raises(SpecError):
        parse_spec(f"[{'.'.join(['a'] * 3_000)}]".encode(), file="x.toml", root=Path("/"))


def test_all_faults_are_told_in_file_order(tmp_path):
    problems = problems_of(
        """
        [defaults]
        pyton = "3.11"
        [images.a]
        from = "image:b"
        copy = [{ from = "nix", to = "/x" }]
        [images.b]
        from = "python"
        [indexes.i]
        url = "http://example.org"
        """,
        tmp_path,
    )
    assert [problem.where.key for problem in problems] == [
        "defaults.pyton",
        "images.a.copy[0].from",
        "images.b.from",
        "indexes.i.url",
    ]
    assert [problem.where.line for problem in problems] == [5, 8, 10, 12]


def test_a_location_is_found_again(tmp_path):
    text = '[project]\nname = "demo"\n\n[images."图"]\nfrom = "debian:sid"\nname = "x"\n'
    spec = spec_of(text)
    found = locate(spec.cells["图"].location, text)
    assert (found.line, found.column, found.text) == (4, 9, '[images."图"]')


def test_chinese_text_survives_the_c_locale(tmp_path):
    (tmp_path / "文件").mkdir()
    (tmp_path / "文件" / "模型 一.txt").write_text("x")
    (tmp_path / "layerwright.toml").write_text(
        '[project]\nname = "demo"\n[images.a]\nfrom = "debian:bookworm"\nlabels = { "说明" = "收据识别" }\n'
        'copy = [{ from = "文件/模型 一.txt", to = "/数据/模型.txt" }]\n',
        encoding="utf-8",
    )
    program = (
        "import sys; from pathlib import Path; from layerwright.spec.load import load_spec\n"
        "cell = load_spec(None, Path.cwd()).cells['a']\n"
        "sys.stdout.buffer.write(repr((cell.labels, cell.copy[0].source, cell.copy[0].to)).encode())"
    )
    environment = {"LC_ALL": "C", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, check=True
    )
    assert done.stdout.decode() == repr(({"说明": "收据识别"}, "文件/模型 一.txt", "/数据/模型.txt"))


def test_a_locale_that_cannot_name_the_file_is_told(tmp_path):
    (tmp_path / "layerwright.toml").write_text(
        TEXT + 'copy = [{ from = "文件", to = "/x" }]\n', encoding="utf-8"
    )
    program = (
        "import sys; from pathlib import Path; from layerwright.spec.load import load_spec\n"
        "try: load_spec(None, Path.cwd())\n"
        "except Exception as error: sys.stdout.buffer.write(error.problems[0].what.encode())"
    )
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, check=True
    )
    assert done.stdout.decode() == "'文件' cannot be a file name in this locale"
