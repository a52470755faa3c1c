"""What an image's loader goes by before it looks at any library: folders, cache, variables."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

from msgspec import Struct

from layerwright.core.errors import IntegrityError
from layerwright.verify.loader.ldcache import CacheEntry, read_cache
from layerwright.verify.tree import Node, Tree

__all__ = ["LoaderSystem", "configured_folders", "find_system"]

_TRIPLETS: Final = {
    "x86_64": "x86_64-linux-gnu",
    "aarch64": "aarch64-linux-gnu",
    "i386": "i386-linux-gnu",
    "ppc64le": "powerpc64le-linux-gnu",
    "s390x": "s390x-linux-gnu",
    "riscv64": "riscv64-linux-gnu",
}
_LOADERS: Final = {
    "x86_64": ("/lib64/ld-linux-x86-64.so.2",),
    "aarch64": ("/lib/ld-linux-aarch64.so.1",),
}
_CONF_DEPTH: Final = 8


class LoaderSystem(Struct, frozen=True, kw_only=True):
    """The loader's surroundings.

    Attributes:
        libc: ``glibc``, ``musl``, or ``none`` where neither stands.
        machine: as in ``Library``.
        folders: searched last, in order.
        cache: ld.so.cache by library name; None when the image has none or it is damaged.
        cache_fault: why the cache cannot be read.
        configured: folders that ld.so.conf names: ``ldconfig`` reads it, the loader does not.
        library_path: LD_LIBRARY_PATH of the image's config.
        preload: LD_PRELOAD of the image's config and ``/etc/ld.so.preload``.
        lib: what ``$LIB`` stands for.
        platform: what ``$PLATFORM`` stands for.
        hwcaps: ``glibc-hwcaps`` subfolders that the processor can use, best first; empty for the least processor.
    """

    libc: Literal["glibc", "musl", "none"]
    machine: str
    folders: tuple[str, ...]
    cache: Mapping[str, tuple[CacheEntry, ...]] | None
    cache_fault: str = ""
    configured: tuple[str, ...] = ()
    library_path: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()
    lib: str = "lib64"
    platform: str = ""
    hwcaps: tuple[str, ...] = ()


def find_system(
    tree: Tree, *, machine: str, env: Mapping[str, str], workdir: str = "/", hwcaps: tuple[str, ...] = ()
) -> LoaderSystem:
    """Look at an image.

    Args:
        tree: its merged tree.
        machine: as in ``Library``.
        env: variables of its config.
        workdir: of its config: an empty part of LD_LIBRARY_PATH means the current folder.
        hwcaps: subfolders of ``glibc-hwcaps`` to search; none judges for the least processor.
    """
    triplet = _TRIPLETS.get(machine, "")
    multiarch = any(tree.find(f"{top}/lib/{triplet}/libc.so.6") is not None for top in ("", "/usr"))
    lib = f"lib/{triplet}" if multiarch else "lib64"
    cache: Mapping[str, tuple[CacheEntry, ...]] | None = None
    fault = ""
    node = tree.find("/etc/ld.so.cache")
    if node is not None and node.entry.text is not None:
        try:
            cache = read_cache(node.entry.text, machine)
        except IntegrityError as error:
            fault = error.what
    return LoaderSystem(
        libc=_libc(tree, machine),
        machine=machine,
        folders=_default_folders(triplet, multiarch=multiarch),
        cache=cache,
        cache_fault=fault,
        configured=configured_folders(tree),
        library_path=_split_path(env.get("LD_LIBRARY_PATH", ""), workdir or "/"),
        preload=tuple(
            name
            for text in (env.get("LD_PRELOAD", ""), tree.text("/etc/ld.so.preload") or "")
            for name in re.split(r"[:\s]+", text)
            if name
        ),
        lib=lib,
        platform=machine,
        hwcaps=hwcaps,
    )


def _libc(tree: Tree, machine: str) -> Literal["glibc", "musl", "none"]:
    if any(tree.find(path) is not None for path in _LOADERS.get(machine, ())):
        return "glibc"
    if tree.find(f"/lib/ld-musl-{machine}.so.1") is not None:
        return "musl"
    return "none"


def _default_folders(triplet: str, *, multiarch: bool) -> tuple[str, ...]:
    """Built into the loader: Debian's and Ubuntu's has the multiarch folders first, others have ``lib64``."""
    if multiarch:
        return (f"/lib/{triplet}", f"/usr/lib/{triplet}", "/lib", "/usr/lib")
    return ("/lib64", "/usr/lib64")


def _split_path(text: str, workdir: str) -> tuple[str, ...]:
    """LD_LIBRARY_PATH: parts between colons or semicolons; an empty one is the current folder (ld.so(8))."""
    if not text:
        return ()
    return tuple(
        part if part.startswith(("/", "$")) else f"{workdir}/{part}" for part in re.split("[:;]", text)
    )


def configured_folders(tree: Tree) -> tuple[str, ...]:
    """Folders that ``/etc/ld.so.conf`` and what it includes name, in order (ldconfig(8))."""
    found: dict[str, None] = {}
    for line in _conf_lines(tree, "/etc/ld.so.conf", _CONF_DEPTH):
        folder = line.partition("=")[0].strip()
        if folder.startswith("/"):
            found[folder] = None
    return tuple(found)


def _conf_lines(tree: Tree, path: str, depth: int) -> Iterator[str]:
    for line in (tree.text(path) or "").splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["include"] and depth:
            for pattern in words[1:]:
                for included in _matching(tree, pattern if pattern.startswith("/") else f"/etc/{pattern}"):
                    yield from _conf_lines(tree, included, depth - 1)
        elif words and words[0] != "hwcap":
            yield from words


def _matching(tree: Tree, pattern: str) -> Iterable[str]:
    import fnmatch  # noqa: PLC0415 - start-up

    folder, _, name = pattern.rpartition("/")
    node: Node | None = tree.find(folder)
    if node is None or node.children is None:
        return ()
    return sorted(f"{folder}/{child}" for child in node.children if fnmatch.fnmatchcase(child, name))
