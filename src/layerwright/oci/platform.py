"""Platforms: ``os/architecture[/variant]``, and what Debian, wheels and uv call them."""

from typing import Self

from msgspec import Struct

__all__ = ["Platform", "architecture_of"]

_DEBIAN = {"amd64": "amd64", "arm64": "arm64"}
_MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}


class Platform(Struct, frozen=True, kw_only=True):
    """What an image runs on. Only Linux on amd64 and arm64 is known."""

    os: str = "linux"
    architecture: str = "amd64"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``linux/amd64`` or ``linux/arm64``.

        Raises:
            ValueError: another platform.
        """
        system, _, architecture = text.partition("/")
        if system != "linux" or architecture not in _MACHINE:
            raise ValueError(f"unknown platform {text!r}: linux/amd64 and linux/arm64 are known")
        return cls(os=system, architecture=architecture)

    @property
    def machine(self) -> str:
        """The kernel's and the wheels' name: ``x86_64`` or ``aarch64``."""
        return _MACHINE[self.architecture]

    @property
    def debian(self) -> str:
        """Debian's name of the architecture."""
        return _DEBIAN[self.architecture]

    def __str__(self) -> str:
        return f"{self.os}/{self.architecture}"


def architecture_of(machine: str) -> str:
    """The name that platforms have for a kernel's ``x86_64`` or ``aarch64``; another machine's own name."""
    return next((name for name, kernels in _MACHINE.items() if kernels == machine), machine)
