"""A resolution that failed, as a finding: who asks for what, where, in uv's own words."""

from collections.abc import Mapping, Sequence

from layerwright.conflicts.demands import Demand, clash, demands_of, way_to
from layerwright.core.errors import ResolveError
from layerwright.core.findings import Evidence, Finding, Fix, Kind, Member, Place
from layerwright.core.source import Location

__all__ = ["KIND", "Asked", "resolution_finding"]

KIND = Kind(
    code="LW-REQUIREMENTS",
    title="No set of packages meets the requirements",
    why="Two requirements exclude each other, or nothing on the indexes meets one of them. There is no lock, so "
    "nothing can be built.",
    evidence="uv's own derivation, from the metadata of the packages on the indexes.",
    repair="Loosen the requirement that matters less, take another release of what asks for it, or make two images.",
)

Asked = Mapping[str, Location]
"""What the spec asks for, by normalized name, with the place."""


def resolution_finding(
    error: ResolveError,
    *,
    cell: str,
    python: str,
    asked: Asked,
    place: Location,
    source: str = "uv",
) -> Finding:
    """The finding for a failed resolution.

    Args:
        error: as the resolver raised it; its lines after the first are uv's explanation.
        cell: which could not be resolved.
        python: the cell's.
        asked: what the cell and its parents ask for.
        place: of the cell.
        source: name of the resolver, with its version.
    """
    first, _, said = error.what.partition("\n")
    demands = demands_of(said)
    sides = clash(demands)
    members = [_member(one, demands, asked, python, place) for one in sides]
    message = first.removeprefix(f"{cell}: ")
    if sides:
        left, right = sides
        message = (
            f"{_who(left, demands, asked)} asks for {left}, and {_who(right, demands, asked)} for {right}: "
            f"no version of {left.name} is both"
        )
    evidence = [
        Evidence(text=line, source=source, confidence="metadata") for line in said.splitlines() if line
    ]
    advice = [Fix(text=error.hint, cost=50)] if error.hint and "explain conflict" not in error.hint else []
    where = next((member.location for member in members if member.location), None) or error.where or place
    return Finding(
        code=KIND.code,
        level="error",
        message=message,
        where=Place(location=where, image=cell),
        evidence=tuple(evidence),
        fix=tuple(advice),
        members=tuple(members),
    )


def _who(demand: Demand, demands: Sequence[Demand], asked: Asked) -> str:
    if demand.name == "python" and not demand.who:
        return "the image"
    if not demand.who:
        return "the spec"
    way = way_to(demand.who, demands, asked)
    name = _asker(demand)
    return name if len(way) == 1 else f"{name} (needed by {' <- '.join(reversed(way[:-1]))})"


def _asker(demand: Demand) -> str:
    """Who asks, with the versions that do: ``docaligner 1.1.1``, ``docaligner 1.1.1 and later``."""
    bound = demand.version
    if not bound:
        return f"every version of {demand.who}"
    if "," not in bound and bound.startswith("=="):
        return f"{demand.who} {bound[2:]}"
    if "," not in bound and bound.startswith(">="):
        return f"{demand.who} {bound[2:]} and later"
    return f"{demand.who} {bound}"


def _member(demand: Demand, demands: Sequence[Demand], asked: Asked, python: str, place: Location) -> Member:
    if demand.name == "python" and not demand.who:
        return Member(
            kind="python", name="python", version=python, origin="the image's Python", location=place
        )
    if not demand.who:
        return Member(
            kind="requirement",
            name=str(demand),
            origin="asked for by the spec",
            location=asked.get(demand.name),
        )
    way = way_to(demand.who, demands, asked)
    origin = f"asked for by {_asker(demand)}"
    if len(way) > 1:
        origin += f", needed by {' <- '.join(reversed(way[:-1]))}"
    return Member(kind="requirement", name=str(demand), origin=origin, location=asked.get(way[0]))
