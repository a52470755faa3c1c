import csv
import io
import os

import pytest
from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelFile as OracleWheel

from layerwright.core.errors import IntegrityError
from layerwright.layers import installed_paths, wheel_layer
from layerwright.layers.install import check_prefix
from support.wheels import Entry, executable, make_wheel, record_hash

PREFIX = "/opt/venv"
SITE = f"{PREFIX}/lib/python3.11/site-packages"
WHERE = {"prefix": PREFIX, "python": "3.11"}

FULL = {
    "files": {
        "demo/__init__.py": b"def main():\n    return 0\n",
        "demo/_native.so": executable(b"\x7fELF" + bytes(100)),
        "demo/data/empty": b"",
        "demo/stored.bin": Entry(data=bytes(range(256)) * 300, stored=True),
        "demo/資料.txt": "中文".encode(),
        'demo/odd, "name".txt': b"quoted in RECORD",
        "top.py": b"",
        "demo-1.0.dist-info/licenses/LICENSE": b"free",
    },
    "data": {
        "purelib/pure.py": b"1",
        "platlib/plat.py": b"2",
        "scripts/tool": b"#!python -u\nprint(1)\n",
        "scripts/gui": b"#!pythonw\nprint(2)\n",
        "scripts/native": executable(b"\x7fELF" + bytes(50)),
        "scripts/shell.sh": b"#!/bin/sh\necho\n",
        "data/share/demo/a.txt": b"shared",
        "headers/demo.h": b"int x;",
    },
    "entry_points": "[console_scripts]\ndemo = demo:main\n# no\ndemo-x = demo.sub:Main.run [extra]\n\n"
    "[gui_scripts]\ndemo-gui = demo:main\n\n[other]\nx = whatever you like\n",
}


def extract(tmp_path, wheel):
    tree = tmp_path / "tree"
    tree.mkdir()
    wheel_layer([wheel], **WHERE, trees={wheel.sha256: tree})
    return tree


def rows_of(path):
    return {
        os.path.normpath(row[0]): tuple(row[1:]) for row in csv.reader(io.StringIO(path.read_text("utf-8")))
    }


def files_below(root):
    return {
        str(path.relative_to(root)): (path.stat().st_mode & 0o777, path.read_bytes())
        for path in root.rglob("*")
        if path.is_file()
    }


def test_the_tree_is_the_one_that_installer_makes(tmp_path):
    wheel = make_wheel(tmp_path, **FULL, requested=True)
    ours = extract(tmp_path, wheel) / PREFIX[1:]
    theirs = tmp_path / "oracle"
    site = theirs / "lib/python3.11/site-packages"
    schemes = {
        "purelib": site,
        "platlib": site,
        "scripts": theirs / "bin",
        "data": theirs,
        "headers": theirs / "include/site/python3.11/demo",
    }
    destination = SchemeDictionaryDestination(
        {name: str(path) for name, path in schemes.items()}, f"{PREFIX}/bin/python3", "posix"
    )
    with OracleWheel.open(wheel.path) as source:
        source.validate_record()
        install(source, destination, {"INSTALLER": b"layerwright\n", "REQUESTED": b""})
    mine, oracle = files_below(ours), files_below(theirs)
    assert mine.keys() == oracle.keys()
    # installer writes a longer text for entry points
    different = {
        "bin/demo",
        "bin/demo-x",
        "bin/demo-gui",
        "lib/python3.11/site-packages/demo-1.0.dist-info/RECORD",
    }
    for path in mine.keys() - different:
        assert mine[path][1] == oracle[path][1], path
        # scripts are executable here even when the archive was made on Windows, as the format allows
        assert mine[path][0] == (0o755 if path.startswith("bin/") else oracle[path][0]), path
    ours_rows, their_rows = (
        rows_of(root / "demo-1.0.dist-info/RECORD") for root in (ours / site.relative_to(theirs), site)
    )
    assert ours_rows.keys() == their_rows.keys()
    changed = {f"../../../{path}" for path in different}
    for path in ours_rows.keys() - changed:
        assert ours_rows[path] == their_rows[path]


def test_record_is_complete_and_true(tmp_path):
    wheel = make_wheel(tmp_path, **FULL, requested=True, direct_url='{"url": "file:///x"}')
    tree = extract(tmp_path, wheel)
    site = tree / SITE[1:]
    rows = rows_of(site / "demo-1.0.dist-info/RECORD")
    seen = set()
    for path, (digest, size) in rows.items():
        file = (site / path).resolve()
        seen.add(file)
        if path == "demo-1.0.dist-info/RECORD":
            assert (digest, size) == ("", "")
        else:
            assert digest == record_hash(file.read_bytes())
            assert size == str(file.stat().st_size)
    assert seen == {path.resolve() for path in tree.rglob("*") if path.is_file()}
    assert (site / "demo-1.0.dist-info/INSTALLER").read_text() == "layerwright\n"
    assert (site / "demo-1.0.dist-info/REQUESTED").read_bytes() == b""
    assert (site / "demo-1.0.dist-info/direct_url.json").read_text() == '{"url": "file:///x"}'


