"""Containers that stay: ``up`` starts one, ``exec`` runs programs in it, ``stop`` ends it.

What is known of them stands in their labels: nothing is remembered elsewhere, so that nothing can disagree.
"""

import hashlib
import json
import re
import shutil
import time
from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

from layerwright.core.errors import EngineError, UsageError
from layerwright.core.events import Warned
from layerwright.engines.containers import Container, Containers
from layerwright.run.docker import engine_client
from layerwright.workflow.engines import EngineImage, ready_image
from layerwright.workflow.homes import container_folder
from layerwright.workflow.run import PreparedStart, RunRequest, prepare_start
from layerwright.workflow.session import Session

__all__ = ["ExecRequest", "StopRequest", "Stopped", "Up", "exec_in_container", "stop_containers", "up"]

_OWNER: Final = "dev.layerwright.owner"
_ROOT: Final = "dev.layerwright.root"
_CELL: Final = "dev.layerwright.cell"
_PRINT: Final = "dev.layerwright.print"
_NAME: Final = re.compile("[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_ALIVE_SECONDS: Final = 0.3
"""How long a program must last that is said to be up: one that cannot start has ended by then."""

_KEEP: Final = ("/bin/sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done")
"""What runs in a container that nobody gave a program: it ends at once when it is asked to."""


class Up(Struct, frozen=True, kw_only=True):
    """A container that runs.

    Attributes:
        name: of the container.
        cell: its image's cell.
        state: ``started`` (a new one), ``again`` (one that had ended), ``running`` (it ran already).
    """

    name: str
    cell: str
    state: Literal["started", "again", "running"]


def up(session: Session, request: RunRequest, *, name: str) -> Up:
    """Start a detached container of an image, as the caller, unless it runs already.

    Args:
        session: surroundings.
        request: what to run; without arguments something that only waits.
        name: of the container; empty for one made of the image's name and the caller's.

    Raises:
        EngineError: the engine refuses, or the program ended at once.
        UsageError: the name cannot be, or belongs to another project's container.
    """
    engine = _checked(request.engine)
    if name and not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot name a container", hint="letters, digits, '_', '.' and '-'")
    containers = Containers(engine_client(engine, session.host), session.host)
    ready = ready_image(session, engine, (request.image,) if request.image else (), locked=request.locked)
    if not request.arguments and request.entrypoint is None:
        request = _keeping(request)
    prepared = prepare_start(session, ready, request)
    name = name or _default_name(prepared, ready)
    argv, env = _command(session, prepared, ready, engine, name)
    fingerprint = hashlib.sha256(
        json.dumps([argv, sorted(prepared.invocation.env.items()), ready.start.digest]).encode(
            errors="surrogateescape"
        )
    ).hexdigest()[:32]
    there = {one.name: one for one in containers.labelled({_OWNER: str(session.host.caller_uid)})}
    existing = there.get(name)
    if existing is not None:
        _same_project(existing, ready)
        same = existing.labels.get(_PRINT) == fingerprint
        if existing.running:
            if not same:
                session.reporter(
                    Warned(
                        message=f"{name} goes on as it was started, and image or options have changed since",
                        hint=f"layerwright stop --remove {name}; then up again",
                    )
                )
            return Up(name=name, cell=ready.start.cell, state="running")
        if same:
            containers.start(name)
            _alive(containers, session, name)
            return Up(name=name, cell=ready.start.cell, state="again")
        containers.remove(name)
    labels = [
        *argv[: argv.index("--name")],
        "--label",
        f"{_PRINT}={fingerprint}",
        *argv[argv.index("--name") :],
    ]
    containers.run(labels, env=env)
    _alive(containers, session, name)
    return Up(name=name, cell=ready.start.cell, state="started")


def _keeping(request: RunRequest) -> RunRequest:
    from msgspec import structs  # noqa: PLC0415 - start-up

    return structs.replace(request, entrypoint=_KEEP)


def _checked(engine: str) -> str:
    if engine == "native":
        raise UsageError(
            "a native run has no container that stays: nothing would watch over it",
            hint="use --engine docker or --engine podman; `layerwright shell` gives a shell without an engine",
        )
    return engine


def _default_name(prepared: PreparedStart, ready: EngineImage) -> str:
    repository = ready.start.references[0].rpartition(":")[0].rpartition("/")[2]
    cell = ready.start.cell
    middle = "" if repository.endswith(cell.lower()) else f"-{cell}"
    person = re.sub("[^a-zA-Z0-9_.-]", "_", prepared.invocation.identity.name)
    return f"{repository}{middle}-{person}"


def _command(
    session: Session, prepared: PreparedStart, ready: EngineImage, engine: str, name: str
) -> tuple[list[str], dict[str, str]]:
    """The client's command line without the fingerprint, and the client's environment."""
    from layerwright.run.command_line import engine_argv, own_variables  # noqa: PLC0415 - start-up
    from layerwright.run.files import own_mounts  # noqa: PLC0415 - start-up

    invocation = prepared.invocation
    labels = {
        _OWNER: str(session.host.caller_uid),
        _ROOT: ready.start.root,
        _CELL: ready.start.cell,
    }
    detached = ["--detach", "--interactive", "--name", name]
    detached += [word for label, value in labels.items() for word in ("--label", f"{label}={value}")]
    argv = engine_argv(
        invocation,
        ready.image,
        client=engine_client(engine, session.host),
        dialect=prepared.dialect,
        mounts=(*own_mounts(invocation, container_folder(session.host, name)), *invocation.mounts),
        options=prepared.options,
        detached=detached,
    )
    own = own_variables(prepared.dialect, tuple(invocation.env))
    theirs = {name: value for name, value in invocation.env.items() if name not in own}
    return argv, {**session.host.variables, **theirs}


def _same_project(container: Container, ready: EngineImage) -> None:
    root = container.labels.get(_ROOT, "")
    if root != ready.start.root:
        raise UsageError(
            f"the container {container.name} belongs to the project in {root}",
            hint="give this one a name of its own: --name NAME",
        )


def _alive(containers: Containers, session: Session, name: str) -> None:
    """Raise when the program has ended at once."""
    time.sleep(_ALIVE_SECONDS)
    for one in containers.labelled({_OWNER: str(session.host.caller_uid)}):
        if one.name == name and not one.running:
            said = containers.last_lines(name)
            raise EngineError(
                f"the program in {name} ended at once with status {one.status}"
                + (f"\n{said}" if said else ""),
                hint=f"a program that stays is needed, or none: layerwright up {one.labels.get(_CELL, '')}",
            )


class ExecRequest(Struct, frozen=True, kw_only=True):
    """What is to run in a container.

    Attributes:
        target: the container's name, or its image or cell; empty for the project's only one.
        argv: program and arguments.
        engine: ``docker`` or ``podman``.
        env: ``NAME=VALUE`` or ``NAME``.
        workdir: where it starts, empty for the container's own.
        terminal: standard input and output are a terminal.
    """

    target: str
    argv: tuple[str, ...]
    engine: str
    env: tuple[str, ...]
    workdir: str
    terminal: bool


def exec_in_container(session: Session, request: ExecRequest) -> int:
    """Run a program in a container that is up, as the caller, with the container's variables.

    Returns:
        The program's exit status.

    Raises:
        UsageError: there is no such container, or it has ended.
    """
    from layerwright.host.foreground import foreground  # noqa: PLC0415 - start-up
    from layerwright.run.invocation import parse_variable  # noqa: PLC0415 - start-up

    engine = _checked(request.engine)
    client = engine_client(engine, session.host)
    container = _one(session, Containers(client, session.host), request.target)
    if not container.running:
        raise UsageError(
            f"the container {container.name} has ended (status {container.status})",
            hint=f"layerwright up {container.labels.get(_CELL, '')}",
        )
    argv = [str(client), "exec", "--interactive"]
    if request.terminal:
        argv.append("--tty")
    if request.workdir:
        argv += ["--workdir", request.workdir]
    variables = dict(session.host.variables)
    texts = [*request.env]
    if request.terminal and "TERM" in variables:
        texts.insert(0, "TERM")
    for text in texts:
        pair = parse_variable(text, session.host.variables)
        if pair is not None:
            # By the client's environment, where it does not need the variable itself, as everywhere.
            argv += ["--env", pair[0] if variables.setdefault(*pair) == pair[1] else f"{pair[0]}={pair[1]}"]
    return foreground([*argv, container.name, *request.argv], env=variables)


class StopRequest(Struct, frozen=True, kw_only=True):
    """What is to be stopped.

    Attributes:
        target: as in ``ExecRequest``.
        engine: likewise.
        seconds: time between the polite signal and force; -1 for the container's own.
        remove: remove the container too, with its home, unless that is kept.
    """

    target: str
    engine: str
    seconds: int
    remove: bool


class Stopped(Struct, frozen=True, kw_only=True):
    """What happened to a container: ``stopped``, ``ended`` (before), ``removed``."""

    name: str
    state: Literal["stopped", "ended", "removed"]


def stop_containers(session: Session, request: StopRequest) -> tuple[Stopped, ...]:
    """Stop the containers that are meant; none is no error, since what was asked for is so.

    Raises:
        EngineError: the engine refuses.
    """
    client = engine_client(_checked(request.engine), session.host)
    containers = Containers(client, session.host)
    stopped = []
    for container in _meant(session, containers, request.target):
        state: Literal["stopped", "ended", "removed"] = "ended"
        if container.running:
            containers.stop(container.name, seconds=request.seconds)
            state = "stopped"
        if request.remove:
            containers.remove(container.name)
            shutil.rmtree(container_folder(session.host, container.name), ignore_errors=True)
            state = "removed"
        stopped.append(Stopped(name=container.name, state=state))
    return tuple(stopped)


def _meant(session: Session, containers: Containers, target: str) -> Sequence[Container]:
    """The caller's containers of this name; else those of this project, of this image when it is named."""
    mine = containers.labelled({_OWNER: str(session.host.caller_uid)})
    named = [one for one in mine if one.name == target]
    if named:
        return named
    root = _root(session)
    return [
        one for one in mine if one.labels.get(_ROOT) == root and target in {"", one.labels.get(_CELL, "")}
    ]


def _root(session: Session) -> str:
    """The project's folder; empty when there is no spec here."""
    from layerwright.spec.load import find_spec  # noqa: PLC0415 - start-up

    try:
        return str(find_spec(session.spec_file, session.start).resolve().parent)
    except UsageError:
        return ""


def _one(session: Session, containers: Containers, target: str) -> Container:
    meant = _meant(session, containers, target)
    if len(meant) == 1:
        return meant[0]
    if not meant:
        raise UsageError(
            f"no container of yours is up{f' by the name or image {target}' if target else ' for this project'}",
            hint=f"layerwright up {target or 'IMAGE'}",
        )
    raise UsageError(
        f"{target or 'this project'} stands for {len(meant)} containers",
        hint=f"name one of {', '.join(one.name for one in meant)}",
    )
