"""The fastest true way of an image into a Docker engine; docs/explanation/into-docker.md has the measurements.

- Nothing, when the engine has the image: only names are set.
- **Load** of the layers above those the engine has, as plain tars. Best when little is missing.
- **Build**: when large layers are missing, BuildKit unpacks their tars, streamed from a loopback address, in one
  ``RUN`` step each. ``docker load`` writes every byte twice and registers layers one after another; a build writes
  once and hashes layers in parallel. Our tars are written as Docker itself would write the same tree
  (``layers/tar.py``), so the layers that come out have our diff ids. Then a load with no layer in it gives the
  image its config. When the diff ids differ, nothing is lost but time: the load sends the layers, and the engine
  is remembered.

Whatever was done, the engine must end with the image that we mean: its id is compared.
"""

import tempfile
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal, Protocol

from layerwright.core.errors import EngineError
from layerwright.core.events import BytesMoved, Notice, Reporter, SilentReporter
from layerwright.engines.client import Build, Client, build, find_builder
from layerwright.engines.docker import DockerEngine
from layerwright.engines.loopback import serve_tars
from layerwright.engines.model import EngineVersion
from layerwright.host.environment import HostEnvironment
from layerwright.oci.blobs import BlobSource
from layerwright.oci.digest import Digest
from layerwright.oci.image import Image, build_image
from layerwright.oci.layer import Layer

__all__ = ["Delivery", "Memory", "deliver", "worth_building", "writes_tars_like_ours"]

_LARGE_LAYER: Final = 24 << 20
"""Bytes of tar from which a layer is worth a build step: 0.25 s for its container against 6 ms per MB of load."""

_LARGE_BUILD: Final = 256 << 20
"""Bytes of tar from which a build is begun: it costs 0.7 s before its first byte."""

_REPOSITORY: Final = "layerwright-partial"
_OTHER_TARS_SINCE: Final = 23
"""Major version of Docker. 20.10.24 was seen to write tars as we do; 28.5.2 leaves out owners' names and type bits."""


class Memory(Protocol):
    """Small results kept between runs; ``store.Store`` is one."""

    def read_record(self, kind: str, key: str) -> bytes | None:
        """What was written, or None."""

    def write_record(self, kind: str, key: str, data: bytes) -> None:
        """Keep it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How an image came into an engine.

    Attributes:
        how: ``present`` (names only), ``load``, or ``build`` (then a load for the rest).
        identifier: the image's id in the engine.
        sent: layers that were sent.
        sent_bytes: bytes of their tars.
    """

    how: Literal["present", "load", "build"]
    identifier: Digest
    sent: int
    sent_bytes: int


