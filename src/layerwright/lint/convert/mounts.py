"""What a RUN is given beside its commands: mounts, and digests that it compares files with."""

import re

from layerwright.lint.dockerfile import expand
from layerwright.lint.documents import Unit

__all__ = ["Mounts", "digests_of", "mounts_of"]


class Mounts:
    """``--mount`` flags of a RUN."""

    def __init__(self) -> None:
        self.secrets: list[str] = []
        self.targets: list[str] = []
        self.binds: list[tuple[str, str]] = []


def mounts_of(unit: Unit) -> Mounts:
    """Mounts of the unit's RUN; those of caches are left out."""
    mounts = Mounts()
    for flag in unit.instruction.flags if unit.instruction else ():
        if flag.name != "mount":
            continue
        options = dict(part.partition("=")[::2] for part in flag.value.split(","))
        target = options.get("target") or options.get("dst") or options.get("destination") or ""
        if options.get("type") == "secret":
            name = options.get("id") or target.rpartition("/")[2]
            mounts.targets.append(target)
            if "netrc" not in name + target and "pip" not in name + target:
                mounts.secrets.append(name)
        elif options.get("type", "bind") == "bind" and not options.get("from"):
            mounts.binds.append((options.get("source") or options.get("src") or ".", target))
    return mounts


def digests_of(unit: Unit) -> dict[str, str]:
    """Digests that the script compares files with, by the files' names."""
    found = {}
    variables = unit.state.variables if unit.state else {}
    for command in unit.commands:
        if command.program in {"echo", "printf"}:
            text = expand(" ".join(command.texts), variables).text
            for match in re.finditer(r"\b([0-9a-f]{64})\s+\*?(\S+)", text):
                found[match[2].rpartition("/")[2]] = match[1]
    return found
