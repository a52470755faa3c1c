"""The container scripts of torch_musa, done by this program: a command line → a spec → images.

Everything that can be wrong is found before an engine is asked: options, folders, checkouts, archives, in this order.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from layerwright.core.errors import LayerwrightError, UsageError
from layerwright.core.events import Notice
from layerwright.spec.base import parse_base
from layerwright.spec.musa.records import recorded
from layerwright.spec.musa.requests import (
    AllRequest,
    BaseRequest,
    ImageRequest,
    Places,
    read_all,
    read_base,
    read_image,
)
from layerwright.spec.musa.write import (
    MARK,
    PYTORCH,
    VISION,
    addresses_of,
    variant_name,
    write_all,
    write_base,
    write_image,
)
from layerwright.workflow.musa_order import Order, command_of, with_definition, wrong_option
from layerwright.workflow.musa_places import BUILD_DIR, build_folder, find_checkout, make_checkout
from layerwright.workflow.session import Session, read_locked, read_spec

__all__ = ["Built", "build_order", "emit_order"]

_PYTORCH_VARIABLE: Final = "PYTORCH_REPO_ROOT_PATH"
_VISION_VARIABLE: Final = "TORCH_VISION_REPO_ROOT_PATH"
_UNKNOWN: Final = "0" * 64
"""In the spec, in place of the digest of a file that could not be had: its image is not built."""
_BACKENDS: Final[tuple["Backend", ...]] = ("docker", "podman", "native")

Backend = Literal["docker", "podman", "native"]
Request = BaseRequest | ImageRequest | AllRequest


class Built(Struct, frozen=True, kw_only=True):
    """What became of the images.

    Attributes:
        session: with the spec that was written.
        document: what ``build --json`` prints.
        failures: images that failed, with their errors.
    """

    session: Session
    document: dict[str, Any]
    failures: tuple[tuple[str, LayerwrightError], ...]


def emit_order(session: Session, order: Order) -> str:
    """The spec that a command line stands for. Archives without a digest are loaded to learn theirs; nothing is built.

    Raises:
        SpecError: everything that is wrong with the command line.
    """
    order = with_definition(session, order)
    _backend(order)
    request = _read(session, order)
    folder = build_folder(session, make=False)
    return _write(request, order, digests=_digests(session, request, folder), bases={})


def build_order(session: Session, order: Order) -> Built:
    """Build what a command line asks for; each image by itself, so that one that fails hides no other.

    Raises:
        SpecError: everything that is wrong with the command line.
        LayerwrightError: the only image failed.
    """
    order = with_definition(session, order)
    backend = _backend(order)
    outputs = _outputs(session, order, backend)
    request = _read(session, order)
    folder = build_folder(session)
    file = folder / f"{re.sub('[^A-Za-z0-9._-]+', '-', _file_name(request))}.toml"
    prepared = isinstance(request, ImageRequest) and request.prepared
    failed: dict[str, LayerwrightError] = {}
    bases: dict[str, str] = {}
    if prepared:
        _check_prepared(session, order, file, folder)
    else:
        request = _with_checkouts(session, request)
        digests = _digests(session, request, folder, failed)
        bases = _bases(session, request, backend)
        named = {name: f"docker:{name}" for name in bases}
        _put(file, _write(request, order, digests=digests, bases=named))
    _tell(session, order, request)
    session = replace(session, spec_file=file, settings=())
    return _build_each(session, request, backend, outputs, locked=prepared, failed=failed, bases=bases)


def _backend(order: Order) -> Backend:
    text = order.given.options.get("backend", "docker")
    for backend in _BACKENDS:
        if text == backend:
            return backend
    raise wrong_option("--backend", f"--backend is {text!r}", f"it is one of {', '.join(_BACKENDS)}")


def _outputs(session: Session, order: Order, backend: Backend) -> tuple[str, ...]:
    given = order.given.options.get("output", ())
    outputs = given if isinstance(given, tuple) else ()
    if outputs and backend != "native":
        raise wrong_option(
            "--output",
            f"--output is for the native backend, and --backend is {backend}",
            "add --backend native",
        )
    if backend != "native":
        return ()
    from layerwright.workflow.outputs import parse_outputs  # noqa: PLC0415 - start-up

    parse_outputs(outputs, folder=session.start)
    return outputs or ("docker",)


def _read(session: Session, order: Order) -> Request:
    start = str(session.start.absolute())
    pytorch = find_checkout(session, _PYTORCH_VARIABLE, "pytorch")
    vision = find_checkout(session, _VISION_VARIABLE, "vision")
    places = Places(
        folder=start,
        pytorch=str(pytorch.folder) if pytorch.named else "",
        vision=str(vision.folder) if vision.named else "",
    )
    match order.script:
        case "build-base":
            return read_base(order.given, places)
        case "build":
            return read_image(order.given, places)
        case "build-all":
            return read_all(order.given, places)


def _images(request: Request) -> Sequence[ImageRequest]:
    match request:
        case AllRequest():
            return request.variants
        case ImageRequest():
            return [request]
        case BaseRequest():
            return []


def _cell(request: BaseRequest | ImageRequest) -> str:
    return request.role if isinstance(request, ImageRequest) else "base"


def _file_name(request: Request) -> str:
    return "musa-pytorch" if isinstance(request, AllRequest) else request.name


def _digests(
    session: Session, request: Request, folder: Path, failed: dict[str, LayerwrightError] | None = None
) -> dict[str, str]:
    """Digests of all files by address; images that lack one are noted as failed, when there are several."""
    images = _images(request)
    addresses = addresses_of([request] if isinstance(request, BaseRequest) else images)
    if not addresses:
        return {}
    from layerwright.workflow.musa_files import bring_files  # noqa: PLC0415 - start-up

    folder = build_folder(session) if any(not one.sha256 for one in addresses) else folder
    missing: dict[str, LayerwrightError] | None = {} if failed is not None and len(images) > 1 else None
    digests = bring_files(session, addresses, folder, missing=missing)
    if missing and failed is not None:
        for image in images:
            lacks = [missing[one.url] for one in addresses_of([image]) if one.url in missing]
            failed.update({variant_name(image): error for error in lacks[:1]})
        if len(failed) == len(images):
            raise next(iter(missing.values()))
        digests |= dict.fromkeys(missing, _UNKNOWN)
    return digests


def _with_checkouts(session: Session, request: Request) -> Request:
    """The request with the checkouts that are there, or are now."""
    match request:
        case BaseRequest():
            found = find_checkout(session, _PYTORCH_VARIABLE, "pytorch")
            return replace(
                request, checkout=make_checkout(session, found, git=PYTORCH, tag=request.pytorch_tag)
            )
        case ImageRequest(role="dev"):
            found = find_checkout(session, _VISION_VARIABLE, "vision")
            return replace(request, vision=make_checkout(session, found, git=VISION, tag=request.vision_tag))
        case AllRequest():
            found = find_checkout(session, _VISION_VARIABLE, "vision")
            dev = next(one for one in request.variants if one.role == "dev")
            folder = make_checkout(session, found, git=VISION, tag=dev.vision_tag)
            variants = [replace(one, vision=folder) if one.role == "dev" else one for one in request.variants]
            return AllRequest(variants=tuple(variants))
        case _:
            return request


def _bases(session: Session, request: Request, backend: Backend) -> dict[str, str]:
    """Bases that the local engine has, with their ids: an engine takes its own before a registry's."""
    names = (
        {f"ubuntu:{request.ubuntu}"}
        if isinstance(request, BaseRequest)
        else {one.base for one in _images(request)}
    )
    names = {name for name in names if parse_base(name).kind == "registry"}
    if backend == "podman" or not names:
        return {}
    from layerwright.core.errors import EngineError  # noqa: PLC0415 - start-up
    from layerwright.engines.docker import find_docker  # noqa: PLC0415 - start-up

    try:
        engine = find_docker(session.host)
        images = {name: engine.inspect(name) for name in sorted(names)}
    except EngineError:
        if backend == "docker":
            raise
        return {}  # the native backend does without one
    found = {name: str(image.identifier) for name, image in images.items() if image is not None}
    for name in found:
        session.reporter(Notice(message=f"starts from {name} of the local engine"))
    return found


