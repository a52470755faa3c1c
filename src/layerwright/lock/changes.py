"""What differs between two locks, for people who review one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from layerwright.core.addresses import mask_credentials
from layerwright.lock.model import (
    Deb,
    Lock,
    LockedBase,
    LockedCell,
    LockedComponent,
    LockedFile,
    LockedSource,
    LockedTree,
    LockedWheel,
)

__all__ = ["Change", "describe", "diff"]

Subject = Literal["cell", "base", "python", "platform", "deb", "package", "file", "component", "tree"]
Fate = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference.

    Attributes:
        cells: names of the cells it concerns, at least one: the same change is told once.
        subject: what kind of thing changed.
        name: its name; for ``base``, ``python`` and ``platform`` the same word.
        fate: whether it is new, gone, or was there before and still is.
        old, new: versions, or digests cut short; empty for what was not there, is gone, or has no version.
        origin: index, address or kind of source it comes from now, empty when nothing is to be said.
        note: what else changed, such as ``other bytes``; empty when the versions say it all.
    """

    cells: tuple[str, ...]
    subject: Subject
    name: str
    fate: Fate = "changed"
    old: str = ""
    new: str = ""
    origin: str = ""
    note: str = ""


def diff(old: Lock | None, new: Lock) -> tuple[Change, ...]:
    """Changes in the order of the cells of ``new``, then of cells that are gone; empty for equal locks.

    The digest of the spec part alone is no change: it says that the spec was edited, not what is installed.
    """
    before = old.cells if old else {}
    changes: dict[Change, tuple[str, ...]] = {}
    for name in sorted({*before, *new.cells}, key=lambda cell: (cell not in new.cells, cell)):
        for change in _cell_changes(before.get(name), new.cells.get(name)):
            plain = replace(change, cells=())
            if change.subject == "cell":
                plain = replace(plain, name=name)
            changes[plain] = (*changes.get(plain, ()), name)
    return tuple(replace(change, cells=cells) for change, cells in changes.items())


def describe(change: Change) -> str:
    """One line, such as ``infer: numpy 2.1.0 → 2.2.0 (pypi)``."""
    place = ", ".join(change.cells)
    if change.subject == "cell":
        return f"{place}: {'new' if change.fate == 'added' else 'removed'}"
    name = change.name
    if change.subject == "tree":
        name = f"sources of {change.name}"
    elif change.subject not in {"package", "file", "python", "platform"}:
        name = f"{change.subject} {change.name}"
    if change.subject == "base":
        name = "base"
    if change.fate != "changed":
        # one of the two is empty, both for a project whose version is made when it is built
        text = " ".join(part for part in (name, change.old, change.new, change.fate) if part)
    elif change.old == change.new:
        text = f"{name} {change.new}".rstrip()
    else:
        text = f"{name} {change.old or _NO_VERSION} → {change.new or _NO_VERSION}"
    if change.note:
        text += f", {change.note}"
    return f"{place}: {text} ({change.origin})" if change.origin else f"{place}: {text}"


_NO_VERSION: Final = "no fixed version"


def _fate(was: object, now: object) -> Fate:
    return "added" if was is None else "removed" if now is None else "changed"


def _cell_changes(old: LockedCell | None, new: LockedCell | None) -> Iterator[Change]:
    if new is None:
        yield Change(cells=(), subject="cell", name="", fate="removed")
        return
    if old is None:
        yield Change(cells=(), subject="cell", name="", fate="added")
        old = LockedCell(
            name=new.name, spec_digest="", base=new.base, python=new.python, platform=new.platform
        )
    if old.platform != new.platform:
        yield Change(cells=(), subject="platform", name="platform", old=old.platform, new=new.platform)
    if old.python != new.python:
        yield Change(
            cells=(), subject="python", name="python", old=old.python or "none", new=new.python or "none"
        )
    yield from _base_changes(old.base, new.base)
    yield from _deb_changes(old.apt, new.apt)
    yield from _package_changes(old, new)
    yield from _file_changes(old.files, new.files)
    yield from _component_changes(old.components, new.components)
    yield from _tree_changes(old.trees, new.trees)


def _base_changes(old: LockedBase, new: LockedBase) -> Iterator[Change]:
    if old == new:
        return
    names = [f"{base.kind}:{base.source}" for base in (old, new)]
    if names[0] != names[1]:
        yield Change(cells=(), subject="base", name="base", old=names[0], new=names[1])
        return
    debs = tuple(_deb_changes(old.debs, new.debs))
    if debs:
        yield Change(
            cells=(), subject="base", name="base", old=names[0], new=names[1], note="other packages:"
        )
        yield from debs
    elif old.digest != new.digest:
        digests = [base.digest.removeprefix("sha256:")[:12] for base in (old, new)]
        yield Change(cells=(), subject="base", name="base", old=digests[0], new=digests[1], origin=names[1])
    else:
        note = ", ".join(
            f"{key} {getattr(old, key) or 'unknown'} → {getattr(new, key) or 'unknown'}"
            for key in ("python", "interpreter", "glibc")
            if getattr(old, key) != getattr(new, key)
        )
        yield Change(cells=(), subject="base", name="base", old=names[0], new=names[1], note=note)


