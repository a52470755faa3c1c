"""A model that a task starts from: a package is looked into, and its chosen stage is unpacked (§2.3)."""

import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Final

from msgspec import Struct

from layerwright.core.errors import UsageError
from layerwright.ymir.package import DESCRIPTION, PackageInfo, read_description

__all__ = ["StartModel", "open_package", "unpack_model"]

_LARGEST_DESCRIPTION: Final = 1 << 24
_DAMAGED: Final = (tarfile.TarError, zlib.error, EOFError, OSError)


class StartModel(Struct, frozen=True, kw_only=True):
    """A model that a task starts from.

    Attributes:
        package: the file.
        stage: of it.
        info: its description.
    """

    package: Path
    stage: str
    info: PackageInfo


def open_package(package: Path, stage: str = "") -> StartModel:
    """Look into a model package.

    Args:
        package: the file; or a work folder, whose package it stands for.
        stage: empty for the best one.

    Raises:
        UsageError: it is none, or has no such stage.
    """
    if package.is_dir():
        found = sorted((package / "package").glob("*")) if (package / "package").is_dir() else []
        if not found:
            raise UsageError(
                f"{package} holds no model package",
                hint="name a package, or the work folder of a training",
            )
        package = found[0]
    if not package.is_file():
        raise UsageError(f"{package} does not exist", hint="`executor run --task training` makes packages")
    try:
        with tarfile.open(package, "r:gz") as archive:
            member = archive.extractfile(DESCRIPTION)
            if member is None:
                raise UsageError(f"{package} is no model package: {DESCRIPTION} is no file")
            info = read_description(member.read(_LARGEST_DESCRIPTION), str(package))
    except (*_DAMAGED, KeyError) as error:
        raise UsageError(
            f"{package} is no model package: {error}", hint="it is a gzip tar with ymir-info.yaml"
        ) from error
    chosen = stage or info.best
    if chosen not in info.stages:
        raise UsageError(
            f"the package has no stage {chosen!r}", hint=f"its stages are {', '.join(list(info.stages)[:10])}"
        )
    return StartModel(package=package.absolute(), stage=chosen, info=info)


def unpack_model(models: Path, model: StartModel) -> tuple[str, ...]:
    """Unpack the chosen stage and the attachments; returns the stage's files as the container sees them.

    Raises:
        UsageError: the package is damaged, or lacks a file of the stage.
    """
    models.mkdir()
    wanted = {f"{model.stage}/{name}" for name in model.info.stages[model.stage]}
    try:
        with tarfile.open(model.package, "r:gz") as archive:
            for member in archive:
                name = member.name
                if member.isfile() and (
                    name in wanted or name == DESCRIPTION or name.startswith("attachments/")
                ):
                    _unpack(archive, member, models)
    except (*_DAMAGED, ValueError) as error:
        raise UsageError(
            f"{model.package} cannot be unpacked: {error}", hint="train again, or choose another package"
        ) from error
    missing = sorted(name for name in wanted if not (models / name).is_file())
    if missing:
        raise UsageError(f"{model.package} lacks {missing[0]}, which its description names")
    return tuple(f"/in/models/{model.stage}/{name}" for name in model.info.stages[model.stage])


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write one regular file; by hand, since tarfile has its filters from Python 3.11.4 on, and Debian 12 has 3.11.2.

    Raises:
        ValueError: its name leads out of the folder.
    """
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts:
        raise ValueError(f"{member.name} leads out of the package")
    data = archive.extractfile(member)
    if data is None:
        return
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    with data, file.open("wb") as out:
        shutil.copyfileobj(data, out)
    file.chmod(0o755 if member.mode & 0o100 else 0o644)
