"""Values as they were given, where each stands, and what is wrong with them, collected."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct, field

from layerwright.core.errors import Problem, SpecError
from layerwright.core.source import Location
from layerwright.spec.musa.options import Option

__all__ = ["COMMAND_LINE", "Given", "Said", "Value"]

COMMAND_LINE: Final = "command line"
"""What stands in the place of a file where an option is wrong."""

Value = str | bool | tuple[str, ...]


class Given(Struct, frozen=True, kw_only=True):
    """What a person gave: options, and a definition whose values the options go before.

    Attributes:
        options: by field; only what stood on the command line.
        definition: by field, from a file.
        file: the definition's name.
    """

    options: Mapping[str, Value] = field(default_factory=dict)
    definition: Mapping[str, Value] = field(default_factory=dict)
    file: str = ""


class Said:
    """Reads values, and collects faults until all have been read.

    Args of the constructor:
        table: the options that there are.
        given: what was given of them.
    """

    def __init__(self, table: Sequence[Option], given: Given) -> None:
        self._table = {option.field: option for option in table}
        self._given = given
        self._problems: list[Problem] = []

    def __contains__(self, name: str) -> bool:
        """Whether the value was given, be it empty."""
        return name in self._given.options or name in self._given.definition

    def text(self, name: str) -> str:
        """A value, else its documented default."""
        value = self._given.options.get(name, self._given.definition.get(name, self._table[name].default))
        return value if isinstance(value, str) else ""

    def switch(self, name: str) -> bool:
        """Whether a switch is on."""
        return bool(self._given.options.get(name, self._given.definition.get(name, False)))

    def many(self, name: str) -> tuple[str, ...]:
        """The values of an option that may be given several times, else the words of its default."""
        value = self._given.options.get(
            name, self._given.definition.get(name, tuple(self._table[name].default.split()))
        )
        return value if isinstance(value, tuple) else ()

    def name(self, name: str) -> str:
        """What people call the value where they gave it: ``-m/--musa_toolkits_url``, or the definition's key."""
        return name if self._from_file(name) else self._table[name].name

    def fault(self, name: str, what: str, hint: str) -> None:
        """Note a fault; ``what`` goes after the value's name."""
        place = (
            Location(file=self._given.file, key=name)
            if self._from_file(name)
            else Location(file=COMMAND_LINE, key=self._table[name].long)
        )
        self._problems.append(Problem(what=f"{self.name(name)}{what}", where=place, hint=hint))

    def is_faulty(self) -> bool:
        """Whether anything is wrong so far."""
        return bool(self._problems)

    def done(self) -> None:
        """Nothing more is read.

        Raises:
            SpecError: with everything that is wrong.
        """
        if self._problems:
            raise SpecError(self._problems)

    def _from_file(self, name: str) -> bool:
        return bool(self._given.file) and name in self._given.definition and name not in self._given.options
