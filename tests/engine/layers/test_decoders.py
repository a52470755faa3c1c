"""Real tools read the many-member gzip blobs: Docker and skopeo."""

import io
import json
import shutil
import subprocess
import tarfile

import pytest

from layerwright.layers import capture_layer, emit_blob, emit_tar, tree_layer, wheel_layer
from support.wheels import Entry, executable, make_wheel

pytestmark = pytest.mark.engine

WHERE = {"prefix": "/opt/venv", "python": "3.11"}


@pytest.fixture
def archive(tmp_path):
    """A docker-archive of a wheel layer and a copied tree, both as gzip blobs; its path and the layers' diff ids."""
    files = {
        "demo/__init__.py": b"X = 1\n",
        f"demo/{'n' * 150}.py": b"long = 1\n",
        "demo/資料.txt": "中文".encode(),
        "demo/empty.txt": b"",
        "demo/tool": executable(b"#!/bin/sh\n"),
        "demo/zeros.bin": bytes(3_000_000),
        "demo/stored.bin": Entry(data=bytes(range(256)) * 2000, stored=True),
    }
    wheel = make_wheel(tmp_path, files=files)
    digests = wheel_layer([wheel], **WHERE)
    (tmp_path / "source").mkdir()
    (tmp_path / "source/模型.bin").write_bytes(bytes(range(256)) * 8000 + bytes(100_000))
    tree = io.BytesIO()
    copied = tree_layer(tmp_path / "source", to="/code", out=tree)
    changes = io.BytesIO()
    removed = capture_layer([_Removal()], changes)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/opt/venv/bin/none"]},
        "rootfs": {"type": "layers", "diff_ids": [digests.diff_id, copied.diff_id, removed.diff_id]},
    }
    parts = {
        "config.json": json.dumps(config).encode(),
        "wheel.tar.gz": b"".join(emit_blob([wheel], **WHERE)),
        "tree.tar.gz": tree.getvalue(),
        "changes.tar.gz": changes.getvalue(),
        "manifest.json": json.dumps(
            [
                {
                    "Config": "config.json",
                    "RepoTags": ["layerwright-test/decoders:1"],
                    "Layers": ["wheel.tar.gz", "tree.tar.gz", "changes.tar.gz"],
                }
            ]
        ).encode(),
    }
    path = tmp_path / "image.tar"
    with tarfile.open(path, "w") as out:
        for name, content in parts.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            out.addfile(member, io.BytesIO(content))
    return path, files, b"".join(emit_tar([wheel], **WHERE))


class _Removal:
    path = "opt/venv/lib/python3.11/site-packages/demo/tool"
    kind = "remove"
    source = None


def run(*argv, **options):
    return subprocess.run(argv, check=True, capture_output=True, timeout=120, **options).stdout


def test_docker_loads_and_unpacks_the_blobs(archive):
    path, files, _ = archive
    docker = shutil.which("docker")
    assert docker, "this test needs a Docker engine"
    run(docker, "load", "--input", path)
    try:
        container = run(docker, "create", "layerwright-test/decoders:1").decode().strip()
        try:
            exported = run(docker, "export", container)
        finally:
            run(docker, "rm", container)
    finally:
        run(docker, "rmi", "layerwright-test/decoders:1")
    with tarfile.open(fileobj=io.BytesIO(exported)) as out:
        found = {member.name: member for member in out}
        for name, content in files.items():
            full = f"opt/venv/lib/python3.11/site-packages/{name}"
            if name == "demo/tool":
                assert full not in found
                continue
            data = content.data if isinstance(content, Entry) else content
            assert out.extractfile(found[full]).read() == data
        assert out.extractfile(found["code/模型.bin"]).read()[:256] == bytes(range(256))


def test_skopeo_copies_the_blobs_and_finds_their_diff_ids(archive, tmp_path):
    path, _, tar = archive
    skopeo = shutil.which("skopeo")
    assert skopeo, "this test needs skopeo"
    run(skopeo, "copy", f"docker-archive:{path}", f"dir:{tmp_path / 'copied'}")
    manifest = json.loads((tmp_path / "copied/manifest.json").read_bytes())
    assert len(manifest["layers"]) == 3
    first = (tmp_path / "copied" / manifest["layers"][0]["digest"].removeprefix("sha256:")).read_bytes()
    # skopeo unpacks the layers of a docker-archive, by its own gzip reader
    assert (run("gzip", "-dc", input=first) if first.startswith(b"\x1f\x8b") else first) == tar
