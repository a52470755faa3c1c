"""Which paths wheels install, and which wheels want one path for different things.

Wheels of one layer are compared when the layer is made. Across layers every file of every wheel would have to be
compared at each build, so a layer carries its *claims*: a few hundred paths, each with a digest over all below it. Only
layers that claim the same path with other contents are looked at file by file.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from layerwright.layers.archive import WheelArchive
from layerwright.layers.install import WheelFile, plan_install, site_packages

__all__ = ["Collision", "clashing_claims", "find_collisions", "installed_paths", "make_claims"]

_DEPTH = 2
"""Names below site-packages that make a claim: ``nvidia`` and ``google`` are shared, ``nvidia/cudnn`` is not."""


def make_claims(files: Mapping[str, tuple[int, str]], *, prefix: str, python: str) -> Mapping[str, str]:
    """Paths that a layer claims, each with a digest of what stands there.

    Args:
        files: path in the image without the leading slash → (bytes, digest as RECORD writes it).
        prefix: where the Python environment stands in the image.
        python: its version.
    """
    site = site_packages(prefix, python).removeprefix("/") + "/"
    lines: dict[str, list[str]] = {}
    for path in sorted(files):
        size, digest = files[path]
        lines.setdefault(_claim(path, site), []).append(f"{path}\0{size}\0{digest}\n")
    return {
        claim: hashlib.sha256("".join(of).encode("utf-8", "surrogateescape")).hexdigest()[:32]
        for claim, of in lines.items()
    }


def _claim(path: str, site: str) -> str:
    if not path.startswith(site):
        return path
    parts = path.removeprefix(site).split("/")
    depth = 1 if parts[0].endswith(".dist-info") else _DEPTH
    return site + "/".join(parts[:depth])


def clashing_claims(layers: Sequence[Mapping[str, str]]) -> Iterator[tuple[int, int]]:
    """Pairs of layers (by position) that claim one path with other contents, or one as a file and one as a folder."""
    owners: dict[str, list[int]] = {}
    for number, claims in enumerate(layers):
        for claim in claims:
            owners.setdefault(claim, []).append(number)
    pairs: set[tuple[int, int]] = set()
    for claim, numbers in owners.items():
        for position, one in enumerate(numbers):
            pairs |= {
                (one, other)
                for other in numbers[position + 1 :]
                if layers[one][claim] != layers[other][claim]
            }
        above = claim.rpartition("/")[0]
        while above:
            pairs |= {
                (min(one, other), max(one, other))
                for one in owners.get(above, ())
                for other in numbers
                if one != other
            }
            above = above.rpartition("/")[0]
    yield from sorted(pairs)


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
