"""Which package a file of an image belongs to, Python's and Debian's."""

import re
from collections.abc import Mapping
from typing import Final

from layerwright.verify.inspection import Inspection

__all__ = ["Owners", "debian_packages"]

_STANZA: Final = re.compile(r"^Package: (?P<name>\S+)$(?P<rest>(?:\n(?!Package: ).+)*)", re.MULTILINE)
_FIELD: Final = re.compile(r"^(Version|Status|Architecture): (.+)$", re.MULTILINE)
_BYTECODE: Final = re.compile(r"(?P<folder>.*/)__pycache__/(?P<name>[^/]+?)\.[\w-]+(?:\.opt-\d)?\.pyc")


def debian_packages(image: Inspection) -> dict[str, str]:
    """Installed Debian packages by name, with their versions.

    They stand in ``/var/lib/dpkg/status``, in distroless images in ``status.d``.
    """
    texts = [image.tree.text("/var/lib/dpkg/status") or ""]
    folder = image.tree.find("/var/lib/dpkg/status.d")
    if folder is not None and folder.children is not None:
        texts += [image.tree.text(f"/var/lib/dpkg/status.d/{name}") or "" for name in sorted(folder.children)]
    found: dict[str, str] = {}
    for text in texts:
        for match in _STANZA.finditer(text):
            fields = dict(_FIELD.findall(match["rest"]))
            if fields.get("Status", "install ok installed").endswith(" installed") and "Version" in fields:
                found[match["name"]] = fields["Version"]
    return found


class Owners:
    """The answer for every path.

    Args:
        image: whose files.
        lists: path → text of dpkg's lists of files, without leading slashes.
    """

    def __init__(self, image: Inspection, lists: Mapping[str, bytes]) -> None:
        self._image = image
        self._python: dict[str, str] = {}
        for environment in image.environments:
            for path, dist in environment.owners.items():
                self._python.setdefault(path, dist.label)
        self._debian: dict[str, str] = {}
        versions = debian_packages(image)
        for file, text in sorted(lists.items()):
            package = file.rpartition("/")[2].removesuffix(".list").partition(":")[0]
            if package not in versions:
                continue
            label = f"{package} {versions[package]} (deb)"
            for path in text.decode("utf-8", "replace").splitlines():
                self._debian.setdefault(self._real(path), label)

    def of(self, path: str) -> str:
        """``torch 2.13.0``, ``libc6 2.36-9 (deb)``, or nothing.

        Args:
            path: absolute.
        """
        found = self._python.get(path)
        if found is None and (match := _BYTECODE.fullmatch(path)):
            found = self._python.get(f"{match['folder']}{match['name']}.py")
        return found or self._debian.get(path, "")

    def _real(self, path: str) -> str:
        """The path where the file is: Debian's lists say ``/lib/…`` where ``/lib`` has become a link to ``usr/lib``."""
        top = path.split("/", 2)[1:2]
        if not top or top[0] not in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
            return path
        node = self._image.tree.find(f"/{top[0]}", follow=False)
        return f"/usr{path}" if node is not None and node.entry.kind == "link" else path
