"""The mirrors of a region, by one name: a choice of this machine, that neither spec nor lock nor image knows of."""

from collections.abc import Mapping
from typing import Final

from layerwright.core.errors import UsageError

__all__ = ["MIRRORS", "NONE", "with_mirrors"]

MIRRORS: Final = "LAYERWRIGHT_MIRRORS"
"""Variable that names the mirrors."""

NONE: Final = "none"
_DEBIAN: Final = "LAYERWRIGHT_DEBIAN_MIRROR"
_UBUNTU: Final = "LAYERWRIGHT_UBUNTU_MIRROR"


def with_mirrors(variables: Mapping[str, str]) -> Mapping[str, str]:
    """The caller's variables with the addresses of the mirrors they name; those that name an address themselves stay.

    Raises:
        UsageError: there are no mirrors of this name.
    """
    wanted = variables.get(MIRRORS, "")
    if wanted in {"", NONE}:
        return variables
    from layerwright.doctor.data import mirrors  # noqa: PLC0415 - start-up
    from layerwright.sources.indexes import PYPI, variable_name  # noqa: PLC0415 - start-up

    known = {mirror.id: mirror for mirror in mirrors()}
    if wanted not in known:
        raise UsageError(
            f"{MIRRORS} is {wanted!r}, and there are no mirrors of this name",
            hint=f"it takes {', '.join(known)}, or {NONE}; {variable_name(PYPI)}, {_DEBIAN} and {_UBUNTU} take "
            "addresses",
        )
    mirror = known[wanted]
    own = {
        variable_name(PYPI): mirror.pypi,
        _DEBIAN: f"{mirror.debian} {mirror.debian_security}",
        _UBUNTU: f"{mirror.ubuntu} {mirror.ubuntu_ports}",
    }
    return {**variables, **{name: value for name, value in own.items() if not variables.get(name)}}
