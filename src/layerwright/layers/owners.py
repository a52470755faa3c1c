"""What is known of wheel layers without making them: their key, their paths, and which wheels collide."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from layerwright.layers.archive import WheelArchive
from layerwright.layers.formats import LAYER_FORMAT
from layerwright.layers.install import WheelFile, check_prefix, plan_install

__all__ = ["Collision", "find_collisions", "installed_paths", "layer_key"]


def layer_key(wheels: Sequence[WheelFile], *, prefix: str, python: str) -> str:
    """Key of the wheels' layer: 64 hexadecimal digits over all that decides its bytes; no file is read.

    Raises:
        ValueError: bad prefix or Python version.
    """
    check_prefix(prefix, python)
    parts = sorted([wheel.sha256, wheel.requested, wheel.direct_url] for wheel in wheels)
    text = json.dumps(["wheels", LAYER_FORMAT, prefix, python, parts], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def installed_paths(wheel: WheelFile, *, prefix: str, python: str) -> Mapping[str, tuple[int, str]]:
    """Absolute image path to (bytes, digest as RECORD writes it; empty for RECORD itself), for every file of a wheel.

    Raises:
        IntegrityError: the wheel is unsafe or its RECORD does not fit its files.
    """
    with WheelArchive(wheel.path, wheel.file) as archive:
        plan = plan_install(archive, wheel, prefix=prefix, python=python)
    return {f"/{path}": (file.size, file.digest) for path, file in plan.files.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Collision:
    """Two wheels that want one path for different things.

    Attributes:
        path: absolute path in the image.
        first: file name of one wheel.
        second: file name of the other.
    """

    path: str
    first: str
    second: str

    def __str__(self) -> str:
        return f"{self.first} and {self.second} both install {self.path}, with different content"


def find_collisions(owners: Mapping[str, Mapping[str, tuple[int, str]]]) -> tuple[Collision, ...]:
    """Find paths that two wheels install with different content, or one as a file and one as a folder.

    Args:
        owners: a wheel's file name to what ``installed_paths`` gave for it.

    Returns:
        By path. The same bytes at the same path are no collision.
    """
    taken: dict[str, tuple[str, tuple[int, str]]] = {}
    collisions: list[Collision] = []
    for wheel in sorted(owners):
        for path, content in owners[wheel].items():
            other = taken.setdefault(path, (wheel, content))
            if other[1] != content:
                collisions.append(Collision(path=path, first=other[0], second=wheel))
    seen: set[str] = set()
    for path in taken:
        above = path.rpartition("/")[0]
        while above and above not in seen:
            seen.add(above)
            if above in taken:
                collisions.append(Collision(path=above, first=taken[above][0], second=taken[path][0]))
            above = above.rpartition("/")[0]
    return tuple(sorted(collisions, key=lambda found: (found.path, found.first, found.second)))
