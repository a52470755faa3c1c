"""Every byte of an image's layers, whoever saved it: for proving that something is in none of them."""

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any


def tars_of(archive: Path) -> list[bytes]:
    """The tars of all layers, bottom first, of an image saved by ``docker save``, ``podman save`` or a native build."""
    layers = [_content(archive, name) for name in _manifest(archive)["Layers"]]
    return [gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data for data in layers]


def environment_of(archive: Path) -> dict[str, str]:
    """The variables of the image."""
    config = json.loads(_content(archive, _manifest(archive)["Config"]))
    return dict(line.split("=", 1) for line in config["config"]["Env"])


def _manifest(archive: Path) -> dict[str, Any]:
    (image,) = json.loads(_content(archive, "manifest.json"))
    found: dict[str, Any] = image
    return found


def _content(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as saved:
        file = saved.extractfile(name)
        assert file is not None, name
        return file.read()


def members_of(tars: list[bytes]) -> list[tarfile.TarInfo]:
    """All that the layers hold, in order."""
    found: list[tarfile.TarInfo] = []
    for data in tars:
        with tarfile.open(fileobj=io.BytesIO(data)) as layer:
            found += layer.getmembers()
    return found


def paths_of(tars: list[bytes]) -> list[str]:
    """Every path that a layer mentions, with repetitions, in order."""
    return [member.name.removeprefix("./").rstrip("/") for member in members_of(tars)]


def traces(tars: list[bytes], data: bytes, *, piece: int = 32) -> list[int]:
    """Offsets in ``data`` of pieces that stand in a layer; a copy of any 4 KiB of it would be seen."""
    offsets = range(0, max(1, len(data) - piece), 4096 - piece)
    return [offset for offset in offsets if any(data[offset : offset + piece] in tar for tar in tars)]
