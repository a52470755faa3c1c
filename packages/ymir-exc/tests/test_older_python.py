"""The suite once more under the Python of Debian 11, 3.9."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1]
# Debian moves a release that is not looked after any more.
MIRRORS = (
    os.environ.get("LAYERWRIGHT_DEBIAN_MIRROR") or "http://deb.debian.org/debian",
    "http://archive.debian.org/debian",
)
NEEDED = (
    "easydict",
    "hypothesis",
    "imagesize",
    "numpy",
    "pillow",
    "pytest",
    "pyyaml",
    "tensorboardX",
    "vermin",
)


def run(*command, **options):
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.mark.engine
@pytest.mark.network
def test_python_3_9(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    archive = tmp_path / "root.tar"
    bootstrap = ("mmdebstrap", "--quiet", "--variant=extract", "--include=python3", "bullseye", str(archive))
    try:
        run(*bootstrap, MIRRORS[0])
    except AssertionError:
        run(*bootstrap, MIRRORS[1])
    # Devices need root; a plain file is enough of a /dev/null.
    run("tar", "-C", str(root), "-xf", str(archive), "--exclude=./dev/*", "--no-same-owner")
    (root / "dev/null").touch()
    install = ("uv", "pip", "install", "--quiet", "--python-version", "3.9", "--only-binary", ":all:")
    run(*install, "--target", str(root / "deps"), *NEEDED)
    shutil.copytree(PACKAGE / "src", root / "package/src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(PACKAGE / "tests", root / "package/tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PACKAGE / "README.md", root / "package")
    (root / "package/pytest.ini").write_text(
        "[pytest]\naddopts = --strict-markers --import-mode=importlib -p no:cacheprovider\nfilterwarnings = error\n"
        "pythonpath = src tests\nmarkers =\n  engine: -\n  network: -\n  property: -\n",
        encoding="utf-8",
    )
    become = [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]
    python = [*become, "chroot", str(root), "/usr/bin/python3"]
    variables = {"PATH": os.environ["PATH"], "HOME": "/tmp", "PYTHONPATH": "/deps"}
    assert run(*python, "--version", env=variables).startswith("Python 3.9.")
    # A semaphore needs a tmpfs at /dev/shm, which the root has not: tensorboardX and vermin want one.
    left_out = "not texts_for_tensorboard and not younger_than"
    answer = run(
        *(*python, "-m", "pytest", "-q", "-m", "not network and not property", "-k", left_out),
        *("-c", "/package/pytest.ini", "/package/tests"),
        env=variables,
    )
    assert " passed" in answer
    assert "skipped" not in answer
