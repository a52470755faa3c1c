"""Python environments of an image: an interpreter, the folders it imports from, and what is installed there.

Virtual environments as PEP 405 has them; Debian's ``dist-packages`` (https://wiki.debian.org/Python); folders of
PYTHONPATH.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Final

from msgspec import Struct

from layerwright.verify.python.dists import Dist, RecordRow, read_dists
from layerwright.verify.tree import Tree

__all__ = ["Environment", "find_environments"]

_SITE: Final = re.compile(
    r"(?P<prefix>.*?)/(?:lib|lib64)/python(?P<version>\d+(?:\.\d+)?)t?/(?:site|dist)-packages"
)


class Environment(Struct, frozen=True, kw_only=True, dict=True):
    """One environment.

    Attributes:
        prefix: ``/usr``, ``/opt/venv``.
        version: ``3.11``; empty when not known.
        full_version: ``3.11.2`` where the environment says so; empty else.
        interpreter: path of its program; empty when there is none.
        folders: that it imports from, first one first.
        dists: installed in them; of one name the one that is imported.
        shadowed: further distributions of the same names, in the same folder or behind.
        is_venv: it has a ``pyvenv.cfg``.
    """

    prefix: str
    version: str
    full_version: str
    interpreter: str
    folders: tuple[str, ...]
    dists: Mapping[str, Dist]
    shadowed: tuple[Dist, ...] = ()
    is_venv: bool = False

    @cached_property
    def owners(self) -> Mapping[str, Dist]:
        """Which distribution's RECORD lists a path; the first of several."""
        found: dict[str, Dist] = {}
        for dist in self.dists.values():
            for row in dist.rows():
                found.setdefault(row.path, dist)
        return found

    @cached_property
    def shared(self) -> Mapping[str, tuple[tuple[Dist, RecordRow], ...]]:
        """Paths that the RECORDs of several distributions list."""
        found: dict[str, list[tuple[Dist, RecordRow]]] = {}
        for dist in self.dists.values():
            for row in dist.rows():
                found.setdefault(row.path, []).append((dist, row))
        return {path: tuple(owners) for path, owners in found.items() if len(owners) > 1}


def find_environments(tree: Tree, env: Mapping[str, str]) -> tuple[Environment, ...]:
    """All environments that have a folder of packages, by prefix.

    Args:
        tree: the image.
        env: variables of its config, for PYTHONPATH.
    """
    sites: dict[tuple[str, str], list[str]] = {}
    for path, node in tree.walk():
        if node.children is not None and path.endswith(("/site-packages", "/dist-packages")):
            match = _SITE.fullmatch(path)
            if match is not None:
                sites.setdefault((match["prefix"], match["version"]), []).append(path)
    extra = tuple(part for part in env.get("PYTHONPATH", "").split(":") if part.startswith("/"))
    return tuple(
        _environment(tree, prefix, version, tuple(dict.fromkeys((*extra, *folders))), config)
        for prefix, version, folders, config in sorted(_grouped(tree, sites), key=lambda one: one[:2])
    )


def _environment(
    tree: Tree, prefix: str, version: str, folders: tuple[str, ...], config: Mapping[str, str]
) -> Environment:
    installed: dict[str, Dist] = {}
    shadowed: list[Dist] = []
    places = {
        id(node): (folder, node) for folder in reversed(folders) if (node := tree.find(folder)) is not None
    }
    kept = [
        folder for folder in folders if any(folder == known for known, _ in places.values())
    ]  # lib64 links to lib
    for dist in (
        one for folder in kept if (node := tree.find(folder)) is not None for one in read_dists(node)
    ):
        if dist.name in installed:
            shadowed.append(dist)
        else:
            installed[dist.name] = dist
    return Environment(
        prefix=prefix,
        version=version,
        full_version=config.get("version", ""),
        interpreter=_interpreter(tree, prefix, version),
        folders=tuple(kept),
        dists=installed,
        shadowed=tuple(shadowed),
        is_venv=bool(config),
    )


def _grouped(
    tree: Tree, sites: Mapping[tuple[str, str], list[str]]
) -> Iterator[tuple[str, str, list[str], Mapping[str, str]]]:
    """Prefix, version, folders and pyvenv.cfg of each environment."""
    system = _system_version(tree)
    versions: dict[tuple[str, str], list[str]] = {}
    for (prefix, version), folders in sites.items():
        # Debian's dist-packages are those of its own Python, below /usr and /usr/local.
        place = "/usr" if all(folder.endswith("/dist-packages") for folder in folders) else prefix
        full = system if version == "3" and system else version
        if "." not in full:
            continue
        known = versions.setdefault((place, full), [])
        known += sorted(folders, key=lambda folder: (not folder.startswith("/usr/local"), folder))
    for (prefix, version), folders in versions.items():
        config = _pyvenv(tree, prefix)
        if config.get("include-system-site-packages", "").lower() == "true":
            home = config.get("home", "").removesuffix("/bin")
            folders = [*folders, *versions.get((home, version), ())]  # noqa: PLW2901 - the venv's own come first
        ordered = (
            sorted(folders, key=lambda folder: not folder.startswith("/usr/local"))
            if prefix == "/usr"
            else folders
        )
        yield prefix, version, ordered, config


def _system_version(tree: Tree) -> str:
    """Version of ``/usr/bin/python3``, from the name it links to."""
    node = tree.find("/usr/bin/python3")
    match = re.fullmatch(r"python(3\.\d+)", node.name) if node is not None else None
    return match[1] if match else ""


def _interpreter(tree: Tree, prefix: str, version: str) -> str:
    for path in (f"{prefix}/bin/python{version}", f"{prefix}/bin/python3", f"/usr/bin/python{version}"):
        node = tree.find(path)
        if node is not None and node.entry.library is not None:
            return node.path
    return ""


def _pyvenv(tree: Tree, prefix: str) -> Mapping[str, str]:
    text = tree.text(f"{prefix}/pyvenv.cfg")
    return dict(_pairs((text or "").splitlines()))


def _pairs(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        key, equals, value = line.partition("=")
        if equals:
            yield key.strip().lower(), value.strip()
