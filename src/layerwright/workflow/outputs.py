"""Where finished images go besides the store."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import assert_never

from layerwright.backends.base import BuiltImage
from layerwright.backends.native.blobs import StoreBlobs
from layerwright.core.errors import NetworkError, UsageError
from layerwright.core.events import BytesMoved, TaskEnded, TaskStarted
from layerwright.workflow.session import Session

__all__ = [
    "ArchiveOutput",
    "DockerOutput",
    "LayoutOutput",
    "Output",
    "PodmanOutput",
    "RegistryOutput",
    "deliver",
    "load_into_docker",
    "parse_outputs",
    "takes_standard_output",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutOutput:
    """An OCI layout in a folder."""

    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveOutput:
    """A file for ``docker load``; None is standard output."""

    file: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerOutput:
    """The local Docker engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodmanOutput:
    """The caller's Podman."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryOutput:
    """A registry: ``prefix`` stands before the image's name, empty when the name says it all."""

    prefix: str = ""


Output = LayoutOutput | ArchiveOutput | DockerOutput | PodmanOutput | RegistryOutput


def parse_outputs(texts: Sequence[str], *, folder: Path) -> tuple[Output, ...]:
    """Read ``--output`` values; relative paths start at ``folder``.

    Raises:
        UsageError: a value is none of the forms.
    """
    return tuple(_parse(text, folder) for text in texts)


def _parse(text: str, folder: Path) -> Output:
    kind, _, rest = text.partition(":")
    match kind:
        case "oci" if rest:
            return LayoutOutput(folder=folder / rest)
        case "docker-archive" if rest:
            return ArchiveOutput(file=None if rest == "-" else folder / rest)
        case "docker" if not rest:
            return DockerOutput()
        case "podman" if not rest:
            return PodmanOutput()
        case "registry":
            return RegistryOutput(prefix=rest.strip("/"))
        case _:
            raise UsageError(
                f"{text!r} is no output",
                hint="write oci:DIR, docker-archive:FILE, docker, podman, registry or registry:HOST[:PORT][/PATH]",
            )


def takes_standard_output(output: Output) -> bool:
    """Whether the output is written to standard output, so that nothing else may be."""
    return isinstance(output, ArchiveOutput) and output.file is None


def deliver(session: Session, images: Sequence[BuiltImage], outputs: Sequence[Output]) -> tuple[str, ...]:
    """Put every image into every output.

    Returns:
        One line for people for each thing that was made.
    """
    lines = list[str]()
    for output in outputs:
        match output:
            case LayoutOutput(folder=folder):
                lines += _to_layout(session, images, folder)
            case ArchiveOutput(file=file):
                lines += _to_archive(session, images, file)
            case DockerOutput():
                for image in images:
                    load_into_docker(session, image)
                    lines += [f"docker {reference}" for reference in image.references]
            case PodmanOutput():
                lines += _to_podman(session, images)
            case RegistryOutput(prefix=prefix):
                lines += _to_registry(session, images, prefix)
            case _:
                assert_never(output)
    return tuple(lines)


@contextmanager
def _task(session: Session, kind: str, title: str, total: int = 0) -> Iterator[str]:
    name = f"{kind}:{title}"
    session.reporter(TaskStarted(task=name, title=title, kind=kind, total_bytes=total))
    try:
        yield name
    except BaseException:
        session.reporter(TaskEnded(task=name, failed=True))
        raise
    session.reporter(TaskEnded(task=name))


def _blobs(session: Session, images: Sequence[BuiltImage]) -> StoreBlobs:
    return StoreBlobs(session.store, [layer for image in images for layer in image.layers])


def _size(images: Sequence[BuiltImage]) -> int:
    return sum({layer.digest: layer.size for image in images for layer in image.layers}.values())


def _to_layout(session: Session, images: Sequence[BuiltImage], folder: Path) -> list[str]:
    from layerwright.oci.layout import write_layout  # noqa: PLC0415 - start-up

    with _task(session, "image", str(folder), _size(images)) as task:
        write_layout(
            folder,
            [(reference, image.image) for image in images for reference in image.references],
            _blobs(session, images),
            progress=partial(_moved, session, task),
        )
    return [f"oci:{folder}:{reference}" for image in images for reference in image.references]


def _to_archive(session: Session, images: Sequence[BuiltImage], file: Path | None) -> list[str]:
    from layerwright.oci.archive import docker_archive  # noqa: PLC0415 - start-up

    chunks = docker_archive([(image.references, image.image) for image in images], _blobs(session, images))
    if file is None:
        if sys.stdout.isatty():
            raise UsageError(
                "an image would be written to the terminal",
                hint="redirect it: … -o docker-archive:- | docker load",
            )
        try:
            for chunk in chunks:
                sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
        except BrokenPipeError as error:
            # Python would complain once more when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise UsageError(
                "whatever read the image from standard output ended before its last byte",
                hint="see what it says: … -o docker-archive:- | docker load",
            ) from error
        return []
    temporary = file.with_name(f".{file.name}.part")
    with _task(
        session, "image", str(file), sum(layer.tar_size for image in images for layer in image.layers)
    ) as task:
        try:
            with temporary.open("wb") as out:
                for chunk in chunks:
                    out.write(chunk)
                    session.reporter(BytesMoved(task=task, amount=len(chunk)))
            temporary.replace(file)
        except OSError as error:
            raise UsageError(f"cannot write {file}: {error.strerror}") from error
        finally:
            temporary.unlink(missing_ok=True)
    return [f"docker-archive:{file}"]


def load_into_docker(session: Session, image: BuiltImage) -> None:
    """Give the local Docker engine the image; layers it has are not sent."""
    from layerwright.engines.delivery import deliver as into_docker  # noqa: PLC0415 - start-up
    from layerwright.engines.docker import find_docker  # noqa: PLC0415 - start-up

    engine = find_docker(session.host)
    with _task(
        session, "load", f"{image.references[0]} into Docker", sum(layer.tar_size for layer in image.layers)
    ) as task:
        into_docker(
            engine,
            image.image,
            _blobs(session, [image]),
            image.references,
            host=session.host,
            plain={layer.diff_id for layer in image.layers if not layer.private},
            interpreter=image.interpreter,
            memory=session.store,
            reporter=session.reporter,
            task=task,
        )


def _to_podman(session: Session, images: Sequence[BuiltImage]) -> list[str]:
    from layerwright.workflow.podman import load_into_podman, podman_of  # noqa: PLC0415 - start-up

    podman = podman_of(session)
    for image in images:
        load_into_podman(session, image, podman)
    return [f"podman {reference}" for image in images for reference in image.references]


def _moved(session: Session, task: str, amount: int) -> None:
    session.reporter(BytesMoved(task=task, amount=amount))


def _to_registry(session: Session, images: Sequence[BuiltImage], prefix: str) -> list[str]:
    if session.offline:
        raise NetworkError("--offline forbids pushing to a registry")
    from layerwright.registry import Pusher  # noqa: PLC0415 - start-up

    # One pusher for all: it remembers where blobs are, so that the registry copies them by itself.
    pusher = Pusher(host=session.host)
    lines = []
    for image in images:
        references = [f"{prefix}/{reference}" if prefix else reference for reference in image.references]
        with _task(session, "push", references[0], _size([image])) as task:
            pusher.push(
                image.image,
                _blobs(session, [image]),
                references,
                progress=partial(_moved, session, task),
            )
        lines += [f"{reference}@{image.image.digest}" for reference in references]
    return lines
