"""Images made to order in memory, for what judges them: layers of files, installed packages, stand-in libraries."""

import base64
import hashlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from layerwright.oci.image import Image, build_image
from layerwright.verify import Inspection, read_contents
from support.elf_file import Elf
from support.oci import MemoryBlobs

if TYPE_CHECKING:
    from layerwright.oci.layer import Layer

SITE = "opt/venv/lib/python3.11/site-packages"
LIB = "usr/lib/x86_64-linux-gnu"


@dataclass(frozen=True, kw_only=True)
class Put:
    """A file with a mode and owner of its own."""

    data: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    capability: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Link:
    """A symbolic link, or a hard one."""

    target: str
    hard: bool = False


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A folder with a mode of its own."""

    mode: int = 0o755


Content = bytes | Elf | Put | Link | Folder


def tar_layer(files: Mapping[str, Content], *, kind: int = tarfile.GNU_FORMAT) -> bytes:
    """A layer's tar; ``.wh.`` names make whiteouts as they do in any layer."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            data = b""
            member.mode = 0o644
            match content:
                case Link(target=target, hard=hard):
                    member.type = tarfile.LNKTYPE if hard else tarfile.SYMTYPE
                    member.linkname = target
                case Folder(mode=mode):
                    member.type, member.mode = tarfile.DIRTYPE, mode
                case Put():
                    data, member.mode = content.data, content.mode
                    member.uid, member.gid = content.uid, content.gid
                    if content.capability:
                        member.pax_headers = {
                            "SCHILY.xattr.security.capability": content.capability.decode("latin-1")
                        }
                case Elf():
                    data, member.mode = bytes(content), 0o755
                case _:
                    data = content
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def dist(
    name: str,
    version: str = "1.0",
    *,
    files: Mapping[str, Content] | None = None,
    requires: Sequence[str] = (),
    requires_python: str = "",
    site: str = SITE,
    installer: str = "pip",
    record: str | None = None,
) -> dict[str, Content]:
    """An installed distribution: its files below the site folder, METADATA, INSTALLER and RECORD."""
    stem = name.replace("-", "_")
    info = f"{stem}-{version}.dist-info"
    found: dict[str, Content] = dict({f"{stem}/__init__.py": b"VALUE = 1\n"} if files is None else files)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {one}" for one in requires]
    lines += [f"Requires-Python: {requires_python}"] if requires_python else []
    found[f"{info}/METADATA"] = ("\n".join(lines) + "\n\nA description: of no matter\n").encode()
    found[f"{info}/INSTALLER"] = f"{installer}\n".encode()
    rows = [row(path, content) for path, content in found.items()]
    found[f"{info}/RECORD"] = (
        record if record is not None else "\n".join([*rows, f"{info}/RECORD,,"]) + "\n"
    ).encode()
    return {f"{site}/{path}": content for path, content in found.items()}


def row(path: str, content: Content) -> str:
    """A line of RECORD."""
    data = (
        content
        if isinstance(content, bytes)
        else content.data
        if isinstance(content, Put)
        else bytes(content)
    )
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(data)}"


def debian(**more: Content) -> dict[str, Content]:
    """A base of stand-ins: glibc 2.36 with its loader, Python 3.11 in a virtual environment."""
    libc = Elf(soname="libc.so.6", defines=("GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_2.34", "GLIBC_2.36"))
    return {
        "bin": Link(target="usr/bin"),
        "lib": Link(target="usr/lib"),
        "lib64": Link(target="usr/lib64"),
        "tmp": Folder(mode=0o1777),
        "etc/os-release": b'ID=debian\nVERSION_ID="12"\n',
        "usr/lib64/ld-linux-x86-64.so.2": Elf(soname="ld-linux-x86-64.so.2"),
        f"{LIB}/libc.so.6": libc,
        f"{LIB}/libm.so.6": Elf(soname="libm.so.6", needed=("libc.so.6",), defines=("GLIBC_2.2.5",)),
        f"{LIB}/libz.so.1.2.13": Elf(soname="libz.so.1", needed=("libc.so.6",)),
        f"{LIB}/libz.so.1": Link(target="libz.so.1.2.13"),
        "usr/bin/python3.11": Elf(needed=("libm.so.6", "libz.so.1", "libc.so.6")),
        "usr/bin/python3": Link(target="python3.11"),
        "opt/venv/bin/python3": Link(target="/usr/bin/python3.11"),
        "opt/venv/pyvenv.cfg": b"home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n",
        **more,
    }


def make_image(
    *layers: Mapping[str, Content] | bytes,
    env: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    history: Sequence[str] = (),
    workdir: str = "",
) -> tuple[Image, MemoryBlobs]:
    """An image of layers, bottom first, each with its line of the history where one is given."""
    blobs = MemoryBlobs()
    made: list[Layer] = []
    for number, layer in enumerate(layers):
        tar = layer if isinstance(layer, bytes) else tar_layer(layer)
        text = history[number] if number < len(history) else f"step {number}"
        made.append(replace(blobs.add(tar), created_by=text))
    image = build_image(
        layers=made,
        env={"PATH": "/opt/venv/bin:/usr/bin:/bin", **(env or {})},
        labels=labels or {},
        workdir=workdir,
    )
    return image, blobs


def inspect_image(scratch: Path, *layers: Mapping[str, Content] | bytes, **options: object) -> Inspection:
    """The image as its judges see it; options of ``make_image`` and ``Inspection``."""
    given = {name: options.pop(name) for name in ("role", "declared", "scanner") if name in options}
    image, blobs = make_image(*layers, **options)  # type: ignore[arg-type]
    contents = read_contents(image, blobs, scratch=scratch, scanner=given.get("scanner"))  # type: ignore[arg-type]
    return Inspection(
        name="made:1",
        contents=contents,
        asked_role=str(given.get("role", "")),
        declared=given.get("declared"),  # type: ignore[arg-type]
    )
