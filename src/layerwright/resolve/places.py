"""Where errors of the outside world point."""

from collections.abc import Iterator
from contextlib import contextmanager

from layerwright.core.errors import LayerwrightError
from layerwright.core.source import Location

__all__ = ["placed"]


@contextmanager
def placed(location: Location) -> Iterator[None]:
    """Let errors of the block that know no better place point at this one."""
    try:
        yield
    except LayerwrightError as error:
        error.where = error.where or location
        raise
