"""Row F09: a Python that the base does not have, as a component: an archive that can be put anywhere.

The archive has the layout of python-build-standalone's, and is made from the Debian base's own Python.
"""

import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from layerwright.oci.layout import read_layout
from support import musa
from support.command import Project
from support.index import Index
from support.musa_scripts import in_container
from support.packages import make_wheel

pytestmark = pytest.mark.engine

NAME = "cpython-3.11.2+20230227-x86_64-unknown-linux-gnu-install_only.tar.gz"
IMAGE = """\
[components.python]
kind = "python"
url = "{address}"
sha256 = "{sha256}"
version = "3.11.2"
[images.app]
from = "{base}"
python = "3.11"
name = "layerwright-test-python"
components = ["python"]
packages = ["tool"]
smoke = [["python", "-c", "import sys, tool; assert sys.base_prefix == '/opt/python', sys.base_prefix"]]
"""


@pytest.fixture(scope="module")
def archive(debian_layout: Path) -> musa.Archive:
    image, blobs = read_layout(debian_layout, "debian:bookworm")
    tar, packed = io.BytesIO(b"".join(blobs.open_tar(image.layers[0]))), io.BytesIO()
    with tarfile.open(fileobj=tar) as whole, tarfile.open(fileobj=packed, mode="w:gz") as target:
        for member in whole:
            name = member.name.removeprefix("./")
            place = {"usr/bin/python3.11": "bin/python3.11"}.get(name, "")
            if name.startswith("usr/lib/python3.11/") and "__pycache__" not in name and not member.issym():
                place = name.removeprefix("usr/")
            if place:
                content = whole.extractfile(member) if member.isfile() else None
                member.name, member.uid, member.gid = f"python/{place}", 1000, 1000
                target.addfile(member, content)
        link = tarfile.TarInfo("python/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, "python3.11"
        target.addfile(link)
    return musa.Archive(NAME, packed.getvalue())


@pytest.fixture
def without_python(project: Project, debian_layout: Path) -> Project:
    """A base that had a Python, and has none."""
    project.spec(
        '[images.bare]\nname = "bare"\nentry_program = false\n'
        'run = [{ script = "rm -rf /usr/bin/python3* /usr/lib/python3.11" }]\n'
    )
    text = project.folder / "layerwright.toml"
    text.write_text(text.read_text(encoding="utf-8").replace('python = "3.11"\n', ""), encoding="utf-8")
    project("build", "--output", f"oci:{project.folder / 'bare'}")
    return project


@pytest.mark.parametrize("backend", ["native", "docker"])
def test_f09_a_python_that_the_base_does_not_have(
    without_python: Project, index: Index, archive: musa.Archive, docker: str, backend: str
) -> None:
    project = without_python
    index.add(make_wheel("tool", "1.0"))
    base = f"oci:{project.folder / 'bare'}"
    address = archive.serve(index)
    table = IMAGE.format(base=base, address=address, sha256=archive.sha256)
    project.spec(table.replace('components = ["python"]\n', ""))
    assert "has no Python 3.11" in project("lock", status=None).err + project("build", status=None).err
    project.spec(table)
    project("build", *(["--output", "docker"] if backend == "native" else ["--backend", "docker"]))
    look = "import sys, tool; print(sys.base_prefix, sys.version.split()[0], tool.VERSION)"
    image = "layerwright-test-python:1"
    try:
        assert in_container(docker, image, "python", "-c", look) == "/opt/python 3.11.2 1.0\n"
        found = subprocess.run(
            [docker, "image", "inspect", image], capture_output=True, check=True, timeout=20
        )
        assert json.loads(found.stdout)[0]["Config"]["Env"]
        owner = in_container(
            docker, image, "stat", "-c", "%u %a", "/opt/python", "/opt/python/bin/python3.11"
        )
        assert owner == "0 755\n0 755\n"
    finally:
        subprocess.run([docker, "image", "rm", image], capture_output=True, check=False, timeout=60)
    refused = project("render", "dockerfile", status=2)
    assert "comes from a component" in refused.err


def test_an_archive_without_a_python_is_told(without_python: Project, index: Index) -> None:
    other = musa.mccl()
    base = f"oci:{without_python.folder / 'bare'}"
    index.add(make_wheel("tool", "1.0"))
    without_python.spec(IMAGE.format(base=base, address=other.serve(index), sha256=other.sha256))
    done = without_python("build", status=4)
    assert "has no bin/python3 in it" in done.err