def deliver(
    engine: DockerEngine,
    image: Image,
    blobs: BlobSource,
    references: Sequence[str],
    *,
    host: HostEnvironment | None = None,
    plain: Collection[Digest] = (),
    interpreter: str = "",
    memory: Memory | None = None,
    reporter: Reporter | None = None,
    task: str = "load",
) -> Delivery:
    """Bring an image into a Docker engine.

    Args:
        engine: where to.
        image: what to bring.
        blobs: gives its layers.
        references: ``name:tag`` for each name it gets there.
        host: whose docker client may build; None rules the build out.
        plain: diff ids of layers that ``layers/tar.py`` wrote and that hold nothing but files, folders and
            symbolic links of root; only these may go by a build.
        interpreter: path of a Python in the image, at the latest in the layer below the first plain one; empty
            rules the build out.
        memory: remembers engines that a build does not work on.
        reporter: gets ``BytesMoved`` of the image's tars, and notices.
        task: the started task these belong to.

    Raises:
        EngineError: the engine refuses, or dies.
        IntegrityError: the bytes of a layer are not those of its digest.
    """
    report = reporter or SilentReporter()
    diff_ids = [layer.diff_id for layer in image.layers]
    sizes = [layer.tar_size for layer in image.layers]
    identifier = engine.identifier_of(image)
    if engine.inspect(identifier) is not None:
        for reference in references:
            engine.tag(identifier, reference)
        report(BytesMoved(task=task, amount=sum(sizes)))
        return Delivery(how="present", identifier=identifier, sent=0, sent_bytes=0)
    present = engine.leading_layers(diff_ids, likely=references)
    report(BytesMoved(task=task, amount=sum(sizes[:present])))
    span = worth_building(image.layers, present, plain)
    built: Digest | None = None
    reached = present
    if span is not None and host is not None and interpreter:
        builder = _Builder(
            engine=engine, host=host, memory=memory, report=report, task=task, interpreter=interpreter
        )
        built = builder.bring(image, blobs, present, span)
        reached = span[1] if built else engine.leading_layers(diff_ids)
    try:
        _load(image, blobs, references, engine=engine, omit=reached, report=report, task=task)
    finally:
        if built and span is not None:
            _clear(engine, built, interpreter, image.layers[slice(*span)])
    if engine.inspect(identifier) is None:
        name = references[0] if references else "the image"
        raise EngineError(
            f"Docker took {name} but does not know it by its id {identifier.short}",
            hint="write it with --output docker-archive:FILE and load that by hand to see what Docker says",
        )
    return Delivery(
        how="build" if built else "load",
        identifier=identifier,
        sent=len(image.layers) - present,
        sent_bytes=sum(sizes[present:]),
    )


def _load(
    image: Image,
    blobs: BlobSource,
    references: Sequence[str],
    *,
    engine: DockerEngine,
    omit: int,
    report: Reporter,
    task: str,
) -> None:
    """Load what is missing; everything, when the engine wants that."""
    if omit:
        try:
            engine.load(image, blobs, references, omit=omit, reporter=report, task=task)
        except EngineError as error:
            # Another engine may need every layer's file, or the lower layers were removed since we asked.
            report(
                Notice(
                    message=f"sending every layer, since Docker did not take the missing ones alone: {error}"
                )
            )
        else:
            return
    engine.load(image, blobs, references, reporter=report, task=task)


def worth_building(
    layers: Sequence[Layer], present: int, plain: Collection[Digest]
) -> tuple[int, int] | None:
    """First and last-but-one index of the missing layers to build; None when a load is as good."""
    first = next((i for i in range(present, len(layers)) if layers[i].diff_id in plain), len(layers))
    stop = end = first
    while stop < len(layers) and layers[stop].diff_id in plain and layers[stop].tar_size:
        stop += 1
        if layers[stop - 1].tar_size >= _LARGE_LAYER:
            end = stop
    # Below must be something that holds the interpreter.
    if first == 0 or sum(layer.tar_size for layer in layers[first:end]) < _LARGE_BUILD:
        return None
    return first, end


def _clear(engine: DockerEngine, built: Digest, interpreter: str, layers: Sequence[Layer]) -> None:
    """Remove what the build left: its image, which held the layers until ours does, and its cache.

    Else the layers would stay on the engine's disk after our image is removed.
    """
    with suppress(EngineError):
        engine.remove(built)
        engine.forget_build_steps([" ".join(_unpack_argv(interpreter, layer)) for layer in layers])


