"""Wheel → layer against what the machine can do at all.

    python benchmarks/wheel_layer.py [--repeat N] [--tree] WHEEL...

The limit is the work that no tool can leave out, done by a bare loop in the same process on the same bytes: read the
wheel, inflate every member, sha256 over what was inflated and over what was read. Both sides use the same inflate
(isal when it is installed) and run in turn, files in the page cache. ``wheel_layer`` does more than the limit: tar
headers, gzip framing, CRC-32 of every member, and a third sha256, of every file against RECORD. It hashes in a second
thread, so wall time and CPU time are both told. ``--tree`` also writes the files below a temporary folder.
"""

import argparse
import hashlib
import os
import platform
import shutil
import statistics
import struct
import tempfile
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from layerwright.layers import WheelFile, wheel_layer
from layerwright.layers.inflate import codec


def limit(path: Path) -> int:
    """Read, inflate, hash twice; bytes that came out."""
    tar, blob, size = hashlib.sha256(), hashlib.sha256(), 0
    with zipfile.ZipFile(path) as archive, path.open("rb", buffering=0) as file:
        for info in archive.infolist():
            head = os.pread(file.fileno(), 30, info.header_offset)
            offset = info.header_offset + 30 + sum(struct.unpack_from("<2H", head, 26))
            left = info.compress_size
            engine = codec.decompressobj(-15) if info.compress_type == zipfile.ZIP_DEFLATED else None
            while left:
                raw = os.pread(file.fileno(), min(left, 256 * 1024), offset)
                offset += len(raw)
                left -= len(raw)
                blob.update(raw)
                while raw:
                    piece, raw = (
                        (engine.decompress(raw, 1 << 20), engine.unconsumed_tail) if engine else (raw, b"")
                    )
                    tar.update(piece)
                    size += len(piece)
    return size


def layer(path: Path, *, tree: bool) -> int:
    """Make the layer's digests; bytes of its tar."""
    name, version = path.name.split("-")[:2]
    wheel = WheelFile(
        path=path, sha256="0" * 64, file=path.name, name=name, version=version, requested=True, direct_url=""
    )
    if not tree:
        return wheel_layer([wheel], prefix="/opt/venv", python="3.11").tar_size
    folder = Path(tempfile.mkdtemp(dir=path.parent))
    try:
        return wheel_layer([wheel], prefix="/opt/venv", python="3.11", trees={wheel.sha256: folder}).tar_size
    finally:
        shutil.rmtree(folder)


def timed(work: Callable[[], int]) -> tuple[float, float, int]:
    """Wall seconds, CPU seconds, bytes."""
    wall, cpu = time.perf_counter(), time.process_time()
    size = work()
    return time.perf_counter() - wall, time.process_time() - cpu, size


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheels", nargs="+", type=Path, metavar="WHEEL")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--tree", action="store_true")
    options = parser.parse_args()
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, inflate by {codec.__name__}, ", end=""
    )
    print(f"medians of {options.repeat}, load {os.getloadavg()[0]:.1f}")
    print(
        f"{'wheel':32} {'MB in':>7} {'MB out':>7} {'limit s':>8} {'layer s':>8} {'CPU s':>7} {'MB/s':>6} {'ratio':>6}"
    )
    for path in options.wheels:
        limits, layers = [], []
        for _ in range(options.repeat):
            limits.append(timed(partial(limit, path)))
            layers.append(timed(partial(layer, path, tree=options.tree)))
        least, took = (statistics.median(run[0] for run in runs) for runs in (limits, layers))
        cpu = statistics.median(run[1] for run in layers)
        inside, outside = path.stat().st_size / 1e6, layers[0][2] / 1e6
        print(
            f"{path.name[:32]:32} {inside:7.1f} {outside:7.1f} {least:8.3f} {took:8.3f} {cpu:7.3f} "
            f"{outside / took:6.0f} {least / took:6.2f}"
        )


if __name__ == "__main__":
    main()
