"""What a Docker engine says of itself, reduced to what the checks look at.

Asked over its HTTP API, ``GET /version`` and ``GET /info`` (https://docs.docker.com/reference/api/engine/); every field
may be missing, and podman answers the same questions on its own socket.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from layerwright.core.errors import EngineError
from layerwright.doctor.foreign import as_mapping
from layerwright.engines.connection import Answer, Connection, Transport
from layerwright.engines.endpoint import Endpoint, find_endpoint
from layerwright.host.environment import HostEnvironment

__all__ = ["DockerInfo", "ask_docker", "read_docker"]

_SILENCE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerInfo:
    """An engine.

    Attributes:
        endpoint: where it listens, or should.
        answers: it answered.
        error: why not, in words; empty when it did.
        denied: it is there, and the caller may not talk to it.
        podman: podman answers in its place.
        version, api, api_least: ``28.5.2``, ``1.51``, ``1.24``.
        platform: ``linux/amd64``.
        storage: graph driver or snapshotter.
        containerd_store: images are kept by containerd.
        rootless: it runs as an ordinary user.
        remapped: container ids are mapped (``userns-remap``).
        cgroup_version: ``1`` or ``2``.
        runtimes: names of its OCI runtimes.
        default_runtime: the one that is used when nothing is said.
        root: folder of its data.
        proxy: it has a proxy of its own.
        cdi_folders: where it looks for device specifications; empty when it knows none.
        devices: ``kind=name`` of the devices it has found there (28.3 and later say so).
        warnings: its own.
    """

    endpoint: Endpoint | None = None
    answers: bool = False
    error: str = ""
    denied: bool = False
    podman: bool = False
    version: str = ""
    api: str = ""
    api_least: str = ""
    platform: str = ""
    storage: str = ""
    containerd_store: bool = False
    rootless: bool = False
    remapped: bool = False
    cgroup_version: str = ""
    runtimes: tuple[str, ...] = ()
    default_runtime: str = ""
    root: str = ""
    proxy: bool = False
    cdi_folders: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())


def ask_docker(host: HostEnvironment) -> DockerInfo:
    """Ask the engine that Docker's own client would use."""
    try:
        endpoint = find_endpoint(host)
    except EngineError as error:
        return DockerInfo(error=error.what)
    return read_docker(Connection(endpoint, silence=_SILENCE_SECONDS), endpoint)


def read_docker(transport: Transport, endpoint: Endpoint) -> DockerInfo:
    """Ask one engine."""
    try:
        version = _object(transport.request("GET", "/version"))
        info = _object(transport.request("GET", "/info"))
    except EngineError as error:
        denied = isinstance(error.__cause__, PermissionError)
        return DockerInfo(endpoint=endpoint, error=error.what, denied=denied)
    if not _text(version.get("Version")):
        return DockerInfo(endpoint=endpoint, error=f"what answers at {endpoint.address} is no Docker engine")
    status = _pairs(info.get("DriverStatus"))
    security = _texts(info.get("SecurityOptions"))
    components = [as_mapping(row).get("Name", "") for row in _rows(version.get("Components"))]
    system, architecture = _text(version.get("Os")), _text(version.get("Arch"))
    return DockerInfo(
        endpoint=endpoint,
        answers=True,
        podman="Podman Engine" in components,
        version=_text(version.get("Version")),
        api=_text(version.get("ApiVersion")),
        api_least=_text(version.get("MinAPIVersion")),
        platform=f"{system}/{architecture}" if system and architecture else "",
        storage=_text(info.get("Driver")),
        containerd_store="containerd.snapshotter" in status.get("driver-type", ""),
        rootless=any(option.startswith("name=rootless") for option in security),
        remapped=any(option.startswith("name=userns") for option in security),
        cgroup_version=_text(info.get("CgroupVersion")),
        runtimes=tuple(sorted(as_mapping(info.get("Runtimes")))),
        default_runtime=_text(info.get("DefaultRuntime")),
        root=_text(info.get("DockerRootDir")),
        proxy=bool(_text(info.get("HttpsProxy")) or _text(info.get("HttpProxy"))),
        cdi_folders=_texts(info.get("CDISpecDirs")),
        devices=tuple(_text(as_mapping(row).get("ID")) for row in _rows(info.get("DiscoveredDevices"))),
        warnings=_texts(info.get("Warnings")),
    )


def _object(answer: Answer) -> Mapping[str, Any]:
    """The JSON object of an answer; an empty one when it is something else."""
    try:
        return as_mapping(json.loads(answer.body))
    except (ValueError, RecursionError):
        return {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _rows(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in _rows(value) if isinstance(item, str))


def _pairs(value: object) -> dict[str, str]:
    """``DriverStatus``: a list of pairs."""
    return {
        row[0]: row[1]
        for row in _rows(value)
        if isinstance(row, list) and len(row) == 2 and all(isinstance(item, str) for item in row)  # noqa: PLR2004 - a pair
    }
