"""Run a program in an image of the spec: build what is not up to date, then start it as the caller."""

import posixpath
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from layerwright.core.errors import UsageError
from layerwright.core.events import Warned
from layerwright.run.files import group_text, passwd_text
from layerwright.guest import cache_folder
from layerwright.run.invocation import (
    Identity,
    Invocation,
    MountPoint,
    parse_mount,
    parse_size,
    parse_variable,
    resolve_groups,
)
from layerwright.workflow.memo import recall_start
from layerwright.workflow.session import Session
from layerwright.workflow.start import Start, kept_trees, name_in_docker, start_of

if TYPE_CHECKING:
    from layerwright.backends.base import BuiltImage
    from layerwright.workflow.build import Built

__all__ = ["RunRequest", "run_image"]


class RunRequest(Struct, frozen=True, kw_only=True):
    """What was asked on the command line.

    Attributes:
        image: image or cell; empty for the only one there is.
        arguments: for the entrypoint, untouched.
        entrypoint: replaces the image's; None keeps it, empty means the arguments are the program.
        engine: ``native`` or ``docker``.
        env: ``NAME=VALUE`` or ``NAME``.
        mounts: ``FROM:TO[:ro]``.
        workdir: replaces the image's, empty to keep it.
        network: False cuts the program off.
        locked: the lock may not be changed.
        terminal: standard input and output are a terminal.
    """

    image: str
    arguments: tuple[str, ...]
    entrypoint: tuple[str, ...] | None
    engine: str
    env: tuple[str, ...]
    mounts: tuple[str, ...]
    workdir: str
    network: bool
    locked: bool
    terminal: bool


def run_image(session: Session, request: RunRequest, *, before_start: Callable[[], None]) -> int:
    """Build the image if needed and run a program in it.

    Args:
        session: surroundings.
        request: what to run.
        before_start: called when the program is about to get the terminal.

    Returns:
        The program's exit status.
    """
    names = (request.image,) if request.image else ()
    start = recall_start(session, names)
    if request.engine == "docker":
        return _in_docker(session, request, names, start, before_start)
    trees = None if start is None else kept_trees(session, start)
    if start is None or trees is None:
        built = _build(session, request, names)
        start, trees = start_of(built.spec, _image(built)), _extracted(session, _image(built))
    from layerwright.run.native import run_native  # noqa: PLC0415 - start-up
    from layerwright.workflow.workshop import sandbox_capabilities  # noqa: PLC0415 - start-up

    invocation = make_invocation(session, start, request, [path for path, _ in trees])
    with session.store.scratch() as scratch:
        return run_native(
            invocation,
            trees,
            capabilities=sandbox_capabilities(session),
            scratch=scratch,
            before_start=before_start,
        )


def _build(session: Session, request: RunRequest, names: tuple[str, ...]) -> "Built":
    """Build the one image, and remember that for the next start."""
    from layerwright.workflow.build import BuildRequest, build_images, keep_in_mind  # noqa: PLC0415 - start-up
    from layerwright.workflow.report import outcome_document  # noqa: PLC0415 - start-up

    wanted = BuildRequest(images=names, locked=request.locked, single=True, whole=request.engine == "docker")
    built = build_images(session, wanted)
    if built.outcome.failures:
        raise built.outcome.failures[0].error
    keep_in_mind(session, wanted, built, outcome_document(built.outcome))
    return built


def _image(built: "Built") -> "BuiltImage":
    (image,) = built.outcome.images
    return image


