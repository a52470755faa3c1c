"""Components: what ``[components]`` says, and which of them an image installs in which order."""

import re
from collections.abc import Iterable, Mapping, Sequence

from msgspec import UNSET, Struct

from layerwright.core.addresses import has_credential, is_loopback_host
from layerwright.facts.components import COMPONENT_KINDS, MUSA_KINDS, ComponentKind, KindName, kind_of
from layerwright.facts.source_trees import package_of_repository
from layerwright.spec.faults import KeyPath, nearest
from layerwright.spec.keys import ComponentTable
from layerwright.spec.model import (
    Cell,
    Component,
    GitPackage,
    IndexPackage,
    Package,
    PathPackage,
    UrlPackage,
)
from layerwright.spec.parts import Reader, value_or
from layerwright.spec.requirement import normalize_name, requirement_name

__all__ = ["ComponentSet", "Wish", "choose_components", "read_components"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://.+")
_NO_TAR = (".zip", ".deb", ".rpm", ".run", ".whl", ".7z")
_TORCH_MUSA = "torch-musa"


class Wish(Struct, frozen=True, kw_only=True):
    """What an image says of components.

    Attributes:
        cell: the image's name.
        path: where the image stands in the file.
        gpu_arch_path: where its architecture is said.
        names: of its own components, with their places.
        without: kinds, its parents' too.
        packages: its own.
        trees: addresses of its own source trees.
        starts_empty: it starts, in the end, from Debian packages alone: nothing is there but what the spec adds.
    """

    cell: str
    path: KeyPath
    gpu_arch_path: KeyPath
    names: Sequence[tuple[KeyPath, str]]
    without: tuple[KindName, ...]
    accelerator: str
    gpu_arch: str
    packages: Sequence[Package]
    trees: Sequence[str]
    starts_empty: bool


class ComponentSet(Struct, frozen=True, kw_only=True):
    """Components of an image: ``own`` to be installed in this order, ``inherited`` in place already."""

    own: tuple[Component, ...] = ()
    inherited: tuple[Component, ...] = ()


def read_components(tables: Mapping[str, ComponentTable], reader: Reader) -> dict[str, Component]:
    """Components by name; faults are noted in the reader."""
    components: dict[str, Component] = {}
    for name, table in tables.items():
        path: KeyPath = ("components", name)
        _check_url(name, table, reader)
        kind = kind_of(name) if table.kind is UNSET else kind_of(table.kind)
        if kind is None:
            reader.fault(
                path,
                f"component {name!r} does not say what it is",
                f"add kind: one of {', '.join(kind.name for kind in COMPONENT_KINDS)}",
            )
            kind = COMPONENT_KINDS[-1]
        components[name] = Component(
            name=name,
            kind=kind.name,
            url=table.url,
            sha256=table.sha256,
            version=value_or(table.version, ""),
            arch=tuple(
                known
                for position, text in enumerate(table.arch)
                if (known := reader.architecture(text, (*path, "arch", position)))
            ),
            install=value_or(table.install, ""),
            insecure=value_or(table.insecure, "") == "http",
            location=reader.location(path),
        )
    return components


def choose_components(
    wish: Wish, components: Mapping[str, Component], parent: Cell | None, reader: Reader
) -> ComponentSet:
    """Which components an image installs; faults are noted in the reader.

    Args:
        wish: what the image says.
        components: all of the spec.
        parent: the finished cell it starts from, if any.
        reader: takes the faults.
    """
    above = (*parent.inherited_components, *parent.components) if parent else ()
    named = _named(wish, components, reader)
    own = {place: one for place, one in named.items() if one not in above}
    _check_single(own, reader)
    inherited = above
    if any(one.kind == "musa_toolkit" for one in own.values()):
        # Its installer removes what stands below the prefix, so all that the parents put there is put there again.
        replaced = {one.kind for one in own.values() if _kind(one).single}
        again = [one for one in above if one.kind not in replaced and one not in own.values()]
        inherited = ()
    else:
        again = []
        _check_replaced(wish, own, above, reader)
    chosen = ComponentSet(own=_ordered([*again, *own.values()]), inherited=inherited)
    _check_device(wish, own, chosen, reader)
    _check_needed(wish, chosen, reader)
    return chosen


def _kind(component: Component) -> ComponentKind:
    return next(kind for kind in COMPONENT_KINDS if kind.name == component.kind)


def _ordered(components: Iterable[Component]) -> tuple[Component, ...]:
    order = {kind.name: position for position, kind in enumerate(COMPONENT_KINDS)}
    return tuple(sorted(components, key=lambda one: order[one.kind]))


def _named(wish: Wish, components: Mapping[str, Component], reader: Reader) -> dict[KeyPath, Component]:
    found: dict[KeyPath, Component] = {}
    for place, name in wish.names:
        if name in components:
            if components[name] not in found.values():
                found[place] = components[name]
            continue
        near = nearest(name, components)
        hint = f"did you mean {near!r}?" if near else f"declare it under [components.{name}]"
        reader.fault(place, f"there is no component {name!r}", hint)
    return found


def _check_single(own: Mapping[KeyPath, Component], reader: Reader) -> None:
    first: dict[str, Component] = {}
    for place, one in own.items():
        other = first.setdefault(one.kind, one)
        if other is not one and _kind(one).single:
            reader.fault(
                place, f"{other.name!r} and {one.name!r} are both {_kind(one).what}", "keep one of them"
            )


def _check_replaced(
    wish: Wish, own: Mapping[KeyPath, Component], above: Iterable[Component], reader: Reader
) -> None:
    there = {one.kind: one for one in above if _kind(one).single}
    for place, one in own.items():
        if one.kind in there:
            reader.fault(
                place,
                f"{wish.cell!r} would install {one.name!r} over its parent's {there[one.kind].name!r}: "
                f"files of both would be {_kind(one).what}",
                "leave it out of the parent; or name a toolkit here too, whose installer clears what is there",
            )


def _check_device(wish: Wish, own: Mapping[KeyPath, Component], chosen: ComponentSet, reader: Reader) -> None:
    for place, one in own.items():
        if one.kind in MUSA_KINDS and wish.accelerator != "mthreads":
            reader.fault(
                place,
                f"{one.name!r} is for Moore Threads' GPUs, and {wish.cell!r} has accelerator {wish.accelerator!r}",
                'set accelerator = "mthreads"',
            )
    places = {id(one): place for place, one in own.items()}
    whole = [*chosen.inherited, *chosen.own]
    for one in whole:
        if one.arch and wish.gpu_arch and wish.gpu_arch not in one.arch:
            reader.fault(
                places.get(id(one), wish.gpu_arch_path),
                f"{one.name!r} serves {' and '.join(one.arch)}, and {wish.cell!r} is for {wish.gpu_arch}",
                f"take the archive for {wish.gpu_arch}",
            )
    if not wish.gpu_arch:
        _check_together(wish, whole, places, reader)


def _check_together(
    wish: Wish, whole: Sequence[Component], places: Mapping[int, KeyPath], reader: Reader
) -> None:
    """Without a ``gpu_arch`` there must at least be one architecture that all serve."""
    bound = [one for one in whole if one.arch]
    for one in bound:
        apart = next((other for other in bound if not set(other.arch) & set(one.arch)), None)
        if apart is not None:
            reader.fault(
                places.get(id(apart), wish.path),
                f"{one.name!r} serves {' and '.join(one.arch)}, {apart.name!r} {' and '.join(apart.arch)}: "
                "no GPU has both",
                "take archives for one architecture",
            )
            return


def _check_needed(wish: Wish, chosen: ComponentSet, reader: Reader) -> None:
    whole = (*chosen.inherited, *chosen.own)
    held = {one.kind for one in whole}
    for one in whole:
        if one.kind in wish.without:
            reader.fault(
                (*wish.path, "without"),
                f"{wish.cell!r} is to be without {_kind(one).what}, and has {one.name!r}",
                "remove one of the two",
            )
    named = [*map(_package_name, wish.packages), *map(package_of_repository, wish.trees)]
    if _TORCH_MUSA not in named or wish.accelerator != "mthreads" or not (whole or wish.starts_empty):
        return
    missing = [
        kind
        for kind in COMPONENT_KINDS
        if kind.needed and kind.name not in held and kind.name not in wish.without
    ]
    if missing:
        names = ", ".join(kind.what for kind in missing)
        words = ", ".join(f'"{kind.name}"' for kind in missing)
        only_mccl = [kind.name for kind in missing] == ["mccl"]
        reader.fault(
            (*wish.path, "components")
            if any(place[:2] == wish.path for place, _ in wish.names)
            else wish.path,
            f"{wish.cell!r} has torch_musa, which needs {names}",
            f"add to components what brings it; or say that it is not wanted: without = [{words}]"
            + (" (S80 and S3000 have no MCCL)" if only_mccl else ""),
        )


def _package_name(package: Package) -> str:
    """The normalized name of a package as far as the spec tells it; empty when it does not."""
    match package:
        case IndexPackage():
            return requirement_name(package.requirement)
        case GitPackage():
            return package_of_repository(package.git)
        case UrlPackage() | PathPackage():
            address = package.url if isinstance(package, UrlPackage) else package.path
            file = re.split(r"[?#]", address)[0].rstrip("/").rpartition("/")[2]
            # A wheel's or sdist's name begins with its package's; a folder's is likely to be it.
            return package_of_repository(file) or normalize_name(file.partition("-")[0])


def _check_url(name: str, table: ComponentTable, reader: Reader) -> None:
    path: KeyPath = ("components", name, "url")
    if has_credential(table.url):
        reader.fault(
            path,
            f"the address of component {name!r} must not hold credentials",
            "remove them: the host's netrc gives them",
        )
        return
    from urllib.parse import urlsplit  # noqa: PLC0415 - start-up

    insecure = value_or(table.insecure, "")
    if "://" not in table.url:
        reader.check_inside(table.url, path)
        scheme, host, file = "", "", table.url
    else:
        try:
            address = urlsplit(table.url)
            scheme, host, file = address.scheme.lower(), address.hostname or "", address.path
            _ = address.port  # checked when it is asked for
        except ValueError:
            reader.fault(
                path,
                f"the address of component {name!r} cannot be read",
                "such as: https://example.org/mudnn.tar.gz",
            )
            return
        if scheme not in {"http", "https", "file"} or not _SCHEME.fullmatch(table.url):
            reader.fault(path, f"{table.url!r} is not an http, https or file address")
            return
    if scheme == "http" and not is_loopback_host(host) and not insecure:
        reader.fault(
            path,
            f"{table.url!r}: plain http is refused, except on this machine",
            f'use https; or accept by name that it can be seen on its way: insecure = "http" in [components.{name}]',
        )
    if insecure and scheme != "http":
        reader.fault(
            ("components", name, "insecure"),
            f"insecure = {insecure!r} does not fit the address {table.url!r}",
            "it is for http addresses; remove it",
        )
    if file.lower().endswith(_NO_TAR):
        reader.fault(
            path,
            f"{file.rpartition('/')[2]!r} is no tar archive",
            "a component is a tar archive with an installer; wheels are packages, .deb files of a mirror apt",
        )
