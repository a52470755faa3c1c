"""A cell of the lock as ``pylock.toml`` (PEP 751), so that pip, uv and others install the same set."""

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from packaging.markers import Marker
from packaging.pylock import Package, PackageDirectory, PackageSdist, PackageVcs, PackageWheel, Pylock
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from layerwright.core.addresses import has_credential, mask_credentials
from layerwright.lock.model import LockedSource, LockedWheel
from layerwright.oci.platform import Platform

__all__ = ["pylock_text"]

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""OCI's names of architectures → ``platform_machine`` of PEP 508 on Linux."""


def pylock_text(
    packages: Iterable[LockedWheel | LockedSource],
    addresses: Mapping[str, str],
    *,
    python: str,
    platform: str,
    created_by: str = "layerwright",
) -> str:
    """The text of the file.

    Args:
        packages: everything that is installed, parents' packages too.
        addresses: where each wheel and sdist is to be had, by its sha256: an address without credentials, or a path
            relative to the file.
        python: ``3.11``.
        platform: ``linux/amd64``.
        created_by: who says so.

    Raises:
        ValueError: an address holds a credential. That is a bug of whoever gave it.
    """
    import tomli_w  # noqa: PLC0415 - start-up

    for address in addresses.values():
        if has_credential(address):
            raise ValueError(f"a credential was about to enter the file: {mask_credentials(address)}")
    machine = _MACHINES.get(Platform.parse(platform).architecture, Platform.parse(platform).architecture)
    lock = Pylock(
        lock_version=Version("1.0"),
        created_by=created_by,
        requires_python=SpecifierSet(f"=={python}.*"),
        environments=[Marker(f"sys_platform == 'linux' and platform_machine == '{machine}'")],
        packages=[_package(one, addresses) for one in sorted(packages, key=lambda one: one.name)],
    )
    lock.validate()
    return tomli_w.dumps(dict(lock.to_dict()))


def _package(package: LockedWheel | LockedSource, addresses: Mapping[str, str]) -> Package:
    name = canonicalize_name(package.name)
    version = Version(package.version) if package.version else None
    if isinstance(package, LockedWheel):
        url, path = _place(addresses[package.sha256])
        wheel = PackageWheel(
            name=package.file,
            url=url,
            path=path,
            size=package.size or None,
            hashes={"sha256": package.sha256},
        )
        return Package(name=name, version=version, wheels=[wheel])
    match package.kind:
        case "sdist":
            url, path = _place(addresses[package.sha256])
            sdist = PackageSdist(
                name=PurePosixPath(package.source).name,
                url=url,
                path=path,
                size=package.size or None,
                hashes={"sha256": package.sha256},
            )
            return Package(name=name, version=version, sdist=sdist)
        case "git":
            vcs = PackageVcs(
                type="git",
                url=mask_credentials(package.source),
                commit_id=package.commit,
                subdirectory=package.subdirectory or None,
            )
            return Package(name=name, version=version, vcs=vcs)
        case "path":
            return Package(name=name, version=version, directory=PackageDirectory(path=package.source))


def _place(address: str) -> tuple[str | None, str | None]:
    """The address as ``url``, or as ``path``."""
    return (address, None) if "://" in address else (None, address)