def test_scripts(tmp_path):
    bin_folder = extract(tmp_path, make_wheel(tmp_path, **FULL)) / PREFIX[1:] / "bin"
    assert (bin_folder / "tool").read_bytes() == b"#!/opt/venv/bin/python3\nprint(1)\n"
    assert (bin_folder / "gui").read_bytes() == b"#!/opt/venv/bin/python3\nprint(2)\n"
    assert (bin_folder / "shell.sh").read_bytes() == b"#!/bin/sh\necho\n"
    assert (bin_folder / "demo-x").read_text() == (
        "#!/opt/venv/bin/python3\nimport sys\nfrom demo.sub import Main\n"
        'if __name__ == "__main__":\n    sys.exit(Main.run())\n'
    )
    assert all(path.stat().st_mode & 0o777 == 0o755 for path in bin_folder.iterdir())


def test_what_another_installer_left_in_the_wheel_is_replaced(tmp_path):
    info = "demo-1.0.dist-info"
    files = {f"{info}/INSTALLER": b"pip\n", f"{info}/REQUESTED": b"", f"{info}/direct_url.json": b"{}"}
    wheel = make_wheel(tmp_path, files=files, unlisted=[(f"{info}/RECORD.jws", b"{}")])
    site = extract(tmp_path, wheel) / SITE[1:] / info
    assert sorted(path.name for path in site.iterdir()) == ["INSTALLER", "METADATA", "RECORD", "WHEEL"]
    assert (site / "INSTALLER").read_text() == "layerwright\n"


def test_an_entry_point_wins_over_a_script_of_its_name(tmp_path):
    wheel = make_wheel(
        tmp_path,
        data={"scripts/demo": b"#!python\nold\n"},
        entry_points="[console_scripts]\ndemo=demo:main\n",
    )
    assert b"from demo import main" in (extract(tmp_path, wheel) / "opt/venv/bin/demo").read_bytes()


def test_installed_paths_are_those_of_the_layer(tmp_path):
    wheel = make_wheel(tmp_path, **FULL)
    paths = installed_paths(wheel, **WHERE)
    tree = extract(tmp_path, wheel)
    assert set(paths) == {f"/{path.relative_to(tree)}" for path in tree.rglob("*") if path.is_file()}
    assert paths[f"{SITE}/top.py"] == (0, record_hash(b""))


def test_stronger_digests_in_record_are_kept(tmp_path):
    def stronger(rows):
        return [
            [row[0], record_hash(b"VALUE = 1\n", "sha512"), ""] if row[0] == "demo/__init__.py" else row
            for row in rows
        ]

    wheel = make_wheel(tmp_path, change_record=stronger)
    assert installed_paths(wheel, **WHERE)[f"{SITE}/demo/__init__.py"] == (
        10,
        record_hash(b"VALUE = 1\n", "sha512"),
    )
    extract(tmp_path, wheel)


def test_local_versions_and_other_spellings_are_the_same_name(tmp_path):
    wheel = make_wheel(
        tmp_path,
        "Demo.Pkg",
        "1.0+cpu",
        info_folder="demo_pkg-1.0+cpu.dist-info",
        file_name="demo_pkg-1.0+cpu-py3-none-any.whl",
    )
    assert f"{SITE}/demo_pkg-1.0+cpu.dist-info/METADATA" in installed_paths(wheel, **WHERE)


def test_a_platform_tag_given_after_the_fact_is_the_same_wheel(tmp_path):
    text = "Wheel-Version: 1.9\nTag: cp311-cp311-linux_x86_64\n"
    wheel = make_wheel(tmp_path, wheel_text=text, tag="cp311-cp311-manylinux_2_28_x86_64")
    assert installed_paths(wheel, **WHERE)


def drop(path):
    return lambda rows: [row for row in rows if row[0] != path]


def change(path, column, value):
    def apply(rows):
        return [[*row[:column], value, *row[column + 1 :]] if row[0] == path else row for row in rows]

    return apply


