"""What stands in an environment so that later installations keep to the lock, as text. Pure."""

import json
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from layerwright.plan.steps import PREFIX, InstallSeal, SealedPackage

__all__ = ["CONSTRAINTS", "LOCKED", "read_locked", "seal_files"]

_FOLDER: Final = "share/layerwright"
CONSTRAINTS: Final = f"{PREFIX}/{_FOLDER}/constraints.txt"
"""``name==version`` for every locked package: what pip and uv are told to keep to."""

LOCKED: Final = f"{PREFIX}/{_FOLDER}/locked.json"
"""Versions and digests of every locked package, for ``verify``."""


class _One(Struct, frozen=True):
    version: str = ""
    sha256: str = ""


class _Locked(Struct, frozen=True):
    schema: int
    packages: dict[str, _One]


def seal_files(step: InstallSeal) -> Mapping[str, str]:
    """Texts by path below the environment's prefix."""
    constraints = [
        "# Packages of layerwright.lock. What is installed later keeps to these versions or is refused."
    ]
    # The version of a project without one in the lock is known only when it is built.
    constraints += [f"{package.name}=={package.version}" for package in step.packages if package.version]
    packages = [
        f"  {json.dumps(package.name)}: {json.dumps({'version': package.version, 'sha256': package.sha256})}"
        for package in step.packages
    ]
    listed = ",\n".join(packages)
    return {
        f"{_FOLDER}/constraints.txt": "\n".join(constraints) + "\n",
        f"{_FOLDER}/locked.json": f'{{"schema": 1, "packages": {{\n{listed}\n}}}}\n',
        # The environment's own settings. Source: pip's documentation, "Configuration", the file of kind "site".
        "pip.conf": f"[install]\nconstraint = {step.prefix}/{_FOLDER}/constraints.txt\n",
    }


def read_locked(text: bytes) -> tuple[SealedPackage, ...]:
    """The packages that ``LOCKED`` names, whoever wrote it; none when it is not of the kind known here."""
    import msgspec  # noqa: PLC0415 - start-up

    try:
        read = msgspec.json.decode(text, type=_Locked)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    if read.schema != 1:
        return ()
    return tuple(
        SealedPackage(name=name, version=one.version, sha256=one.sha256)
        for name, one in sorted(read.packages.items())
    )
