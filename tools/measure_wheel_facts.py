"""Measure what ``check`` reads of remote wheels: bytes, requests, seconds, and what is then known. Prints a table.

Without arguments the wheels of docs/explanation/wheel-facts.md are measured, with an empty store and one after another.
The index is PyPI, or whatever ``LAYERWRIGHT_INDEX_PYPI`` names.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from layerwright.core.events import BytesMoved, Event
from layerwright.facts.model import Library, WheelFacts
from layerwright.host.environment import HostEnvironment
from layerwright.host.http import HttpClient
from layerwright.lock.model import LockedWheel
from layerwright.oci.platform import Platform
from layerwright.sources.indexes import IndexReader, index_sites
from layerwright.sources.tags import choose_wheel
from layerwright.sources.wheel_facts import NoFacts, WheelFactsReader
from layerwright.store.store import Store

WHEELS = (
    "onnxruntime-gpu==1.20.2",
    "onnxruntime-gpu==1.26.0",
    "torch==2.4.1",
    "torch==2.15.0",
    "nvidia-cudnn-cu12==9.1.0.70",
    "nvidia-cublas-cu12==12.1.3.1",
    "nvidia-nvjitlink-cu12==12.4.127",
    "opencv-python==4.10.0.84",
    "torchvision==0.19.1",
    "numpy==2.1.0",
    "pydantic==2.9.0",
)


class Requests:
    """Counts what is asked of servers, index pages left out."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, event: Event) -> None:
        """Take an event: every piece that comes is one."""
        self.count += isinstance(event, BytesMoved)


def wheel(reader: IndexReader, host: HostEnvironment, name: str, version: str, python: str) -> LockedWheel:
    """The wheel that a lock would have for Debian 12."""
    site = index_sites({}, host, Path())[0]
    files = {file.file: file for file in reader.files(site, name) if f"-{version}-" in file.file}
    chosen = choose_wheel(files, python=python, platform=Platform(), glibc="2.36")
    if not chosen:
        raise SystemExit(f"{name} {version} has no wheel for Python {python}")
    return LockedWheel(
        name=name,
        version=version,
        file=chosen,
        sha256=files[chosen].sha256,
        size=files[chosen].size,
        index=site.name,
    )


def state(library: Library) -> str:
    """How well a library is known."""
    if library.whole:
        return "whole"
    return "needs" if "needed" not in library.unread else "little"


def row(wheel: LockedWheel, facts: WheelFacts | NoFacts, requests: int, seconds: float) -> str:
    """One line of the table."""
    if isinstance(facts, NoFacts):
        return f"| {wheel.name} {wheel.version} | {facts.why} |"
    states = [state(library) for library in facts.libraries]
    known = ", ".join(str(states.count(name)) for name in ("whole", "needs", "little"))
    return (
        f"| {wheel.name} {wheel.version} | {facts.size / 1e6:,.1f} | {facts.bytes_read / 1e6:,.2f} |"
        f" {facts.bytes_read / facts.size:.2%} | {requests} | {seconds:.2f} | {known} |"
    )


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("wheels", nargs="*", default=WHEELS, metavar="NAME==VERSION")
    parser.add_argument("--python", default="3.11")
    options = parser.parse_args()
    host = HostEnvironment.gather(os.environ)  # noqa: TID251 - a tool is its own command line
    http = HttpClient(variables=host.variables)
    index = IndexReader(http)
    sys.stdout.write(
        "| wheel | MB | MB read | share | requests | seconds | libraries whole, needs known, little known |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |\n"
    )
    with tempfile.TemporaryDirectory(prefix="layerwright-") as folder, Store(Path(folder) / "store") as store:
        for text in options.wheels:
            name, _, version = text.partition("==")
            locked = wheel(index, host, name, version, options.python)
            requests = Requests()
            reader = WheelFactsReader(
                store=store, host=host, indexes={}, root=Path(), reporter=requests, http=http
            )
            began = time.monotonic()
            facts = reader.read([locked])[locked.sha256]
            sys.stdout.write(row(locked, facts, requests.count, time.monotonic() - began) + "\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
