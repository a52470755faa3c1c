"""Device specifications (CDI) as an engine reads them: which devices of a kind there are, and what they are made of.

The format is https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

__all__ = ["CDI_FOLDERS", "CdiDevice", "CdiMount", "find_devices", "parse_devices"]

CDI_FOLDERS: Final = ("/etc/cdi", "/var/run/cdi")
"""Where engines look that are not told otherwise; a later folder's devices win."""

_LARGEST_FILE: Final = 4 << 20
_MOST_FILES: Final = 100


class CdiMount(msgspec.Struct, frozen=True):
    """A file or folder of the machine that the container sees."""

    hostPath: str = ""  # noqa: N815 - the format's name
    containerPath: str = ""  # noqa: N815 - the format's name


class _Node(msgspec.Struct, frozen=True):
    path: str = ""
    hostPath: str = ""  # noqa: N815 - the format's name


class _Edits(msgspec.Struct, frozen=True):
    env: tuple[str, ...] = ()
    deviceNodes: tuple[_Node, ...] = ()  # noqa: N815 - the format's name
    mounts: tuple[CdiMount, ...] = ()


class _Device(msgspec.Struct, frozen=True):
    name: str
    containerEdits: _Edits = _Edits()  # noqa: N815 - the format's name


class _Spec(msgspec.Struct, frozen=True):
    kind: str = ""
    devices: tuple[_Device, ...] = ()
    containerEdits: _Edits = _Edits()  # noqa: N815 - the format's name


class CdiDevice(msgspec.Struct, frozen=True, kw_only=True):
    """One device.

    Attributes:
        name: as the specification calls it: ``0``, ``all``, ``GPU-8f2a…``.
        file: the specification.
        nodes: its device nodes: path on the machine, path in the container.
        mounts: what else the container sees, that of all devices of the specification included.
        env: ``NAME=VALUE`` for the program, likewise.
    """

    name: str
    file: str
    nodes: tuple[tuple[str, str], ...] = ()
    mounts: tuple[CdiMount, ...] = ()
    env: tuple[str, ...] = ()


def find_devices(kind: str, folders: Iterable[str], *, root: Path = Path("/")) -> dict[str, CdiDevice]:
    """Devices of a kind by name; a file that cannot be read has none.

    Args:
        kind: such as ``nvidia.com/gpu``.
        folders: in the engine's order.
        root: of the machine.
    """
    found: dict[str, CdiDevice] = {}
    for folder in folders:
        for file in _files(root / folder.lstrip("/")):
            try:
                with file.open("rb") as stream:
                    data = stream.read(_LARGEST_FILE + 1)
            except OSError:
                continue
            found.update({device.name: device for device in parse_devices(data, kind, file=str(file))})
    return found


def _files(folder: Path) -> list[Path]:
    try:
        names = sorted(folder.iterdir())
    except OSError:
        return []
    return [path for path in names if path.suffix in {".json", ".yaml", ".yml"}][:_MOST_FILES]


def parse_devices(data: bytes, kind: str, *, file: str) -> tuple[CdiDevice, ...]:
    """Devices of one specification; none when it is of another kind, or none at all."""
    if len(data) > _LARGEST_FILE:
        return ()
    try:
        spec = _decode(data, file)
    except (msgspec.MsgspecError, RecursionError, ValueError, TypeError, AttributeError, OverflowError):
        # PyYAML lets out more than its own errors on nonsense, such as an unhashable key.
        return ()
    if spec.kind != kind:
        return ()
    return tuple(
        CdiDevice(
            name=device.name,
            file=file,
            nodes=tuple(_nodes(spec.containerEdits, device.containerEdits)),
            mounts=(*spec.containerEdits.mounts, *device.containerEdits.mounts),
            env=(*spec.containerEdits.env, *device.containerEdits.env),
        )
        for device in spec.devices
    )


def _decode(data: bytes, file: str) -> _Spec:
    if file.endswith(".json"):
        return msgspec.json.decode(data, type=_Spec)
    from msgspec import yaml  # noqa: PLC0415 - start-up

    return yaml.decode(data, type=_Spec)


def _nodes(*edits: _Edits) -> Iterator[tuple[str, str]]:
    for edit in edits:
        for node in edit.deviceNodes:
            yield node.hostPath or node.path, node.path
