"""Packages of the spec → lines that uv reads, and back from what uv says to the package it stands for."""

import configparser
import re
from pathlib import Path
from typing import Final
from urllib.parse import quote

from layerwright.core.addresses import scp_as_url
from layerwright.core.errors import ResolveError
from layerwright.spec.model import GitPackage, IndexPackage, Package, PathPackage, UrlPackage
from layerwright.spec.requirement import normalize_name, requirement_name

__all__ = ["git_address", "package_name", "plain_git", "project_name", "requirement_line", "url_address"]

_SDIST: Final = re.compile(r"(?P<name>.+)-[^-]+?\.(?:tar\.gz|zip|tar\.bz2|tgz|tar\.xz)")
_METADATA_LIMIT: Final = 4 << 20
# braces are encoded too: uv replaces ${NAME} in requirement files by variables, which may hold credentials
_SAFE: Final = "%/:?#[]@!$&'()*+,;=~-._"


def url_address(package: UrlPackage) -> str:
    """The address as uv gets it, without a fragment."""
    return quote(package.url.partition("#")[0], safe=_SAFE)


def git_address(package: GitPackage, root: Path) -> str:
    """The repository as a URL: ``git@host:path`` becomes ssh, a folder becomes ``file``."""
    text = package.git.removeprefix("git+")
    if "://" in text:
        return quote(text, safe=_SAFE)
    remote = scp_as_url(text)
    if remote and not (root / text).exists():
        return quote(remote, safe=_SAFE)
    return (root / Path(text).expanduser()).resolve().as_uri()


def plain_git(address: str) -> str:
    """A repository's address for comparison: without ``git+``, ``.git`` and a slash at its end."""
    return address.removeprefix("git+").rstrip("/").removesuffix(".git")


def package_name(package: Package, root: Path) -> str:
    """Normalized name of a package, when it can be told without building or downloading anything; else empty."""
    match package:
        case IndexPackage():
            return requirement_name(package.requirement)
        case PathPackage():
            path = root / package.path
            return project_name(path) if path.is_dir() else _name_of_file(path.name)
        case UrlPackage():
            return _name_of_file(package.url.partition("#")[0].partition("?")[0].rpartition("/")[2])
        case GitPackage():
            return ""


def requirement_line(package: Package, root: Path, *, name: str = "") -> str:
    """The package as a line of a requirements file.

    Args:
        package: what the spec says.
        root: folder that relative paths start from.
        name: its name, when an earlier resolution told it; extras need one.

    Raises:
        ResolveError: a file or folder is not there.
    """
    name = name or package_name(package, root)
    match package:
        case IndexPackage():
            return package.requirement
        case PathPackage():
            path = (root / package.path).resolve()
            if not path.exists():
                raise ResolveError(f"there is no file or folder {package.path!r}", where=package.location)
            return _named(name, package.extras, quote(path.as_uri(), safe=_SAFE))
        case GitPackage():
            fragment = f"#subdirectory={quote(package.subdirectory)}" if package.subdirectory else ""
            address = f"git+{git_address(package, root)}@{quote(package.rev, safe=_SAFE)}{fragment}"
            return _named(name, package.extras, address)
        case UrlPackage():
            return _named(name, (), f"{url_address(package)}#sha256={package.sha256}")


def _named(name: str, extras: tuple[str, ...], address: str) -> str:
    if not name:
        return address
    wanted = f"[{','.join(extras)}]" if extras else ""
    return f"{name}{wanted} @ {address}"


def _name_of_file(file: str) -> str:
    if file.endswith(".whl"):
        return normalize_name(file.partition("-")[0])
    match = _SDIST.fullmatch(file)
    return normalize_name(match["name"]) if match else ""


def project_name(folder: Path) -> str:
    """Normalized name that a project folder states in pyproject.toml or setup.cfg; empty when it does not."""
    table = _toml(folder / "pyproject.toml")
    project = table.get("project")
    if isinstance(project, dict) and isinstance(project.get("name"), str):
        return normalize_name(project["name"])
    parser = configparser.RawConfigParser()
    try:
        parser.read_string((folder / "setup.cfg").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return ""
    stated = parser.get("metadata", "name", fallback="").strip()
    return normalize_name(stated) if re.fullmatch(r"[A-Za-z0-9._-]+", stated) else ""


def _toml(path: Path) -> dict[str, object]:
    import tomli  # noqa: PLC0415  # start-up

    try:
        if path.stat().st_size > _METADATA_LIMIT:
            return {}
        return tomli.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomli.TOMLDecodeError):
        # uv reads the file too and words its faults better
        return {}
