"""A command line of the container scripts, and the definition that goes with it."""

import shlex
from typing import Final

from msgspec import Struct

from layerwright.core.errors import Problem, SpecError
from layerwright.core.source import Location
from layerwright.spec.musa.definition import DEFINITION, read_definition
from layerwright.spec.musa.options import ScriptName
from layerwright.spec.musa.said import COMMAND_LINE, Given
from layerwright.workflow.session import Session

__all__ = ["Order", "command_of", "with_definition", "wrong_option"]

_LARGEST: Final = 2**20
_NOT_OF_THE_SPEC: Final = frozenset({"emit_toml", "backend", "output", "no_prepare"})


class Order(Struct, frozen=True, kw_only=True):
    """A command line: which script, and what was given."""

    script: ScriptName
    given: Given


def with_definition(session: Session, order: Order) -> Order:
    """The order of ``build-all`` with the values of its definition."""
    if order.script != "build-all":
        return order
    named = order.given.options.get("definition")
    path = session.start / (named if isinstance(named, str) else DEFINITION)
    shown = str(named or DEFINITION)
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except FileNotFoundError as error:
        if named is None:
            return order
        raise wrong_option(
            "--definition", f"--definition: there is no file {shown}", "`--template` prints one"
        ) from error
    except OSError as error:
        raise wrong_option(
            "--definition", f"--definition: cannot read {shown}: {error.strerror}", "name a file"
        ) from error
    if len(data) > _LARGEST:
        what = f"{shown} is larger than {_LARGEST >> 20} MiB: it is no definition"
        raise wrong_option("--definition", what, "`--template` prints one")
    try:
        text = data.decode("utf-8-sig")
    except ValueError as error:
        raise wrong_option(
            "--definition", f"{shown} is no UTF-8 text", "convert it: iconv -t UTF-8"
        ) from error
    values = read_definition(text, file=shown)
    return Order(script=order.script, given=Given(options=order.given.options, definition=values, file=shown))


def command_of(order: Order) -> str:
    """The command line, as it can be given again."""
    words = ["layerwright", "musa", order.script]
    for name, value in order.given.options.items():
        if name in _NOT_OF_THE_SPEC:
            continue
        option = f"--{name}"
        for one in value if isinstance(value, tuple) else (value,):
            words += [option] if one is True else [option, str(one)]
    return shlex.join(words)


def wrong_option(option: str, what: str, hint: str) -> SpecError:
    """The error for one option."""
    return SpecError([Problem(what=what, where=Location(file=COMMAND_LINE, key=option), hint=hint)])
