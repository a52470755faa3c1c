"""Rows A08 and E01: caches of callers need no path that everybody can write to, and images that we make have none."""

import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from support.command import Project
from support.index import Index
from support.packages import make_wheel

pytestmark = pytest.mark.engine

IMAGE = """\
[images.app]
packages = ["careless"]
writable = ["HF_HOME", "MPLCONFIGDIR"]
copy = [{ from = "src", to = "/code/src" }, { from = "one.sh", to = "/usr/local/bin/one" }]
models = [{ url = "m.onnx", sha256 = "SHA", to = "/models/m.onnx" }]
run = [{ script = "mkdir -p /data/x && touch /data/x/y" }]
"""


def careless_wheel() -> tuple[str, bytes]:
    """A wheel whose archive says that everybody may write to all of it."""
    name, data = make_wheel("careless")
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(buffer, "w") as after:
        for info in before.infolist():
            content = before.read(info)
            info.external_attr = 0o100777 << 16
            after.writestr(info, content)
    return name, buffer.getvalue()


def writable_paths(layout: Path, ours: int) -> list[str]:
    """Paths of the uppermost layers that everybody can write to; sticky folders are for that."""
    index = json.loads((layout / "index.json").read_bytes())

    def blob(digest: str) -> bytes:
        return (layout / "blobs" / digest.replace(":", "/")).read_bytes()

    manifest = json.loads(blob(index["manifests"][0]["digest"]))
    found = []
    for layer in manifest["layers"][-ours:]:
        with tarfile.open(fileobj=io.BytesIO(blob(layer["digest"]))) as tar:
            found += [
                member.name
                for member in tar
                if not member.issym() and member.mode & 0o002 and not member.mode & 0o1000
            ]
    return found


def test_a08_no_path_of_an_image_is_writable_for_everybody(
    fresh_project: Project, index: Index, tmp_path: Path
) -> None:
    import hashlib

    index.add(careless_wheel())
    fresh_project.write(
        {"src/a.py": "print(1)\n", "src/deep/b.txt": "x", "one.sh": "#!/bin/sh\n", "m.onnx": "model"}
    )
    for path in sorted(fresh_project.folder.rglob("*")):
        path.chmod(0o777)
    fresh_project.spec(IMAGE.replace("SHA", hashlib.sha256(b"model").hexdigest()))
    layout = tmp_path / "layout"
    image = fresh_project("build", "--json", "--output", f"oci:{layout}", umask=0).image
    assert writable_paths(layout, len(image["layers"]) - 1) == []
    assert "LW-WORLD-WRITABLE" not in fresh_project("verify", "app").out


def test_a_step_that_opens_a_path_to_everybody_is_told(project: Project) -> None:
    project.spec('[images.app]\nrun = [{ script = "mkdir -m 777 /cache; mkdir -m 1777 /fine; echo two" }]\n')
    done = project("build")
    assert "everybody in the container can write to /cache" in done.err
    assert "/fine" not in done.err.replace("mkdir -m 1777 /fine", "")
    assert 'writable = ["HF_HOME"]' in done.err