def _write(request: Request, order: Order, *, digests: Mapping[str, str], bases: Mapping[str, str]) -> str:
    command = command_of(order)
    match request:
        case BaseRequest():
            return write_base(
                request, command=command, digests=digests, base=bases.get(f"ubuntu:{request.ubuntu}", "")
            )
        case ImageRequest():
            return write_image(request, command=command, digests=digests, base=bases.get(request.base, ""))
        case AllRequest():
            return write_all(request, command=command, digests=digests, bases=bases)


def _check_prepared(session: Session, order: Order, file: Path, folder: Path) -> None:
    """Whether what was prepared is what is asked for now.

    Raises:
        SpecError: nothing is prepared, or something else.
    """
    from layerwright.workflow.musa_files import RECORD  # noqa: PLC0415 - start-up
    from layerwright.workflow.session import lock_beside  # noqa: PLC0415 - start-up

    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise wrong_option(
            "--no_prepare",
            f"--no_prepare: nothing is prepared in {folder}: there is no {file.name}",
            "run the command once without it",
        ) from error
    if not lock_beside(file).exists():
        raise wrong_option(
            "--no_prepare",
            f"--no_prepare: {file} has no lock beside it, so its preparation was broken off",
            "run the command once without it",
        )
    prepared = re.search("^# Written by `(.*)`\\.$", text, re.MULTILINE)
    if prepared is None or prepared[1] != command_of(order):
        raise wrong_option(
            "--no_prepare",
            f"--no_prepare: {file} was prepared by another command line: {prepared[1] if prepared else 'unknown'}",
            "run the command once without it",
        )
    session.reporter(
        Notice(
            message=f"{file} and its lock are used as they were prepared: nothing is cloned, resolved or recorded "
            f"in {RECORD}"
        )
    )


