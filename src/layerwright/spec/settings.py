"""Values of the spec that are said on the command line: ``--set images.dev.python=3.10``.

The file stays as it is; everything after the reading of it is the same as if the value stood there.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import tomli
from msgspec import Struct, ValidationError, convert

from layerwright.core.errors import UsageError
from layerwright.spec.faults import KeyPath
from layerwright.spec.keys import SpecFile

__all__ = ["Setting", "apply_settings", "parse_setting"]

_FORM: Final = "--set KEY=VALUE: a key of the spec with dots, as in --set defaults.python=3.10"


class Setting(Struct, frozen=True, kw_only=True):
    """A value for a key.

    Attributes:
        path: keys from the top of the spec.
        text: the value as it was given.
        value: what it is in TOML; the text itself where it is none.
    """

    path: KeyPath
    text: str
    value: Any

    def __str__(self) -> str:
        return f"--set {'.'.join(map(str, self.path))}={self.text}"


def parse_setting(text: str) -> Setting:
    """Read ``KEY=VALUE``.

    The value is TOML where it can be read as such (a list, a table, true, a text in quotes), else a text.

    Raises:
        UsageError: there is no key, or it is none.
    """
    key, equals, value = text.partition("=")
    path: list[str] = []
    try:
        table: Any = tomli.loads(f"{key.strip()} = 0") if equals and "\n" not in key else {}
    except tomli.TOMLDecodeError:
        table = {}
    while isinstance(table, dict) and len(table) == 1:
        name, table = next(iter(table.items()))
        path.append(name)
    if not path or table != 0:
        raise UsageError(f"{text!r} is no setting", hint=_FORM)
    return Setting(path=tuple(path), text=value, value=_value(value))


def apply_settings(table: Mapping[str, Any], settings: Iterable[Setting]) -> dict[str, Any]:
    """The spec's table with the values in it; the table that was given stays as it is.

    A number may be meant as a text, such as a Python version: which of the two a key takes, it says itself.

    Raises:
        UsageError: the way to a key leads through what is no table.
    """
    whole = dict(table)
    for setting in settings:
        number = isinstance(setting.value, int | float) and not isinstance(setting.value, bool)
        said = _with(whole, setting.path, setting.text if number else setting.value, setting)
        if number and not _fits(said):
            other = _with(whole, setting.path, setting.value, setting)
            said = other if _fits(other) else said
        whole = said
    return whole


def _value(text: str) -> Any:  # noqa: ANN401 - any TOML value
    try:
        document = tomli.loads(f"value = {text}")
    except tomli.TOMLDecodeError:
        return text
    # A value such as "a\nb = 1" is no value but a text of two lines.
    return document["value"] if set(document) == {"value"} else text


def _with(
    table: Mapping[str, Any], path: Sequence[str | int], value: object, setting: Setting
) -> dict[str, Any]:
    name, rest = str(path[0]), path[1:]
    if not rest:
        return {**table, name: value}
    inner = table.get(name, {})
    if not isinstance(inner, dict):
        raise UsageError(
            f"{setting}: {name!r} is no table in the spec, and has no key {str(rest[0])!r}",
            hint=f"set all of it: --set {'.'.join(map(str, setting.path[: -len(rest)]))}=VALUE",
        )
    return {**table, name: _with(inner, rest, value, setting)}


def _fits(table: Mapping[str, Any]) -> bool:
    try:
        convert(table, SpecFile)
    except ValidationError:
        return False
    return True
