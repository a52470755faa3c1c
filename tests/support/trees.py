"""File trees of images, for comparing what two backends built.

A tree is a mapping of path to entry. Docker's comes from ``docker export``: the layers as the engine merged them. Ours
comes from the layers' tars, applied here by the rules of the OCI image specification, ``layer.md``.
"""

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from layerwright.engines.docker import DockerEngine
from layerwright.oci.blobs import BlobSource
from layerwright.oci.image import Image

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_SMALL = 64 << 10
_MADE_BY_DOCKER = frozenset(
    {".dockerenv", "dev", "dev/console", "dev/pts", "dev/shm", "etc/hostname", "etc/hosts", "etc/mtab"}
    | {"etc/resolv.conf", "proc", "sys"}
)
"""What ``docker create`` puts into every container."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands at a path; times are left out, since Docker's are those of the build.

    Attributes:
        kind: ``file``, ``folder``, ``link`` or the tar's type for the rest.
        mode: permission bits; 0 for links.
        content: sha256 of a file, target of a link.
        data: bytes of small files, for comparing what they mean.
    """

    kind: str
    mode: int
    uid: int
    gid: int
    content: str = ""
    data: bytes = field(default=b"", compare=False, repr=False)


Tree = dict[str, Entry]


def tree_of_tar(stream: io.BufferedIOBase) -> Tree:
    """The entries of one whole file system as a tar."""
    tree: Tree = {}
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            _put(tree, _clean(member.name), member, archive)
    return tree


def tree_of_layers(image: Image, blobs: BlobSource) -> Tree:
    """An image's file system, its layers applied one after another."""
    tree: Tree = {}
    for layer in image.layers:
        fresh: Tree = {}
        with tarfile.open(fileobj=io.BufferedReader(Chunks(blobs.open_tar(layer))), mode="r|") as archive:
            for member in archive:
                path = _clean(member.name)
                folder, _, name = path.rpartition("/")
                if name == _OPAQUE:
                    _remove(tree, folder, itself=False)
                elif name.startswith(_WHITEOUT):
                    _remove(tree, f"{folder}/{name.removeprefix(_WHITEOUT)}".lstrip("/"), itself=True)
                elif path:
                    _put(fresh, path, member, archive, below=tree)
        for path, entry in fresh.items():
            if entry.kind != "folder":
                _remove(tree, path, itself=False)
            tree[path] = entry
    return tree


def tree_in_docker(engine: DockerEngine, reference: str) -> Tree:
    """An image's file system as the engine has it, by way of a container that is never started."""
    transport, api = engine._transport, engine.version.api
    body = b'{"Image": "%s", "Cmd": ["none"]}' % reference.encode()
    made = transport.request(
        "POST", f"{api}/containers/create", body=body, headers={"Content-Type": "application/json"}
    )
    container = made.json()["Id"]
    try:
        tree = tree_of_tar(
            io.BufferedReader(Chunks(transport.stream(f"{api}/containers/{container}/export")))
        )
    finally:
        transport.request("DELETE", f"{api}/containers/{container}?force=true")
    return {path: entry for path, entry in tree.items() if path not in _MADE_BY_DOCKER}


def differences(
    ours: Mapping[str, Entry], theirs: Mapping[str, Entry], *, allowed: Callable[[str], bool]
) -> list[str]:
    """One line for each path that is not the same; empty when the trees agree."""
    found = []
    for path in sorted({*ours, *theirs}):
        one, other = ours.get(path), theirs.get(path)
        if one != other and not allowed(path) and path not in _MADE_BY_DOCKER:
            found.append(f"{path}: {one} | {other}")
    return found


def file_in_tree(tree: Mapping[str, Entry], path: str) -> bytes:
    """Content of a small file."""
    entry = tree[path]
    assert hashlib.sha256(entry.data).hexdigest() == entry.content, path
    return entry.data


class Chunks(io.RawIOBase):
    """Pieces of bytes as a file."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks: Iterator[bytes] = iter(chunks)
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        while not self._left:
            try:
                self._left = next(self._chunks)
            except StopIteration:
                return 0
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def _clean(name: str) -> str:
    return "" if name in {".", "./"} else name.removeprefix("./").strip("/")


def _put(
    tree: Tree,
    path: str,
    member: tarfile.TarInfo,
    archive: tarfile.TarFile,
    *,
    below: Mapping[str, Entry] | None = None,
) -> None:
    if not path:
        return
    owner = {"uid": member.uid, "gid": member.gid}
    if member.isdir():
        tree[path] = Entry("folder", member.mode & 0o7777, **owner)
    elif member.issym():
        tree[path] = Entry("link", 0, **owner, content=member.linkname)
    elif member.islnk():
        target = _clean(member.linkname)
        tree[path] = replace(tree[target] if target in tree else (below or {})[target])
    elif member.isfile():
        file = archive.extractfile(member)
        assert file is not None
        data = file.read() if member.size < _SMALL else b""
        digest = (hashlib.sha256(data) if data else hashlib.file_digest(file, "sha256")).hexdigest()
        tree[path] = Entry("file", member.mode & 0o7777, **owner, content=digest, data=data)
    else:
        tree[path] = Entry(member.type.decode(), member.mode & 0o7777, **owner)


def _remove(tree: Tree, path: str, *, itself: bool) -> None:
    for known in [known for known in tree if known.startswith(f"{path}/")]:
        del tree[known]
    if itself:
        tree.pop(path, None)
