"""Kinds of component archives: what they hold, the order they are installed in, the script that installs each.

Sources: MooreThreads/torch_musa, docker/ubuntu/dockerfile.dev and dockerfile.release (order, and that each archive is
unpacked and its install script run), docker/common/release (the toolkit's installer removes /usr/local/musa* and
with it muDNN and MCCL).
"""

import re
from typing import Final, Literal

from msgspec import Struct

__all__ = [
    "COMPONENT_KINDS",
    "MUSA_HOME",
    "MUSA_KINDS",
    "PYTHON_HOME",
    "RENDER_GROUP",
    "ComponentKind",
    "KindName",
    "kind_of",
    "release_of_file",
    "release_of_toolkit",
]

KindName = Literal["musa_toolkit", "mudnn", "mccl", "musa_math", "python", "other"]

MUSA_HOME: Final = "/usr/local/musa"
"""Where the toolkit stands, and all others install to. Source: MUSA_HOME of dockerfile.dev."""

PYTHON_HOME: Final = "/opt/python"
"""Where a Python that is a component stands, its programs in ``bin``."""

RENDER_GROUP: Final = 109
"""Number of the group ``render``, whose members may use the GPU. Source: docker/ubuntu/dockerfile.base."""


class ComponentKind(Struct, frozen=True, kw_only=True):
    """What is known of a kind.

    Attributes:
        what: in words.
        installers: scripts of the unpacked archive that install it, the first that is there.
        single: an image has at most one.
        needed: torch_musa does not work without it.
    """

    name: KindName
    what: str
    installers: tuple[str, ...] = ("install.sh",)
    single: bool = True
    needed: bool = False


COMPONENT_KINDS: Final = (
    ComponentKind(name="musa_toolkit", what="the MUSA toolkit", needed=True),
    ComponentKind(name="mudnn", what="muDNN", installers=("install_mudnn.sh", "install.sh"), needed=True),
    ComponentKind(name="mccl", what="MCCL", installers=("install.sh", "install_mccl.sh"), needed=True),
    ComponentKind(name="musa_math", what="math libraries", single=False),
    ComponentKind(name="python", what="a Python", installers=()),
    ComponentKind(name="other", what="something else", single=False),
)
"""In the order in which they are installed. The toolkit's installer wipes what the others put below its prefix."""

MUSA_KINDS: Final = tuple(kind.name for kind in COMPONENT_KINDS if kind.name not in {"python", "other"})


_RELEASE: Final = re.compile(r"(?:^|[_-])((?:rc|dev|rtm|v)?[_.-]?\d{1,4}(?:\.\d{1,4}){1,3})(?=$|[_.-])")
_ARCHIVE: Final = re.compile(r"\.(?:tar(?:\.\w{1,4})?|tgz|txz)$")


def release_of_file(file: str) -> str:
    """The release that an archive's name tells: ``rc4.0.1`` of ``musa_toolkits_rc4.0.1.tar.gz``; empty for none."""
    match = _RELEASE.search(_ARCHIVE.sub("", file[:200]))
    return match[1].replace("_", "") if match else ""


def release_of_toolkit(text: str) -> str:
    """The release that an installed toolkit names in its version.json; empty when it names none.

    ``{"musa_toolkits": {"version": "5.1.0", …}, …}``. Source: docs.mthreads.com, which calls it authoritative.
    """
    import json  # noqa: PLC0415 - start-up

    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    entry = document.get("musa_toolkits") if isinstance(document, dict) else None
    version = entry.get("version") if isinstance(entry, dict) else None
    return version if isinstance(version, str) and _VERSION.fullmatch(version) else ""


_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,60}")


def kind_of(name: str) -> ComponentKind | None:
    """The kind of a name; None when there is none."""
    return next((kind for kind in COMPONENT_KINDS if kind.name == name), None)
