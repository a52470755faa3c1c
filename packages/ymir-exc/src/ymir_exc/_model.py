"""Small records with lenient types, as the models of the SDKs: keyword arguments, settable attributes, ``.dict()``."""

from __future__ import annotations

import copy
import os
from typing import Any, Callable, ClassVar, Mapping, TypeVar

__all__ = ["Field", "Model", "ValidationError", "boolean", "integer", "real", "text"]

_TRUE = ("1", "on", "t", "true", "y", "yes")
_FALSE = ("0", "off", "f", "false", "n", "no")

_Self = TypeVar("_Self", bound="Model")


class ValidationError(ValueError):
    """A record cannot be made of what was given; the message names the field."""


def text(value: Any) -> str:
    """Text, also from a number (§5.2)."""
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    msg = f"{value!r} is not text"
    raise ValidationError(msg)


def boolean(value: Any) -> bool:
    """True or false, also from 0, 1 and the words of YAML (§5.2)."""
    if isinstance(value, (bool, int, float)) and value in (0, 1):
        return bool(value)
    if isinstance(value, str) and value.lower() in _TRUE + _FALSE:
        return value.lower() in _TRUE
    msg = f"{value!r} is neither true nor false"
    raise ValidationError(msg)


def integer(value: Any) -> int:
    """A whole number; fractions are cut off toward zero, numeric text is taken (§5.6)."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        msg = f"{value!r} is not a whole number"
        raise ValidationError(msg) from None


def real(value: Any) -> float:
    """A number with a fraction, also from numeric text."""
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        msg = f"{value!r} is not a number"
        raise ValidationError(msg) from None


class Field:
    """One field: how its value is read, and what it is when it is not given."""

    def __init__(self, convert: Callable[[Any], Any], default: Callable[[], Any] | None = None) -> None:
        self.convert = convert
        self.default = default


class Model:
    """A record; subclasses list their ``FIELDS``.

    ``__fields_set__`` names the fields that were given, as opposed to those that took their default.
    """

    FIELDS: ClassVar[Mapping[str, Field]] = {}
    __fields_set__: set[str]

    def __init__(self, **values: Any) -> None:
        self.__fields_set__ = set()
        for name, field in self.FIELDS.items():
            if name in values:
                try:
                    value = field.convert(values[name])
                except ValidationError as error:
                    msg = f"{type(self).__name__}: {name}: {error}"
                    raise ValidationError(msg) from None
                self.__fields_set__.add(name)
            elif field.default is None:
                msg = f"{type(self).__name__}: {name} is missing"
                raise ValidationError(msg)
            else:
                value = field.default()
            setattr(self, name, value)

    @classmethod
    def parse_obj(cls: type[_Self], value: Any) -> _Self:
        """A record from a mapping, or from a record of the same kind.

        Raises:
            ValidationError: it is neither, or a field is missing or of another kind.

        """
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            found = "nothing" if value is None else f"a {type(value).__name__}"
            msg = f"{cls.__name__}: a mapping is wanted, and {found} was found"
            raise ValidationError(msg)
        return cls(**{str(key): each for key, each in value.items()})

    def dict(self) -> dict[str, Any]:
        """The fields and their values, records in it as mappings too."""
        values = {name: getattr(self, name) for name in self.FIELDS}
        return {name: each.dict() if isinstance(each, Model) else each for name, each in values.items()}

    model_dump = dict  # noqa: A003 - the name of pydantic's models

    def copy(self: _Self) -> _Self:
        """A record of its own with the same values."""
        return copy.deepcopy(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and type(other) is type(self) and other.dict() == self.dict()

    __hash__ = None  # type: ignore[assignment] # its attributes can be set

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.FIELDS)})"
        )
