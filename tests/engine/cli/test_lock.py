"""``lock``: what it writes, what it keeps, what it never tells."""

import pytest

from support.command import Project
from support.index import Index
from support.packages import make_wheel

pytestmark = pytest.mark.engine

SPEC = '[images.app]\npackages = ["one", "two"]\n[images.other]\npackages = ["three"]\n'


@pytest.fixture
def locked(project: Project, index: Index) -> Project:
    index.add(make_wheel("one"), make_wheel("two"), make_wheel("three"))
    project.spec(SPEC)
    project("lock")
    index.add(make_wheel("one", "2.0"), make_wheel("two", "2.0"), make_wheel("three", "2.0"))
    return project


def test_check(locked: Project, index: Index) -> None:
    index.requests.clear()
    assert locked("lock", "--check").out == "layerwright.lock is up to date\n"
    locked.spec(SPEC.replace('"two"]', '"two>=2"]'))
    before = locked.lock.read_bytes()
    done = locked("lock", "--check", status=1)
    assert "out of date for app" in done.err
    assert "other" not in done.err
    assert done.out == ""
    assert locked("lock", "--check", "--json", status=1).json() == {"schema": 1, "stale": ["app"]}
    assert locked("build", "--locked", status=2).out == ""
    assert locked("run", "--locked", "app", status=2).out == ""
    assert locked.lock.read_bytes() == before
    assert index.requests == []
    # A remark is no change.
    path = locked.folder / "layerwright.toml"
    locked.spec(SPEC)
    path.write_text("# a remark\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert locked("lock", "--check").status == 0
    locked.spec(SPEC.partition("[images.other]")[0])
    assert "other (removed)" in locked("lock", "--check", status=1).err
    locked.lock.unlink()
    assert locked("lock", "--check", status=1).out == ""
    assert not locked.lock.exists()


def test_what_is_locked_stays(locked: Project) -> None:
    before = locked.lock.read_bytes()
    assert locked("lock").out == "layerwright.lock is up to date\n"
    assert locked.lock.read_bytes() == before
    locked.spec(SPEC.replace('"two"]', '"two", "three"]'))
    assert locked("lock").out == "app: three 2.0 added (loopback)\n"


def test_upgrade_of_one_package(locked: Project) -> None:
    assert locked("lock", "--upgrade", "one").out == "app: one 1.0 → 2.0 (loopback)\n"
    assert locked("lock", "--upgrade", "one").out == "layerwright.lock is up to date\n"
    assert locked("lock", "--upgrade").out.splitlines() == [
        "app: two 1.0 → 2.0 (loopback)",
        "other: three 1.0 → 2.0 (loopback)",
    ]
    assert locked("lock", "--check").status == 0


def test_changes_as_json(locked: Project) -> None:
    document = locked("lock", "--upgrade", "two", "--json").json()
    assert document == {
        "schema": 1,
        "file": str(locked.lock),
        "changes": ["app: two 1.0 → 2.0 (loopback)"],
    }


@pytest.mark.parametrize("way", ["netrc", "env:INDEX_LOGIN"])
def test_credentials_are_in_no_file(fresh_project: Project, index: Index, way: str) -> None:
    user, password = "somebody", "pass-word-never-seen"
    index.add(make_wheel("one"), make_wheel("two"))
    index.credentials = f"{user}:{password}"
    fresh_project.spec(
        '[images.app]\npackages = ["one", "two"]\nentrypoint = ["python"]\n',
        index=f'url = "{index.simple}"\ncredentials = "{way}"',
    )
    done = fresh_project("lock", status=2)
    assert "index loopback" in done.err
    assert "layerwright.toml:" in done.err
    netrc = fresh_project.command.home / ".netrc"
    netrc.write_text(f"machine 127.0.0.1\nlogin {user}\npassword {password}\n")
    netrc.chmod(0o600)
    if way == "netrc":
        command = fresh_project.command
    else:
        netrc.unlink()
        command = fresh_project.command.with_variables(INDEX_LOGIN=f"{user}:{password}")
    layout = fresh_project.folder / "layout"
    said = [
        command("lock", "--verbose"),
        command("build", "--verbose", "--json", "--output", f"oci:{layout}"),
    ]
    said += [
        command("plan", "--json"),
        command("run", "app", "-c", "import one"),
    ]
    for done in said:
        assert password not in done.out + done.err
    for folder in (fresh_project.folder, fresh_project.command.store):
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                assert password.encode() not in path.read_bytes(), path
    assert 'index = "loopback"' in fresh_project.lock.read_text(encoding="utf-8")
    assert index.url not in fresh_project.lock.read_text(encoding="utf-8")


def test_an_address_with_a_credential_is_refused(project: Project) -> None:
    project.spec(
        '[images.app]\npackages = [{ url = "https://me:hunter2@example.org/x-1.0-py3-none-any.whl", '
        f'sha256 = "{"0" * 64}" }}]\n'
    )
    done = project("lock", status=2)
    assert "hunter2" not in done.err + done.out
    assert "credential" in done.err
    assert not project.lock.exists()


def test_a_full_name_of_the_spec(project: Project, index: Index) -> None:
    """The spec may be in another folder, or in pyproject.toml; the lock stands beside it."""
    index.add(make_wheel("one"))
    project.spec('[images.app]\npackages = ["one"]\n')
    below = project.folder / "some/where"
    below.mkdir(parents=True)
    assert project.command.changed(folder=below)("lock").out.startswith("app: new\n")
    assert project.lock.exists()
    text = (project.folder / "layerwright.toml").read_text(encoding="utf-8")
    (project.folder / "layerwright.toml").unlink()
    as_tool = text.replace("[project]\n", "[tool.layerwright.project]\n")
    for table in ("defaults", "indexes.loopback", "images.app"):
        as_tool = as_tool.replace(f"[{table}]", f"[tool.layerwright.{table}]")
    (below / "pyproject.toml").write_text(as_tool, encoding="utf-8")
    project("--file", below / "pyproject.toml", "lock")
    assert (below / "layerwright.lock").read_bytes() == project.lock.read_bytes()
