import shutil
import subprocess

import pytest

from layerwright.core.errors import BuildError
from layerwright.sources.history import (
    VERSION_VARIABLES,
    describe_commit,
    takes_version_from_history,
    version_variables,
    write_description,
)
from support.change import replace

SCM = '[build-system]\nrequires = ["setuptools-scm"]\n[project]\nname = "app"\ndynamic = ["version"]\n'


@pytest.fixture
def repository(tmp_path):
    """A project below the root of a repository; ``repository(words…)`` runs git there."""
    git = shutil.which("git")
    assert git, "git makes the test's repository"
    folder = tmp_path / "repository"
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "pyproject.toml").write_text(SCM)

    def run(*words):
        argv = [git, "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org", *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    run("init", "-q", "-b", "main")
    run.project = folder / "app"
    run.commit = lambda: run("commit", "-q", "--allow-empty", "-m", "x") or run("rev-parse", "HEAD")[:9]
    return run


def test_a_commit_is_described_by_its_last_tag(repository, host):
    repository("add", ".")
    repository.commit()
    repository("tag", "v1.2.0")
    repository("tag", "nightly")
    first = repository("rev-parse", "HEAD")[:9]
    assert describe_commit(repository.project, host) == f"v1.2.0-0-g{first}"
    second = repository.commit()
    (repository.project / "new.py").write_text("")
    assert describe_commit(repository.project, host) == f"v1.2.0-1-g{second}"


def test_commits_are_counted_where_no_tag_is(repository, host):
    repository.commit()
    second = repository.commit()
    assert describe_commit(repository.project, host) == f"0.0-2-g{second}"


def test_nothing_is_described_without_a_commit_a_repository_or_git(repository, host, tmp_path):
    assert describe_commit(repository.project, host) == ""
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "pyproject.toml").write_text(SCM)
    assert describe_commit(alone, host) == ""
    repository.commit()
    assert describe_commit(repository.project, replace(host, path="/nowhere")) == ""


def test_history_is_looked_at_only_where_a_tool_does(repository, host):
    repository.commit()
    (repository.project / "pyproject.toml").write_text('[project]\nname = "app"\nversion = "1"\n')
    assert describe_commit(repository.project, host) == ""


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", 'requires = ["hatchling", "hatch-vcs"]'),
        ("pyproject.toml", '[tool.pdm.version]\nsource = "scm"'),
        ("pyproject.toml", 'requires = ["poetry-core", "poetry-dynamic-versioning"]'),
        ("setup.cfg", "[options]\nsetup_requires = setuptools_scm"),
        ("setup.py", "setup(use_scm_version=True)"),
        ("setup.py", "setup(setup_requires=['pbr'], pbr=True)"),
    ],
)
def test_tools_are_known_by_name(tmp_path, file, text):
    assert not takes_version_from_history(tmp_path)
    (tmp_path / file).write_text(text)
    assert takes_version_from_history(tmp_path)


@pytest.mark.parametrize(
    ("description", "version"),
    [
        ("v1.2.0-0-g012345678", "1.2.0"),
        ("v1.2.0-3-g012345678", "1.2.1.dev3+g012345678"),
        ("1.2-3-g012345678", "1.3.dev3+g012345678"),
        ("app-v1.2.0-3-g012345678", "1.2.1.dev3+g012345678"),
        ("v2.0rc1-3-g012345678", "2.0rc2.dev3+g012345678"),
        ("v2.0.dev0-3-g012345678", "2.0.dev3+g012345678"),
        ("0.0-2-g012345678", "0.1.dev2+g012345678"),
        ("day-2-g012345678", ""),
        ("v1.x!-2-g012345678", ""),
        ("", ""),
    ],
)
def test_the_version_of_other_tools(description, version):
    expected = dict.fromkeys(VERSION_VARIABLES, version) if version else {}
    assert version_variables(description) == expected


def test_the_description_stands_as_git_writes_it_into_archives(tmp_path):
    write_description(tmp_path, "")
    assert list(tmp_path.iterdir()) == []
    write_description(tmp_path, "v1.2.0-3-g012345678")
    file = tmp_path / ".git_archival.txt"
    assert file.read_text() == "node: 012345678\ndescribe-name: v1.2.0-3-g012345678\n"


def test_a_template_is_filled_in_and_a_real_description_is_kept(tmp_path):
    file = tmp_path / ".git_archival.txt"
    file.write_text("node: $Format:%H$\ndescribe-name: $Format:%(describe:tags=true)$\n")
    write_description(tmp_path, "v1.2.0-3-g012345678")
    assert "describe-name: v1.2.0-3-g012345678" in file.read_text()
    file.write_text("node: abc\ndescribe-name: v9-0-gabc\n")
    write_description(tmp_path, "v1.2.0-3-g012345678")
    assert "v9-0-gabc" in file.read_text()


def test_notes_of_an_earlier_commit_are_taken_away(tmp_path):
    for folder in (tmp_path / "app.egg-info", tmp_path / "src" / "app.egg-info"):
        folder.mkdir(parents=True)
        (folder / "scm_version.json").write_text("{}")
        (folder / "PKG-INFO").write_text("")
    write_description(tmp_path, "")
    assert len(list(tmp_path.rglob("scm_version.json"))) == 2
    write_description(tmp_path, "v1.2.0-3-g012345678")
    assert list(tmp_path.rglob("scm_version.json")) == []
    assert len(list(tmp_path.rglob("PKG-INFO"))) == 2


def test_nothing_is_written_through_a_link(tmp_path):
    target = tmp_path / "elsewhere"
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / ".git_archival.txt").symlink_to(target)
    with pytest.raises(BuildError, match="is a link"):
        write_description(tmp_path / "app", "v1.2.0-3-g012345678")
    assert not target.exists()
