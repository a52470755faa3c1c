"""What the machine has (§5.8)."""

from __future__ import annotations

from typing import Any

__all__ = ["get_gpu_memory"]

_GIB = 1024**3


def get_gpu_memory(device: Any = "cuda:0") -> tuple[float, float]:
    """Total and free memory of a GPU, in GiB; needs torch.

    Raises:
        ImportError: torch is not installed.

    """
    try:
        import torch  # noqa: PLC0415 - start-up
    except ImportError as error:
        msg = "reading a GPU's memory needs torch, which this image does not have"
        raise ImportError(msg) from error
    free, total = torch.cuda.mem_get_info(device)
    return total / _GIB, free / _GIB