def _deb_changes(old: Sequence[Deb], new: Sequence[Deb]) -> Iterator[Change]:
    before = {(deb.name, deb.architecture): deb for deb in old}
    after = {(deb.name, deb.architecture): deb for deb in new}
    for key in sorted({*before, *after}):
        was, now = before.get(key), after.get(key)
        if was == now:
            continue
        note = (
            "other bytes" if was and now and was.version == now.version and was.sha256 != now.sha256 else ""
        )
        if was and now and was.version == now.version and not note:
            note = "other place"
        yield Change(
            cells=(),
            subject="deb",
            name=key[0],
            fate=_fate(was, now),
            old=was.version if was else "",
            new=now.version if now else "",
            note=note,
        )


def _package_changes(old: LockedCell, new: LockedCell) -> Iterator[Change]:
    before = {package.name: package for package in old.packages}
    after = {package.name: package for package in new.packages}
    for name in sorted({*before, *after}):
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        yield Change(
            cells=(),
            subject="package",
            name=name,
            fate=_fate(was, now),
            old=was.version if was else "",
            new=now.version if now else "",
            origin=_origin(now) if now else "",
            note=_package_note(was, now) if was and now else "",
        )


def _package_note(was: LockedWheel | LockedSource, now: LockedWheel | LockedSource) -> str:
    notes = []
    if type(was) is not type(now):
        notes.append("now a wheel" if isinstance(now, LockedWheel) else f"now built from {now.kind}")
    elif isinstance(was, LockedSource) and isinstance(now, LockedSource) and was.commit != now.commit:
        notes.append(f"commit {was.commit[:12] or 'none'} → {now.commit[:12] or 'none'}")
    elif was.version == now.version and was.sha256 != now.sha256:
        notes.append(
            f"other bytes ({_file(was)} → {_file(now)})" if _file(was) != _file(now) else "other bytes"
        )
    elif isinstance(was, LockedSource) and isinstance(now, LockedSource) and was.metadata != now.metadata:
        notes.append("its project files changed")
    if _origin(was) != _origin(now):
        notes.append(f"was from {_origin(was)}")
    if was.requested != now.requested:
        notes.append(
            "now asked for by the spec" if now.requested else "no longer asked for by the spec itself"
        )
    return ", ".join(notes) or ("other details" if was.version == now.version else "")


def _file(package: LockedWheel | LockedSource) -> str:
    return package.file if isinstance(package, LockedWheel) else package.source


def _origin(package: LockedWheel | LockedSource) -> str:
    if package.index:
        return package.index
    if isinstance(package, LockedSource) and package.kind != "sdist":
        return f"{package.kind} {mask_credentials(package.source)}"
    return mask_credentials(package.url)


def _file_changes(old: Sequence[LockedFile], new: Sequence[LockedFile]) -> Iterator[Change]:
    return _fetched_changes("file", {one.to: one for one in old}, {one.to: one for one in new})


def _component_changes(old: Sequence[LockedComponent], new: Sequence[LockedComponent]) -> Iterator[Change]:
    return _fetched_changes("component", {one.name: one for one in old}, {one.name: one for one in new})


def _fetched_changes(
    subject: Literal["file", "component"],
    before: Mapping[str, LockedFile | LockedComponent],
    after: Mapping[str, LockedFile | LockedComponent],
) -> Iterator[Change]:
    """Changes of what is fetched by its digest, by name."""
    for name in sorted({*before, *after}):
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        same = was is not None and now is not None and was.sha256 == now.sha256
        yield Change(
            cells=(),
            subject=subject,
            name=name,
            fate=_fate(was, now),
            old=was.sha256[:12] if was else "",
            new=now.sha256[:12] if now else "",
            origin=mask_credentials(now.url) if now else "",
            note="other address or size" if same else "",
        )


def _tree_changes(old: Sequence[LockedTree], new: Sequence[LockedTree]) -> Iterator[Change]:
    before, after = _by_tree(old), _by_tree(new)
    for name in sorted({*before, *after}):
        was, now = before.get(name, ()), after.get(name, ())
        if was == now:
            continue
        yield Change(
            cells=(),
            subject="tree",
            name=name,
            fate=_fate(was or None, now or None),
            old=_tree_version(was),
            new=_tree_version(now),
            origin=mask_credentials(now[0].git) if now else "",
            note="other submodules" if was and now and was[0] == now[0] else "",
        )


def _by_tree(trees: Sequence[LockedTree]) -> dict[str, tuple[LockedTree, ...]]:
    found: dict[str, tuple[LockedTree, ...]] = {}
    for tree in trees:
        found[tree.name] = (*found.get(tree.name, ()), tree)
    return found


def _tree_version(tree: Sequence[LockedTree]) -> str:
    """Its tag with the commit, or that alone."""
    if not tree:
        return ""
    commit = tree[0].commit[:12]
    return commit if tree[0].commit == tree[0].rev or not tree[0].rev else f"{tree[0].rev} at {commit}"
