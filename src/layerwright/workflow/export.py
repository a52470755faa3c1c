"""The lock of one image for other tools."""

from collections.abc import Iterable
from pathlib import Path

from layerwright.core.errors import UsageError
from layerwright.lock.model import LockedSource, LockedWheel
from layerwright.spec.model import Spec
from layerwright.workflow.plan import stale_cells, with_parents
from layerwright.workflow.session import Session, lock_path, read_locked, read_spec, select_cells

__all__ = ["export_pylock"]


def export_pylock(session: Session, image: str, *, folder: Path) -> str:
    """What an image installs, its parents' packages too, as ``pylock.toml`` (PEP 751).

    The lock names files by index and digest; where they are to be had is asked of the indexes.

    Args:
        session: the command's surroundings.
        image: an image or cell; empty when the spec has only one.
        folder: where the file will stand; its relative paths start there.

    Raises:
        UsageError: not exactly one cell is meant, it has no Python, or no lock fits it.
        NetworkError: an index cannot be asked, or does not list a file any more.
    """
    spec = read_spec(session)
    names = select_cells(spec, [image] if image else [])
    if len(names) != 1:
        raise UsageError(
            f"{image or 'the spec'} stands for {len(names)} images, and the file is for one",
            hint=f"name one of {', '.join(names)}",
        )
    chain = with_parents(spec, names)
    lock = read_locked(spec)
    stale = stale_cells(spec, lock, chain)
    if lock is None or stale:
        raise UsageError(
            f"{lock_path(spec).name} is {'missing' if lock is None else 'out of date for ' + ', '.join(stale)}",
            hint="run `layerwright lock`",
        )
    cell = spec.cells[names[0]]
    if not cell.python:
        raise UsageError(f"{cell.name} has no Python environment", where=cell.location)
    # A child states what it has beyond its parent, so the last word on a name is the child's.
    packages = {package.name: package for name in chain for package in lock.cells[name].packages}
    from layerwright.lock.pylock import pylock_text  # noqa: PLC0415 - start-up

    return pylock_text(
        [_beside(package, spec, folder) for package in packages.values()],
        _addresses(session, spec, packages.values(), folder),
        python=cell.python,
        platform=lock.cells[cell.name].platform,
    )


def _addresses(
    session: Session, spec: Spec, packages: Iterable[LockedWheel | LockedSource], folder: Path
) -> dict[str, str]:
    """Where files are to be had, by sha256."""
    from layerwright.core.addresses import split_userinfo  # noqa: PLC0415 - start-up
    from layerwright.host.http import HttpClient  # noqa: PLC0415 - start-up
    from layerwright.sources.choose import local_path  # noqa: PLC0415 - start-up
    from layerwright.sources.locate import Locator  # noqa: PLC0415 - start-up
    from layerwright.sources.parallel import in_parallel  # noqa: PLC0415 - start-up

    http = HttpClient(variables=session.host.variables, offline=session.offline)
    locator = Locator(http, session.host, spec.indexes, spec.root)

    def find(package: LockedWheel | LockedSource) -> tuple[str, str]:
        located = locator.find(
            title=f"{package.name} {package.version}",
            file=package.file if isinstance(package, LockedWheel) else package.source,
            sha256=package.sha256,
            index=package.index,
            package=package.name,
            url=package.url,
        )
        path = local_path(located.address, spec.root)
        return package.sha256, _relative(path, folder) if path else split_userinfo(located.address)[0]

    return dict(in_parallel(find, [package for package in packages if package.sha256]))


def _beside(package: LockedWheel | LockedSource, spec: Spec, folder: Path) -> LockedWheel | LockedSource:
    """A project in a folder, with its path as seen from where the file stands."""
    if isinstance(package, LockedSource) and package.kind == "path":
        from msgspec.structs import replace  # noqa: PLC0415 - start-up

        return replace(package, source=_relative(spec.root / package.source, folder))
    return package


def _relative(path: Path, folder: Path) -> str:
    import os.path  # noqa: PLC0415 - start-up

    return os.path.relpath(path, folder)