def _put(file: Path, text: str) -> None:
    """Write the spec, over an earlier one but over nothing else, whole or not at all."""
    try:
        with file.open("rb") as stream:
            if stream.read(len(MARK)) != MARK.encode():
                raise UsageError(
                    f"{file} is no spec that was written here",
                    hint=f"move it, or name another folder: {BUILD_DIR}",
                )
    except FileNotFoundError:
        pass
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UsageError(f"cannot write {file}: {error.strerror}") from error


def _tell(session: Session, order: Order, request: Request) -> None:
    """What is not as a reader of the scripts' documents may expect."""
    options = order.given.options
    if isinstance(request, ImageRequest) and request.role == "dev" and "python_version" in options:
        session.reporter(
            Notice(
                message="-v/--python_version is for release images: a development image has the Python of its base"
            )
        )
    pairs = {
        (one.python, one.ubuntu)
        for one in (request, *_images(request))
        if isinstance(one, BaseRequest | ImageRequest)
        and one.ubuntu
        and one.python
        and one.interpreter is None
    }
    for python, ubuntu in sorted(pairs):
        release = recorded().release(ubuntu)
        if release is not None and python not in release.python:
            session.reporter(
                Notice(
                    message=f"Ubuntu {ubuntu} has Python {', '.join(release.python)} of its own; Python {python} is "
                    "taken from the base, which must have it (or from an archive: --python_url)"
                )
            )


def _build_each(
    session: Session,
    request: Request,
    backend: Backend,
    outputs: Sequence[str],
    *,
    locked: bool,
    failed: Mapping[str, LayerwrightError],
    bases: Mapping[str, str],
) -> Built:
    """Build each image by itself; ``failed`` are those that cannot be built, ``bases`` ids of the engine's images."""
    cells = (
        [variant_name(one) for one in request.variants]
        if isinstance(request, AllRequest)
        else [_cell(request)]
    )
    images: list[Any] = []
    document: dict[str, Any] = {"schema": 1, "images": [], "failures": [], "outputs": []}
    failures: list[tuple[str, LayerwrightError]] = []
    for cell in cells:
        try:
            if cell in failed:
                raise failed[cell]
            _follow_base(session, cell, bases)
            found, built = _build_one(session, cell, backend, locked=locked)
        except LayerwrightError as error:
            if len(cells) == 1:
                raise
            failures.append((cell, error))
            document["failures"].append({"cell": cell, "what": error.what, "exit_code": error.exit_code})
            continue
        images += built
        document["images"] += found["images"]
        document["outputs"] += found["outputs"]
    if outputs and images:
        from layerwright.workflow.outputs import deliver, parse_outputs  # noqa: PLC0415 - start-up

        document["outputs"] += deliver(session, images, parse_outputs(outputs, folder=session.start))
    return Built(session=session, document=document, failures=tuple(failures))


def _follow_base(session: Session, cell: str, bases: Mapping[str, str]) -> None:
    """Lock an image anew whose base is another by now: an engine's names move, and the scripts take what they mean."""
    from layerwright.workflow.lock import update_lock  # noqa: PLC0415 - start-up

    lock = read_locked(read_spec(session))
    locked = None if lock is None else lock.cells.get(cell)
    if locked is None or locked.base.kind != "docker":
        return
    name = locked.base.source
    if bases.get(name, locked.base.digest) != locked.base.digest:
        session.reporter(Notice(message=f"{name} is another image than before: {cell} is locked anew"))
        update_lock(session, upgrade=[f"docker:{name}"], cells=[cell])


def _build_one(
    session: Session, cell: str, backend: Backend, *, locked: bool
) -> tuple[dict[str, Any], Sequence[Any]]:
    """One image: what ``build --json`` prints of it, and the image itself where it stands in the store."""
    from layerwright.workflow.build import BuildRequest, build_images  # noqa: PLC0415 - start-up
    from layerwright.workflow.report import outcome_document  # noqa: PLC0415 - start-up

    request = BuildRequest(images=(cell,), locked=locked, whole=backend == "native")
    if backend == "native":
        built = build_images(session, request)
        return outcome_document(built.outcome), built.outcome.images
    from layerwright.workflow.docker import build_with_engine  # noqa: PLC0415 - start-up

    document, _ = build_with_engine(session, request, backend)
    return document, ()
