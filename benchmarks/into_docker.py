"""The ways into a Docker engine, measured in turn, and ``docker build`` with uv beside them.

    python benchmarks/into_docker.py --base IMAGE --uv UV [--repeat N] [--only WAY,…] WHEEL...

Each wheel becomes a layer over the base, which the engine must have: an image with a Python, ``/etc/hosts`` and
``/etc/resolv.conf``. Every repeat installs below another prefix, so no layer is ever in the engine before. Layers are
made (hashed) before the clock starts, since they are cached results; ``make`` tells what that costs without a cache.
Every way ends with the image's name known to the engine. Images and layers made here are removed, uv's cache is not.

The peer is a ``RUN uv pip install --no-deps`` with a cache mount that the warm-up has filled, from an index on the
loopback that marks its files as immutable.
"""

import argparse
import functools
import hashlib
import http.server
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from layerwright.core.events import Notice
from layerwright.engines import delivery
from layerwright.engines.client import find_builder
from layerwright.engines.docker import DockerEngine, find_docker
from layerwright.engines.loopback import serve
from layerwright.host.environment import HostEnvironment
from layerwright.layers import WheelFile, emit_blob, emit_tar, wheel_layer
from layerwright.oci.image import Image, build_image
from layerwright.oci.layer import TAR_LAYER, Layer

WAYS = ("load", "build", "pull-tar", "pull-blob", "uv")


class Set:
    """Wheels as layers over the base; a ``BlobSource``."""

    def __init__(self, wheels: list[WheelFile], prefix: str, base: Layer, base_tar: Path) -> None:
        self.prefix = prefix
        self.base, self.base_tar = base, base_tar
        begin = time.perf_counter()
        self.wheels = {}
        for wheel in wheels:
            made = wheel_layer([wheel], prefix=prefix, python="3.11")
            layer = Layer(
                diff_id=made.diff_id,
                digest=made.digest,
                size=made.size,
                tar_size=made.tar_size,
                created_by=wheel.file,
            )
            self.wheels[layer] = wheel
        self.seconds = time.perf_counter() - begin

    @property
    def image(self) -> Image:
        """The wheels' layers over the base."""
        return build_image(layers=[self.base, *self.wheels])

    def open_tar(self, layer: Layer) -> Iterator[bytes]:
        """A layer's tar."""
        if layer == self.base:
            return read(self.base_tar)
        return emit_tar([self.wheels[layer]], prefix=self.prefix, python="3.11")

    def open_blob(self, layer: Layer) -> Iterator[bytes]:
        """A layer's blob."""
        if layer == self.base:
            return read(self.base_tar)
        return emit_blob([self.wheels[layer]], prefix=self.prefix, python="3.11")


def read(path: Path) -> Iterator[bytes]:
    """A file in pieces."""
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            yield chunk


def base_layer(engine: DockerEngine, name: str, folder: Path) -> tuple[Layer, Path]:
    """The base as one layer; ``docker export``-like bases have just one."""
    image = engine.inspect(name)
    if image is None or len(image.layers) != 1:
        raise SystemExit(f"{name} must be an image of one layer")
    archive = folder / "base-archive.tar"
    with archive.open("wb") as out:
        for chunk in engine.save(name):
            out.write(chunk)
    subprocess.run(["tar", "-xf", archive, "-C", folder, "--wildcards", "*/layer.tar"], check=True)
    (tar,) = folder.glob("*/layer.tar")
    size = tar.stat().st_size
    digest = image.layers[0]
    return Layer(
        diff_id=digest, digest=digest, size=size, tar_size=size, created_by="base", media_type=TAR_LAYER
    ), tar


def by_load(engine: DockerEngine, _host: HostEnvironment, one: Set, name: str) -> None:
    """Send plain tars of what is missing."""
    delivery.deliver(engine, one.image, one, [name])


def by_build(engine: DockerEngine, host: HostEnvironment, one: Set, name: str) -> None:
    """Let BuildKit unpack streamed tars."""
    notices = []

    def report(event: object) -> None:
        if isinstance(event, Notice):
            notices.append(event.message)

    fresh = functools.partial(delivery.Build, cache=False)
    with mock.patch.object(delivery, "Build", fresh):
        done = delivery.deliver(
            engine,
            one.image,
            one,
            [name],
            host=host,
            plain={layer.diff_id for layer in one.wheels},
            interpreter="/usr/bin/python3",
            reporter=report,
        )
    if done.how != "build":
        raise SystemExit(f"the build fell back: {notices}")


def by_pull(engine: DockerEngine, _host: HostEnvironment, one: Set, name: str, *, layers: str) -> None:
    """Serve the image for a pull."""
    with serve(one.image, one, layers=layers) as served:
        engine.pull(served.reference)
        engine.tag(served.reference, name)
        engine.remove(served.reference)


