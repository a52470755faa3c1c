"""Which wheel fits a cell: its Python, its machine and its base's glibc."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from layerwright.core.errors import ResolveError
from layerwright.oci.platform import Platform

__all__ = ["OLDEST_GLIBC", "choose_wheel", "supported_tags", "uv_platform"]

OLDEST_GLIBC: Final = (2, 17)
"""manylinux2014, the oldest that current wheels are made for: taken when a base's glibc is not known."""

_UV_MINORS: Final = (17, 28, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40)
# what `uv pip compile --python-platform` takes (uv 0.9 to 0.13); a newer glibc takes the highest

_LEGACY: Final = {(2, 5): "manylinux1", (2, 12): "manylinux2010", (2, 17): "manylinux2014"}
# PEP 600's aliases of the older names
_FIRST_GLIBC: Final = {"x86_64": 5, "aarch64": 17}


def _glibc(text: str) -> tuple[int, int]:
    if not text:
        return OLDEST_GLIBC
    major, _, minor = text.partition(".")
    version = (int(major), int(minor.partition(".")[0]))
    if version < OLDEST_GLIBC:
        raise ResolveError(
            f"the base's glibc {text} is older than 2.17, for which no current wheels are made"
        )
    return version


def uv_platform(platform: Platform, glibc: str) -> str:
    """Uv's name of the platform: the highest manylinux it knows that the base's glibc still carries.

    Raises:
        ResolveError: the base is too old for any wheel.
    """
    _, minor = _glibc(glibc)
    known = max(number for number in _UV_MINORS if number <= minor)
    return f"{platform.machine}-manylinux_2_{known}"


@lru_cache(maxsize=32)
def supported_tags(python: str, platform: Platform, glibc: str) -> dict[str, int]:
    """Tags that CPython ``python`` on the platform can install, to their rank (0 is best).

    Args:
        python: ``3.11``.
        platform: the cell's.
        glibc: ``2.36``; empty when unknown, which counts as 2.17: unknown is not a yes.
    """
    from packaging.tags import compatible_tags, cpython_tags  # noqa: PLC0415  # start-up

    _, minor = _glibc(glibc)
    machine = platform.machine
    platforms = []
    for number in range(minor, _FIRST_GLIBC[machine] - 1, -1):
        platforms.append(f"manylinux_2_{number}_{machine}")
        if (2, number) in _LEGACY:
            platforms.append(f"{_LEGACY[2, number]}_{machine}")
    platforms.append(f"linux_{machine}")
    version = tuple(int(part) for part in python.split("."))[:2]
    interpreter = f"cp{version[0]}{version[1]}"
    ranks: dict[str, int] = {}
    for tag in (
        *cpython_tags(version, abis=[interpreter], platforms=platforms),
        *compatible_tags(version, interpreter=interpreter, platforms=platforms),
    ):
        ranks.setdefault(str(tag), len(ranks))
    return ranks


def choose_wheel(files: Iterable[str], *, python: str, platform: Platform, glibc: str) -> str:
    """The best file name for a cell; empty when none fits.

    Raises:
        ResolveError: the base is too old for any wheel.
    """
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename  # noqa: PLC0415  # start-up

    ranks = supported_tags(python, platform, glibc)
    best: tuple[int, tuple[int, str], str] | None = None
    for file in files:
        try:
            _, _, build, tags = parse_wheel_filename(file)
        except InvalidWheelFilename:
            continue
        rank = min((ranks[str(tag)] for tag in tags if str(tag) in ranks), default=-1)
        if rank < 0:
            continue
        # a higher build number wins among equals; the name settles what is left, so that the choice is stable
        number, suffix = build or (-1, "")
        candidate = (rank, (-number, suffix), file)
        if best is None or candidate < best:
            best = candidate
    return best[2] if best else ""