MODULE = "demo/__init__.py"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"change_record": change(MODULE, 1, record_hash(b"other"))}, r"'demo/__init__.py': does not have the digest"),
        ({"change_record": change(MODULE, 2, "11")}, "has 10 bytes, RECORD says 11"),
        ({"change_record": change(MODULE, 1, "")}, "has no digest"),
        ({"change_record": change(MODULE, 1, "md5=rL0Y20zC-Fzt72VPzMSk2A")}, "sha256 or stronger"),
        ({"change_record": change(MODULE, 1, "sha256=abc")}, "malformed digest"),
        ({"change_record": drop(MODULE)}, "is not listed in RECORD"),
        ({"change_record": lambda rows: [*rows, ["gone.py", record_hash(b""), "0"]]}, "'gone.py', which is not in"),
        ({"change_record": lambda rows: [*rows, rows[0]]}, "twice"),
        ({"change_record": lambda rows: [*rows, ["only", "two"]]}, "not path, digest, size"),
        ({"record_text": 'a,"b'}, "is no table"),
        ({"unlisted": [("extra.py", b"")]}, "'extra.py': is not listed"),
        ({"without": ["demo-1.0.dist-info/RECORD"]}, "RECORD': is missing"),
        ({"without": ["demo-1.0.dist-info/WHEEL"]}, "WHEEL': is missing"),
        ({"without": ["demo-1.0.dist-info/METADATA"]}, "METADATA': is missing"),
        ({"files": {"other-2.dist-info/METADATA": b""}}, "one .dist-info folder"),
        ({"info_folder": "other-1.0.dist-info"}, "says other 1.0"),
        ({"info_folder": "demo-2.0.dist-info"}, "says demo 2.0"),
        ({"metadata_text": "Name: other\nVersion: 1.0\n"}, "says other 1.0"),
        ({"metadata_text": "Name: demo\nVersion: 3\n"}, "says demo 3"),
        ({"metadata_text": "Name: demo\n"}, "says demo"),
        ({"wheel_text": "Wheel-Version: 2.0\nTag: py3-none-any\n"}, "Wheel-Version '2.0'"),
        ({"wheel_text": "Tag: py3-none-any\n"}, "Wheel-Version ''"),
        ({"wheel_text": "Wheel-Version: 1.0\nTag: cp312-cp312-linux_x86_64\n"}, "tags"),
        ({"wheel_text": "Wheel-Version: 1.0\nTag: py3-none-linux_x86_64\n"}, "tags"),
        ({"file_name": "demo-1.0.whl"}, "file name is no wheel's"),
        ({"file_name": "other-1.0-py3-none-any.whl"}, "the file name says other"),
        ({"data": {"strange/x": b""}}, "no known scheme"),
        ({"data": {"scripts": b""}}, "no known scheme"),
        ({"files": {"else-1.0.data/purelib/x": b""}}, "not demo-1.0.data"),
        ({"data": {"data/pyvenv.cfg": b"home = /evil\n"}}, "environment's own /opt/venv/pyvenv.cfg"),
        ({"data": {"scripts/python3": b""}}, "environment's own"),
        ({"data": {"data/bin/python/x": b""}}, "environment's own"),
        ({"files": {"a": b"", "a/b": b""}}, "also needs a folder"),
        ({"files": {"a": b"1"}, "data": {"purelib/a": b"2"}}, "as another file of the wheel does"),
        ({"entry_points": "[console_scripts]\n../x = demo:main\n"}, "no file name"),
        ({"entry_points": "[console_scripts]\n.. = demo:main\n"}, "no file name"),
        ({"entry_points": "[console_scripts]\nx = demo:main; import os\n"}, "NAME = MODULE:ATTRIBUTE"),
        ({"entry_points": "[console_scripts]\nx = demo\n"}, "NAME = MODULE:ATTRIBUTE"),
        ({"entry_points": "[console_scripts]\nnothing\n"}, "NAME = MODULE:ATTRIBUTE"),
        ({"entry_points": "[console_scripts]\npython = demo:main\n"}, "environment's own"),
        (
            {
                "data": {"scripts/t": b"#!python\n"},
                "change_record": change("demo-1.0.data/scripts/t", 1, record_hash(b"")),
            },
            "digest that RECORD",
        ),
        ({"files": {"x": b""}, "change_record": change("x", 1, record_hash(b"y"))}, "'x': does not have the digest"),
        (
            {"files": {"big": bytes(9_000_000)}, "change_record": change("big", 1, record_hash(b"y"))},
            "'big': does not have the digest",
        ),
    ],
)  # fmt: skip
def test_a_wheel_that_breaks_the_rules_is_refused(tmp_path, options, words):
    wheel = make_wheel(tmp_path, **options)
    with pytest.raises(IntegrityError, match=words) as caught:
        wheel_layer([wheel], **WHERE)
    assert wheel.file in caught.value.what
    assert caught.value.hint


def test_another_wheel_than_asked_for_is_refused(tmp_path):
    from dataclasses import replace

    wheel = make_wheel(tmp_path)
    for other in (replace(wheel, name="other"), replace(wheel, version="2.0")):
        with pytest.raises(IntegrityError, match="asked for"):
            wheel_layer([other], **WHERE)
    assert wheel_layer([replace(wheel, version="")], **WHERE) == wheel_layer([wheel], **WHERE)


@pytest.mark.parametrize(
    "prefix", ["opt", "/", "/opt/", "/a b", "/opt/../x", "/" + "x" * 120, "/opt\n", "/ö"]
)
def test_odd_prefixes_are_errors_of_the_caller(prefix):
    with pytest.raises(ValueError, match="prefix"):
        check_prefix(prefix, "3.11")
    with pytest.raises(ValueError, match="Python version"):
        check_prefix(PREFIX, "3.11/../..")
