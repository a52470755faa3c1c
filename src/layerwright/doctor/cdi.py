"""Device specifications (CDI): read, and compared with the driver that is there.

The format is https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md; engines read ``/etc/cdi`` and
``/var/run/cdi``, the later folder first.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

import msgspec

from layerwright.doctor.foreign import one_line
from layerwright.doctor.machine import Machine, read_bytes

__all__ = ["FOLDERS", "CdiFile", "parse_cdi", "read_cdi"]

FOLDERS: Final = ("/etc/cdi", "/var/run/cdi")
_LARGEST_FILE: Final = 1 << 20
_MOST_FILES: Final = 50
_DRIVER_LIBRARY: Final = re.compile(r"\.so\.(\d{3,4}\.\d{1,3}(?:\.\d{1,3})?)$")


class _Path(msgspec.Struct, frozen=True):
    path: str = ""
    hostPath: str = ""  # noqa: N815 - the format's name


class _Edits(msgspec.Struct, frozen=True):
    deviceNodes: tuple[_Path, ...] = ()  # noqa: N815 - the format's name
    mounts: tuple[_Path, ...] = ()
    hooks: tuple[_Path, ...] = ()


class _Device(msgspec.Struct, frozen=True):
    name: str
    containerEdits: _Edits = _Edits()  # noqa: N815 - the format's name


class _Spec(msgspec.Struct, frozen=True):
    cdiVersion: str  # noqa: N815 - the format's name
    kind: str
    devices: tuple[_Device, ...] = ()
    containerEdits: _Edits = _Edits()  # noqa: N815 - the format's name


class CdiFile(msgspec.Struct, frozen=True, kw_only=True):
    """One specification.

    Attributes:
        file: its path.
        error: why it cannot be read; empty when it can.
        version: of the format.
        kind: ``nvidia.com/gpu``.
        devices: names of its devices.
        drivers: driver versions that its libraries carry in their names, sorted.
        host_paths: files and devices of the machine that it hands in, sorted.
    """

    file: str
    error: str = ""
    version: str = ""
    kind: str = ""
    devices: tuple[str, ...] = ()
    drivers: tuple[str, ...] = ()
    host_paths: tuple[str, ...] = ()


def read_cdi(machine: Machine) -> tuple[CdiFile, ...]:
    """Every specification of this machine, in the order of the folders."""
    found = []
    for folder in FOLDERS:
        for name in machine.names(folder)[:_MOST_FILES]:
            if PurePosixPath(name).suffix in {".json", ".yaml", ".yml"}:
                file = f"{folder}/{name}"
                found.append(parse_cdi(read_bytes(machine.path(file), limit=_LARGEST_FILE + 1), file=file))
    return tuple(found)


def parse_cdi(data: bytes, *, file: str) -> CdiFile:
    """Read one specification, JSON or YAML by its name; what cannot be read is said in ``error``."""
    if len(data) > _LARGEST_FILE:
        return CdiFile(file=file, error=f"it is larger than {_LARGEST_FILE} bytes")
    if not data.strip():
        return CdiFile(file=file, error="it is empty, or may not be read by you")
    try:
        spec = _decode(data, file)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        return CdiFile(file=file, error=one_line(str(error)) or type(error).__name__)
    paths = sorted({path for edits in _edits(spec) for path in _host_paths(edits)})
    drivers = {match[1] for path in paths if (match := _DRIVER_LIBRARY.search(path))}
    return CdiFile(
        file=file,
        version=one_line(spec.cdiVersion),
        kind=one_line(spec.kind),
        devices=tuple(one_line(device.name) for device in spec.devices),
        drivers=tuple(sorted(drivers)),
        host_paths=tuple(paths),
    )


def _decode(data: bytes, file: str) -> _Spec:
    if file.endswith(".json"):
        return msgspec.json.decode(data, type=_Spec)
    from msgspec import yaml  # noqa: PLC0415 - start-up

    try:
        return yaml.decode(data, type=_Spec)
    except (TypeError, AttributeError, OverflowError) as error:
        # PyYAML lets out more than its own errors on nonsense, such as an unhashable key.
        raise ValueError(str(error)) from error


def _edits(spec: _Spec) -> Iterator[_Edits]:
    yield spec.containerEdits
    for device in spec.devices:
        yield device.containerEdits


def _host_paths(edits: _Edits) -> Iterator[str]:
    for node in edits.deviceNodes:
        yield node.hostPath or node.path
    for mount in edits.mounts:
        yield mount.hostPath
    for hook in edits.hooks:
        yield hook.path
