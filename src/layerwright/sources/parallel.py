"""Several requests at once, results in order, the first error told."""

from collections.abc import Callable, Iterable
from typing import TypeVar

__all__ = ["in_parallel"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_parallel(
    function: Callable[[_Item], _Result], items: Iterable[_Item], *, threads: int = 8
) -> list[_Result]:
    """Call a function for every item on some threads; results in the order of the items.

    Raises:
        Exception: the error of the first item that failed; work not yet begun is dropped.
    """
    todo = list(items)
    if len(todo) < 2:  # noqa: PLR2004  # one item needs no thread
        return [function(item) for item in todo]
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # start-up

    pool = ThreadPoolExecutor(max_workers=min(threads, len(todo)))
    try:
        return [future.result() for future in [pool.submit(function, item) for item in todo]]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
