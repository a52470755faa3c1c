"""Docker and skopeo take what we write, and we read what they write."""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerwright.core.errors import BuildError
from layerwright.oci.archive import docker_archive, oci_archive
from layerwright.oci.image import build_image
from layerwright.oci.layout import read_layout, write_layout
from layerwright.oci.saved import read_archive
from layerwright.oci.validate import validate
from support.oci import random_image, running_image

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the test program is for x86-64"),
]


def call(*argv: str | Path, data: bytes | None = None) -> str:
    done = subprocess.run(argv, input=data, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, (argv, done.stdout, done.stderr)
    return done.stdout.decode()


@pytest.fixture
def docker() -> Iterator[str]:
    found = shutil.which("docker")
    if (
        found is None
        or subprocess.run([found, "version"], capture_output=True, timeout=20, check=False).returncode
    ):
        pytest.skip("no Docker engine answers")
    name = f"layerwright-test-oci-{os.getpid()}"
    yield name
    subprocess.run(
        [found, "image", "rm", "--force", f"{name}:1", f"{name}:2"],
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def skopeo() -> str:
    found = shutil.which("skopeo")
    if found is None:
        pytest.skip("skopeo is not installed")
    return found


def test_docker_loads_runs_and_saves(docker: str, tmp_path: Path) -> None:
    image, blobs = running_image(f"good day from {docker}\n")
    call("docker", "load", data=b"".join(docker_archive([([f"{docker}:1"], image)], blobs, check=False)))
    assert (
        call("docker", "image", "inspect", "--format", "{{.Id}}", f"{docker}:1").strip()
        == image.config_digest
    )
    assert call("docker", "run", "--rm", "--network", "none", f"{docker}:1") == f"good day from {docker}\n"

    call("docker", "save", "--output", tmp_path / "saved.tar", f"{docker}:1")
    read, source = read_archive(tmp_path / "saved.tar", f"{docker}:1")
    assert read.settings == image.settings
    assert [layer.diff_id for layer in read.layers] == [layer.diff_id for layer in image.layers]
    validate(read, source)


def test_docker_takes_an_archive_without_the_layers_it_has(docker: str) -> None:
    image, blobs = running_image(f"first {docker}\n", salt=os.urandom(2000))
    call("docker", "load", data=b"".join(docker_archive([([f"{docker}:1"], image)], blobs)))
    extra, _ = random_image(int.from_bytes(os.urandom(4)), layers=1, blobs=blobs)
    larger = build_image(base=image, layers=extra.layers, env={"B": "2"})
    blobs.opened.clear()
    call("docker", "load", data=b"".join(docker_archive([([f"{docker}:2"], larger)], blobs, omit=2)))
    assert blobs.opened == [extra.layers[0].diff_id]
    assert call("docker", "run", "--rm", "--network", "none", f"{docker}:2") == f"first {docker}\n"


@pytest.mark.parametrize("kind", ["oci", "oci-archive", "docker-archive"])
def test_skopeo_reads_what_we_write(skopeo: str, tmp_path: Path, kind: str) -> None:
    image, blobs = random_image(3, layers=4)
    source = f"{kind}:{tmp_path / 'ours'}"
    match kind:
        case "oci":
            write_layout(tmp_path / "ours", [("receipts:1", image)], blobs)
            source += ":receipts:1"
        case "oci-archive":
            (tmp_path / "ours").write_bytes(b"".join(oci_archive([("receipts:1", image)], blobs)))
            source += ":receipts:1"
        case _:
            (tmp_path / "ours").write_bytes(b"".join(docker_archive([(["receipts:1"], image)], blobs)))
    same = ["--preserve-digests"] if kind != "docker-archive" else []  # Docker's manifest has to be made anew
    call(skopeo, "copy", "--quiet", *same, source, f"oci:{tmp_path / 'theirs'}:x")
    read, held = read_layout(tmp_path / "theirs", "x")
    assert read.settings == image.settings
    assert [layer.diff_id for layer in read.layers] == [layer.diff_id for layer in image.layers]
    assert not same or read.digest == image.digest
    validate(read, held)


@pytest.mark.parametrize("kind", ["oci", "oci-archive", "docker-archive"])
def test_we_read_what_skopeo_writes(skopeo: str, tmp_path: Path, kind: str) -> None:
    image, blobs = random_image(4, layers=4)
    write_layout(tmp_path / "ours", [("x", image)], blobs)
    call(skopeo, "copy", "--quiet", f"oci:{tmp_path / 'ours'}:x", f"{kind}:{tmp_path / 'theirs'}:receipts:1")
    reader = read_layout if kind == "oci" else read_archive
    read, held = reader(tmp_path / "theirs", "receipts:1")
    assert read.config == image.config
    validate(read, held)
    with pytest.raises(BuildError, match="no image named"):
        reader(tmp_path / "theirs", "other:1")
