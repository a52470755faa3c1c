"""What Python's own tools say of an image's environment."""

import pytest

from support.command import Project
from support.index import Index
from support.packages import make_heavy_wheel, make_wheel
from support.pip import pip_wheel

pytestmark = pytest.mark.engine


@pytest.fixture
def app(project: Project, index: Index) -> Project:
    index.add(
        pip_wheel(),
        make_heavy_wheel("heavy"),
        make_wheel(
            "some-tool",
            "2.1",
            requires=["heavy>=1"],
            files={
                "some_tool/__init__.py": b"def main():\n    print('the tool')\n",
                "some_tool-2.1.dist-info/entry_points.txt": b"[console_scripts]\nsome-tool = some_tool:main\n",
                "some_tool-2.1.data/scripts/script.py": b"#!python\nimport sys; print(sys.prefix)\n",
                "some_tool-2.1.data/data/share/some/file": b"data",
            },
        ),
    )
    project.spec('[images.app]\npackages = ["some-tool", "pip"]\nworkdir = "/work"\n')
    project("build")
    return project


def test_pip_agrees(app: Project) -> None:
    listed = app("run", "app", "pip", "list", "--format=json", "--disable-pip-version-check").json()
    assert [(row["name"], row["version"]) for row in listed if row["name"] != "pip"] == [
        ("heavy", "1.0"),
        ("some-tool", "2.1"),
    ]
    assert app("run", "app", "pip", "check").out == "No broken requirements found.\n"
    shown = app("run", "app", "pip", "show", "--files", "some-tool").out
    assert "Installer: " not in shown  # only with --verbose
    assert "../../../bin/some-tool" in shown
    assert "../../../share/some/file" in shown
    asked = app("run", "app", "pip", "list", "--not-required", "--format=freeze").out
    assert "some-tool==2.1" in asked
    assert "heavy" not in asked


def test_importlib_metadata_agrees(app: Project) -> None:
    text = (
        "import importlib.metadata as m, json, hashlib, base64, pathlib\n"
        "wrong = []\n"
        "for file in m.files('some-tool') + m.files('heavy'):\n"
        "    path = pathlib.Path(file.locate())\n"
        "    if not path.exists(): wrong.append(['missing', str(file)])\n"
        "    elif file.hash:\n"
        "        digest = base64.urlsafe_b64encode(hashlib.new(file.hash.mode, path.read_bytes()).digest())\n"
        "        if digest.rstrip(b'=').decode() != file.hash.value: wrong.append(['hash', str(file)])\n"
        "d = m.distribution('some-tool')\n"
        "print(json.dumps([m.version('heavy'), m.requires('some-tool'), d.read_text('INSTALLER').strip(), "
        "d.read_text('REQUESTED'), m.distribution('heavy').read_text('REQUESTED'), "
        "[e.value for e in d.entry_points], wrong]))\n"
    )
    said = app("run", "app", "python", "-c", text).json()
    assert said == ["1.0", ["heavy>=1"], "layerwright", "", None, ["some_tool:main"], []]


def test_scripts_run(app: Project) -> None:
    assert app("run", "app", "some-tool").out == "the tool\n"
    assert app("run", "app", "script.py").out == "/opt/venv\n"


def test_pip_uninstalls_without_a_trace(app: Project) -> None:
    script = (
        "pip uninstall --yes some-tool heavy 2>&1 | grep -c 'Successfully uninstalled'\n"
        "python -c 'import some_tool' 2>&1 | tail -n 1\n"
        "cd /opt/venv; for f in bin/some-tool bin/script.py share/some/file lib/python3.11/site-packages/heavy* "
        "lib/python3.11/site-packages/some*; do test ! -e $f || echo left: $f; done\n"
    )
    assert app("run", "app", "sh", "-c", script).out == (
        "2\nModuleNotFoundError: No module named 'some_tool'\n"
    )


def test_bytecode_is_used_and_never_checked(app: Project) -> None:
    text = (
        "import some_tool, importlib.util, pathlib\n"
        "cached = pathlib.Path(some_tool.__cached__)\n"
        "data = cached.read_bytes()\n"
        "print(data[:4] == importlib.util.MAGIC_NUMBER, int.from_bytes(data[4:8], 'little'), "
        "some_tool.main.__code__.co_filename)\n"
    )
    # Flag 0b01 without 0b10: by hash, unchecked (PEP 552).
    assert app("run", "app", "python", "-c", text).out == (
        "True 1 /opt/venv/lib/python3.11/site-packages/some_tool/__init__.py\n"
    )
