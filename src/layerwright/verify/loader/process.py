"""One process: what it maps, what it does not find, and versions of symbols that are not there."""

from collections import deque
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from layerwright.facts.model import Library
from layerwright.verify.loader.search import Loaded, Place, Search

__all__ = ["Absent", "Process", "Unversioned"]

_LOADER_NAMES: Final = frozenset({"linux-vdso.so.1"})

Fallback = Callable[[str, Loaded], Place | None]
"""Gives a library that some Python package has opened before, where the loader finds none."""


class Absent(Struct, frozen=True, kw_only=True):
    """A library that was not found.

    Attributes:
        name: as it is needed.
        user: path of the file that needs it.
    """

    name: str
    user: str


class Unversioned(Struct, frozen=True, kw_only=True):
    """A library that is there but too old: it defines less than is asked of it.

    Attributes:
        name: as it is needed.
        user: path of the file that needs it.
        provider: path of the library.
        versions: symbol versions that it does not define.
        newest: greatest symbol version of the same kind that it does define; empty when it has none.
    """

    name: str
    user: str
    provider: str
    versions: tuple[str, ...]
    newest: str = ""


class Process:
    """What is mapped, in the order of mapping.

    Attributes:
        objects: what is mapped.
        absent: names that were not found.
        unversioned: libraries that are too old.
    """

    def __init__(self, search: Search, fallback: Fallback | None = None) -> None:
        self._search = search
        self._fallback = fallback
        self._names: dict[str, Loaded] = {}
        self._identities: dict[int, Loaded] = {}
        self.objects: list[Loaded] = []
        self.absent: list[Absent] = []
        self.unversioned: list[Unversioned] = []
        self.edges: list[tuple[Loaded, str, Loaded | None]] = []

    def copy(self, fallback: Fallback | None = None) -> "Process":
        """A process with the same things mapped and nothing yet found wanting."""
        other = Process(self._search, fallback or self._fallback)
        other._names = dict(self._names)
        other._identities = dict(self._identities)
        other.objects = list(self.objects)
        return other

    def has(self, name: str) -> bool:
        """Whether a library of this name is mapped."""
        return name in self._names

    def start(self, library: Library, path: str, *, secure: bool = False) -> None:
        """Map a program, what LD_PRELOAD names, and all that they need."""
        program = Loaded(library, path, secure=secure)
        queue = deque([program])
        self._add(program, path)
        if not secure:
            for name in self._search.system.preload:
                found = self._search.find(name, program, program)
                if found is not None:  # the loader says that it cannot be preloaded, and goes on
                    self._map(found, name, program, queue)
        self._fill(queue)

    def open(self, library: Library, path: str) -> None:
        """Map a library as ``dlopen`` does when the program calls it."""
        known = self._identities.get(id(library))
        if known is not None:
            return
        opened = Loaded(library, path, above=self.objects[0] if self.objects else None, how="opened")
        self._add(opened, path)
        self._fill(deque([opened]))

    def _add(self, loaded: Loaded, name: str) -> None:
        self.objects.append(loaded)
        self._identities[id(loaded.library)] = loaded
        self._names.setdefault(name, loaded)
        if loaded.library.soname:
            self._names.setdefault(loaded.library.soname, loaded)

    def _map(self, found: Place, name: str, user: Loaded, queue: deque[Loaded]) -> Loaded:
        same = self._identities.get(id(found.library))
        if same is not None:
            self._names.setdefault(name, same)
            return same
        loaded = Loaded(found.library, found.path, above=user, how=found.how)
        self._add(loaded, name)
        queue.append(loaded)
        return loaded

    def _fill(self, queue: deque[Loaded]) -> None:
        """Map what is needed, breadth first as the loader does, then compare symbol versions."""
        program = self.objects[0] if self.objects and self.objects[0].above is None else None
        fresh: list[Loaded] = []
        while queue:
            user = queue.popleft()
            fresh.append(user)
            for name in user.library.needed:
                if name in _LOADER_NAMES:
                    continue
                provider = self._names.get(name)
                if provider is None:
                    found = self._search.find(name, user, program)
                    if found is None and self._fallback is not None:
                        found = self._fallback(name, user)
                    if found is None:
                        self.absent.append(Absent(name=name, user=user.real))
                    else:
                        provider = self._map(found, name, user, queue)
                self.edges.append((user, name, provider))
        for user in fresh:
            self._compare_versions(user)

    def _compare_versions(self, user: Loaded) -> None:
        """As ``elf/dl-version.c``: a provider without any version is only warned of at run time."""
        for name, versions in user.library.versions_needed.items():
            provider = self._names.get(name)
            if provider is None or not provider.library.versions_defined:
                continue
            there = provider.library.versions_defined
            lacking = tuple(version for version in versions if version not in there)
            if lacking:
                self.unversioned.append(
                    Unversioned(
                        name=name,
                        user=user.real,
                        provider=provider.real,
                        versions=lacking,
                        newest=_newest(lacking[0], there),
                    )
                )


def _newest(version: str, defined: tuple[str, ...]) -> str:
    """The greatest defined version that differs from the wanted one in numbers only."""
    import re  # noqa: PLC0415 - start-up

    def stem(text: str) -> str:
        return re.sub(r"\d+", "0", text).split("0")[0]

    def numbers(text: str) -> list[int]:
        return [int(part) for part in re.findall(r"\d+", text)]

    same = [text for text in defined if stem(text) == stem(version)]
    return max(same, key=numbers, default="")
