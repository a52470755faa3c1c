"""One value each, checked: names, tags, systems, Pythons, bases, architectures."""

import re
from pathlib import PurePosixPath
from typing import Final, Literal

from layerwright.facts.distributions import distribution_of
from layerwright.facts.gpu_architectures import known_architectures, parse_architecture
from layerwright.spec.base import parse_base
from layerwright.spec.musa.addresses import KINDS, Address, read_archive
from layerwright.spec.musa.options import NULL
from layerwright.spec.musa.records import recorded
from layerwright.spec.musa.said import Said

__all__ = [
    "is_repository",
    "read_archives",
    "read_base_image",
    "read_gpu_arch",
    "read_name",
    "read_python",
    "read_revision",
    "read_role",
    "read_system",
    "read_tag",
]

_REPOSITORY: Final = re.compile(
    r"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_REVISION: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]{0,199}")
_PYTHON: Final = re.compile(r"3\.(?:0|[1-9][0-9]*)")
_FILES: Final = {"dockerfile.dev": "dev", "dockerfile.release": "release"}


def is_repository(text: str) -> bool:
    """Whether it is the repository part of a reference."""
    return _REPOSITORY.fullmatch(text) is not None


def read_name(said: Said) -> str:
    """The image's repository."""
    name = said.text("name")
    if "name" not in said:
        said.fault(
            "name", f" is missing, and the script's {NULL} is no name of an image", "name it: -n my_image"
        )
    elif not name:
        said.fault("name", " is empty", "name the image: -n my_image")
    elif re.search(r"[^/]:[^/]*$", name) and _REPOSITORY.fullmatch(name.rpartition(":")[0]):
        said.fault(
            "name",
            f" holds a tag: {name}",
            f"give the tag by itself: -n {name.rpartition(':')[0]} -t {name.rpartition(':')[2]}",
        )
    elif not _REPOSITORY.fullmatch(name):
        said.fault(
            "name",
            f" is no name of an image: {name!r}",
            "lower case letters, digits, and single '.', '_' or '-' between them, parts divided by '/'",
        )
    return name


def read_tag(said: Said, name: str) -> str:
    """A tag."""
    tag = said.text(name)
    if not tag:
        said.fault(name, " is empty", "give a tag, or leave the option out")
    elif not _TAG.fullmatch(tag):
        said.fault(name, f" is no tag: {tag!r}", "at most 128 letters, digits, '_', '.' and '-'")
    return tag


def read_revision(said: Said, name: str) -> str:
    """A tag, branch or commit of a repository."""
    text = said.text(name)
    if not text:
        said.fault(name, " is empty", "name a tag, a branch or a commit")
    elif not _REVISION.fullmatch(text) or ".." in text:
        said.fault(name, f" is no tag, branch or commit: {text!r}", "such as v2.0.0")
    return text


def _supported() -> str:
    return ", ".join(f"ubuntu:{one.version}" for one in recorded().ubuntu)


def read_system(said: Said) -> str:
    """The version of Ubuntu that ``-s`` names; empty after a fault."""
    text = said.text("sys")
    system, colon, version = text.partition(":")
    if not text:
        said.fault("sys", " is empty", f"supported are {_supported()}")
    elif system.lower() != "ubuntu":
        said.fault("sys", f" is {text}, and only Ubuntu is supported", f"supported are {_supported()}")
    elif not colon or not version:
        said.fault("sys", f" has no version: {text}", f"supported are {_supported()}")
    elif recorded().release(version) is None:
        said.fault("sys", f" is {text}, which is not supported", f"supported are {_supported()}")
    else:
        return version
    return ""


def read_python(said: Said, name: str, *, known: tuple[str, ...], of: str) -> str:
    """A Python; ``known`` are those that ``of`` is for, empty when that is not known."""
    text = said.text(name)
    if not text:
        said.fault(name, " is empty", "such as 3.10")
    elif not _PYTHON.fullmatch(text):
        hint = f"write 3.{text[1:]}" if re.fullmatch(r"3[0-9]{1,2}", text) else "two numbers, such as 3.10"
        said.fault(name, f" is no version of Python: {text!r}", hint)
    elif known and text not in known:
        said.fault(name, f" is {text}, and {of} is for Python {', '.join(known)}", "give one of these")
    return text


