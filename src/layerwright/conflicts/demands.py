"""Requirements that exclude each other, read from what uv says when no set of packages meets them all.

uv derives the contradiction in sentences of a fixed form (``A==1 depends on B>=2 and you require B<2``; uv's
``crates/uv-resolver/src/pubgrub/report.rs``). The sentences are kept as they are; what is read here is who asks for
what, so that both sides can be shown with their places in the spec.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

__all__ = ["Demand", "clash", "demands_of", "exclude_each_other", "way_to"]

_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_WANTED: Final = rf"(?P<name>{_NAME})(?:\[(?P<extras>[^\]]*)\])?(?P<specifier>(?:[<>=!~]=?=?[^\s,|]+,?)*)"
_ASKER: Final = (
    rf"(?:all versions of )?(?P<who>{_NAME})(?:\[[^\]]*\])?(?P<version>(?:[<>=!~]=?=?[^\s,|]+,?)*)"
)
_DEPENDS: Final = re.compile(rf"{_ASKER},? depends? on {_WANTED}")
_REQUIRE: Final = re.compile(
    r"(?<!conclude that )\byou require (?P<list>[^\n]*?)(?:, we can conclude|\.(?:\s|$)|$)"
)
_ONE: Final = re.compile(_WANTED)
_PYTHON: Final = re.compile(
    r"requested Python version \((?P<python>[^)]+)\) does not satisfy Python(?P<specifier>[^\s,]+(?:,[^\s]+)*)"
)


class Demand(Struct, frozen=True, kw_only=True):
    """One requirement and who has it.

    Attributes:
        name: of the package that is required, normalized; ``python`` for the interpreter.
        specifier: which versions; empty for any.
        who: normalized name of the package that asks; empty when the spec does.
        version: of the asker, as uv says it: ``==1.1.1``, ``>=1.1.1``; empty when all of them ask.
    """

    name: str
    specifier: str = ""
    who: str = ""
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name}{self.specifier}"


def demands_of(text: str) -> tuple[Demand, ...]:
    """Everything that is asked for in uv's explanation, each once, in its order."""
    flat = " ".join(text.split())
    found = dict.fromkeys((*_depends(flat), *_required(flat)))
    for match in _PYTHON.finditer(flat):
        found[Demand(name="python", specifier=f"=={match['python']}")] = None
    return tuple(found)


def _depends(text: str) -> Iterator[Demand]:
    for match in _DEPENDS.finditer(text):
        yield Demand(
            name=str(canonicalize_name(match["name"])),
            specifier=match["specifier"].rstrip(",."),
            who=str(canonicalize_name(match["who"])),
            version=match["version"].rstrip(",."),
        )


def _required(text: str) -> Iterator[Demand]:
    for match in _REQUIRE.finditer(text):
        for part in re.split(r" and |, (?=[A-Za-z])", match["list"]):
            one = _ONE.fullmatch(part.strip().rstrip(",."))
            if one:
                name = str(canonicalize_name(one["name"]))
                yield Demand(name=name, specifier=one["specifier"].rstrip(",."))


def clash(demands: Iterable[Demand]) -> tuple[Demand, ...]:
    """Two demands of one package that no version meets; one that nothing meets by itself; else nothing.

    Of several such pairs the one is taken whose askers differ, and which uv names first.
    """
    listed = list(demands)
    for own in (False, True):
        for position, one in enumerate(listed):
            for other in listed[position + 1 :]:
                if one.name != other.name or (one.who == other.who) is not own:
                    continue
                if exclude_each_other(one.specifier, other.specifier):
                    return (one, other)
    return ()


def exclude_each_other(one: str, other: str) -> bool:
    """Whether no version is in both specifiers.

    Specifiers are made of bounds, so it is enough to look at the versions they name and right beside them.
    """
    try:
        left, right = SpecifierSet(one), SpecifierSet(other)
    except InvalidSpecifier:
        return False
    return not any(
        left.contains(version, prereleases=True) and right.contains(version, prereleases=True)
        for version in _near((*left, *right))
    )


def _near(specifiers: Iterable[object]) -> Iterator[Version]:
    yield Version("0")
    yield Version("99999")
    for one in specifiers:
        text = str(getattr(one, "version", "")).removesuffix(".*")
        try:
            version = Version(text)
        except ValueError:
            continue
        release = version.release
        yield version
        yield Version(f"{version.public}.post1") if version.post is None else version
        yield Version(f"{'.'.join(map(str, release))}.0.1")
        yield Version(f"{'.'.join(map(str, release))}.dev0")
        for position, number in enumerate(release):
            head = (*release[:position], number + 1)
            yield Version(".".join(map(str, head)))
            if number:
                below = (*release[:position], number - 1)
                yield Version(f"{'.'.join(map(str, below))}.99999")


def way_to(who: str, demands: Sequence[Demand], roots: Mapping[str, object]) -> tuple[str, ...]:
    """Names from what the spec asks for down to a package, by what uv said; the package alone when no way is told."""
    above: dict[str, list[str]] = {}
    for demand in demands:
        if demand.who:
            above.setdefault(demand.name, []).append(demand.who)
    todo: list[tuple[str, ...]] = [(who,)]
    seen = {who}
    while todo:
        way = todo.pop(0)
        if way[0] in roots:
            return way
        for one in above.get(way[0], ()):
            if one not in seen:
                seen.add(one)
                todo.append((one, *way))
    return (who,)
