"""What differs between two images, or between an image and a lock: packages, files, settings, layers."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

from msgspec import Struct

from layerwright.core.addresses import MASK, mask_credentials
from layerwright.oci.config import Settings
from layerwright.verify.inspection import Inspection
from layerwright.verify.measure import Measured
from layerwright.verify.owners import debian_packages
from layerwright.verify.shipped import Shipped, shipped_files

__all__ = ["Difference", "FileChange", "LayerShare", "Setting", "Side", "Versioned", "difference", "side_of"]

Fate = Literal["added", "removed", "changed"]

_SECRET_NAME: Final = re.compile(r"(?i)pass|secret|token|key|credential")


class Versioned(Struct, frozen=True, kw_only=True):
    """A package that came, went or changed.

    Attributes:
        kind: ``python`` or ``deb``.
        name: of the package.
        fate: what happened to it.
        old, new: versions; empty where it is not.
    """

    kind: Literal["python", "deb"]
    name: str
    fate: Fate
    old: str = ""
    new: str = ""


class Setting(Struct, frozen=True, kw_only=True):
    """A setting that differs: a variable, the entrypoint, a label. What may be secret is masked."""

    name: str
    old: str
    new: str


class FileChange(Struct, frozen=True, kw_only=True):
    """A file that came, went or changed.

    Attributes:
        path: absolute.
        fate: what happened to it.
        old, new: bytes; -1 where it is not.
        owner: package that it belongs to, in the new image when it is there; empty when nobody says.
        note: what differs when it is not the content: ``mode 644 → 755``.
    """

    path: str
    fate: Fate
    old: int = -1
    new: int = -1
    owner: str = ""
    note: str = ""


class LayerShare(Struct, frozen=True, kw_only=True):
    """Layers of both images, by their content.

    Attributes:
        shared: how many layers are in both.
        shared_bytes: of their blobs in the new image.
        prefix: how many of the first layers are the same, which is what engines can share.
        old_only, new_only: titles and blob sizes of layers that are in one alone.
    """

    shared: int
    shared_bytes: int
    prefix: int
    old_only: tuple[tuple[str, int], ...]
    new_only: tuple[tuple[str, int], ...]


class Side(Struct, frozen=True, kw_only=True):
    """One of the two; None where a lock does not say.

    Attributes:
        name: what people call it.
        packages: Python packages and their versions.
        debs: Debian packages and their versions; of a lock those that it adds.
        python: version of the interpreter, ``3.11``; empty when not known.
        platform: such as ``linux/amd64``.
        files: by path, links and folders left out.
        links: symbolic links by path, with what they lead to.
        settings: of the config.
        layers: diff id, title and blob size, bottom first.
        compressed: blobs of all layers.
        visible: bytes of the files that a container sees.
        whole_debs: ``debs`` is everything there is.
    """

    name: str
    packages: Mapping[str, str]
    debs: Mapping[str, str] | None = None
    python: str = ""
    platform: str = ""
    files: Mapping[str, Shipped] | None = None
    links: Mapping[str, str] | None = None
    settings: Settings | None = None
    layers: tuple[tuple[str, str, int], ...] | None = None
    compressed: int = 0
    visible: int = 0
    whole_debs: bool = False


class Difference(Struct, frozen=True, kw_only=True):
    """What differs.

    Attributes:
        old, new: names of the two.
        packages: Python's, then Debian's, by name.
        settings: by name.
        files: by path; None when one of the two is a lock.
        layers: None when one of the two is a lock.
        compressed, visible: bytes of old and new; None when one of the two is a lock.
    """

    old: str
    new: str
    packages: tuple[Versioned, ...]
    settings: tuple[Setting, ...] = ()
    files: tuple[FileChange, ...] | None = None
    layers: LayerShare | None = None
    compressed: tuple[int, int] | None = None
    visible: tuple[int, int] | None = None

    @property
    def is_empty(self) -> bool:
        """Nothing differs that can be seen from inside."""
        return not (self.packages or self.settings or self.files)


def side_of(image: Inspection, measured: Mapping[str, Measured]) -> Side:
    """An image that was read by way of ``MeasuredBlobs``."""
    own = image.contents.image
    packages: dict[str, str] = {}
    for environment in image.environments:
        for name, dist in environment.dists.items():
            packages.setdefault(name, dist.version)
    files = {f"/{one.path}": one for one in shipped_files(image, measured) if not one.hidden}
    links = {path: node.entry.target for path, node in image.tree.walk() if node.entry.kind == "link"}
    used = [one for one in image.environments if one.dists]
    return Side(
        name=image.name,
        packages=packages,
        debs=debian_packages(image),
        whole_debs=True,
        python=", ".join(sorted({one.version for one in used if one.version})),
        platform=str(own.platform),
        files=files,
        links=links,
        settings=image.settings,
        layers=tuple(
            (str(layer.diff_id), image.layer_title(number), layer.size)
            for number, layer in enumerate(own.layers)
        ),
        compressed=sum(layer.size for layer in own.layers),
        visible=sum(one.size for one in files.values()),
    )


def difference(old: Side, new: Side) -> Difference:
    """What changed on the way from ``old`` to ``new``."""
    both_images = old.layers is not None and new.layers is not None
    return Difference(
        old=old.name,
        new=new.name,
        packages=(
            *_versions("python", old.packages, new.packages, whole=(True, True)),
            *_versions("deb", old.debs or {}, new.debs or {}, whole=(old.whole_debs, new.whole_debs)),
        ),
        settings=tuple(_settings(old, new)),
        files=tuple(_files(old, new)) if old.files is not None and new.files is not None else None,
        layers=_layers(old.layers, new.layers) if old.layers is not None and new.layers is not None else None,
        compressed=(old.compressed, new.compressed) if both_images else None,
        visible=(old.visible, new.visible) if both_images else None,
    )


def _versions(
    kind: Literal["python", "deb"],
    old: Mapping[str, str],
    new: Mapping[str, str],
    *,
    whole: tuple[bool, bool],
) -> Iterator[Versioned]:
    """Changes by name. A package that only a whole list has is no change: the base may have brought it."""
    for name in sorted({*old, *new}):
        was, now = old.get(name), new.get(name)
        if was == now or (was is None and not whole[0]) or (now is None and not whole[1]):
            continue
        fate: Fate = "added" if was is None else "removed" if now is None else "changed"
        # versions of projects that are made when they are built are not in a lock
        if fate != "changed" or (was and now):
            yield Versioned(kind=kind, name=name, fate=fate, old=was or "", new=now or "")


def _settings(old: Side, new: Side) -> Iterator[Setting]:
    for name, was, now in (("platform", old.platform, new.platform), ("python", old.python, new.python)):
        if was != now and was and now:
            yield Setting(name=name, old=was, new=now)
    if old.settings is None or new.settings is None:
        return
    for kind, before, after in (
        ("env", old.settings.env, new.settings.env),
        ("label", old.settings.labels, new.settings.labels),
    ):
        for name in sorted({*before, *after}):
            if before.get(name) != after.get(name):
                yield Setting(
                    name=f"{kind} {name}",
                    old=_shown(name, before.get(name)),
                    new=_shown(name, after.get(name)),
                )
    for field in ("entrypoint", "command", "workdir", "user", "volumes", "stop_signal"):
        was, now = getattr(old.settings, field), getattr(new.settings, field)
        if was != now:
            yield Setting(name=field.replace("_", " "), old=_text(was), new=_text(now))


def _shown(name: str, value: str | None) -> str:
    if value is None:
        return ""
    return MASK if _SECRET_NAME.search(name) and value else mask_credentials(value)


def _text(value: str | tuple[str, ...]) -> str:
    return mask_credentials(value if isinstance(value, str) else " ".join(value))


def _files(old: Side, new: Side) -> Iterator[FileChange]:
    before, after = old.files or {}, new.files or {}
    old_links, new_links = old.links or {}, new.links or {}
    for path in sorted({*before, *after, *old_links, *new_links}):
        was, now = before.get(path), after.get(path)
        if was is not None and now is not None:
            note = _same_content(was, now)
            if note is not None:
                yield FileChange(
                    path=path,
                    fate="changed",
                    old=was.size,
                    new=now.size,
                    owner=now.owner or was.owner,
                    note=note,
                )
            continue
        ends = old_links.get(path), new_links.get(path)
        if was is None and now is None:
            if ends[0] != ends[1]:
                fate: Fate = "added" if ends[0] is None else "removed" if ends[1] is None else "changed"
                yield FileChange(path=path, fate=fate, note=f"link to {ends[1] or ends[0]}")
        elif now is not None:
            was_link = f"was a link to {ends[0]}" if ends[0] is not None else ""
            yield FileChange(
                path=path,
                fate="changed" if was_link else "added",
                new=now.size,
                owner=now.owner,
                note=was_link,
            )
        elif was is not None:
            is_link = f"now a link to {ends[1]}" if ends[1] is not None else ""
            yield FileChange(
                path=path,
                fate="changed" if is_link else "removed",
                old=was.size,
                owner=was.owner,
                note=is_link,
            )


def _same_content(was: Shipped, now: Shipped) -> str | None:
    """None when nothing differs; what differs besides the content otherwise."""
    notes = []
    if was.entry.mode != now.entry.mode:
        notes.append(f"mode {was.entry.mode:o} → {now.entry.mode:o}")
    owners = [f"{one.entry.uid}:{one.entry.gid}" for one in (was, now)]
    if owners[0] != owners[1]:
        notes.append(f"owner {owners[0]} → {owners[1]}")
    if was.size != now.size or was.sha256 != now.sha256:
        return ", ".join(notes)
    return ", ".join(notes) or None


def _layers(old: Iterable[tuple[str, str, int]], new: Iterable[tuple[str, str, int]]) -> LayerShare:
    before, after = tuple(old), tuple(new)
    known = {diff_id for diff_id, _, _ in before}
    theirs = {diff_id for diff_id, _, _ in after}
    prefix = 0
    for one, other in zip(before, after, strict=False):
        if one[0] != other[0]:
            break
        prefix += 1
    return LayerShare(
        shared=sum(diff_id in known for diff_id, _, _ in after),
        shared_bytes=sum(size for diff_id, _, size in after if diff_id in known),
        prefix=prefix,
        old_only=tuple((title, size) for diff_id, title, size in before if diff_id not in theirs),
        new_only=tuple((title, size) for diff_id, title, size in after if diff_id not in known),
    )
