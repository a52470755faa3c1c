import pytest

from layerwright.sources.local import LocalInputs
from support.packages import project_text


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(project_text("app"))
    (folder / "app.py").write_text("x = 1\n")
    return folder


def digest(project):
    return LocalInputs(root=project.parent).input_digest(project.name)


def test_other_files_than_metadata_do_not_matter(project):
    before = digest(project)
    (project / "app.py").write_text("x = 2\n")
    (project / "requirements.txt").write_text("named by nothing\n")
    (project / "pyproject.toml").touch()
    assert digest(project) == before
    assert len(before) == 64


@pytest.mark.parametrize("name", ["pyproject.toml", "setup.cfg", "setup.py"])
def test_every_file_of_metadata_matters(project, name):
    before = digest(project)
    (project / name).write_text(project_text("app", requires=["six"]))
    assert digest(project) != before


def test_the_same_bytes_under_another_name_are_another_project(project):
    (project / "setup.py").write_text("x")
    before = digest(project)
    (project / "setup.py").rename(project / "setup.cfg")
    assert digest(project) != before


@pytest.mark.parametrize(
    ("file", "text", "named"),
    [
        (
            "pyproject.toml",
            '[tool.setuptools.dynamic]\ndependencies = { file = ["requirements.txt"] }',
            "requirements.txt",
        ),
        ("setup.cfg", "[options]\ninstall_requires = file: requirements/base.in", "requirements/base.in"),
        ("setup.py", "setup(install_requires=open('dependencies.txt').read())", "dependencies.txt"),
    ],
)
def test_lists_that_the_metadata_names_matter(project, file, text, named):
    (project / file).write_text(text)
    (project / named).parent.mkdir(exist_ok=True)
    (project / named).write_text("six")
    before = digest(project)
    (project / named).write_text("numpy")
    assert digest(project) != before


def test_lists_outside_of_the_project_are_not_read(project):
    (project / "setup.py").write_text("open('../requirements.txt'); open('/requirements.txt')")
    before = digest(project)
    (project.parent / "requirements.txt").write_text("six")
    assert digest(project) == before


def test_a_packed_file_is_known_by_its_bytes(tmp_path):
    file = tmp_path / "tool-1-py3-none-any.whl"
    file.write_bytes(b"one")
    inputs = LocalInputs(root=tmp_path)
    assert (
        inputs.input_digest(file.name) == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    )
    assert inputs.input_digest(str(file)) == inputs.input_digest(file.name)


def test_what_is_not_there_has_no_digest(tmp_path):
    assert LocalInputs(root=tmp_path).input_digest("gone") == ""
    (tmp_path / "empty").mkdir()
    assert LocalInputs(root=tmp_path).input_digest("empty") == ""
