"""A Debian base cut down to Python, a shell and what they load: an image that tests import in no time."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

from layerwright.layers import tar_to_layer
from layerwright.oci.digest import Digest
from layerwright.oci.image import build_image
from layerwright.oci.layer import Layer
from layerwright.oci.layout import read_layout, write_layout

_DROPPED = (
    "usr/lib/python3.11/lib2to3/",
    "usr/lib/python3.11/pydoc_data/",
    "usr/lib/python3.11/distutils/",
    "usr/lib/python3.11/idlelib/",
    "usr/lib/python3.11/tkinter/",
    "usr/lib/python3.11/unittest/",
    "usr/lib/x86_64-linux-gnu/gconv/",
    "usr/lib/x86_64-linux-gnu/perl",
    "usr/lib/apt/",
    "usr/lib/dpkg/",
    "usr/lib/systemd/",
    "usr/lib/python3/",
    "usr/sbin/",
    "usr/share/",
    "usr/src/",
    "var/cache/",
    "var/lib/",
    "etc/ssl/",
)
_LIBRARIES = (
    "ld-linux", "libacl", "libattr", "libbz2", "libc.", "libc-", "libcap", "libcrypt.", "libcrypto", "libdl",
    "libexpat", "libffi", "libgcc_s", "liblzma", "libm.", "libmd.", "libnsl", "libnss_", "libpcre2-8", "libpthread",
    "libreadline", "libresolv", "librt", "libselinux", "libssl", "libstdc++", "libtinfo", "libuuid", "libutil",
    "libz.",
)  # fmt: skip
_PROGRAMS = (
    "bash", "cat", "chmod", "chown", "cp", "dash", "date", "dirname", "echo", "env", "false", "grep", "gzip", "head",
    "id", "kill", "ln", "ls", "mkdir", "mktemp", "mv", "python3", "python3.11", "readlink", "rm", "sed", "sh",
    "sleep", "sort", "stat", "stty", "tail", "tar", "test", "timeout", "touch", "true", "tty", "uname", "wc",
    "whoami",
)  # fmt: skip


class _One:
    """The single layer, as a ``BlobSource``."""

    def __init__(self, blob: bytes, tar: bytes) -> None:
        self._blob = blob
        self._tar = tar

    def open_blob(self, layer: Layer) -> Iterator[bytes]:
        yield self._blob

    def open_tar(self, layer: Layer) -> Iterator[bytes]:
        yield self._tar


def cut_down(layout: Path, name: str, into: Path) -> None:
    """Write the small base into ``into`` as ``small:1``."""
    image, blobs = read_layout(layout, name)
    whole = io.BytesIO(b"".join(blobs.open_tar(image.layers[0])))
    small = io.BytesIO()
    with tarfile.open(fileobj=whole) as source, tarfile.open(fileobj=small, mode="w") as target:
        for member in source:
            if _is_kept(member):
                target.addfile(member, source.extractfile(member) if member.isfile() else None)
    packed = io.BytesIO()
    digests = tar_to_layer([small.getvalue()], packed)
    layer = Layer(
        diff_id=digests.diff_id,
        digest=digests.digest,
        size=digests.size,
        tar_size=digests.tar_size,
        created_by="a small base for tests",
    )
    assert layer.diff_id == Digest.of(small.getvalue())
    made = build_image(layers=[layer], env={}, platform=image.platform)
    write_layout(into, [("small:1", made)], _One(packed.getvalue(), small.getvalue()))


def _is_kept(member: tarfile.TarInfo) -> bool:
    name = member.name.removeprefix("./")
    if member.isdir():
        return not any(name.startswith(dropped.rstrip("/")) for dropped in _DROPPED if dropped.count("/") > 2)
    folder, _, leaf = name.rpartition("/")
    if "__pycache__" in folder or name.startswith(_DROPPED):
        return False
    if folder == "usr/bin":
        return leaf in _PROGRAMS
    if folder == "usr/lib/x86_64-linux-gnu":
        return leaf.startswith(_LIBRARIES)
    return True
