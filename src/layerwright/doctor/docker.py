"""Docker: its clients, its engine, who may use it, and what its version is known for."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from layerwright.core.addresses import mask_credentials
from layerwright.core.findings import Kind
from layerwright.doctor import data
from layerwright.doctor.accounts import group_of, user_name
from layerwright.doctor.engine_info import DockerInfo
from layerwright.doctor.foreign import one_line
from layerwright.doctor.machine import PROCESS_SECONDS, Machine
from layerwright.doctor.model import Check, Cure, Needs, Outcome, absent, broken
from layerwright.doctor.storage import size_text
from layerwright.facts.model import HostFacts

if TYPE_CHECKING:
    from layerwright.engines.client import Client
    from layerwright.host.process import Completed

__all__ = ["KINDS", "examine", "numbers"]

_CLIENT, _ENGINE, _ACCESS = "docker-client", "docker-engine", "docker-access"
_BUILDX, _STORAGE, _SPACE = "docker-buildx", "docker-storage", "docker-space"
_LIMITS, _PROXY = "docker-limits", "docker-proxy"
_LITTLE_ROOM: Final = 10 * 10**9
_GOOD_STORAGE: Final = frozenset(
    {"overlay2", "overlayfs", "overlay", "fuse-overlayfs", "btrfs", "zfs", "stargz"}
)
_INSTALL: Final = Cure(text="install Docker (as root)", command="apt-get install docker.io")
_START: Final = Cure(text="start it (as root)", command="systemctl start docker")

KINDS: Final = (
    Kind(
        code=_CLIENT,
        title="the docker command",
        why="`run --engine docker` and `build --backend docker` start Docker's own client.",
        evidence="Every `docker` on the path, and what `docker --version` says.",
        repair="Install Docker's client.",
    ),
    Kind(
        code=_ENGINE,
        title="the Docker engine answers",
        why="Images are loaded into it and run by it; GPUs reach a program through it. Building natively needs none.",
        evidence="`GET /version` and `GET /info` where `DOCKER_HOST`, the context or the usual sockets say.",
        repair="Start Docker, or set DOCKER_HOST.",
    ),
    Kind(
        code=_ACCESS,
        title="you may use the Docker engine",
        why="The socket belongs to root and a group. Whoever may use it can become root of the machine.",
        evidence="Owner, group and rights of the socket, against your own groups.",
        repair="Add yourself to the group and log in again, or use a rootless engine.",
    ),
    Kind(
        code=_BUILDX,
        title="a client that can build with BuildKit",
        why="Docker's client 23 and later builds only through its buildx plugin; without it, `build --backend docker` "
        "is refused (`buildx component is missing`).",
        evidence="The version of each client, and `docker-buildx` in its plugin folders.",
        repair="Install docker-buildx (Debian) or docker-buildx-plugin (Docker's own packages).",
    ),
    Kind(
        code=_STORAGE,
        title="how the engine keeps images",
        why="`vfs` copies every layer whole: slow, and many times the room. With the containerd store an image is "
        "known by its manifest, and layers it lacks cannot be given to it alone.",
        evidence="`Driver` and `DriverStatus` of the engine.",
        repair="Use overlay2, or the containerd store.",
    ),
    Kind(
        code=_SPACE,
        title="room where the engine keeps images",
        why="A load that runs out of room leaves half an image behind.",
        evidence="`statvfs` of the engine's data folder, when it is on this machine.",
        repair="Remove what is not used, or move the folder (`data-root` in daemon.json).",
    ),
    Kind(
        code=_LIMITS,
        title="what the engine's version cannot do, and its own warnings",
        why="A Dockerfile or an option that one version knows is refused by another.",
        evidence="Its version, against what is recorded of versions; `Warnings` of the engine.",
        repair="Install a newer engine, where it matters to you.",
    ),
    Kind(
        code=_PROXY,
        title="the engine's proxy",
        why="The engine pulls images itself; the proxy of your shell is not its own.",
        evidence="`HTTPS_PROXY` here, against the engine's settings.",
        repair="Give the engine its proxy in daemon.json or its unit file.",
    ),
)


def examine(machine: Machine, needs: Needs) -> Outcome:
    """Look at Docker."""
    clients = _clients(machine)
    info = machine.docker
    checks = [
        _client(clients, info, needed=needs.wants("docker")),
        _engine(clients, info, needed=needs.wants("docker")),
        _access(machine, info, needed=needs.wants("docker")),
        _buildx(clients, info),
    ]
    facts = HostFacts()
    if info.answers:
        checks += [_storage(info), _space(machine, info), _limits(info), _proxy(machine, info)]
        facts = HostFacts(
            engines={"podman (docker API)" if info.podman else "docker": one_line(info.version)}
        )
    else:
        checks += [
            Check(id=identity, status="not_needed", detail="no engine answers")
            for identity in (_STORAGE, _SPACE, _LIMITS, _PROXY)
        ]
    return Outcome(checks=tuple(checks), facts=facts)


def numbers(version: str) -> tuple[int, ...]:
    """The numbers at the beginning of a version, for comparing: ``(20, 10, 24)``."""
    match = re.match(r"\d{1,6}(?:\.\d{1,6}){0,3}", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def _clients(machine: Machine) -> "tuple[Client, ...]":
    from layerwright.engines.client import find_clients  # noqa: PLC0415 - start-up

    def runner(argv: list[str], **options: object) -> "Completed":
        return machine.runner(argv, **{**options, "timeout": PROCESS_SECONDS})

    return tuple(find_clients(machine.host, runner=runner))


def _client(clients: "tuple[Client, ...]", info: DockerInfo, *, needed: bool) -> Check:
    if not clients:
        if info.answers:
            return broken(
                _CLIENT,
                "an engine answers, but there is no docker command to run programs with",
                (Cure(text="install the client (as root)", command="apt-get install docker-cli"),),
                needed=needed,
            )
        return absent(_CLIENT, "no docker command was found", _INSTALL, needed=needed)
    shown = ", ".join(f"{'.'.join(map(str, client.version))} ({client.program})" for client in clients)
    return Check(id=_CLIENT, status="ok", detail=shown)


def _engine(clients: "tuple[Client, ...]", info: DockerInfo, *, needed: bool) -> Check:
    if info.answers:
        kind = "Podman, answering in Docker's place," if info.podman else "Docker"
        api = f", API {info.api_least} to {info.api}" if info.api_least else f", API {info.api}"
        how = ["rootless"] if info.rootless else []
        how += ["user ids are remapped: files in mounts belong to mapped ids"] if info.remapped else []
        more = f"; {', '.join(how)}" if how else ""
        where = mask_credentials(info.endpoint.address) if info.endpoint else ""
        detail = one_line(f"{kind} {info.version}{api}, {info.platform}, at {where}{more}")
        return Check(id=_ENGINE, status="ok", detail=detail)
    detail = one_line(mask_credentials(info.error))
    if info.denied:
        return broken(_ENGINE, detail, (Cure(text=f"see {_ACCESS}"),), needed=needed)
    if not clients and not _there(info):
        return absent(_ENGINE, detail, _INSTALL, needed=needed)
    other = Cure(text="or name another engine", command="export DOCKER_HOST=unix:///path/of/docker.sock")
    return broken(_ENGINE, detail, (_START, other), needed=needed)


def _there(info: DockerInfo) -> bool:
    """Whether somebody has put an engine there: a socket, or an address in the environment."""
    if info.endpoint is None:
        return True
    if not info.endpoint.local:
        return True
    return Path(info.endpoint.address.removeprefix("unix://")).exists()


def _access(machine: Machine, info: DockerInfo, *, needed: bool) -> Check:
    if info.answers:
        return Check(id=_ACCESS, status="ok", detail="you may use it")
    if not info.denied or info.endpoint is None:
        return Check(id=_ACCESS, status="not_needed", detail="no engine to be used")
    path = Path(info.endpoint.address.removeprefix("unix://"))
    try:
        group = path.stat().st_gid
    except OSError:
        group = -1
    name, members = group_of(machine, group)
    add = Cure(
        text="add yourself to the group (as root), then log in again; its members can become root",
        command=f"usermod -aG {name or 'docker'} $USER",
    )
    rootless = Cure(text="or use a rootless engine (https://docs.docker.com/engine/security/rootless/)")
    detail = f"{path} may be used by root and the group {name or group}, which you are not in"
    if user_name(machine) in members:
        detail = f"you are in the group {name} since your last login: this session does not know it yet"
        return broken(
            _ACCESS,
            detail,
            (Cure(text="log in again, or start a shell that knows it", command=f"newgrp {name}"),),
            needed=needed,
        )
    return broken(_ACCESS, detail, (add, rootless), needed=needed)


def _buildx(clients: "tuple[Client, ...]", info: DockerInfo) -> Check:
    if not clients:
        return Check(id=_BUILDX, status="not_needed", detail="there is no docker command")
    able = next((client for client in clients if client.buildkit), None)
    refused = [f"{client.program}: {client.reason}" for client in clients if not client.buildkit]
    if able is None:
        return Check(
            id=_BUILDX,
            status="warning" if info.answers else "not_needed",
            detail=f"no client can build with BuildKit ({'; '.join(refused)})",
            fix=(
                Cure(
                    text="install the plugin of Debian 13 and later (as root)",
                    command="apt-get install docker-buildx",
                ),
                Cure(
                    text="or, with Docker's own packages (as root)",
                    command="apt-get install docker-buildx-plugin",
                ),
            )
            if info.answers
            else (),
        )
    detail = f"{able.program} can"
    if refused:
        detail += f"; it is chosen although others come first on the path ({'; '.join(refused)})"
    return Check(id=_BUILDX, status="ok", detail=detail)


def _storage(info: DockerInfo) -> Check:
    store = "kept by containerd" if info.containerd_store else "kept by Docker's own store"
    detail = one_line(f"{info.storage or 'unknown'}, {store}")
    if not info.storage:
        return Check(id=_STORAGE, status="unknown", detail="the engine does not say")
    if info.storage not in _GOOD_STORAGE:
        return Check(
            id=_STORAGE,
            status="warning",
            detail=f"{detail}: slow, and takes much more room",
            fix=(
                Cure(
                    text='put its data on ext4 or xfs and set "storage-driver": "overlay2" in /etc/docker/daemon.json '
                    "(images have to be loaded again)",
                ),
            ),
        )
    return Check(id=_STORAGE, status="ok", detail=detail)


def _space(machine: Machine, info: DockerInfo) -> Check:
    local = info.endpoint is not None and info.endpoint.local
    if not local or not info.root.startswith("/"):
        return Check(id=_SPACE, status="unknown", detail="its data folder is not on this machine")
    folder = next(
        (p for p in (Path(info.root), *Path(info.root).parents) if machine.path(str(p)).exists()), Path("/")
    )
    try:
        found = os.statvfs(machine.path(str(folder)))
    except OSError as error:
        return Check(id=_SPACE, status="unknown", detail=f"{folder} cannot be asked: {error.strerror}")
    free = found.f_frsize * found.f_bavail
    detail = one_line(f"{size_text(free)} free at {info.root}")
    if free < _LITTLE_ROOM:
        return Check(
            id=_SPACE,
            status="warning",
            detail=f"{detail}: an image with CUDA and PyTorch may not fit",
            fix=(
                Cure(text="remove what nothing uses", command="docker system prune"),
                Cure(text='or move it: "data-root" in /etc/docker/daemon.json'),
            ),
        )
    return Check(id=_SPACE, status="ok", detail=detail)


def _limits(info: DockerInfo) -> Check:
    engine = "podman" if info.podman else "docker"
    known = data.quirks(engine, numbers(info.version)) if numbers(info.version) else ()
    serious = [quirk for quirk in known if quirk.level == "warning"]
    told = [quirk.text for quirk in known] + [one_line(text) for text in info.warnings]
    detail = "; ".join(told) or "nothing is known against this version"
    if serious:
        return Check(
            id=_LIMITS,
            status="warning",
            detail=detail,
            fix=tuple(Cure(text=quirk.cure) for quirk in serious if quirk.cure),
        )
    return Check(id=_LIMITS, status="ok", detail=detail)


def _proxy(machine: Machine, info: DockerInfo) -> Check:
    variables = machine.host.variables
    own = next((name for name in ("HTTPS_PROXY", "https_proxy") if variables.get(name)), "")
    if not own or info.proxy:
        return Check(
            id=_PROXY, status="ok", detail="has its own" if info.proxy else "none here and none there"
        )
    return Check(
        id=_PROXY,
        status="warning",
        detail=f"{own} is set here, and the engine knows no proxy: its pulls may fail",
        fix=(
            Cure(
                text='set "proxies": {"https-proxy": "…"} in /etc/docker/daemon.json (Docker 23 and later) or '
                "Environment=HTTPS_PROXY=… in its unit file, and restart it",
                command="systemctl restart docker",
            ),
        ),
    )
