"""Every program and Python extension module of an image, loaded as the loader would, and what was not there.

Python packages open libraries themselves before others need them. A library that the loader does not find, but that
the same distribution, or one that it requires, brings, counts as opened by that one: torch opens those of the
``nvidia-*`` wheels (``torch/__init__.py``, ``_preload_cuda_deps``), ONNX Runtime when ``preload_dlls()`` is called
(``onnxruntime/__init__.py``), many others their own.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final, Literal

from msgspec import Struct

from layerwright.facts.model import Library
from layerwright.rules.native import is_driver, is_extension
from layerwright.verify.loader.process import Absent, Process, Unversioned
from layerwright.verify.loader.search import Loaded, Place, Search
from layerwright.verify.loader.system import LoaderSystem
from layerwright.verify.python.dists import Dist
from layerwright.verify.python.environments import Environment
from layerwright.verify.tree import Tree

__all__ = ["DEFAULT_PATH", "Closure", "Edge", "Problem", "Root", "close_over"]

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What engines give a container whose image sets no PATH (moby ``oci/defaults.go``)."""

_CYTHON: Final = re.compile(r"\.(?:cpython|pypy)-(\d)(\d+)t?[-.]")

RootKind = Literal["program", "extension", "library"]


class Root(Struct, frozen=True, kw_only=True):
    """What a process begins with, or opens.

    Attributes:
        path: of the file.
        kind: ``program`` on PATH; ``extension`` module of an installed distribution; any other ``library``.
        dist: of the extension or library.
    """

    path: str
    kind: RootKind
    dist: Dist | None = None


class Edge(Struct, frozen=True, kw_only=True, gc=False):
    """One file needs a library.

    Attributes:
        user: path of the file that needs it.
        name: as it is needed.
        provider: path of the library; empty when it was not found.
        how: the rule by which it was found.
    """

    user: str
    name: str
    provider: str = ""
    how: str = ""


class Problem(Struct, frozen=True, kw_only=True):
    """Something wrong with what a file needs, with one root that it matters to: the most important one.

    Attributes:
        cause: what is wrong.
        root: a program or module that does not start because of it.
        roots: how many there are of that kind.
    """

    cause: Absent | Unversioned
    root: Root
    roots: int = 1


class Closure(Struct, frozen=True, kw_only=True):
    """What the loader will do.

    Attributes:
        system: what it goes by.
        search: finds further libraries by the same rules.
        libraries: ELF files by path, of the image's machine.
        problems: by file and name.
        edges: who needs what, and where it is found.
        reached: files that a program or extension module loads.
        fallbacks: names that only count as found because a distribution opens them, by the file that needs them.
        driver: names that come with the machine's driver, with the files that need them.
    """

    system: LoaderSystem
    search: Search
    libraries: Mapping[str, Library]
    problems: tuple[Problem, ...]
    edges: tuple[Edge, ...]
    reached: frozenset[str]
    fallbacks: Mapping[tuple[str, str], Dist]
    driver: Mapping[str, tuple[str, ...]]


def close_over(
    tree: Tree, system: LoaderSystem, environments: Sequence[Environment], *, path: str = DEFAULT_PATH
) -> Closure:
    """Load everything.

    Args:
        tree: the image.
        system: what its loader goes by.
        environments: its Pythons.
        path: PATH of its config.
    """
    closer = _Closer(tree, system, environments)
    if system.libc == "glibc":
        closer.programs(path)
        for environment in environments:
            closer.extensions(environment)
        closer.others()
    return closer.result()


