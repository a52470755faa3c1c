"""A root file system put together from the trees of layers, written to apart from them."""

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct, field

from layerwright.core.errors import BuildError
from layerwright.sandbox.changes import Change, Seen, compare, look_up, record, scan_upper
from layerwright.sandbox.linked import link_trees
from layerwright.sandbox.model import Capabilities

__all__ = ["MOST_LOWERS", "Rootfs", "assemble"]

MOST_LOWERS = 500
"""Overlayfs takes no more (fs/overlayfs/params.h, OVL_MAX_STACK)."""

_MOST_LINKS = 40


class Rootfs(Struct, frozen=True, kw_only=True):
    """A root file system for one or several commands, one after the other.

    Attributes:
        path: its folder. An overlay is mounted there only while a command runs, and only for that command.
        upper: where an overlay keeps what was written; None for a linked tree.
        lowers: trees it is made of, bottom first.
        work: folder for what commands need beside the tree; goes with it.
        options: options of the overlay mount, which takes place in ``work/links``; "" for a linked tree.
        seen: state of a linked tree when it was made.
    """

    path: Path
    upper: Path | None
    lowers: tuple[Path, ...]
    work: Path
    options: str = ""
    seen: Seen = field(default_factory=dict)

    def changes(self) -> Iterator[Change]:
        """Yield what commands changed, parents before children, siblings by name.

        Entries that equal what lies below (only touched, or copied up) are no changes.
        """
        if self.upper is not None:
            return scan_upper(self.upper, self.lowers)
        return compare(self.path, self.seen, self.lowers)

    def find(self, path: str) -> Path | None:
        """Return the host's file behind ``path`` of the image, its links followed inside; None if there is none.

        Works without a mount, before and after commands.
        """
        stack = (self.path,) if self.upper is None else (self.upper, *reversed(self.lowers))
        left = [part for part in path.split("/") if part]
        position: list[str] = []
        links = 0
        while left:
            part = left.pop(0)
            if part in (".", ".."):
                position = position[: -1 if part == ".." else len(position)]
                continue
            entry = look_up("/".join([*position, part]), stack)
            if entry is None:
                return None
            if not entry.is_symlink():
                position.append(part)
                continue
            links += 1
            if links > _MOST_LINKS:
                return None
            target = os.fspath(entry.readlink())
            if target.startswith("/"):
                position = []
            left = [piece for piece in target.split("/") if piece] + left
        return look_up("/".join(position), stack) if position else stack[0]


@contextmanager
def assemble(
    lowers: Sequence[Path],
    *,
    scratch: Path,
    capabilities: Capabilities,
    linkable: Collection[Path] = (),
) -> Iterator[Rootfs]:
    """Put a root file system together; it is gone when the context ends.

    With an overlay nothing is copied. Without one the trees are copied, but for those whose
    files may be hard links: a program that writes into one of these changes the tree itself.

    Args:
        lowers: trees, bottom first, at most 500; one may come several times.
        scratch: folder for it, on the file system of the trees for links to work.
        capabilities: what ``probe`` found.
        linkable: those of ``lowers`` whose files may be linked instead of copied.

    Raises:
        BuildError: too many trees, or no space.
    """
    import shutil  # noqa: PLC0415  start-up
    import tempfile  # noqa: PLC0415  start-up

    if len(lowers) > MOST_LOWERS:
        raise BuildError(
            f"{len(lowers)} layers are more than the {MOST_LOWERS} that one overlay takes",
            hint="group layers, or build a base of their own from the lower ones",
        )
    # A base may hold a layer that its image gets again. An overlay takes no folder twice; the upper one says it all.
    lowers = tuple(reversed(dict.fromkeys(lower.absolute() for lower in reversed(lowers))))
    work = Path(tempfile.mkdtemp(prefix="root-", dir=scratch.absolute()))
    try:
        if capabilities.overlay:
            yield _overlay(lowers, work, capabilities.overlay_options)
        else:
            tree = work / "tree"
            try:
                link_trees(lowers, tree, linkable=frozenset(lower.absolute() for lower in linkable))
            except OSError as error:
                raise BuildError(f"the root file system cannot be put together: {error}") from error
            yield Rootfs(path=tree, upper=None, lowers=lowers, work=work, seen=record(tree))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _overlay(lowers: tuple[Path, ...], work: Path, extra: tuple[str, ...]) -> Rootfs:
    links = work / "links"
    folders = {name: work / name for name in ("upper", "work", "root", "empty")}
    links.mkdir()
    for folder in folders.values():
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
    bottom_first = lowers or (folders["empty"],)
    names = [_short(index) for index in range(len(bottom_first))]
    for name, lower in zip(names, bottom_first, strict=True):
        (links / name).symlink_to(lower)
    (links / "u").symlink_to(folders["upper"])
    (links / "w").symlink_to(folders["work"])
    # The upper folder is the root's own folder: it takes over owner and mode of the topmost tree.
    top = bottom_first[-1].stat()
    folders["upper"].chmod(top.st_mode & 0o7777)
    options = ",".join(
        (f"lowerdir={':'.join(reversed(names))}", "upperdir=u", "workdir=w", *extra),
    )
    return Rootfs(
        path=folders["root"], upper=folders["upper"], lowers=bottom_first, work=work, options=options
    )


def _short(number: int) -> str:
    """Return a short name: 500 of them must fit into one page."""
    return f"{number:x}"
