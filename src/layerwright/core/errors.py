"""Errors for people: what happened, where in the user's file, how to mend it.

The exit code stands on the class; ``cli`` is the only printer. Anything that is not a
``LayerwrightError`` is a bug and keeps its traceback (exit code 70).
"""

from collections.abc import Sequence
from typing import ClassVar

from msgspec import Struct

from layerwright.core.source import Location

__all__ = [
    "BuildError",
    "EngineError",
    "IntegrityError",
    "LayerwrightError",
    "NetworkError",
    "Problem",
    "ResolveError",
    "RunStartError",
    "SpecError",
    "UsageError",
]


class LayerwrightError(Exception):
    """Root of all errors that are told to a person.

    Attributes:
        what: what happened, one sentence without a full stop; more lines may follow.
        where: place in the user's file, when the error comes from there.
        hint: how to mend it; empty when nothing is known.
        exit_code: process exit status (DESIGN §9).
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: Location | None = None, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint


class UsageError(LayerwrightError):
    """The command line asks for something that cannot be."""

    exit_code = 2


class Problem(Struct, frozen=True, kw_only=True):
    """One fault of a user's file."""

    what: str
    where: Location
    hint: str = ""


class SpecError(LayerwrightError):
    """The spec (or lock) has faults; all of them are reported at once, in file order."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        super().__init__(first.what, where=first.where, hint=first.hint)


class ResolveError(LayerwrightError):
    """No set of packages meets the requirements, or the index does not have them."""

    exit_code = 3


class BuildError(LayerwrightError):
    """A step of the build failed."""

    exit_code = 4


class EngineError(LayerwrightError):
    """A container engine or sandbox is missing, or failed."""

    exit_code = 5


class NetworkError(LayerwrightError):
    """The network, an index or a registry did not give what was asked; or ``--offline`` forbids asking."""

    exit_code = 6


class IntegrityError(LayerwrightError):
    """Bytes are not what their digest says, or an archive is unsafe."""

    exit_code = 7


class RunStartError(LayerwrightError):
    """``run`` could not start the container."""

    exit_code = 125