class _Closer:
    def __init__(self, tree: Tree, system: LoaderSystem, environments: Sequence[Environment]) -> None:
        self._tree = tree
        self._system = system
        self._search = Search(tree, system)
        self._environments = environments
        self._libraries: dict[str, Library] = {}
        self._modes: dict[str, int] = {}
        for where, node in tree.walk():
            library = node.entry.library
            if library is not None and library.machine == system.machine:
                self._libraries[where] = library
                self._modes[where] = node.entry.mode
        self._problems: dict[tuple[str, str], Problem] = {}
        self._edges: dict[tuple[str, str], Edge] = {}
        self._reached: set[str] = set()
        self._seen: set[int] = set()
        self._fallbacks: dict[tuple[str, str], Dist] = {}
        self._driver: dict[str, set[str]] = {}

    def result(self) -> Closure:
        """All that was found."""
        return Closure(
            system=self._system,
            search=self._search,
            libraries=self._libraries,
            problems=tuple(self._problems.values()),
            edges=tuple(self._edges.values()),
            reached=frozenset(self._reached),
            fallbacks=self._fallbacks,
            driver={name: tuple(sorted(users)) for name, users in sorted(self._driver.items())},
        )

    def programs(self, path: str) -> None:
        """Start every program on PATH."""
        seen: set[int] = set()
        for folder in path.split(":"):
            node = self._tree.find(folder) if folder else None
            for name in sorted(node.children or {}) if node is not None else ():
                file = self._tree.find(f"{folder}/{name}")
                if file is None or file.entry.library is None or not file.entry.mode & 0o111:
                    continue
                library = file.entry.library
                if id(library) in seen or library.machine != self._system.machine:
                    continue
                seen.add(id(library))
                process = Process(self._search)
                process.start(library, file.path, secure=bool(file.entry.mode & 0o6000))
                self._collect(process, 0, Root(path=file.path, kind="program"))

    def extensions(self, environment: Environment) -> None:
        """Import every extension module of an environment."""
        owners = _Owners(environment, self._libraries)
        base = self._interpreter(environment)
        for where, library in self._libraries.items():
            dist = owners.of(where)
            if dist is None or not is_extension(where) or not _is_for(where, environment.version):
                continue
            process = base.copy(partial(self._opened_by, owners))
            before = len(process.objects)
            process.open(library, where)
            self._collect(process, before, Root(path=where, kind="extension", dist=dist))

    def others(self) -> None:
        """Open what nothing has loaded yet."""
        for environment in (*self._environments, None):
            owners = _Owners(environment, self._libraries) if environment is not None else None
            base = self._interpreter(environment) if environment is not None else Process(self._search)
            for where, library in self._libraries.items():
                dist = owners.of(where) if owners is not None else None
                if id(library) in self._seen or (owners is not None and dist is None):
                    continue
                process = base.copy(partial(self._opened_by, owners) if owners is not None else None)
                before = len(process.objects)
                process.open(library, where)
                self._collect(process, before, Root(path=where, kind="library", dist=dist))

    def _interpreter(self, environment: Environment) -> Process:
        """A process with the environment's Python."""
        process = Process(self._search)
        library = self._libraries.get(environment.interpreter)
        if library is not None:
            process.start(library, environment.interpreter)
            self._collect(process, 0, Root(path=environment.interpreter, kind="program"))
        return process

    def _opened_by(self, owners: "_Owners", name: str, user: Loaded) -> Place | None:
        """A library that the same distribution brings, or one that it requires."""
        if is_driver(name):
            return None
        found = owners.bring(name, user.real)
        if found is None:
            return None
        dist, where = found
        self._fallbacks[user.real, name] = dist
        return Place(library=self._libraries[where], path=where, how=f"opened by {dist.name}")

    def _collect(self, process: Process, before: int, root: Root) -> None:
        """Keep what a process has shown."""
        for loaded in process.objects[before:]:
            self._seen.add(id(loaded.library))
            if root.kind != "library":
                self._reached.add(loaded.real)
        for user, name, provider in process.edges:
            if (user.real, name) not in self._edges or provider is not None:
                self._edges[user.real, name] = Edge(
                    user=user.real,
                    name=name,
                    provider=provider.real if provider is not None else "",
                    how=provider.how if provider is not None else "",
                )
        found: list[Absent | Unversioned] = [*process.absent, *process.unversioned]
        for cause in found:
            if isinstance(cause, Absent) and is_driver(cause.name):
                self._driver.setdefault(cause.name, set()).add(cause.user)
                continue
            known = self._problems.get((cause.user, cause.name))
            if known is None:
                self._problems[cause.user, cause.name] = Problem(cause=cause, root=root)
            elif known.root.kind == root.kind and known.root.path != root.path:
                self._problems[cause.user, cause.name] = Problem(
                    cause=known.cause, root=known.root, roots=known.roots + 1
                )


class _Owners:
    """Which distribution of an environment a library belongs to, and which libraries each brings."""

    def __init__(self, environment: Environment, libraries: Mapping[str, Library]) -> None:
        self._environment = environment
        self._of: dict[str, Dist] = {}
        self._names: dict[str, list[tuple[Dist, str]]] = {}
        folders = tuple(f"{folder}/" for folder in environment.folders)
        for where, library in libraries.items():
            if not where.startswith(folders):
                dist = environment.owners.get(where) if "/bin/" in where or "/lib/" in where else None
            else:
                dist = environment.owners.get(where)
            if dist is None:
                continue
            self._of[where] = dist
            for name in {where.rpartition("/")[2], library.soname} - {""}:
                self._names.setdefault(name, []).append((dist, where))
        self._required: dict[str, frozenset[str]] = {}

    def of(self, path: str) -> Dist | None:
        """The distribution that a file belongs to."""
        return self._of.get(path)

    def bring(self, name: str, user: str) -> tuple[Dist, str] | None:
        """The distribution that has a library, when the user's is that one or requires it, and where it is."""
        dist = self._of.get(user)
        if dist is None:
            return None
        candidates = self._names.get(name, ())
        for found in candidates:
            if found[0].name == dist.name:
                return found
        required = self._requires(dist.name)
        return next((found for found in candidates if found[0].name in required), None)

    def _requires(self, name: str) -> frozenset[str]:
        """All that a distribution requires, and what those require, extras too."""
        if name not in self._required:
            found: set[str] = set()
            todo = [name]
            while todo:
                dist = self._environment.dists.get(todo.pop())
                for line in dist.requires if dist is not None else ():
                    other = _requirement_name(line)
                    if other and other not in found:
                        found.add(other)
                        todo.append(other)
            self._required[name] = frozenset(found)
        return self._required[name]

    def paths(self) -> Iterator[tuple[str, Dist]]:
        """Every library that a distribution brings."""
        yield from self._of.items()


def _requirement_name(line: str) -> str:
    match = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", line)
    return re.sub(r"[-_.]+", "-", match[1]).lower() if match else ""


def _is_for(path: str, version: str) -> bool:
    """Whether a Python of this version imports the module: its name may state another."""
    match = _CYTHON.search(path.rpartition("/")[2])
    return match is None or not version or f"{match[1]}.{match[2]}" == version
