"""Run a program in an image of the spec: build what is not up to date, then start it as the caller."""

import os
import posixpath
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, structs

from layerwright.core.errors import UsageError
from layerwright.core.events import Notice, Warned
from layerwright.guest import CHECK_DEVICE, CHECK_DEVICE_PATH, WRITABLE
from layerwright.run.caches import cache_variables
from layerwright.run.files import group_text, passwd_text
from layerwright.run.invocation import (
    Identity,
    Invocation,
    MountPoint,
    Resources,
    parse_cpu_set,
    parse_mount,
    parse_size,
    parse_variable,
    resolve_groups,
)
from layerwright.spec.model import RunOptions
from layerwright.workflow.homes import kept_home
from layerwright.workflow.memo import recall_start
from layerwright.workflow.session import Session
from layerwright.workflow.start import Start, kept_trees, start_of

if TYPE_CHECKING:
    from layerwright.run.command_line import Dialect
    from layerwright.workflow.engines import EngineImage

__all__ = [
    "PreparedStart",
    "RunRequest",
    "check_resources",
    "make_invocation",
    "prepare_start",
    "run_image",
]


_NOT_STARTED = 125
"""Status of docker's and podman's clients when there was no container; a program may end with it too."""


class RunRequest(Struct, frozen=True, kw_only=True):
    """What was asked on the command line.

    Attributes:
        image: image or cell; empty for the only one there is.
        arguments: for the entrypoint, untouched.
        entrypoint: replaces the image's; None keeps it, empty means the arguments are the program.
        engine: ``native``, ``docker`` or ``podman``.
        env: ``NAME=VALUE`` or ``NAME``.
        mounts: ``FROM:TO[:ro]``.
        workdir: replaces the image's, empty to keep it.
        network: False cuts the program off.
        locked: the lock may not be changed.
        terminal: standard input and output are a terminal.
        gpus: replaces the spec's, empty to keep it.
        keep_home: keep HOME from run to run, whatever the spec says.
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
    gpus: str = ""
    keep_home: bool = False


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
    if request.engine != "native":
        return _in_engine(session, request, names, before_start)
    start = recall_start(session, names)
    trees = None if start is None else kept_trees(session, start)
    if start is None or trees is None:
        from layerwright.workflow.engines import build_one, extracted  # noqa: PLC0415 - start-up

        built, image = build_one(session, names, locked=request.locked, whole=False)
        start, trees = start_of(built.spec, image), extracted(session, image)
    from layerwright.run.native import run_native  # noqa: PLC0415 - start-up
    from layerwright.workflow.workshop import sandbox_capabilities  # noqa: PLC0415 - start-up

    invocation = make_invocation(session, start, request, [path for path, _ in trees])
    check_resources(session, start, invocation, os.cpu_count() or 1)
    with session.store.scratch() as scratch:
        return run_native(
            invocation,
            trees,
            capabilities=sandbox_capabilities(session),
            scratch=scratch,
            reporter=session.reporter,
            before_start=before_start,
        )


def _in_engine(
    session: Session, request: RunRequest, names: tuple[str, ...], before_start: Callable[[], None]
) -> int:
    from layerwright.workflow.engines import ready_image  # noqa: PLC0415 - start-up

    ready = ready_image(session, request.engine, names, locked=request.locked, assume=True)
    status = _start_in_engine(session, ready, request, before_start)
    if status == _NOT_STARTED and ready.assumed and not ready.is_there():
        session.reporter(
            Notice(message=f"{ready.start.cell} was removed from {request.engine}, and is brought in again")
        )
        ready = ready_image(session, request.engine, names, locked=request.locked)
        status = _start_in_engine(session, ready, request, before_start)
    return status


def _start_in_engine(
    session: Session, ready: "EngineImage", request: RunRequest, before_start: Callable[[], None]
) -> int:
    from layerwright.run.docker import run_in_engine  # noqa: PLC0415 - start-up

    prepared = prepare_start(session, ready, request)
    with session.store.scratch() as scratch:
        before_start()
        return run_in_engine(
            prepared.invocation,
            ready.image,
            dialect=prepared.dialect,
            options=prepared.options,
            host=session.host,
            scratch=scratch,
        )


class PreparedStart(Struct, frozen=True, kw_only=True):
    """A start in an engine, with everything looked at that could stand in its way.

    Attributes:
        invocation: what is run.
        dialect: the engine's words.
        options: those that hand devices over.
    """

    invocation: Invocation
    dialect: "Dialect"
    options: tuple[str, ...]


def prepare_start(session: Session, ready: "EngineImage", request: RunRequest) -> PreparedStart:
    """Put image, spec, command line and engine together.

    Raises:
        UsageError: something that was said cannot be.
        RunStartError: the machine lacks what the start needs.
    """
    from layerwright.run.accelerators import grant_devices  # noqa: PLC0415 - start-up

    invocation = make_invocation(session, ready.start, request, ready.trees)
    check_resources(session, ready.start, invocation, ready.processors)
    dialect = ready.dialect(session, invocation.identity)
    grant = grant_devices(invocation.gpus, invocation.accelerator, ready.engine, host=session.host)
    asked = {text.partition("=")[0] for text in request.env}
    env = grant.applied(invocation.env, asked)
    options = grant.options
    if ready.start.check_device and invocation.gpus == "none":
        # A container that was to have no device is not ill for want of one.
        options = (*options, "--no-healthcheck")
    return PreparedStart(invocation=structs.replace(invocation, env=env), dialect=dialect, options=options)


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
    if start.check_device and request.entrypoint is None and arguments[:1] == (CHECK_DEVICE,):
        # It is a program of its own whatever the entrypoint is, which `python check-device` would hide.
        argv = (CHECK_DEVICE_PATH, *arguments[1:])
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
        terminal=request.terminal,
        resources=_resources(start.options, network=request.network),
        accelerator=start.accelerator,
        gpus=_gpus(session, start, request),
        home=kept_home(session.host, start, start.options.keep_home or request.keep_home),
        hostname=start.cell[:63],
        passwd=passwd_text(_read(trees, "etc/passwd"), identity),
        group=group_text(_read(trees, "etc/group"), identity, _group_names(identity)),
    )


def _resources(options: RunOptions, *, network: bool) -> Resources:
    connected: Literal["none", "default", "host"] = "host" if options.network == "host" else "default"
    return Resources(
        network=connected if network and options.network else "none",
        ipc=options.ipc,
        shm_size=parse_size(options.shm_size),
        cpus=options.cpus,
        cpu_set=options.cpu_set,
        memory=parse_size(options.memory),
        ulimits=options.ulimits,
        privileged=options.privileged,
        stop_timeout=options.stop_timeout,
    )


def _gpus(session: Session, start: Start, request: RunRequest) -> str:
    """Which GPUs; an image made for some that gets none by nobody's word is told of."""
    gpus = request.gpus or start.options.gpus
    if not gpus and start.accelerator != "cpu":
        session.reporter(
            Notice(
                message=f"{start.cell} is made for {start.accelerator} and gets no GPU, since nothing says which: "
                "--gpus all, or `gpus` in its [run] table"
            )
        )
    return gpus or "none"


