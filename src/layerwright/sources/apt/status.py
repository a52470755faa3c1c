"""What is installed in a base, in the words of dpkg's status file."""

import re
from collections.abc import Sequence
from pathlib import Path

from layerwright.host.process import find_program, run
from layerwright.lock.model import Deb
from layerwright.sandbox.changes import look_up
from layerwright.sources.apt.archive import AptContext, Archive, opened
from layerwright.sources.apt.sourcelist import AptSources
from layerwright.store.store import Store

__all__ = ["debs_status", "tree_status"]

_TIMEOUT = 60.0
_FIELD = re.compile(r"^(Package|Version|Architecture): (.+)$", re.MULTILINE)
_NOT_OF_A_STATUS = re.compile(
    r"^(?:Filename|Size|MD5sum|SHA\d+|Description-md5|Status): .*\n", re.MULTILINE | re.IGNORECASE
)


def debs_status(context: AptContext, debs: Sequence[Deb], *, sources: AptSources, store: Store) -> str:
    """Return a status file in which ``debs`` are installed, for a base that is not built yet.

    What each needs and offers comes from the archive's lists; where these have moved on, from the
    package itself if it is in the store.
    """
    with opened(context, sources) as archive:
        known = _stanzas(archive, debs)
    stanzas = []
    for deb in debs:
        text = known.get((deb.name, deb.version, deb.architecture)) or _from_store(context, deb, store)
        fields = _NOT_OF_A_STATUS.sub("", text.rstrip("\n") + "\n")
        stanzas.append(fields.rstrip("\n") + "\nStatus: install ok installed\n")
    return "\n".join(stanzas)


def tree_status(trees: Sequence[Path]) -> str:
    """Return the status file of an image; empty when it has none.

    Args:
        trees: the image's layers as folders, bottom first.
    """
    entry = look_up("var/lib/dpkg/status", tuple(reversed(trees)))
    return entry.read_text(encoding="utf-8", errors="replace") if entry is not None else ""


def _stanzas(archive: Archive, debs: Sequence[Deb]) -> dict[tuple[str, str, str], str]:
    """Return the archive's stanzas by name, version and architecture."""
    text = archive.run("apt-cache", "show", *(f"{deb.name}={deb.version}" for deb in debs), check=False).text
    stanzas = {}
    for stanza in text.split("\n\n"):
        fields = dict(_FIELD.findall(stanza))
        if len(fields) == 3:  # noqa: PLR2004  the three of the pattern
            stanzas[fields["Package"], fields["Version"], fields["Architecture"]] = stanza
    return stanzas


def _from_store(context: AptContext, deb: Deb, store: Store) -> str:
    program = find_program("dpkg-deb", context.host.path)
    if program is not None and store.has("debs", deb.sha256):
        done = run(
            [str(program), "--field", str(store.path("debs", deb.sha256))], timeout=_TIMEOUT, check=False
        )
        if done.status == 0:
            return done.text
    # Its needs are met by the set it was resolved in; what it provides for others stays unknown.
    return f"Package: {deb.name}\nVersion: {deb.version}\nArchitecture: {deb.architecture}\nMaintainer: unknown\n"
