"""Small images made in memory: random ones, and one that runs."""

import gzip
import io
import random
import struct
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from layerwright.oci.digest import Digest
from layerwright.oci.image import Image, build_image
from layerwright.oci.layer import GZIP_LAYER, TAR_LAYER, Layer
from layerwright.oci.platform import Platform

Packing = Literal["gzip", "members", "none"]
"""How a blob is made of a tar: one gzip member, many, or not at all."""

_CHUNK = 1 << 20


@dataclass(slots=True)
class MemoryBlobs:
    """Layers in memory (a ``BlobSource``); ``opened`` counts what was asked for, by digest or diff id."""

    blobs: dict[Digest, bytes] = field(default_factory=dict)
    tars: dict[Digest, bytes] = field(default_factory=dict)
    opened: list[Digest] = field(default_factory=list)

    def open_blob(self, layer: Layer) -> Iterator[bytes]:
        self.opened.append(layer.digest)
        return _chunks(self.blobs[layer.digest])

    def open_tar(self, layer: Layer) -> Iterator[bytes]:
        self.opened.append(layer.diff_id)
        return _chunks(self.tars[layer.diff_id])

    def add(self, tar: bytes, *, packing: Packing = "gzip", created_by: str = "made by a test") -> Layer:
        """Keep a tar as a layer."""
        blob = pack(tar, packing)
        layer = Layer(
            diff_id=Digest.of(tar),
            digest=Digest.of(blob),
            size=len(blob),
            tar_size=len(tar),
            created_by=created_by,
            media_type=TAR_LAYER if packing == "none" else GZIP_LAYER,
        )
        self.blobs[layer.digest] = blob
        self.tars[layer.diff_id] = tar
        return layer


def tar_of_files(files: Mapping[str, bytes], *, mode: int = 0o755) -> bytes:
    """A deterministic tar: names to contents; a name that ends in ``/`` is a folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(name.rstrip("/"))
            member.mode = mode
            if name.endswith("/"):
                member.type = tarfile.DIRTYPE
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def pack(tar: bytes, packing: Packing) -> bytes:
    """The tar as a blob."""
    if packing == "none":
        return tar
    if packing == "gzip":
        return gzip.compress(tar, mtime=0)
    parts = (tar[start : start + 700] for start in range(0, len(tar), 700))
    return b"".join(
        gzip.compress(part, mtime=0, compresslevel=number % 10) for number, part in enumerate(parts)
    )


def random_image(
    seed: int, *, layers: int = 3, platform: Platform | None = None, blobs: MemoryBlobs | None = None
) -> tuple[Image, MemoryBlobs]:
    """An image with random layers of a few kilobytes, packed in turn each way; the same for the same seed."""
    chance = random.Random(seed)
    found = blobs if blobs is not None else MemoryBlobs()
    packings: tuple[Packing, ...] = ("gzip", "members", "none")
    made = [
        found.add(
            tar_of_files({f"f{n}-{seed}": chance.randbytes(chance.randrange(3000)) for n in range(3)}),
            packing=packings[number % 3],
            created_by=f"layer {number}",
        )
        for number in range(layers)
    ]
    image = build_image(
        layers=made, env={"SEED": str(seed)}, command=["/none"], platform=platform or Platform()
    )
    return image, found


def program(text: str, *, status: int = 0) -> bytes:
    """An ELF executable for Linux on x86-64 that prints the text and ends with the status; it needs no libc."""
    data = text.encode()
    code_at, code_size = 0x78, 33
    code = (
        b"\xb8\x01\x00\x00\x00"  # mov eax, 1 (write)
        b"\xbf\x01\x00\x00\x00"  # mov edi, 1
        b"\xbe"
        + struct.pack("<I", 0x400000 + code_at + code_size + 1)
        + b"\xba"
        + struct.pack("<I", len(data))
        + b"\x0f\x05"  # syscall
        b"\x6a\x3c\x58"  # push 60; pop rax (exit)
        b"\xbf" + struct.pack("<I", status) + b"\x0f\x05"
    )
    code = code.ljust(code_size + 1, b"\x90")
    size = code_at + len(code) + len(data)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01", 2, 62, 1, 0x400000 + code_at, 64, 0, 0, 64, 56, 1, 0, 0, 0,
    )  # fmt: skip
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, size, size, 0x1000)
    return header + segment + code + data


def running_image(text: str, *, status: int = 0, salt: bytes = b"") -> tuple[Image, MemoryBlobs]:
    """An image of two layers, one gzip of many members and one plain tar, whose program prints the text."""
    blobs = MemoryBlobs()
    layers = [
        blobs.add(
            tar_of_files({"data/": b"", "data/salt": salt or zlib.compress(text.encode())}), packing="members"
        ),
        blobs.add(tar_of_files({"say": program(text, status=status)}), packing="none"),
    ]
    return build_image(layers=layers, entrypoint=["/say"], env={"A": "1"}, workdir="/data"), blobs


def _chunks(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), _CHUNK):
        yield data[start : start + _CHUNK]