class Index(http.server.SimpleHTTPRequestHandler):
    """A folder of wheels, whose files never change."""

    def end_headers(self) -> None:
        """Say that wheels never change."""
        if self.path.endswith(".whl"):
            self.send_header("Cache-Control", "max-age=365000000, immutable")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class Peer:
    """``docker build`` with uv."""

    def __init__(self, host: HostEnvironment, uv: Path, base: str, wheels: list[Path], folder: Path) -> None:
        self.host, self.base, self.folder = host, base, folder
        self.client = find_builder(host)
        wheelhouse = folder / "wheelhouse"
        wheelhouse.mkdir()
        for wheel in wheels:
            (wheelhouse / wheel.name).symlink_to(wheel.resolve())
        handler = functools.partial(Index, directory=str(wheelhouse))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        names = " ".join(wheel.name.split("-")[0] for wheel in wheels)
        context = folder / "peer"
        context.mkdir()
        os.link(uv, context / "uv") if uv.stat().st_dev == context.stat().st_dev else subprocess.run(
            ["cp", uv, context / "uv"], check=True
        )
        (context / "Dockerfile.base").write_text(
            f"FROM {base}\nCOPY uv /usr/local/bin/uv\nRUN uv venv --python /usr/bin/python3 /opt/venv\n"
        )
        self.command = (
            f"uv pip install --no-deps --no-index --find-links http://127.0.0.1:{self.server.server_port}/ "
            f"--python /opt/venv {names}"
        )
        (context / "Dockerfile").write_text(
            "FROM lwbench-uv:base\n"
            f"RUN --mount=type=cache,id=lwbench-uv,target=/root/.cache/uv {self.command}\n"
        )
        self.context = context
        self.build("lwbench-uv:base", "Dockerfile.base")
        self.build("lwbench-uv:warm-up", "Dockerfile")

    def build(self, name: str, dockerfile: str = "Dockerfile") -> None:
        """One build without the layer cache."""
        argv = [self.client.program, "build", "--quiet", "--no-cache", "--network=host"]
        argv += ["-t", name, "-f", self.context / dockerfile, self.context]
        environment = {**self.host.variables, "DOCKER_BUILDKIT": "1"}
        subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)


def written() -> int:
    """Bytes written to all disks so far."""
    total = 0
    for line in Path("/proc/diskstats").read_text().splitlines():
        fields = line.split()
        if not fields[2].startswith(("loop", "ram", "dm-")) and not fields[2][-1].isdigit():
            total += int(fields[9]) * 512
    return total


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", required=True)
    parser.add_argument("--uv", type=Path, required=True)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", default=",".join(WAYS))
    parser.add_argument("wheels", type=Path, nargs="+")
    options = parser.parse_args()
    host = HostEnvironment.gather(os.environ)
    engine = find_docker(host)
    wheels = []
    for path in options.wheels:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        name, version = path.name.split("-")[:2]
        wheels.append(
            WheelFile(path=path, sha256=sha256, file=path.name, name=name, version=version, requested=True)
        )
    seconds: dict[str, list[float]] = {}
    disk: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="into-docker-") as scratch:
        folder = Path(scratch)
        base, base_tar = base_layer(engine, options.base, folder)
        ways = options.only.split(",")
        known: Set | None = None
        peer = Peer(host, options.uv, options.base, options.wheels, folder) if "uv" in ways else None
        actions = {
            "load": by_load,
            "build": by_build,
            "pull-tar": functools.partial(by_pull, layers="tar"),
            "pull-blob": functools.partial(by_pull, layers="blob"),
        }
        for turn in range(options.repeat):
            for way in ways:
                name = f"lwbench-{way}:{turn}"
                one = Set(wheels, f"/opt/{way}-{os.getpid()}-{turn}", base, base_tar) if way != "uv" else None
                known = one or known
                os.sync()
                before, begin = written(), time.perf_counter()
                if one is None:
                    peer.build(name)
                else:
                    actions[way](engine, host, one, name)
                    seconds.setdefault("make", []).append(one.seconds)
                seconds.setdefault(way, []).append(time.perf_counter() - begin)
                os.sync()
                disk.setdefault(way, []).append((written() - before) / 1e6)
                engine.remove(name)
                if peer:
                    engine.forget_build_steps([f"/bin/sh -c {peer.command}"])
        for name in ("lwbench-uv:warm-up", "lwbench-uv:base") if peer else ():
            engine.remove(name)
    size = sum(layer.tar_size for layer in known.wheels) / 1e6 if known else 0
    print(
        f"{engine.version.version}, {host.cpu_count} cores, {time.strftime('%Y-%m-%d')}, {size:.0f} MB of tar"
    )
    print("| way | seconds, median (all) | MB to disk |")
    print("| --- | --- | --- |")
    for way, values in seconds.items():
        every = ", ".join(f"{value:.1f}" for value in values)
        amount = f"{statistics.median(disk[way]):.0f}" if way in disk else ""
        print(f"| {way} | {statistics.median(values):.1f} ({every}) | {amount} |")


if __name__ == "__main__":
    main()
