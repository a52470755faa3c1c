"""Where glibc's loader looks for a library (``elf/dl-load.c``, ``_dl_map_object``; ld.so(8)).

In order: what is loaded already; DT_RPATH of the library that needs it and of those that loaded that one, up to the
program, unless the needing library has a DT_RUNPATH; LD_LIBRARY_PATH; DT_RUNPATH of the needing library alone;
``ld.so.cache``; the loader's own folders. A DT_RPATH beside a DT_RUNPATH counts for nothing. A file for another machine
is passed over.
"""

import re
from typing import Final

from msgspec import Struct

from layerwright.facts.model import Library
from layerwright.verify.loader.system import LoaderSystem
from layerwright.verify.tree import Node, Tree

__all__ = ["Loaded", "Place", "Search"]

_TOKEN: Final = re.compile(r"\$(?:(ORIGIN|LIB|PLATFORM)(?![A-Za-z0-9_])|\{(ORIGIN|LIB|PLATFORM)\})")


class Loaded:
    """A file that is mapped into a process.

    Attributes:
        library: what it says.
        path: as it was opened, which is what ``$ORIGIN`` goes by; links in it are not followed.
        real: its own path, for people.
        above: what caused it to be loaded; None for the program.
        secure: a program with set-uid or set-gid: variables count for nothing.
        how: by which rule it was found.
    """

    __slots__ = ("above", "how", "library", "path", "real", "secure")

    def __init__(
        self,
        library: Library,
        path: str,
        *,
        above: "Loaded | None" = None,
        how: str = "",
        secure: bool = False,
    ) -> None:
        self.secure: bool = secure or (above is not None and above.secure)
        self.library = library
        self.path = path
        self.real = library.path or path
        self.above = above
        self.how = how

    @property
    def origin(self) -> str:
        """The folder that ``$ORIGIN`` stands for."""
        return self.path.rpartition("/")[0]


class Place(Struct, frozen=True, kw_only=True, gc=False):
    """Where a library was found.

    Attributes:
        library: the file.
        path: as it was looked up.
        how: the rule, for people: ``RUNPATH``, ``ld.so.cache``.
        hwcaps: it stands there for better processors only.
    """

    library: Library
    path: str
    how: str
    hwcaps: str = ""


class Search:
    """Looks for libraries in one image; remembers what it has looked at."""

    def __init__(self, tree: Tree, system: LoaderSystem) -> None:
        self._tree = tree
        self.system = system
        self._folders: dict[str, Node | None] = {}
        self._files: dict[tuple[str, str], Library | None] = {}
        self._expanded: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
        self._environment = self._paths(system.library_path, "/")

    def find(self, name: str, user: Loaded, program: Loaded | None) -> Place | None:
        """The file that the loader takes for a name; None when there is none.

        Args:
            name: as DT_NEEDED or dlopen has it.
            user: what needs it.
            program: the process' program.
        """
        if "/" in name:
            path = self._paths((name,), user.origin)[0]
            library = self._library(path.rpartition("/")[0], path.rpartition("/")[2])
            return Place(library=library, path=path, how="its path") if library is not None else None
        return (
            self._by_rpath(name, user, program)
            or (None if user.secure else self._in_folders(name, self._environment, "LD_LIBRARY_PATH"))
            or self._in_folders(name, self._paths(user.library.runpath, user.origin), "RUNPATH")
            or self._in_cache(name)
            or self._in_folders(name, self.system.folders, "default folder")
        )

    def _by_rpath(self, name: str, user: Loaded, program: Loaded | None) -> Place | None:
        if user.library.runpath:
            return None
        chain: Loaded | None = user
        seen_program = False
        while chain is not None:
            found = self._by_own_rpath(name, chain)
            if found is not None:
                return found
            seen_program = seen_program or chain is program
            chain = chain.above
        return None if program is None or seen_program else self._by_own_rpath(name, program)

    def _by_own_rpath(self, name: str, user: Loaded) -> Place | None:
        library = user.library
        if not library.rpath or library.runpath:
            return None
        return self._in_folders(name, self._paths(library.rpath, user.origin), "RPATH")

    def _in_folders(self, name: str, folders: tuple[str, ...], how: str) -> Place | None:
        for folder in folders:
            for level in self.system.hwcaps:
                better = f"{folder}/glibc-hwcaps/{level}"
                library = self._library(better, name)
                if library is not None:
                    return Place(library=library, path=f"{better}/{name}", how=how, hwcaps=level)
            library = self._library(folder, name)
            if library is not None:
                return Place(library=library, path=f"{folder}/{name}", how=how)
        return None

    def _in_cache(self, name: str) -> Place | None:
        """The best entry for the processor; when that file is gone the loader does not look at the next one."""
        for entry in (self.system.cache or {}).get(name, ()):
            if entry.hwcaps and entry.hwcaps not in self.system.hwcaps:
                continue
            folder, _, file = entry.path.rpartition("/")
            library = self._library(folder, file)
            if library is None:
                return None
            return Place(library=library, path=entry.path, how="ld.so.cache", hwcaps=entry.hwcaps)
        return None

    def configured(self, name: str) -> str:
        """The file in a folder that ld.so.conf names but that no cache tells the loader of; else empty."""
        for folder in self.system.configured:
            if self._library(folder, name) is not None:
                return f"{folder}/{name}"
        return ""

    def at(self, path: str) -> Library | None:
        """The ELF file at a path, for the image's machine."""
        return self._library(path.rpartition("/")[0], path.rpartition("/")[2])

    def _paths(self, entries: tuple[str, ...], origin: str) -> tuple[str, ...]:
        """Folders with their tokens replaced."""
        key = (origin if any("$" in entry for entry in entries) else "", entries)
        known = self._expanded.get(key)
        if known is None:
            known = self._expanded[key] = tuple(
                dict.fromkeys(self._expand(entry, origin) for entry in entries if entry)
            )
        return known

    def _expand(self, entry: str, origin: str) -> str:
        if "$" not in entry:
            return entry.rstrip("/") or "/"
        values = {"ORIGIN": origin, "LIB": self.system.lib, "PLATFORM": self.system.platform}
        return _TOKEN.sub(lambda match: values[match[1] or match[2]], entry).rstrip("/") or "/"

    def _library(self, folder: str, name: str) -> Library | None:
        key = (folder, name)
        if key in self._files:
            return self._files[key]
        found = self._files[key] = self._look(folder, name)
        return found

    def _look(self, folder: str, name: str) -> Library | None:
        if folder not in self._folders:
            self._folders[folder] = self._tree.find(folder)
        node = self._folders[folder]
        if node is None or node.children is None:
            return None
        child = node.children.get(name)
        if child is None:
            return None
        if child.entry.kind == "link":
            target = self._tree.find(f"{node.path}/{name}")
            if target is None:
                return None
            child = target
        library = child.entry.library
        return library if library is not None and library.machine == self.system.machine else None