def read_role(said: Said) -> Literal["dev", "release"] | None:
    """What the file's name and ``--release`` say together; None after a fault."""
    release = said.switch("release")
    if not said.text("docker_file"):
        said.fault(
            "docker_file",
            " is empty" if "docker_file" in said else " is missing",
            "name dockerfile.dev or dockerfile.release",
        )
        return None
    file = PurePosixPath(said.text("docker_file")).name
    role = _FILES.get(file)
    if role is None:
        said.fault(
            "docker_file",
            f" names {file}; it takes dockerfile.dev and dockerfile.release",
            f"for a file of your own: layerwright init --from {said.text('docker_file')}",
        )
        return None
    if release and role == "dev":
        said.fault(
            "release",
            " contradicts -f/--docker_file, which names dockerfile.dev",
            "leave --release out, or name dockerfile.release",
        )
        return None
    if role == "release" and not release:
        said.fault(
            "docker_file",
            " names dockerfile.release, and -r/--release is missing",
            "add --release, or name dockerfile.dev",
        )
        return None
    return "release" if release else "dev"


def read_base_image(said: Said, name: str, role: str | None, *, folder: str) -> tuple[str, str]:
    """The base, and the version of Ubuntu that its name says; relative paths start at the folder."""
    base = said.text(name)
    if not base or base == NULL:
        said.fault(
            name,
            " is empty" if name in said else f" is missing, and the script's {NULL} is no image",
            "name the image that build-base has made"
            if role == "dev"
            else "name the operating system's image, such as ubuntu:20.04",
        )
        return "", ""
    try:
        parsed = parse_base(base)
    except ValueError as error:
        said.fault(name, f" is no image to start from: {error}", "name:tag, such as ubuntu:20.04")
        return "", ""
    if parsed.kind in {"image", "debian"}:
        said.fault(name, f" is no image to start from: {base}", "name:tag, such as ubuntu:20.04")
        return "", ""
    if parsed.kind in {"oci", "archive"}:  # a path says nothing of what is in it
        return f"{parsed.kind}:{PurePosixPath(folder) / parsed.source}", ""
    system, release = distribution_of(parsed.source)
    if system not in {"", "ubuntu"}:
        said.fault(name, f" is {base}, and only Ubuntu is supported", f"supported are {_supported()}")
    if system != "ubuntu" or role == "dev":
        return base, ""
    if recorded().release(release) is None:
        said.fault(name, f" is {base}, which is not supported", f"supported are {_supported()}")
        return base, ""
    return base, release


def read_archives(said: Said, folder: str) -> tuple[tuple[Address, ...], tuple[str, ...]]:
    """Archives of the components, and kinds that are left out by choice."""
    without = tuple(dict.fromkeys(said.many("without")))
    for kind in without:
        if kind != "mccl":
            said.fault(
                "without",
                f" names {kind!r}; only mccl can be left out",
                "torch_musa needs the MUSA toolkit and muDNN on every GPU",
            )
    archives = []
    for name, kind in KINDS.items():
        if kind == "mccl" and "mccl" in without:
            if said.text(name):
                said.fault(name, " is given, and --without says mccl", "leave one of the two out")
            continue
        if name not in said:
            choice = "; for S80 and S3000, which have none: --without mccl" if kind == "mccl" else ""
            said.fault(name, " is missing", f"give the archive's address{choice}")
            continue
        if kind == "mccl" and not said.text(name).strip():
            said.fault(
                name,
                " is empty",
                "give the archive's address; for S80 and S3000, which have none, say so: --without mccl",
            )
            continue
        if found := read_archive(said, name, hosts=said.many("insecure_http"), folder=folder):
            archives.append(found)
    return tuple(archives), without


def read_gpu_arch(said: Said, archives: tuple[Address, ...]) -> str:
    """The architecture that was given and the archives' names say; empty after a fault."""
    told = {one.field: one.arch for one in archives if one.arch}
    if "gpu_arch" in said:
        text = said.text("gpu_arch")
        known = parse_architecture(text) if text else None
        if known is None:
            said.fault(
                "gpu_arch",
                f" is {text!r}, which is not known" if text else " is empty",
                f"known are {known_architectures()}; `layerwright doctor` says which one this machine's GPUs have",
            )
            return ""
        for field, arch in told.items():
            if arch != known.name:
                said.fault(
                    field,
                    f" is for {arch}, and --gpu_arch is {known.name}",
                    f"take the archive for {known.name}",
                )
        return known.name
    if not told:
        if archives:
            said.fault(
                "gpu_arch",
                " is missing, and the archives' names do not say it",
                f"known are {known_architectures()}; `layerwright doctor` says which one this machine's GPUs have",
            )
        return ""
    first = next(iter(told))
    for field, arch in told.items():
        if arch != told[first]:
            said.fault(
                field,
                f" is for {arch}, and {said.name(first)} is for {told[first]}",
                "take archives for one GPU",
            )
    return told[first]
