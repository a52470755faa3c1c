"""A base whose layers are compressed with zstd, as containerd and buildx write them when asked."""

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from layerwright.oci.compression import zstd_module
from support.command import Project

pytestmark = pytest.mark.engine


def put(layout: Path, data: bytes) -> dict[str, Any]:
    digits = hashlib.sha256(data).hexdigest()
    (layout / "blobs/sha256" / digits).write_bytes(data)
    return {"digest": f"sha256:{digits}", "size": len(data)}


def compressed_anew(source: Path, layout: Path) -> None:
    """The layout's one image with zstd in place of gzip; each layer in two frames."""
    (layout / "blobs/sha256").mkdir(parents=True)
    index = json.loads((source / "index.json").read_text())
    (entry,) = index["manifests"]
    blob = lambda one: (source / "blobs/sha256" / one["digest"][7:]).read_bytes()  # noqa: E731
    manifest = json.loads(blob(entry))
    put(layout, blob(manifest["config"]))
    for layer in manifest["layers"]:
        tar = gzip.decompress(blob(layer))
        packed = b"".join(zstd_module().compress(part) for part in (tar[:5000], tar[5000:]))
        layer.update(put(layout, packed), mediaType="application/vnd.oci.image.layer.v1.tar+zstd")
        layer.pop("annotations", None)
    entry.update(put(layout, json.dumps(manifest).encode()))
    (layout / "index.json").write_text(json.dumps(index))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def test_a_base_of_zstd_layers(
    fresh_project: Project, debian_layout: Path, tmp_path: Path, docker: str
) -> None:
    packed = tmp_path / "packed"
    compressed_anew(debian_layout, packed)
    fresh_project.spec(
        f'[images.app]\nfrom = "oci:{packed}"\nrun = [{{ script = "echo made > /made" }}]\n'
        'command = ["cat", "/made", "/etc/debian_version"]\n'
    )
    assert fresh_project("run", "app").out.startswith("made\n12")
    found = fresh_project("verify", f"oci:{packed}", "--json", status=None).json()
    assert [one for one in found["findings"] if one["level"] == "error"] == []
    assert fresh_project("run", "--engine", "docker", "app").out.startswith("made\n12")