def _extracted(
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


def _in_docker(
    session: Session,
    request: RunRequest,
    names: tuple[str, ...],
    start: Start | None,
    before_start: Callable[[], None],
) -> int:
    from layerwright.run.docker import run_docker  # noqa: PLC0415 - start-up

    trees = None if start is None else kept_trees(session, start, system=True)
    if start is None or trees is None or not name_in_docker(session, start):
        from layerwright.workflow.outputs import load_into_docker  # noqa: PLC0415 - start-up

        built = _build(session, request, names)
        image = _image(built)
        start, trees = start_of(built.spec, image), _extracted(session, image, system=True)
        load_into_docker(session, image)
    invocation = make_invocation(session, start, request, [path for path, _ in trees])
    with session.store.scratch() as scratch:
        before_start()
        return run_docker(invocation, start.references[0], host=session.host, scratch=scratch)


def make_invocation(session: Session, start: Start, request: RunRequest, trees: Sequence[Path]) -> Invocation:
    """Put image, spec and command line together.

    Args:
        session: surroundings.
        start: the image, and what the spec says of starting it.
        request: the command line.
        trees: the image's trees, bottom first, for its passwd and group files.

    Raises:
        UsageError: nothing says what to run, or a mount or variable cannot be read.
    """
    added = resolve_groups(start.options.groups, session.host, _groups_of_host(start.options.groups))
    identity = Identity.of_caller(session.host, _user_name(session), added)
    workdir = request.workdir or start.workdir or "/"
    if not workdir.startswith("/"):
        raise UsageError(
            f"the workdir {workdir!r} is no absolute path", hint="it is a place in the image: /work"
        )
    entrypoint = start.entrypoint if request.entrypoint is None else request.entrypoint
    arguments = request.arguments
    if not arguments and request.entrypoint is None:
        arguments = start.command
    argv = (*entrypoint, *arguments)
    if not argv:
        raise UsageError(
            f"{start.cell} has no entrypoint: nothing says what to run",
            where=start.location,
            hint=f"name a program (`layerwright run {start.cell} python script.py`), or set `entrypoint`",
        )
    return Invocation(
        argv=argv,
        env=_environment(session, start, identity, request),
        workdir=workdir,
        mounts=_mounts(session, start, workdir, request),
        identity=identity,
        network=request.network and start.options.network,
        terminal=request.terminal,
        gpus=start.options.gpus,
        shm_size=parse_size(start.options.shm_size),
        hostname=start.cell[:63],
        passwd=passwd_text(_read(trees, "etc/passwd"), identity),
        group=group_text(_read(trees, "etc/group"), identity, _group_names(identity)),
    )


def _read(trees: Sequence[Path], path: str) -> str:
    """A file of the image, from the highest tree that has it; empty without one."""
    for tree in reversed(trees):
        file = tree / path
        if file.is_file() and not file.is_symlink():
            return file.read_text(encoding="utf-8", errors="surrogateescape")
    return ""


def _environment(session: Session, start: Start, identity: Identity, request: RunRequest) -> dict[str, str]:
    env = {**start.env, "HOME": identity.home, "USER": identity.name}
    for name in start.writable:
        env[name] = f"{identity.home}/.cache/{cache_folder(name)}"
    if request.terminal and "TERM" in session.host.variables:
        env["TERM"] = session.host.variables["TERM"]
    for text in request.env:
        pair = parse_variable(text, session.host.variables)
        if pair is not None:
            env[pair[0]] = pair[1]
    return env


def _mounts(session: Session, start: Start, workdir: str, request: RunRequest) -> tuple[MountPoint, ...]:
    """The current folder at the workdir, then the spec's mounts, then the command line's."""
    found = []
    if posixpath.normpath(f"/{workdir.lstrip('/')}") == "/":
        session.reporter(
            Warned(
                message="the workdir is /, so the program does not see the current folder",
                hint="name another place for it: --workdir /work, or `workdir` in the spec",
            )
        )
    else:
        found.append(MountPoint(source=session.start, target=workdir))
    for mount in start.options.mounts:
        source = (Path(start.root) / Path(mount.source).expanduser()).resolve()
        if not source.exists():
            raise UsageError(
                f"the mount {mount.source} does not exist",
                where=start.location,
                hint="make it first, so that it belongs to you",
            )
        found.append(MountPoint(source=source, target=mount.to, read_only=mount.read_only))
    found += [parse_mount(text, session.start) for text in request.mounts]
    for mounted in found:
        if posixpath.normpath(f"/{mounted.target.lstrip('/')}") == "/":
            raise UsageError(
                f"{mounted.source} cannot be mounted on /: nothing of the image would be left",
                hint="name a folder below it",
            )
    return tuple(found)


def _user_name(session: Session) -> str:
    import pwd  # noqa: PLC0415 - start-up

    try:
        return pwd.getpwuid(session.host.caller_uid).pw_name
    except KeyError:
        return f"user{session.host.caller_uid}"


def _groups_of_host(names: Sequence[str]) -> dict[str, int]:
    """Ids of those of the named groups that this machine knows."""
    import grp  # noqa: PLC0415 - start-up

    found = {}
    for name in names:
        try:
            found[name] = grp.getgrnam(name).gr_gid
        except KeyError:
            continue
    return found


def _group_names(identity: Identity) -> dict[int, str]:
    import grp  # noqa: PLC0415 - start-up

    names = {}
    for gid in (identity.gid, *identity.groups):
        try:
            names[gid] = grp.getgrgid(gid).gr_name
        except KeyError:
            continue
    return names
