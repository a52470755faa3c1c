"""The page's findings: counts that filter, and each finding with its place, facts, clash and repairs."""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from layerwright.core.findings import LEVELS, Finding, Fix, Member, summarise
from layerwright.core.source import Location
from layerwright.reports.markup import Markup, tag

__all__ = ["findings_section"]

_MANY: Final = 40
"""So many findings of a page start closed, but for errors."""

_WORDS: Final = {"error": "errors", "warning": "warnings", "note": "notes", "unknown": "unknown"}


def findings_section(findings: Sequence[Finding]) -> Markup:
    """Filters and findings, in the order given; a finding that holds alike for several images stands once."""
    grouped: dict[Finding, list[str]] = {}
    for finding in findings:
        same = replace(finding, where=replace(finding.where, image=""))
        grouped.setdefault(same, []).append(finding.where.image)
    images = sorted({image for found in grouped.values() for image in found if image})
    if not findings:
        return tag("div", tag("h2", "Findings"), tag("p", "Nothing was found.", class_="good"))
    return tag(
        "div",
        tag("h2", "Findings"),
        _filters(findings, images),
        tag("p", f"{len(grouped)} of {len(grouped)} shown", id="shown", role="status", aria_live="polite"),
        tag(
            "div",
            [
                _finding(
                    finding, [image for image in found if image], is_open=_starts_open(finding, len(grouped))
                )
                for finding, found in grouped.items()
            ],
            id="list",
        ),
    )


def _starts_open(finding: Finding, total: int) -> bool:
    return finding.level == "error" or (finding.level != "note" and total < _MANY)


def _filters(findings: Sequence[Finding], images: Sequence[str]) -> Markup:
    counts = summarise(findings)
    boxes = [
        tag(
            "label",
            tag("input", type="checkbox", name="level", value=level, checked=True),
            tag("span", str(counts[level]), class_="count"),
            f" {_WORDS[level][:-1] if counts[level] == 1 and level != 'unknown' else _WORDS[level]}",
            class_=f"level {level}",
        )
        for level in LEVELS
        if counts[level]
    ]
    chooser = None
    if len(images) > 1:
        options = [
            tag("option", "every image", value=""),
            *(tag("option", name, value=name) for name in images),
        ]
        chooser = tag("label", "in ", tag("select", options, id="image"))
    return tag(
        "form",
        tag("fieldset", tag("legend", "Show", class_="hidden"), boxes),
        chooser,
        tag(
            "label",
            tag("span", "Search", class_="hidden"),
            tag("input", type="search", id="search", placeholder="Search findings", autocomplete="off"),
        ),
        id="filters",
        class_="script",
    )


def _finding(finding: Finding, images: Sequence[str], *, is_open: bool) -> Markup:
    place = finding.where.location
    where = " ".join(filter(None, (str(place) if place else "", finding.where.path)))
    return tag(
        "details",
        tag(
            "summary",
            tag("span", finding.level, class_=f"badge {finding.level}"),
            " ",
            tag("code", finding.code),
            " ",
            tag("span", finding.message, class_="message"),
        ),
        tag(
            "div",
            tag("p", where, class_="where") if where else None,
            _excerpt(place) if place else None,
            _about(finding, images),
            _members(finding.members),
            _evidence(finding),
            _fixes(finding.fix),
            class_="body",
        ),
        class_=f"finding {finding.level}",
        open=is_open,
        data_level=finding.level,
        data_images="\n".join(images),
    )


def _about(finding: Finding, images: Sequence[str]) -> Markup | None:
    parts = []
    if images:
        word = "image" if len(images) == 1 else "images"
        parts.append(tag("span", f"{word} ", [(tag("code", name), " ") for name in images]))
    if finding.where.layer:
        parts.append(tag("span", "layer ", tag("code", finding.where.layer)))
    return tag("p", parts, class_="about") if parts else None


def _excerpt(place: Location) -> Markup | None:
    text = place.text.rstrip()
    if not text.strip():
        return None
    number = tag("span", f"{place.line} ", class_="line") if place.line else None
    margin = len(text) - len(text.lstrip())
    column = place.column - 1
    marked = place.marked
    if column < margin or not marked:
        return tag("pre", number, text.strip(), class_="source")
    after = column + len(marked)
    return tag("pre", number, text[margin:column], tag("mark", marked), text[after:], class_="source")


def _evidence(finding: Finding) -> Markup | None:
    if not finding.evidence:
        return None
    rows = [
        tag(
            "li",
            fact.text,
            " ",
            tag("span", fact.confidence, class_=f"confidence {fact.confidence}"),
            " ",
            tag("span", fact.source, class_="from"),
        )
        for fact in finding.evidence
    ]
    return tag("div", tag("h3", "Evidence"), tag("ul", rows, class_="evidence"))


def _members(members: Sequence[Member]) -> Markup | None:
    if not members:
        return None
    rows = [
        tag(
            "tr",
            tag("td", one.kind),
            tag("td", tag("code", one.name)),
            tag("td", one.version),
            tag("td", _origin(one)),
        )
        for one in members
    ]
    head = tag("tr", (tag("th", name, scope="col") for name in ("what", "name", "version", "from")))
    return tag(
        "div",
        tag("h3", "The smallest set that clashes"),
        tag("div", tag("table", tag("thead", head), tag("tbody", rows)), class_="wide"),
    )


def _origin(member: Member) -> str:
    if member.location is None:
        return member.origin
    place = f"{member.location.file}:{member.location.line}" if member.location.line else str(member.location)
    return member.origin if place in member.origin else ", ".join(filter(None, (member.origin, place)))


def _fixes(fixes: Sequence[Fix]) -> Markup | None:
    if not fixes:
        return None
    rows = []
    for fix in fixes:
        old = fix.replaces.text.strip() if fix.replaces and fix.edit else ""
        change = [tag("del", f"- {old}\n") if old else None]
        change += [tag("ins", f"+ {line}\n") for line in fix.edit.splitlines()]
        change += [tag("span", f"$ {line}\n") for line in fix.command.splitlines()]
        rows.append(
            tag(
                "li",
                fix.text,
                tag("span", " checked: the clash is gone", class_="checked") if fix.verified else None,
                tag("pre", change, class_="change") if fix.edit or fix.command else None,
            )
        )
    return tag("div", tag("h3", "Repair, cheapest first"), tag("ol", rows, class_="fixes"))
