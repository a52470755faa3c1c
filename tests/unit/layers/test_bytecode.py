import gzip
import importlib.util
import io
import marshal
import runpy
import sys
import tarfile

import pytest

from layerwright.core.errors import BuildError
from layerwright.layers import bytecode_layer, bytecode_script

SITE = "opt/venv/lib/python3.11/site-packages"
TAG = sys.implementation.cache_tag


@pytest.fixture
def compile_trees(tmp_path):
    script = tmp_path / "compile_tree.py"
    script.write_text(bytecode_script(), encoding="utf-8")
    return runpy.run_path(str(script))["main"]


@pytest.fixture
def sorted_marshal(tmp_path):
    script = tmp_path / "compile_tree.py"
    script.write_text(bytecode_script(), encoding="utf-8")
    return runpy.run_path(str(script))["SortedMarshal"]


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, ..., 0, -1, 2**31 - 1, -(2**31), 2**31, -(2**100) - 1, 1.5, -0.0, 2j, b"", b"\xff", "", "a",
        "資", "\ud800", (), ("a", ("a", "b"), "a"), frozenset(), frozenset({None, "b", "a", 3, ("x", None)}),
        ("x", frozenset({"x", "y"}), "y", "x"),
    ],
)  # fmt: skip
def test_constants_for_older_pythons_come_back(sorted_marshal, value):
    data = sorted_marshal().dump(value)
    assert marshal.loads(data) == value
    assert type(marshal.loads(data)) is type(value)


def test_sets_for_older_pythons_are_in_order(sorted_marshal):
    value = frozenset({"c", "a", "b"})
    assert [chr(byte) for byte in sorted_marshal().dump(value) if chr(byte) in "abc"] == ["a", "b", "c"]


@pytest.fixture
def tree(tmp_path):
    site = tmp_path / "tree" / SITE
    (site / "demo/sub").mkdir(parents=True)
    (site / "demo/__init__.py").write_text("X = {'a', 'b', 'c'}\n")
    (site / "demo/sub/模块.py").write_text("def f():\n    return 1\n", encoding="utf-8")
    (site / "demo/template.py").write_text("def {{ name }}(:\n")
    (site / "demo/null.py").write_bytes(b"a = 1\0\n")
    (site / "demo/latin.py").write_bytes(b"a = '\xe9'\n")
    (site / "demo/data.txt").write_text("x")
    (site / "demo/linked.py").symlink_to("__init__.py")
    for number in range(40):
        (site / f"demo/sub/m{number}.py").write_text(f"V = {number}\n")
    return tmp_path / "tree"


def compiled(main, tmp_path, tree, name, *arguments):
    out = tmp_path / name
    out.mkdir()
    assert main([*arguments, str(tree), str(out)]) == 0
    return out


def files_of(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_unchecked_hash_files_at_their_place(compile_trees, tmp_path, tree):
    files = files_of(compiled(compile_trees, tmp_path, tree, "out", "--processes", "1"))
    assert f"{SITE}/demo/__pycache__/__init__.{TAG}.pyc" in files
    assert f"{SITE}/demo/sub/__pycache__/模块.{TAG}.pyc" in files
    assert len(files) == 42
    for path, content in files.items():
        assert content[:4] == importlib.util.MAGIC_NUMBER, path
        assert content[4:8] == b"\x01\0\0\0"  # hash-based, not checked against the source
        assert str(tmp_path).encode() not in content
        assert f"/{SITE}/demo/".encode() in content


def test_forked_processes_write_the_same(compile_trees, tmp_path, tree):
    one = files_of(compiled(compile_trees, tmp_path, tree, "one", "--processes", "1"))
    two = files_of(compiled(compile_trees, tmp_path, tree, "two", "--processes", "2"))
    assert one == two


def test_wrong_arguments_are_told(compile_trees, capsys):
    assert compile_trees(["one"]) == 2
    assert "Usage" in capsys.readouterr().err


def test_the_layer_merges_trees(compile_trees, tmp_path, tree):
    out = compiled(compile_trees, tmp_path, tree, "out")
    other = tmp_path / "other" / SITE / "demo/__pycache__"
    other.mkdir(parents=True)
    (other / f"extra.{TAG}.pyc").write_bytes(b"extra")
    (other / f"__init__.{TAG}.pyc").write_bytes(
        (out / SITE / f"demo/__pycache__/__init__.{TAG}.pyc").read_bytes()
    )
    (other / f"extra.{TAG}.pyc").chmod(0o600)
    blob = io.BytesIO()
    digests = bytecode_layer([out, tmp_path / "other"], blob)
    assert bytecode_layer([tmp_path / "other", out], io.BytesIO()) == digests
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob.getvalue()))) as archive:
        names = archive.getnames()
        assert len(names) == len(set(names))
        assert archive.getmember(f"{SITE}/demo/__pycache__/extra.{TAG}.pyc").mode & 0o7777 == 0o644
    assert bytecode_layer(out, io.BytesIO()).diff_id != digests.diff_id


def test_two_wheels_with_other_bytecode_at_one_path_are_refused(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.pyc").write_text(name)
    with pytest.raises(BuildError, match=r"x\.pyc"):
        bytecode_layer([tmp_path / "one", tmp_path / "two"], io.BytesIO())


def test_only_files_and_folders_are_taken(tmp_path):
    (tmp_path / "x.pyc").symlink_to("/etc/passwd")
    with pytest.raises(BuildError, match="no regular file"):
        bytecode_layer(tmp_path, io.BytesIO())
