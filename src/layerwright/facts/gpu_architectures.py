"""GPU architectures of Moore Threads: their names, their numbers, the products that have them.

The names ``qy1``, ``qy2`` and ``ph1`` stand in image tags and addresses of archives; the numbers (MP 21, MP 22,
MP 31; ``cc3.1``) in what compilers are told, such as ``TORCH_MUSA_ARCH_LIST``. Sources: MooreThreads/torch_musa,
docker/build_release.sh, docker/common/install_math.sh and the setup script. That the S5000 is a ph1 is only what the
community says: build_release.sh takes every product it does not know for one, which is not copied here.
"""

import re
from typing import Final

from msgspec import Struct

__all__ = [
    "GPU_ARCHITECTURES",
    "GpuArchitecture",
    "architecture_of",
    "known_architectures",
    "parse_architecture",
]


class GpuArchitecture(Struct, frozen=True, kw_only=True):
    """An architecture.

    Attributes:
        name: ``qy1``.
        number: ``21``, as ``TORCH_MUSA_ARCH_LIST`` has it.
        products: names of products without ``MTT``.
    """

    name: str
    number: str
    products: tuple[str, ...]


GPU_ARCHITECTURES: Final = (
    GpuArchitecture(name="qy1", number="21", products=("S80", "S80ES", "S3000")),
    GpuArchitecture(name="qy2", number="22", products=("S90", "S4000")),
    GpuArchitecture(name="ph1", number="31", products=("S5000",)),
)

_NUMBER: Final = re.compile(r"(?:MP|CC)?([0-9])\.?([0-9])")


def parse_architecture(text: str) -> GpuArchitecture | None:
    """The architecture of a name (``qy2``), number (``MP 22``, ``22``, ``cc3.1``) or product (``MTT S4000``).

    Returns:
        None for what is not known.
    """
    plain = _plain(text)
    number = _NUMBER.fullmatch(plain)
    for architecture in GPU_ARCHITECTURES:
        if plain == architecture.name.upper() or (number and number[1] + number[2] == architecture.number):
            return architecture
    return architecture_of(text)


def architecture_of(product: str) -> GpuArchitecture | None:
    """The architecture of a product as ``mthreads-gmi`` prints it (``MTT S80``, ``MTTS80``); None when not known."""
    plain = _plain(product).removeprefix("MTT")
    return next((one for one in GPU_ARCHITECTURES if plain in one.products), None)


def known_architectures() -> str:
    """The architectures with numbers and products, for messages."""
    return ", ".join(f"{one.name} (MP {one.number}: {', '.join(one.products)})" for one in GPU_ARCHITECTURES)


def _plain(text: str) -> str:
    return re.sub(r"[\s_-]+", "", text).upper()
