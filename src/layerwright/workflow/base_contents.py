"""What a base in the store holds: its system, libraries as the loader finds them, Debian packages, variables.

Read once per base and kept as a record beside it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct, field, structs

from layerwright.core.errors import IntegrityError
from layerwright.core.findings import Evidence
from layerwright.facts.model import BaseFacts
from layerwright.lock.model import LockedBase
from layerwright.oci.platform import Platform
from layerwright.store.store import Store

__all__ = ["BaseContents", "known_contents", "with_contents"]

_KIND: Final = "base-contents-1"
_MACHINES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
_LARGEST: Final = 64 << 20
_GLIBCXX: Final = re.compile(r"GLIBCXX_(\d+(?:\.\d+)+)")
_STANZA: Final = re.compile(
    r"^Package: (?P<name>\S+)\nStatus: \S+ \S+ installed$(?:\n(?!\n).*)*?\nVersion: (?P<version>\S+)$",
    re.MULTILINE,
)
_CUDNN_MAJOR: Final = re.compile(r"libcudnn\.so\.(\d+)")
_CUDART_MAJOR: Final = re.compile(r"libcudart\.so\.(\d+)")


class BaseContents(Struct, frozen=True, kw_only=True):
    """What was read of a base.

    Attributes:
        os: ID and VERSION_ID of os-release, ``debian12``; empty without one.
        sonames: libraries in the loader's folders and cache, with their paths.
        glibcxx: greatest ``GLIBCXX_`` version of its libstdc++.
        debs: versions of its Debian packages by name; empty when it has none.
        env: variables of its config.
    """

    os: str = ""
    sonames: Mapping[str, str] = field(default_factory=dict)
    glibcxx: str = ""
    debs: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


def known_contents(store: Store, locked: LockedBase, platform: Platform) -> BaseContents | None:
    """The contents of a base whose trees are in the store; None when they are not."""
    from layerwright.plan.nodes import make_node  # noqa: PLC0415 - start-up
    from layerwright.plan.steps import Base  # noqa: PLC0415 - start-up

    digest = make_node(Base(base=locked, platform=str(platform)), (), "").digest
    key = digest.removeprefix("sha256:")
    data = store.read_record(_KIND, key)
    if data is not None:
        try:
            return msgspec.msgpack.decode(data, type=BaseContents)
        except msgspec.DecodeError:
            pass
    contents = _read(store, digest, platform)
    if contents is not None:
        store.write_record(_KIND, key, msgspec.msgpack.encode(contents))
    return contents


def with_contents(facts: BaseFacts, contents: BaseContents) -> BaseFacts:
    """What is known of a base by its name, corrected and completed by what is in it."""
    evidence = Evidence(
        text=f"{facts.reference} holds {len(contents.sonames)} libraries where the loader looks",
        source=f"the base in the store ({contents.os or 'no os-release'})",
        confidence="binary",
    )
    return structs.replace(
        facts,
        known=True,
        os=contents.os or facts.os,
        glibcxx=contents.glibcxx or facts.glibcxx,
        cuda=_cuda(facts, contents),
        cudnn=_cudnn(facts, contents),
        sonames=contents.sonames,
        closed=True,
        evidence=(evidence, *facts.evidence),
    )


def _cuda(facts: BaseFacts, contents: BaseContents) -> str:
    stated = contents.env.get("CUDA_VERSION", "")
    majors = [match[1] for name in contents.sonames if (match := _CUDART_MAJOR.match(name))]
    if stated:
        return stated
    if majors:
        return facts.cuda if facts.cuda.split(".")[0] in majors else max(majors, key=int)
    return "none"


def _cudnn(facts: BaseFacts, contents: BaseContents) -> str:
    majors = [match[1] for name in contents.sonames if (match := _CUDNN_MAJOR.fullmatch(name))]
    stated = contents.env.get("NV_CUDNN_VERSION", contents.env.get("CUDNN_VERSION", "")).partition("-")[0]
    if not majors:
        return "none"
    if stated.split(".")[0] in majors:
        return stated
    return facts.cudnn if facts.cudnn.split(".")[0] in majors else max(majors, key=int)


def _read(store: Store, digest: str, platform: Platform) -> BaseContents | None:
    from layerwright.backends.native.results import read_result  # noqa: PLC0415 - start-up

    result = read_result(store, digest)
    if result is None:
        return None
    trees = [store.tree(layer.diff_id.hex) for layer in result.layers]
    if not trees or not all(trees):
        return None
    stack = tuple(reversed([tree for tree in trees if tree is not None]))
    env = _environment(store, result.config)
    machine = _MACHINES.get(platform.architecture, "")
    sonames = dict(_libraries(stack, machine, env))
    return BaseContents(
        os=_system(stack),
        sonames=sonames,
        glibcxx=_glibcxx(stack, sonames),
        debs={
            match["name"]: match["version"] for match in _STANZA.finditer(_text(stack, "var/lib/dpkg/status"))
        },
        env=env,
    )


def _libraries(stack: Sequence[Path], machine: str, env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Names and paths: what ldconfig noted, then what lies in the folders that are always searched."""
    from layerwright.verify.loader.ldcache import read_cache  # noqa: PLC0415 - start-up

    cache = _bytes(stack, "etc/ld.so.cache")
    if cache:
        try:
            for name, entries in read_cache(cache, machine).items():
                if entries:
                    yield name, entries[0].path
        except IntegrityError:
            pass  # damaged: the folders are still there
    triplet = f"{machine}-linux-gnu"
    always = (f"lib/{triplet}", f"usr/lib/{triplet}", "lib64", "usr/lib64", "lib", "usr/lib", "usr/local/lib")
    named = [
        folder.strip("/") for folder in env.get("LD_LIBRARY_PATH", "").split(":") if folder.startswith("/")
    ]
    for folder in (*named, *always):
        for name in _names(stack, folder):
            if ".so" in name:
                yield name, f"/{folder}/{name}"


