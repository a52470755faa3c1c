"""Verify images: open what is named, read every layer once, judge, run smoke tests."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from layerwright.core.errors import BuildError, EngineError, NetworkError, UsageError
from layerwright.core.events import BytesMoved, TaskEnded, TaskStarted
from layerwright.core.findings import Finding
from layerwright.oci.platform import Platform
from layerwright.verify import Inspection, judge, read_contents
from layerwright.verify.checks import smoke
from layerwright.workflow.session import Session, read_locked, read_spec, select_cells

if TYPE_CHECKING:
    from layerwright.backends.base import BuiltLayer
    from layerwright.oci.blobs import BlobSource
    from layerwright.oci.image import Image
    from layerwright.oci.layer import Layer
    from layerwright.spec.model import Cell, Spec
    from layerwright.verify.layer import FileScanner

__all__ = ["OpenedImage", "Verified", "VerifyRequest", "opened_images", "verify_images"]

_T = TypeVar("_T")
_PLATFORMS = ("linux/amd64", "linux/arm64")


class VerifyRequest(Struct, frozen=True, kw_only=True):
    """What is to be verified.

    Attributes:
        image: cell or image of the spec, ``oci:DIR[:REF]``, ``docker-archive:FILE[:REF]``, ``docker:NAME`` or a
            reference in a registry; empty for every cell of the spec.
        secret_files: ``FILE`` or ``NAME=FILE`` of values that must not be in the image.
        smoke: run the spec's smoke tests.
        role: to judge by, in place of the image's label.
    """

    image: str = ""
    secret_files: tuple[str, ...] = ()
    smoke: bool = True
    role: str = ""


class Verified(Struct, frozen=True, kw_only=True):
    """A judged image."""

    name: str
    inspection: Inspection
    findings: tuple[Finding, ...]


class OpenedImage(Struct, frozen=True, kw_only=True):
    """An image that can be read; ``cell`` and ``layers`` for one that was built here."""

    name: str
    image: "Image"
    blobs: "BlobSource"
    cell: "Cell | None" = None
    layers: "tuple[BuiltLayer, ...]" = ()
    declared: Mapping[str, str] | None = None


def verify_images(session: Session, request: VerifyRequest) -> Iterator[Verified]:
    """Judge images one after the other.

    Raises:
        UsageError: nothing of that name, or an image of the spec that was not built yet.
        EngineError: Docker does not answer.
        NetworkError: the registry does not give the image.
        IntegrityError: bytes are not what their digests say.
    """
    from layerwright.verify.secrets import read_secret_files  # noqa: PLC0415 - start-up

    given = read_secret_files(request.secret_files)
    with opened_images(session, request.image) as (spec, images):
        known = _together(_spec_secrets(session, spec) if spec is not None else {}, given)
        for opened in images:
            yield _verify(session, request, spec, opened, known)


def _verify(
    session: Session,
    request: VerifyRequest,
    spec: "Spec | None",
    opened: OpenedImage,
    known: Mapping[str, bytes],
) -> Verified:
    from layerwright.verify.secrets import SecretScanner  # noqa: PLC0415 - start-up

    scanner: FileScanner = SecretScanner(known)
    total = sum(layer.tar_size for layer in opened.image.layers)
    task = f"verify:{opened.name}"
    session.reporter(TaskStarted(task=task, title=opened.name, kind="verify", total_bytes=total))
    try:
        with session.store.scratch() as scratch:
            contents = read_contents(
                opened.image,
                opened.blobs,
                scratch=scratch,
                scanner=scanner,
                progress=partial(_moved, session, task),
            )
        inspection = Inspection(
            name=opened.name, contents=contents, asked_role=request.role, declared=opened.declared
        )
        findings = judge(inspection)
    except BaseException:
        session.reporter(TaskEnded(task=task, failed=True))
        raise
    session.reporter(TaskEnded(task=task))
    if request.smoke and spec is not None and opened.cell is not None:
        findings = (*findings, *_smoke(session, spec, opened, opened.cell))
    return Verified(name=opened.name, inspection=inspection, findings=findings)


def _moved(session: Session, task: str, amount: int) -> None:
    session.reporter(BytesMoved(task=task, amount=amount))


@contextmanager
def opened_images(session: Session, text: str) -> "Iterator[tuple[Spec | None, Sequence[OpenedImage]]]":
    """The images that a name stands for, and the spec when they are its own."""
    kind, colon, rest = text.partition(":")
    match kind:
        case "oci" if colon:
            yield None, [_from_layout(session.start, text, rest)]
        case "archive" | "docker-archive" if colon:
            with session.store.scratch() as scratch:
                yield None, [_from_archive(session.start, text, rest, scratch)]
        case "docker" if colon:
            with session.store.scratch() as scratch:
                yield None, [_from_docker(session, text, rest, scratch)]
        case _ if colon or "/" in text or "@" in text:
            with _from_registry(session, text) as opened:
                yield None, [opened]
        case _:
            spec = read_spec(session)
            cells = select_cells(spec, (text,) if text else ())
            yield spec, [_from_store(session, spec, name) for name in cells]


def _place(start: Path, text: str) -> tuple[Path, str]:
    """A path, and the name after it where there is one; a colon may belong to the path itself."""
    whole = start / Path(text).expanduser()
    if whole.exists():
        return whole, ""
    path, _, name = text.partition(":")
    return start / Path(path).expanduser(), name


def _either(read: Callable[[Platform], _T]) -> _T:
    """What can be read for one of the platforms that there are."""
    first: BuildError | None = None
    for text in _PLATFORMS:
        try:
            return read(Platform.parse(text))
        except BuildError as error:
            first = first or error
    raise first or AssertionError


def _from_layout(start: Path, text: str, rest: str) -> OpenedImage:
    from layerwright.oci.layout import read_layout  # noqa: PLC0415 - start-up

    folder, name = _place(start, rest)
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", hint="write oci:DIR or oci:DIR:NAME")
    image, blobs = _either(lambda platform: read_layout(folder, name, platform))
    return OpenedImage(name=text, image=image, blobs=blobs)


def _from_archive(start: Path, text: str, rest: str, scratch: Path) -> OpenedImage:
    from layerwright.oci.saved import read_archive  # noqa: PLC0415 - start-up

    file, name = _place(start, rest)
    if not file.is_file():
        raise UsageError(
            f"there is no file {file}", hint="write docker-archive:FILE or docker-archive:FILE:NAME"
        )
    image, blobs = _either(lambda platform: read_archive(file, name, platform, scratch=scratch))
    return OpenedImage(name=text, image=image, blobs=blobs)


def _from_docker(session: Session, text: str, name: str, scratch: Path) -> OpenedImage:
    from layerwright.engines.docker import find_docker  # noqa: PLC0415 - start-up
    from layerwright.oci.saved import read_archive  # noqa: PLC0415 - start-up

    engine = find_docker(session.host)
    if engine.inspect(name) is None:
        raise UsageError(f"Docker has no image {name}", hint="`docker images` lists those that it has")
    saved = scratch / "image.tar"
    task = f"save:{name}"
    session.reporter(TaskStarted(task=task, title=f"{name} from Docker", kind="save"))
    with saved.open("wb") as out:
        for chunk in engine.save(name):
            out.write(chunk)
            session.reporter(BytesMoved(task=task, amount=len(chunk)))
    session.reporter(TaskEnded(task=task))
    image, blobs = _either(lambda platform: read_archive(saved, platform=platform, scratch=scratch))
    return OpenedImage(name=text, image=image, blobs=blobs)


@contextmanager
def _from_registry(session: Session, reference: str) -> Iterator[OpenedImage]:
    if session.offline:
        raise NetworkError(f"--offline forbids asking a registry for {reference}")
    from layerwright.registry import open_image  # noqa: PLC0415 - start-up

    task = f"pull:{reference}"
    session.reporter(TaskStarted(task=task, title=reference, kind="fetch"))
    with ExitStack() as stack:
        try:
            image, blobs = _either(
                lambda platform: stack.enter_context(
                    open_image(
                        reference,
                        platform=platform,
                        digest="",
                        store=session.store,
                        host=session.host,
                        progress=partial(_moved, session, task),
                    )
                )
            )
        except BaseException:
            session.reporter(TaskEnded(task=task, failed=True))
            raise
        session.reporter(TaskEnded(task=task))
        yield OpenedImage(name=reference, image=image, blobs=blobs)


def _from_store(session: Session, spec: "Spec", name: str) -> OpenedImage:
    """An image of the spec as it was last built; nothing is built here, so that what is judged is what there is."""
    import msgspec  # noqa: PLC0415 - start-up

    from layerwright.backends.native.blobs import StoreBlobs  # noqa: PLC0415 - start-up
    from layerwright.backends.native.image import read_image  # noqa: PLC0415 - start-up
    from layerwright.oci.image import Image  # noqa: PLC0415 - start-up

    store, cell = session.store, spec.cells[name]
    reference = cell.references[0]
    digest, found = store.image(reference), read_image(store, reference)
    if digest is None or found is None:
        raise UsageError(
            f"{name} was not built yet: the store has no {reference}",
            where=cell.location,
            hint=f"run `layerwright build {name}` first",
        )
    config, layers = found
    for layer in layers:
        for part in layer.wheels:
            if not store.has("wheels", part.sha256):
                raise UsageError(
                    f"the store no longer has {part.file}, which {name} is made of",
                    hint=f"run `layerwright build {name}` first",
                )
    architecture = msgspec.json.decode(config).get("architecture", "amd64")
    image = Image(
        manifest=b"".join(store.read("blobs", digest.hex)),
        config=config,
        layers=tuple(layer.plain for layer in layers),
        platform=Platform(architecture=architecture),
    )
    return OpenedImage(
        name=name,
        image=image,
        blobs=_VerifiedTars(StoreBlobs(store, layers)),
        cell=cell,
        layers=layers,
        declared=_declared(spec, name),
    )


class _VerifiedTars:
    """Blobs of the store whose tars are compared with their diff ids, those kept as files too."""

    def __init__(self, blobs: "BlobSource") -> None:
        self._blobs = blobs
        self.open_blob = blobs.open_blob

    def open_tar(self, layer: "Layer") -> Iterator[bytes]:
        """The tar as its diff id names it."""
        from layerwright.oci.blobs import verified  # noqa: PLC0415 - start-up

        what = f"the tar of layer {layer.digest.short}"
        return verified(self._blobs.open_tar(layer), layer.diff_id, what=what)


def _declared(spec: "Spec", name: str) -> Mapping[str, str] | None:
    """What the lock says of a cell and its parents; None without a lock that has them all."""
    lock = read_locked(spec)
    versions: dict[str, str] = {}
    while lock is not None:
        locked, cell = lock.cells.get(name), spec.cells[name]
        if locked is None:
            return None
        for package in locked.packages:
            versions.setdefault(package.name, package.version)
        if cell.base.kind != "image":
            return versions
        name = cell.base.source
    return None


def _spec_secrets(session: Session, spec: "Spec") -> Mapping[str, bytes]:
    """Values of the spec's secrets, and of its indexes' accounts, as far as they are at hand here."""
    from layerwright.verify.secrets import fault_of_secret  # noqa: PLC0415 - start-up
    from layerwright.workflow.accounts import note_secrets  # noqa: PLC0415 - start-up

    note_secrets(session, spec)
    return {name: value for name, value in session.host.seen.values().items() if not fault_of_secret(value)}


def _together(of_spec: Mapping[str, bytes], given: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """All values; a given one that has the name of another one of the spec does not take its place."""
    found = dict(of_spec)
    for name, value in given.items():
        found[name if found.get(name, value) == value else f"{name} (--secret-file)"] = value
    return found


def _smoke(session: Session, spec: "Spec", opened: OpenedImage, cell: "Cell") -> Iterator[Finding]:
    """Run the smoke tests in the finished image."""
    if not cell.smoke:
        return
    from layerwright.backends.native.blobs import layer_trees  # noqa: PLC0415 - start-up
    from layerwright.backends.native.commands import run_command  # noqa: PLC0415 - start-up
    from layerwright.backends.native.results import NodeResult  # noqa: PLC0415 - start-up
    from layerwright.plan.steps import RunCommand  # noqa: PLC0415 - start-up
    from layerwright.workflow.workshop import make_workshop  # noqa: PLC0415 - start-up

    workshop = make_workshop(session, spec)
    as_root = session.host.uid == 0
    try:
        trees = tuple(
            (path, layer.private)
            for layer in opened.layers
            for path in layer_trees(session.store, layer, as_root=as_root)
        )
    except EngineError as error:
        yield _not_run(opened, error)
        return
    for number, item in enumerate(cell.smoke):
        step = RunCommand(
            argv=item.argv,
            script=item.script,
            secrets=item.secrets,
            network=item.network,
            env={**opened.image.settings.env, **item.env},
            workdir=cell.workdir,
            keep=False,
            location=item.location,
        )
        shown = (item.script.strip() or " ".join(item.argv)).splitlines()[0][:100]
        task = f"smoke:{opened.name}:{number}"
        try:
            with workshop.task(task, shown, "smoke"):
                run_command(workshop, step, trees, NodeResult(config=opened.image.config_digest.hex), task)
        except EngineError as error:
            yield _not_run(opened, error)
            return
        except BuildError as error:
            first, *lines = error.what.splitlines()
            yield smoke.failed(
                opened.name,
                first,
                [line.removeprefix("  | ") for line in lines],
                hint=error.hint,
                location=error.where,
            )


def _not_run(opened: OpenedImage, error: EngineError) -> Finding:
    return smoke.not_run(opened.name, error.what.splitlines()[0], error.hint.partition("\n")[0])
