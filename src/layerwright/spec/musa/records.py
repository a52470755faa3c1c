"""What is recorded of the scripts' images: their Debian packages, Ubuntu releases, tags, pins."""

from functools import cache
from importlib.resources import files

import tomli
from msgspec import Struct, convert

__all__ = ["Pin", "Recorded", "Tag", "Ubuntu", "recorded"]


class Ubuntu(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A release: ``20.04``, the Pythons that its archive has, and packages that are called so in it."""

    version: str
    python: tuple[str, ...]
    apt: tuple[str, ...]


class Tag(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A development tag of torch_musa, the tag of PyTorch and the Pythons that it is for."""

    torch_musa: str
    pytorch: str
    python: tuple[str, ...]


class Pin(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requirements of images of a role, for these Pythons; for any when none is named."""

    role: str
    python: tuple[str, ...] = ()
    packages: tuple[str, ...]


class _Apt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    common: tuple[str, ...]


class Recorded(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it."""

    apt: _Apt
    ubuntu: tuple[Ubuntu, ...]
    tag: tuple[Tag, ...]
    pin: tuple[Pin, ...]

    def release(self, version: str) -> Ubuntu | None:
        """An Ubuntu release by its version; None when it is not recorded."""
        return next((one for one in self.ubuntu if one.version == version), None)

    def packages(self, release: Ubuntu) -> tuple[str, ...]:
        """Debian packages of an image on the release, without its Python, by name."""
        return tuple(sorted({*self.apt.common, *release.apt}))

    def requirements(self, role: str, python: str) -> tuple[str, ...]:
        """What the Python environment of an image holds from the start."""
        return tuple(
            package
            for pin in self.pin
            if pin.role == role and (not pin.python or python in pin.python)
            for package in pin.packages
        )

    def pythons(self, torch_musa: str) -> tuple[str, ...]:
        """Pythons of a development tag; empty when it is not recorded."""
        return next((one.python for one in self.tag if one.torch_musa == torch_musa), ())


@cache
def recorded() -> Recorded:
    """The records, read once."""
    text = files("layerwright.spec.musa").joinpath("data.toml").read_text(encoding="utf-8")
    return convert(tomli.loads(text), Recorded)
