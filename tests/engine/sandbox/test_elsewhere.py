"""The same sandbox for an ordinary user, and inside an ordinary unprivileged container."""

import os
import pwd
import shutil
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from layerwright.sandbox.model import Capabilities
from support import sandbox_run

pytestmark = pytest.mark.engine

SOURCE = Path(__file__).parents[3] / "src"
PROGRAM = Path(sandbox_run.__file__)
# An ordinary user must be able to start it, and it must take msgspec's library as built for ours.
PYTHON = Path("/usr/bin/python3")
SCRIPT = "id -u; echo mine > file; echo x > /data/new; rm /data/gone; ls /"


@pytest.fixture(params=[True, False], ids=["subordinate-ids", "one-id"])
def user(request: pytest.FixtureRequest, found: Capabilities) -> Iterator[pwd.struct_passwd]:
    """An ordinary user, with or without subordinate ids, who is gone afterwards."""
    if shutil.which("useradd") is None or shutil.which("newuidmap") is None:
        pytest.skip("useradd or newuidmap is missing (packages passwd, uidmap)")
    name = f"lw{uuid.uuid4().hex[:8]}"
    subprocess.run(["useradd", "--create-home", name], check=True)
    if not request.param:
        subprocess.run(
            ["usermod", "--del-subuids", "0-4294967294", "--del-subgids", "0-4294967294", name], check=True
        )
    yield pwd.getpwnam(name)
    subprocess.run(["userdel", "--remove", name], check=True, capture_output=True)


def test_an_ordinary_user_runs_as_themselves(user: pwd.struct_passwd, lower: Path) -> None:
    if not _is_like_ours(PYTHON):
        pytest.skip(f"{PYTHON} is no Python {sys.version_info[0]}.{sys.version_info[1]}")
    home = Path(user.pw_dir)
    for name in ("src", "scratch/code"):
        (home / name).mkdir(parents=True)
    _copy_sources(home / "src")
    shutil.copytree(lower, home / "lower", symlinks=True)
    shutil.copy(PROGRAM, home / "program.py")
    subprocess.run(["chown", "-R", f"{user.pw_uid}:{user.pw_gid}", home], check=True)
    done = subprocess.run(
        [
            "runuser",
            "-u",
            user.pw_name,
            "--",
            PYTHON,
            "program.py",
            "namespace",
            "",
            "lower",
            "scratch",
            SCRIPT,
        ],
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(home / "src")},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == str(user.pw_uid)
    assert lines[-2:] == ["remove data/gone", "put data/new"]
    written = home / "scratch" / "code" / "file"
    assert (written.stat().st_uid, written.stat().st_gid) == (user.pw_uid, user.pw_gid)


def test_an_unprivileged_container_is_enough(lower: Path, tmp_path: Path) -> None:
    docker = shutil.which("docker", path="/usr/bin:/usr/local/bin")
    if docker is None or subprocess.run([docker, "info"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no Docker daemon answers")
    if not _is_like_ours(PYTHON):
        pytest.skip(f"{PYTHON} is no Python {sys.version_info[0]}.{sys.version_info[1]}")
    image = f"layerwright-test:{uuid.uuid4().hex[:8]}"
    _import_frame(docker, image, tmp_path)
    (tmp_path / "scratch" / "code").mkdir(parents=True)
    _copy_sources(tmp_path / "src")
    volumes = {
        "/usr": "/usr",
        "/etc": "/etc",
        tmp_path / "src": "/src",
        PROGRAM: "/program.py",
        lower: "/lower",
    }
    shared = [f"--volume={source}:{target}:ro" for source, target in volumes.items()]
    shared += [f"--volume={tmp_path / 'scratch'}:/scratch"]
    shared += ["--env=PYTHONPATH=/src", "--env=PYTHONDONTWRITEBYTECODE=1"]
    arguments = ["foreground", "", "/lower", "/scratch", SCRIPT]
    try:
        done = subprocess.run(
            [docker, "run", "--rm", "--network=none", *shared, image, PYTHON, "/program.py", *arguments],
            check=False,
            capture_output=True,
            text=True,
        )
    finally:
        subprocess.run([docker, "rmi", image], check=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "0"
    assert done.stdout.splitlines()[-2:] == ["remove data/gone", "put data/new"]
    assert (tmp_path / "scratch" / "code" / "file").read_text() == "mine\n"


def _import_frame(docker: str, image: str, folder: Path) -> None:
    """Make an image of folders and links only; the programs are this machine's, mounted."""
    archive = folder / "frame.tar"
    with tarfile.open(archive, "w") as tar:
        for name in (
            "usr",
            "etc",
            "tmp",
            "proc",
            "sys",
            "dev",
            "var",
            "run",
            "scratch",
            "src",
            "lower",
            "root",
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name in ("bin", "sbin", "lib", "lib64", "lib32"):
            if Path("/", name).is_symlink():
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname = tarfile.SYMTYPE, str(Path("/", name).readlink())
                tar.addfile(entry)
    subprocess.run([docker, "import", archive, image], check=True, capture_output=True)


def _copy_sources(folder: Path) -> None:
    """Our code and the one library that the sandbox needs."""
    left_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(SOURCE, folder, dirs_exist_ok=True, ignore=left_out)
    shutil.copytree(Path(msgspec.__file__).parent, folder / "msgspec", ignore=left_out)


def _is_like_ours(python: Path) -> bool:
    code = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    return python.exists() and subprocess.run([python, "-c", code], check=False).returncode == 0
