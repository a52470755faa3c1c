import os
import shutil
import subprocess
from pathlib import Path

import pytest

from layerwright.core.errors import UsageError
from layerwright.core.events import SilentReporter
from layerwright.core.source import Location
from layerwright.host.environment import HostEnvironment
from layerwright.lock import Lock, LockedBase, LockedCell, LockedSource, read_lock, write_lock
from layerwright.sources.local import LocalInputs
from layerwright.spec.fingerprint import cell_resolution_digest
from layerwright.spec.load import load_spec
from layerwright.spec.model import Mount, RunOptions
from layerwright.workflow.build import BuildRequest, prepare
from layerwright.workflow.lock import check_lock
from layerwright.workflow.memo import recall, recall_start, remember
from layerwright.workflow.plan import plan_cells, scan_trees
from layerwright.workflow.session import Session, lock_beside, read_locked, short_list
from layerwright.workflow.start import Start, kept_trees
from support.change import replace
from support.packages import project_text

SPEC = """
[project]
name = "demo"
[images.infer]
from = "debian:bookworm"
python = "3.11"
packages = [{ path = "app" }]
"""


@pytest.fixture
def session(tmp_path):
    """A locked image of one project."""
    root = tmp_path / "work"
    (root / "app").mkdir(parents=True)
    (root / "app" / "pyproject.toml").write_text(project_text("app"))
    (root / "app" / "app.py").write_text("x = 1\n")
    (root / "layerwright.toml").write_text(SPEC)
    spec = load_spec(None, root)
    source = LockedSource(
        name="app",
        version="1.0",
        kind="path",
        source="app",
        requested=True,
        metadata=LocalInputs(root=root).input_digest("app"),
    )
    cell = LockedCell(
        name="infer",
        spec_digest=cell_resolution_digest(spec.cells["infer"], spec),
        base=LockedBase(
            kind="debian",
            source="bookworm",
            digest="sha256:" + "1" * 64,
            python="3.11.2",
            interpreter="/usr/bin/python3.11",
        ),
        python="3.11",
        platform="linux/amd64",
        sources=(source,),
    )
    (root / "layerwright.lock").write_text(write_lock(Lock(cells={"infer": cell})))
    host = HostEnvironment(
        variables={},
        uid=0,
        gid=0,
        groups=(),
        home=tmp_path,
        cpu_count=2,
        path="",
        python=Path("/usr/bin/python3"),
    )
    made = Session(
        host=host,
        reporter=SilentReporter(),
        start=root,
        spec_file=None,
        store_root=tmp_path / "store",
        offline=True,
    )
    with made.store:
        yield made


def project(session):
    return session.start / "app" / "pyproject.toml"


def test_the_metadata_digest_is_written_and_read(session):
    text = (session.start / "layerwright.lock").read_text()
    [source] = read_lock(text).cells["infer"].sources
    assert f'metadata = "{source.metadata}"' in text
    assert source.metadata == LocalInputs(root=session.start).input_digest("app")


def test_a_new_requirement_of_a_project_makes_the_lock_out_of_date(session):
    assert check_lock(session)[1] == ()
    assert [cell.cell for cell in plan_cells(session, ()).cells] == ["infer"]
    (session.start / "app" / "app.py").write_text("x = 2\n")
    assert check_lock(session)[1] == ()
    project(session).write_text(project_text("app", requires=["six"]))
    assert check_lock(session)[1] == ("infer",)
    with pytest.raises(UsageError, match="out of date for infer"):
        plan_cells(session, ())
    with pytest.raises(UsageError, match="out of date for infer"):
        prepare(session, BuildRequest(locked=True))


def test_a_remembered_build_does_not_hold_when_a_project_changed(session):
    spec = load_spec(None, session.start)
    remember(
        session,
        (),
        spec_file=session.start / "layerwright.toml",
        root=spec.root,
        trees=scan_trees(spec, read_locked(spec), ["infer"], session.host),
        blobs=[],
        references={},
        document={"built": 1},
        starts=(),
    )
    assert recall(session, ()) == {"built": 1}
    project(session).write_text(project_text("app", requires=["six"]))
    assert recall(session, ()) is None


def test_a_line_names_three_and_counts_the_rest():
    assert short_list(["a"]) == "a"
    assert short_list("abc") == "a, b, c"
    assert short_list("abcde") == "a, b, c and 2 more"


def test_a_remembered_build_does_not_hold_after_another_commit(session, tmp_path):
    git = shutil.which("git")
    assert git, "git makes the test's repository"

    def run(*words):
        argv = [git, "-C", str(session.start), "-c", "user.name=t", "-c", "user.email=t@example.org", *words]
        subprocess.run(argv, check=True, capture_output=True)

    project(session).write_text(project_text("app", backend="hatchling") + "# by hatch-vcs\n")
    lock = session.start / "layerwright.lock"
    lock.write_text(lock.read_text().replace('version = "1.0"', 'version = ""'))
    run("init", "-q")
    run("commit", "-q", "--allow-empty", "-m", "first")
    here = replace(session, host=replace(session.host, path=os.environ["PATH"]))
    trees = scan_trees(
        load_spec(None, here.start), read_locked(load_spec(None, here.start)), ["infer"], here.host
    )
    assert [state for request, state in trees.items() if request.commit] != [""]
    with here.store:
        remember(
            here,
            (),
            spec_file=here.start / "layerwright.toml",
            root=here.start,
            trees=trees,
            blobs=[],
            references={},
            document={"built": 1},
            starts=(),
        )
        assert recall(here, ()) == {"built": 1}
        run("tag", "v1.0")
        assert recall(here, ()) is None


def test_a_remembered_start_is_that_of_the_one_image(session):
    spec = load_spec(None, session.start)
    start = Start(
        cell="infer",
        references=("demo-infer:1",),
        digest="sha256:" + "1" * 64,
        config_digest="sha256:" + "2" * 64,
        location=Location(file="layerwright.toml", line=3),
        root=str(spec.root),
        env={"A": "你好"},
        workdir="/work",
        entrypoint=("python",),
        command=(),
        writable=("HF_HOME",),
        options=RunOptions(mounts=(Mount(source="data", to="/data", read_only=True),), shm_size="1g"),
        trees=((("wheel-1", "wheel-2"), False), (("a" * 64,), True)),
    )

    def keep(*starts):
        remember(
            session,
            (),
            spec_file=spec.root / "layerwright.toml",
            root=spec.root,
            trees={},
            blobs=[],
            references={},
            document={},
            starts=starts,
        )

    keep(start)
    assert recall_start(session, ()) == start
    assert recall_start(session, ("infer",)) is None
    assert kept_trees(session, start) is None
    keep(start, start)
    assert recall_start(session, ()) is None
    keep(start)
    (spec.root / "layerwright.toml").write_text(SPEC + "# changed\n")
    assert recall_start(session, ()) is None


def test_each_spec_of_a_folder_has_a_lock_of_its_own(tmp_path):
    assert lock_beside(tmp_path / "layerwright.toml") == tmp_path / "layerwright.lock"
    assert lock_beside(tmp_path / "pyproject.toml") == tmp_path / "layerwright.lock"
    assert lock_beside(tmp_path / "gpu.toml") == tmp_path / "gpu.lock"
