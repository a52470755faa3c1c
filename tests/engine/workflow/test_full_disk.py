"""A build into a store on a disk that is too small."""

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.command import Project, leftovers
from support.index import Index
from support.packages import make_wheel

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(os.getuid() != 0 or not shutil.which("mount"), reason="mounts a tmpfs: needs root"),
]

SMALL, LARGE = 90 << 20, 200 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 90 MB: the base fits, with 20 MB to spare."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", folder], check=True, timeout=10)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True, timeout=10)


def grow(disk: Path) -> None:
    subprocess.run(["mount", "-o", f"remount,size={LARGE}", disk], check=True, timeout=10)


def test_a_full_disk_costs_nothing_that_was_there(project: Project, index: Index, disk: Path) -> None:
    chance = random.Random(1)
    index.add(
        make_wheel("small"),
        make_wheel("large", files={"large/data.bin": chance.randbytes(40 << 20)}),
        make_wheel("many", files={f"many/{number}.py": b"#" * 900_000 for number in range(60)}),
    )
    command = project.command.changed(store=disk / "store")
    project.spec('[images.app]\npackages = ["small"]\n')
    first = command("build", "--json").image

    for name in ("large", "many"):  # one is too large as it comes, the other when it is unpacked
        project.spec(f'[images.app]\npackages = ["small", "{name}"]\n')
        command("lock")
        locked = project.lock.read_bytes()
        failed = command("build", status=4)
        assert "no space left in the store" in failed.err
        assert str(disk / "store") in failed.err
        assert "prune" in failed.err
        assert failed.out == ""
        assert leftovers(disk / "store") == []
        assert project.lock.read_bytes() == locked
        command("store", "verify")

    # What was there works on the full disk: nothing has to be written for it.
    project.spec('[images.app]\npackages = ["small"]\n')
    command("lock")
    assert command("build", "--json").image["digest"] == first["digest"]

    grow(disk)
    project.spec('[images.app]\npackages = ["small", "large", "many"]\n')
    command("build")
    done = command(
        "run", "--entrypoint", "python", "app", "-c", "import large, many, os; print('fine')", status=None
    )
    assert done.out == "fine\n"
    command("store", "verify")
