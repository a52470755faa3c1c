"""What has to be fetched before nodes can be realised."""

from collections.abc import Iterable

from layerwright.backends.native.workshop import Workshop
from layerwright.core.source import Location
from layerwright.lock.model import LockedFile, LockedWheel
from layerwright.plan.steps import BuildWheel, FetchFile, InstallWheels, Node, RunCommand, WheelInput

__all__ = ["fetch_inputs", "needs_fetch"]


def needs_fetch(node: Node) -> bool:
    """Whether the node works on fetched wheels or files."""
    match node.step:
        case InstallWheels(part="files") | FetchFile() | BuildWheel():
            return True
        case RunCommand(files=files):
            return bool(files)
        case _:
            return False


def fetch_inputs(workshop: Workshop, nodes: Iterable[Node]) -> None:
    """Get every wheel and file that the nodes name and the store lacks, all in one go.

    Raises:
        IntegrityError: something has other bytes than it should; for a model with its place in the spec.
        NetworkError: something cannot be had; with ``--offline``, everything that is missing at once.
    """
    store = workshop.store
    wheels = list[LockedWheel]()
    files = list[LockedFile]()
    places = dict[str, Location]()
    for node in nodes:
        match node.step:
            case InstallWheels(part="files", wheels=inputs):
                wheels += [
                    _locked(wheel)
                    for wheel in inputs
                    if wheel.sha256 and not store.has("wheels", wheel.sha256)
                ]
            case FetchFile(url=url, sha256=sha256, to=to, location=location) if not store.has(
                "files", sha256
            ):
                files.append(LockedFile(url=url, sha256=sha256, size=0, to=to))
                if location is not None:
                    places[sha256] = location
            case RunCommand(files=mounted, location=location):
                for file in mounted:
                    if not store.has("files", file.sha256):
                        files.append(
                            LockedFile(url=file.url, sha256=file.sha256, size=file.size, to=file.name)
                        )
                        if location is not None:
                            places[file.sha256] = location
            case _:
                pass
    if wheels or files:
        workshop.fetcher().fetch(wheels=wheels, files=files, places=places)


def _locked(wheel: WheelInput) -> LockedWheel:
    return LockedWheel(
        name=wheel.name,
        version=wheel.version,
        file=wheel.file,
        sha256=wheel.sha256,
        size=wheel.size,
        index=wheel.index,
        url=wheel.url,
        requested=wheel.requested,
    )
