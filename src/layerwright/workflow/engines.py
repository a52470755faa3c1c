"""An image made ready in Docker or Podman: built if it is not up to date, brought in if it is not there."""

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from msgspec import Struct, structs

from layerwright.core.errors import EngineError, RunStartError
from layerwright.core.events import Warned
from layerwright.oci.digest import Digest
from layerwright.run.accelerators import Engine
from layerwright.run.command_line import Dialect
from layerwright.run.docker import docker_dialect
from layerwright.workflow.memo import recall_start
from layerwright.workflow.session import Session
from layerwright.workflow.start import Start, kept_trees, name_in_docker, start_of

if TYPE_CHECKING:
    from layerwright.backends.base import BuiltImage
    from layerwright.engines.podman import Podman
    from layerwright.run.invocation import Identity
    from layerwright.workflow.build import Built

__all__ = ["EngineImage", "build_one", "extracted", "ready_image"]


class EngineImage(Struct, frozen=True, kw_only=True):
    """An image that an engine has.

    Attributes:
        start: what starting it takes.
        trees: the image's system trees, bottom first.
        image: what the engine calls it.
        engine: what is known of the engine.
        processors: of its machine.
        assumed: it was there at the last start, and was not asked for since.
        podman: the Podman, when it is one.
        dialect_of_docker: the words of the Docker, when it is one.
    """

    start: Start
    trees: tuple[Path, ...]
    image: str
    engine: Engine
    processors: int
    assumed: bool = False
    podman: "Podman | None" = None
    dialect_of_docker: Dialect | None = None

    def is_there(self) -> bool:
        """Whether the engine still has it, asked now."""
        return self.podman is None or self.podman.has(Digest.parse(self.start.config_digest))

    def dialect(self, session: Session, identity: "Identity") -> Dialect:
        """The engine's words for a start as this person; tells what the person loses by it."""
        if self.dialect_of_docker is not None:
            return self.dialect_of_docker
        from layerwright.engines.podman import find_podman  # noqa: PLC0415 - start-up
        from layerwright.run.podman import lost_groups, podman_dialect  # noqa: PLC0415 - start-up

        podman = self.podman or find_podman(session.host)
        if podman.rootless and identity.groups:
            podman = _with_runtime(session, podman)
        lost = lost_groups(podman, identity)
        if lost:
            session.reporter(
                Warned(
                    message=f"the program does not have your groups {', '.join(map(str, lost))}: Podman without root "
                    f"can leave them in force with crun, and uses {podman.runtime or 'another runtime'} here",
                    hint='install crun, or write `runtime = "crun"` below [engine] in containers.conf',
                )
            )
        return podman_dialect(podman, identity)


def _with_runtime(session: Session, podman: "Podman") -> "Podman":
    """The Podman with the name of its runtime, which is remembered while its configuration stays the same."""
    host = session.host
    files = [
        podman.program,
        Path(host.variables.get("CONTAINERS_CONF") or "/etc/containers/containers.conf"),
        Path("/usr/share/containers/containers.conf"),
        host.home / ".config/containers/containers.conf",
    ]
    state = [[str(file), file.stat().st_mtime_ns if file.exists() else 0] for file in files]
    key = Digest.of(json.dumps(["podman 1", state, host.path, host.uid]).encode()).hex
    known = session.store.read_record("engines", key)
    if known is None:
        known = podman.ask_runtime().encode()
        session.store.write_record("engines", key, known)
    return structs.replace(podman, runtime=known.decode())


def ready_image(
    session: Session, engine: str, names: tuple[str, ...], *, locked: bool, assume: bool = False
) -> EngineImage:
    """Build what is not up to date, and bring it into the engine if it lacks it.

    Args:
        session: surroundings.
        engine: ``docker`` or ``podman``.
        names: the image or cell; empty for the only one.
        locked: the lock may not be changed.
        assume: an image that Podman had once is not asked for again, which would take as long as half of a start;
            the caller has to do without it when it is gone.
    """
    start = recall_start(session, names)
    trees = None if start is None else kept_trees(session, start, system=True)
    if engine == "podman":
        return _in_podman(session, names, start, trees, locked=locked, assume=assume)
    from layerwright.engines.docker import find_docker  # noqa: PLC0415 - start-up

    docker = find_docker(session.host)
    if start is None or trees is None or not name_in_docker(start, docker):
        from layerwright.workflow.outputs import load_into_docker  # noqa: PLC0415 - start-up

        built, image = build_one(session, names, locked=locked, whole=True)
        start, trees = start_of(built.spec, image), extracted(session, image, system=True)
        load_into_docker(session, image)
    return EngineImage(
        start=start,
        trees=tuple(path for path, _ in trees),
        image=start.references[0],
        engine=Engine(
            name="docker",
            local=docker.endpoint.local,
            cdi_folders=docker.version.cdi_folders,
            runtimes=docker.version.runtimes,
        ),
        processors=docker.version.processors or os.cpu_count() or 1,
        dialect_of_docker=docker_dialect(docker.version),
    )


