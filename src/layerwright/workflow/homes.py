"""Folders of the caller's own that outlive a run: kept homes, and what a detached container needs."""

from pathlib import Path
from typing import TYPE_CHECKING

from layerwright.core.errors import UsageError
from layerwright.host.environment import HostEnvironment

if TYPE_CHECKING:
    from layerwright.workflow.start import Start

__all__ = ["container_folder", "home_name", "kept_home"]


def _data(host: HostEnvironment) -> Path:
    """Folder for what is not to be lost (XDG base directory specification)."""
    named = host.variables.get("XDG_DATA_HOME", "")
    base = Path(named) if named.startswith("/") else host.home / ".local" / "share"
    return base / "layerwright"


def home_name(reference: str, cell: str) -> str:
    """Place of an image's home below ``homes``: the image's name without its tag, then the cell."""
    return f"{reference.rpartition(':')[0].replace('/', '_').replace(':', '_')}/{cell}"


def kept_home(host: HostEnvironment, start: "Start", keep: bool | str) -> Path | None:
    """The folder that is HOME, made when it is not there; None when none is kept.

    Raises:
        UsageError: it cannot be made, or not be written.
    """
    if keep is False or keep == "":
        return None
    if keep is True:
        home = _data(host) / "homes" / home_name(start.references[0], start.cell)
    else:
        home = (Path(start.root) / Path(keep).expanduser()).resolve()
    return _made(home, "`keep_home`")


def container_folder(host: HostEnvironment, name: str) -> Path:
    """Folder of a detached container's files, made when it is not there."""
    return _made(_data(host) / "containers" / name, "a detached container")


def _made(folder: Path, what: str) -> Path:
    import os  # noqa: PLC0415 - start-up

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be made for {what}: {error.strerror}",
            hint="name a folder that you may write to, or set XDG_DATA_HOME",
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(
            f"you may not write to {folder}, which is to be HOME in the container",
            hint="name a folder of your own in `keep_home`",
        )
    return folder
