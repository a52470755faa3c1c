"""Which program a command line runs: behind ``sudo``, ``env``, ``exec`` and the like."""

from collections.abc import Sequence
from typing import Final

from layerwright.lint.shell.model import Word

__all__ = ["unwrapped"]

_WRAPPERS: Final = {
    "sudo": frozenset("ugpChrtTD"), "doas": frozenset("uC"), "env": frozenset("uCS"), "exec": frozenset("a"),
    "command": frozenset[str](), "nohup": frozenset[str](), "time": frozenset("fo"), "nice": frozenset("n"),
    "ionice": frozenset("cn"), "stdbuf": frozenset("ioe"), "timeout": frozenset("ks"), "builtin": frozenset[str](),
    "retry": frozenset[str](), "tini": frozenset("p"), "dumb-init": frozenset[str](), "setarch": frozenset[str](),
    "xvfb-run": frozenset("s"), "fakeroot": frozenset[str](), "catchsegv": frozenset[str](),
}  # fmt: skip
"""Programs that run another, with their short options that take a value."""

_ONE_ARGUMENT: Final = frozenset({"timeout", "setarch"})


def unwrapped(words: Sequence[Word]) -> tuple[tuple[str, ...], str, tuple[Word, ...]]:
    """The wrappers, the program's name without its folder, and its arguments."""
    rest = list(words)
    wrappers: list[str] = []
    while rest:
        name = _name(rest[0])
        if name not in _WRAPPERS:
            break
        following = _behind(name, rest[1:])
        if not following:
            break
        wrappers.append(name)
        rest = following
    if not rest:
        return tuple(wrappers), "", ()
    return tuple(wrappers), _name(rest[0]), tuple(rest[1:])


def _behind(name: str, words: list[Word]) -> list[Word]:
    """What a wrapper runs: its options and variables left out."""
    values = _WRAPPERS[name]
    index = 0
    while index < len(words):
        text = words[index].text
        if text == "--":
            index += 1
            break
        if text.startswith("-") and len(text) > 1:
            takes = not text.startswith("--") and text[-1] in values
            index += 2 if takes else 1
        elif "=" in text and name in {"env", "sudo", "doas"} and text.partition("=")[0].isidentifier():
            index += 1
        else:
            break
    if name in _ONE_ARGUMENT:
        index += 1
    return words[index:]


def _name(word: Word) -> str:
    return word.text.rpartition("/")[2]