def check_resources(session: Session, start: Start, invocation: Invocation, processors: int) -> None:
    """Compare what is asked for with the machine.

    Args:
        session: is told of what makes no sense together.
        start: the image.
        invocation: what is asked for.
        processors: of the machine it runs on.

    Raises:
        UsageError: processors that the machine does not have are asked for.
    """
    resources = invocation.resources
    there = f"this machine has {processors} (0-{processors - 1})"
    if resources.cpu_set and max(parse_cpu_set(resources.cpu_set)) >= processors:
        raise UsageError(
            f"`cpu_set` is {resources.cpu_set}, and {there}",
            where=start.location,
            hint=f'say cpu_set = "0-{processors - 1}", or leave it out',
        )
    if resources.cpus and float(resources.cpus) > processors:
        raise UsageError(
            f"`cpus` is {resources.cpus}, and {there}",
            where=start.location,
            hint="ask for no more than there are, or leave it out",
        )
    if resources.ipc == "host" and resources.shm_size:
        session.reporter(
            Warned(
                message='`shm_size` means nothing with `ipc = "host"`: the container sees the machine\'s own /dev/shm',
                hint="leave one of them out; data loaders need `shm_size` alone",
            )
        )


def _read(trees: Sequence[Path], path: str) -> str:
    """A file of the image, from the highest tree that has it; empty without one."""
    for tree in reversed(trees):
        file = tree / path
        if file.is_file() and not file.is_symlink():
            return file.read_text(encoding="utf-8", errors="surrogateescape")
    return ""


def _environment(session: Session, start: Start, identity: Identity, request: RunRequest) -> dict[str, str]:
    env = {
        # What the entry program would read; it is not started here.
        **{name: value for name, value in start.env.items() if name != WRITABLE},
        "HOME": identity.home,
        "USER": identity.name,
        "LOGNAME": identity.name,
        **cache_variables(identity.home, declared=start.writable, known=start.env),
    }
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