def writes_tars_like_ours(version: EngineVersion) -> bool:
    """Whether layers that this engine makes of our tars may have our diff ids."""
    major = version.version.partition(".")[0]
    return not version.containerd_store and major.isdigit() and int(major) < _OTHER_TARS_SINCE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Builder:
    """Brings a span of layers in by a build."""

    engine: DockerEngine
    host: HostEnvironment
    memory: Memory | None
    report: Reporter
    task: str
    interpreter: str

    def bring(self, image: Image, blobs: BlobSource, present: int, span: tuple[int, int]) -> Digest | None:
        """Make the engine have ``image.layers[:span[1]]``: an image of these, or None when it does not work here."""
        first, end = span
        client = self._client(image.layers[0])
        if client is None:
            return None
        below = build_image(layers=image.layers[:first], platform=image.platform)
        names = [f"{_REPOSITORY}:{below.config_digest.hex[:32]}"]
        try:
            _load(
                below,
                blobs,
                names,
                engine=self.engine,
                omit=min(present, first),
                report=self.report,
                task=self.task,
            )
            result = self._build(client, names[0], image.layers[first:end], blobs)
        except EngineError as error:
            self.report(Notice(message=f"loading the layers, since building them in did not work: {error}"))
            return None
        finally:
            with suppress(EngineError):
                self.engine.remove(names[0])
        made = self.engine.inspect(result)
        wanted = tuple(layer.diff_id for layer in image.layers[:end])
        if made is not None and made.layers == wanted:
            return result
        _clear(self.engine, result, self.interpreter, image.layers[first:end])
        self._remember(image.layers[0])
        self.report(Notice(message="loading the layers, since this Docker writes layers in another way"))
        return None

    def _build(self, client: Client, base: str, layers: Sequence[Layer], blobs: BlobSource) -> Digest:
        def moved(amount: int) -> None:
            self.report(BytesMoved(task=self.task, amount=amount))

        with (
            tempfile.TemporaryDirectory(prefix="layerwright-") as folder,
            serve_tars(layers, blobs, progress=moved) as (url, failures),
        ):
            scratch = Path(folder)
            context = scratch / "context"
            context.mkdir()
            (context / "unpack.py").write_bytes(
                files("layerwright.engines.guest").joinpath("unpack.py").read_bytes()
            )
            source = scratch / "source"
            source.write_text(url, encoding="ascii")
            dockerfile = scratch / "Dockerfile"
            dockerfile.write_text(_dockerfile(base, self.interpreter, layers), encoding="utf-8")
            wanted = Build(context=context, dockerfile=dockerfile, secrets={"source": source}, network="host")
            try:
                return build(
                    wanted, client=client, endpoint=self.engine.endpoint, host=self.host, scratch=scratch
                )
            except EngineError:
                if failures:  # the true reason; the engine only saw a broken download
                    raise failures[0] from None
                raise

    def _client(self, base: Layer) -> Client | None:
        """What builds, unless this engine is known or seen to be unfit."""
        if not self.engine.endpoint.local or not writes_tars_like_ours(self.engine.version):
            return None
        if self.memory is not None and self.memory.read_record("engines", self._key(base)) is not None:
            return None
        try:
            return find_builder(self.host)
        except EngineError as error:
            self.report(Notice(message=f"loading the layers rather than building them in: {error.what}"))
            return None

    def _remember(self, base: Layer) -> None:
        if self.memory is not None:
            self.memory.write_record("engines", self._key(base), b'{"build": false}')

    def _key(self, base: Layer) -> str:
        # With the base: one without /etc/hosts or /etc/resolv.conf gets a trace of these in every RUN layer.
        return Digest.of(f"deliver 1 {self.engine.version.identity} {base.diff_id}".encode()).hex


def _dockerfile(base: str, interpreter: str, layers: Sequence[Layer]) -> str:
    """One step for each layer.

    Both mounts are below /dev, which is a file system of its own in a container, so no mount point is left in the
    layer. The address, which is new every time, comes in a secret file, which is no part of the cache's key.
    """
    import json  # noqa: PLC0415  start-up

    mounts = (
        "--mount=type=bind,target=/dev/layerwright"
        " --mount=type=secret,id=source,target=/dev/layerwright-source,required=true"
    )
    steps = [f"RUN {mounts} {json.dumps(_unpack_argv(interpreter, layer))}" for layer in layers]
    return "\n".join([f"FROM {base}", *steps]) + "\n"


def _unpack_argv(interpreter: str, layer: Layer) -> list[str]:
    return [interpreter, "-IB", "/dev/layerwright/unpack.py", layer.diff_id, "/dev/layerwright-source"]