def build_one(
    session: Session, names: tuple[str, ...], *, locked: bool, whole: bool
) -> "tuple[Built, BuiltImage]":
    """Build the one image, and remember that for the next start."""
    from layerwright.workflow.build import BuildRequest, build_images, keep_in_mind  # noqa: PLC0415 - start-up
    from layerwright.workflow.report import outcome_document  # noqa: PLC0415 - start-up

    wanted = BuildRequest(images=names, locked=locked, single=True, whole=whole)
    built = build_images(session, wanted)
    if built.outcome.failures:
        raise built.outcome.failures[0].error
    keep_in_mind(session, wanted, built, outcome_document(built.outcome))
    (image,) = built.outcome.images
    return built, image


def extracted(
    session: Session, image: "BuiltImage", *, system: bool = False
) -> tuple[tuple[Path, bool], ...]:
    """The image's trees, bottom first, each with whether a program may write through it; as ``kept_trees``."""
    from layerwright.backends.native.blobs import layer_trees  # noqa: PLC0415 - start-up

    return tuple(
        (path, layer.private)
        for layer in image.layers
        if layer.private or not system
        for path in layer_trees(session.store, layer, as_root=session.host.uid == 0)
    )


def _in_podman(
    session: Session,
    names: tuple[str, ...],
    start: Start | None,
    trees: tuple[tuple[Path, bool], ...] | None,
    *,
    locked: bool,
    assume: bool,
) -> EngineImage:
    from layerwright.engines.podman import find_podman  # noqa: PLC0415 - start-up

    podman = find_podman(session.host)
    assumed = assume and start is not None and trees is not None and _had(session, start.config_digest)
    if not assumed and (start is None or trees is None or not podman.has(Digest.parse(start.config_digest))):
        if podman.rootless:
            _bring_from_namespace(session, names, podman, locked=locked)
        else:
            from layerwright.workflow.podman import load_into_podman  # noqa: PLC0415 - start-up

            _, image = build_one(session, names, locked=locked, whole=True)
            extracted(session, image, system=True)
            load_into_podman(session, image, podman)
        start = recall_start(session, names)
        if start is None:
            raise RunStartError("the project changed while its image was built", hint="run it again")
        trees = kept_trees(session, start, system=True) or ()
    assert start is not None  # noqa: S101 - for the type checker
    if not assumed:
        session.store.write_record("engines", _had_key(session, start.config_digest), b"yes")
    return EngineImage(
        start=start,
        trees=tuple(path for path, _ in trees or ()),
        assumed=assumed,
        image=Digest.parse(start.config_digest).hex,
        engine=Engine(name="podman"),
        processors=os.cpu_count() or 1,
        podman=podman,
    )


def _had_key(session: Session, config_digest: str) -> str:
    return Digest.of(json.dumps(["podman has", config_digest, session.host.uid]).encode()).hex


def _had(session: Session, config_digest: str) -> bool:
    return session.store.read_record("engines", _had_key(session, config_digest)) is not None


def _bring_from_namespace(
    session: Session, names: tuple[str, ...], podman: "Podman", *, locked: bool
) -> None:
    """Build in a child that is root of a user namespace, and have the caller's Podman, outside of it, pull from there.

    The store's trees belong to many users and are only seen rightly from inside; Podman makes a namespace of its own,
    which it cannot do from within ours.
    """
    told, tell = os.pipe()
    hear, say_done = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(told)
        os.close(say_done)
        _serve_from_namespace(session, names, tell=tell, hear=hear, locked=locked)
    os.close(tell)
    os.close(hear)
    try:
        with os.fdopen(told) as words:
            lines = words.read().split("\n")
        failure: EngineError | None = None
        if len(lines) > 1:
            try:
                podman.pull(lines[0])
            except EngineError as error:
                failure = error
    except BaseException:
        os.kill(child, signal.SIGTERM)
        raise
    finally:
        os.close(say_done)
        _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:  # the child has said why
        raise SystemExit(code if code > 0 else 128 - code)
    if failure is not None:
        raise failure
    identifier, *references = lines[1:]
    podman.name(Digest.parse(identifier), references)


def _serve_from_namespace(
    session: Session, names: tuple[str, ...], *, tell: int, hear: int, locked: bool
) -> NoReturn:
    from layerwright.backends.native.blobs import StoreBlobs  # noqa: PLC0415 - start-up
    from layerwright.engines.loopback import serve  # noqa: PLC0415 - start-up
    from layerwright.sandbox.namespace import enter_namespace  # noqa: PLC0415 - start-up

    inside = structs.replace(session, host=enter_namespace(session.host))
    _, image = build_one(inside, names, locked=locked, whole=True)
    extracted(inside, image, system=True)
    with serve(image.image, StoreBlobs(inside.store, image.layers), layers="tar") as served:
        words = (served.reference, str(image.image.config_digest), *image.references)
        os.write(tell, "\n".join(words).encode())
        os.close(tell)
        os.read(hear, 1)  # ends when the other side has closed its end
    if served.failures:
        raise served.failures[0]
    inside.store.close()
    raise SystemExit(0)