def _names(stack: Sequence[Path], folder: str) -> list[str]:
    from layerwright.sandbox.changes import look_up  # noqa: PLC0415 - start-up

    found = {
        entry.name
        for tree in stack
        if (tree / folder).is_dir() and _inside(tree / folder, (tree,))
        for entry in (tree / folder).iterdir()
    }
    return sorted(name for name in found if look_up(f"{folder}/{name}", stack) is not None)


def _system(stack: Sequence[Path]) -> str:
    text = _text(stack, "etc/os-release") or _text(stack, "usr/lib/os-release")
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return values.get("ID", "").strip("\"'") + values.get("VERSION_ID", "").strip("\"'")


def _glibcxx(stack: Sequence[Path], sonames: Mapping[str, str]) -> str:
    from layerwright.facts.elf import read_library  # noqa: PLC0415 - start-up

    path = sonames.get("libstdc++.so.6", "")
    data = _bytes(stack, path.removeprefix("/")) if path else b""
    try:
        library = read_library(data, path=path, contents=False) if data else None
    except IntegrityError:
        return ""
    versions = [
        match[1]
        for one in (library.versions_defined if library else ())
        if (match := _GLIBCXX.fullmatch(one))
    ]
    return max(versions, key=lambda text: [int(part) for part in text.split(".")], default="")


def _environment(store: Store, config: str) -> Mapping[str, str]:
    if not config:
        return {}
    try:
        document: Any = json.loads(store.path("blobs", config).read_bytes())
        lines = document["config"].get("Env") or []
        return dict(line.split("=", 1) for line in lines if isinstance(line, str) and "=" in line)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _text(stack: Sequence[Path], path: str) -> str:
    return _bytes(stack, path).decode("utf-8", "replace")


def _bytes(stack: Sequence[Path], path: str, hops: int = 8) -> bytes:
    """A file of the stacked trees, links followed inside them; empty when it is not there."""
    from layerwright.sandbox.changes import look_up  # noqa: PLC0415 - start-up

    entry = look_up(path, stack)
    if entry is None and path.split("/", maxsplit=1)[0] in {"lib", "lib64", "bin", "sbin"}:
        entry = look_up(f"usr/{path}", stack)  # where these folders are links (usrmerge)
    if entry is None or not hops or not _inside(entry.parent, stack):
        return b""
    if entry.is_symlink():
        target = str(entry.readlink())
        parent = path.rpartition("/")[0]
        joined = target.lstrip("/") if target.startswith("/") else f"{parent}/{target}"
        return _bytes(stack, _plain(joined), hops - 1)
    if not entry.is_file() or entry.stat().st_size > _LARGEST:
        return b""
    return entry.read_bytes()


def _inside(folder: Path, stack: Sequence[Path]) -> bool:
    """Whether a folder of a tree is truly there: a link to an absolute path would lead to this machine's own."""
    real = folder.resolve()
    return any(real.is_relative_to(tree.resolve()) for tree in stack)


def _plain(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)
