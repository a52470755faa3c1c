"""The rule library: shapes of secrets whose values are not known, read from ``rules.toml``."""

import re
from collections.abc import Iterable
from functools import cache, cached_property
from importlib.resources import files
from typing import Final, Literal

from msgspec import Struct, convert

from layerwright.core.findings import Level
from layerwright.verify.secrets.literals import Literals

__all__ = ["Rule", "RuleSet", "load_rules", "rules_for"]


class Rule(Struct, frozen=True, kw_only=True, dict=True):
    """One rule; the file's head says what its fields mean."""

    id: str
    title: str
    level: Level
    keywords: tuple[str, ...]
    pattern: str
    source: str
    repair: str
    examples: tuple[str, ...]
    scope: Literal["any", "settings", "files"] = "any"
    files: tuple[str, ...] = ()
    binary: bool = False
    also: str = ""
    entropy: float = 0.0
    check: Literal["", "basic-auth", "assignment", "url", "hash"] = ""

    @cached_property
    def compiled(self) -> re.Pattern[bytes]:
        """The pattern; compiled when a keyword is found for the first time."""
        return re.compile(self.pattern.encode())

    @cached_property
    def after(self) -> bytes:
        """What ``also`` says, as it stands in files."""
        return self.also.encode()


class RuleSet:
    """Rules that are looked for together."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        self.by_keyword: dict[bytes, tuple[tuple[int, Rule], ...]] = {}
        for rank, rule in enumerate(self.rules):
            for keyword in rule.keywords:
                key = keyword.encode()
                self.by_keyword[key] = (*self.by_keyword.get(key, ()), (rank, rule))
        self.literals = Literals(self.by_keyword)


class _Library(Struct, frozen=True, kw_only=True):
    rule: tuple[Rule, ...]


@cache
def load_rules() -> tuple[Rule, ...]:
    """The library, most exact rules first."""
    import tomllib  # noqa: PLC0415 - start-up

    text = (files("layerwright.verify.secrets") / "rules.toml").read_text(encoding="utf-8")
    return convert(tomllib.loads(text), _Library).rule


def rules_for(kind: Literal["settings", "text", "binary"], path: str = "") -> RuleSet:
    """The rules that are for a part of the config, a text file or another file.

    Args:
        kind: what it is.
        path: of the file, or of the member of an archive, without a slash in front.
    """
    if kind == "settings":
        return _settings()
    special: tuple[str, ...] = ()
    if _any_glob().fullmatch(path):
        special = tuple(rule.id for rule in _special() if _glob(rule).fullmatch(path))
    return _in_files(kind == "binary", special)


@cache
def _settings() -> RuleSet:
    return RuleSet(rule for rule in load_rules() if rule.scope != "files")


@cache
def _in_files(binary: bool, special: tuple[str, ...]) -> RuleSet:
    return RuleSet(
        rule
        for rule in load_rules()
        if rule.scope != "settings" and (rule.binary if binary else not rule.files or rule.id in special)
    )


@cache
def _special() -> tuple[Rule, ...]:
    return tuple(rule for rule in load_rules() if rule.files)


@cache
def _glob(rule: Rule) -> re.Pattern[str]:
    return re.compile("|".join(_translate(glob) for glob in rule.files))


@cache
def _any_glob() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{_translate(glob)})" for rule in _special() for glob in rule.files))


_PARTS: Final = {"**/": "(?:.*/)?", "*": "[^/]*"}


def _translate(glob: str) -> str:
    pieces = re.split(r"(\*\*/|\*)", glob)
    return "".join(_PARTS.get(piece, re.escape(piece)) for piece in pieces)
