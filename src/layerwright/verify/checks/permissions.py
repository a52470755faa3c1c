"""Nobody in the container gets rights, or a way to write, that the image does not mean to give."""

import re
from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Evidence, Finding, Fix, Kind, Level
from layerwright.verify.inspection import Inspection
from layerwright.verify.tree import Node
from layerwright.verify.words import listed, plural

__all__ = ["KINDS", "check"]

SETUID = Kind(
    code="LW-SETUID",
    title="A program runs with its owner's rights",
    why="Whoever gets to run a program in the container becomes its owner, root mostly. Distributions ship a dozen "
    "such programs; each further one is a door that somebody must have meant to open.",
    evidence="Set-uid and set-gid bits and file capabilities of the merged layers, against the programs that Debian "
    "and Ubuntu ship so.",
    repair="Take the bit away: `chmod u-s FILE`; or run the container with `--security-opt no-new-privileges`.",
)
WRITABLE = Kind(
    code="LW-WORLD-WRITABLE",
    title="Everybody can write to a place of the image",
    why="Any process of the container, under whatever account, can change what others run or read there. `chmod 777` "
    "is mostly a cure for a cache folder that the caller's account could not write to.",
    evidence="Modes of the merged layers; sticky folders such as /tmp are left out.",
    repair='Give the folder to whom it is for, or keep caches on a place of the caller\'s: `writable = ["HF_HOME"]` '
    "in the spec gives every caller their own.",
)
KINDS = (SETUID, WRITABLE)

_USUAL: Final = re.compile(
    r"/(usr/)?s?bin/(su|mount|umount|passwd|chsh|chfn|gpasswd|newgrp|chage|expiry|unix_chkpwd|pam_extrausers_chkpwd|wall|write"
    r"|write\.ul|bsd-write|ssh-agent|sudo|fusermount3?|pkexec|at|crontab|ping[46]?|traceroute6?\.iputils|newuidmap|newgidmap"
    r"|dotlockfile|mlocate|plocate|locate|mount\.(nfs|cifs|ecryptfs_private)|ntfs-3g|exim4|screen|staprun|vmware-user-suid-wrapper"
    r"|unix_update|postdrop|postqueue|lockdev|mail-(un)?lock|mail-touchlock|utempter)"
    r"|/(usr/)?lib(exec)?/(x86_64-linux-gnu/|aarch64-linux-gnu/)?((dbus-1\.0/)?dbus-daemon-launch-helper|openssh/ssh-keysign"
    r"|polkit-1/polkit-agent-helper-1|policykit-1/polkit-agent-helper-1|utempter/utempter|eject/dmcrypt-get-device"
    r"|snapd/snap-confine|xorg/Xorg\.wrap|pt_chown|gstreamer1\.0/gstreamer-1\.0/gst-ptp-helper|emacs/.*/movemail"
    r"|mc/cons\.saver|libvirt/.*|chromium/chrome-sandbox)"
)
"""Programs that Debian and Ubuntu ship with these rights. Source: ``find / -perm /6000`` on Debian 11 to 13 and Ubuntu
20.04 to 24.04 with the packages that bring them."""

_CODE: Final = re.compile(
    r"/(usr/|usr/local/)?(s?bin|lib|lib64|libexec)(/.*)?|/etc(/.*)?|.*/(site|dist)-packages(/.*)?|/opt/[^/]+/(bin|lib)(/.*)?"
)
_EXPECTED: Final = re.compile(r"/(var/)?tmp|/dev(/.*)?|/run/lock|/var/lock|/proc(/.*)?|/sys(/.*)?")
_SHOWN: Final = 5


def check(image: Inspection) -> Iterator[Finding]:
    """Look at every mode."""
    writable: dict[str, list[tuple[str, Node]]] = {}
    for path, node in image.tree.walk():
        entry = node.entry
        if entry.kind == "file":
            if (entry.mode & 0o6000 and entry.mode & 0o111) or entry.capabilities:
                yield from _setuid(image, path, node)
            if entry.mode & 0o002 and entry.layer >= 0:
                writable.setdefault(_top(path, image), []).append((path, node))
        elif (
            entry.kind == "folder"
            and entry.mode & 0o002
            and not entry.mode & 0o1000
            and not _EXPECTED.fullmatch(path)
        ):
            writable.setdefault(_top(path, image), []).append((path, node))
    for top, found in writable.items():
        yield _writable(image, top, found)


def _setuid(image: Inspection, path: str, node: Node) -> Iterator[Finding]:
    entry = node.entry
    usual = _USUAL.fullmatch(path) is not None
    open_to_all = bool(entry.mode & 0o022)
    if usual and not open_to_all:
        return
    rights = []
    if entry.mode & 0o4000:
        rights.append("root" if entry.uid == 0 else f"user {entry.uid}")
    if entry.mode & 0o2000:
        rights.append("the group root" if entry.gid == 0 else f"group {entry.gid}")
    how = f"runs as {listed(rights)}" if rights else "has file capabilities"
    level: Level = "error" if open_to_all and entry.mode & 0o6000 else "warning"
    also = (
        ", and others can write to it"
        if open_to_all
        else ", and is none of the programs that distributions ship so"
    )
    yield image.finding(
        SETUID,
        level,
        f"{path} {how} whoever starts it{also}",
        path=path,
        evidence=[
            Evidence(
                text=f"mode {entry.mode:04o}, owner {entry.uid}:{entry.gid}, from "
                f"{image.layer_title(entry.layer)}",
                source=image.layer_digest(entry.layer) or path,
                confidence="binary",
            )
        ],
        fix=[
            Fix(
                text="take the right away",
                command=f"chmod ug-s {path}" if entry.mode & 0o6000 else f"setcap -r {path}",
                cost=3,
            )
        ],
    )


def _top(path: str, image: Inspection) -> str:
    """The highest folder above that everybody can write to; else the folder that the path stands in."""
    parts = path.split("/")
    node = image.tree.root
    for length, part in enumerate(parts[1:], 2):
        children = node.children or {}
        if part not in children:
            break
        node = children[part]
        if node.entry.mode & 0o002 and not node.entry.mode & 0o1000 and node.entry.kind == "folder":
            return "/".join(parts[:length])
    return "/".join(parts[:-1]) or "/"


def _writable(image: Inspection, top: str, found: list[tuple[str, Node]]) -> Finding:
    code = [path for path, _ in found if _CODE.fullmatch(path)]
    level: Level = "error" if code else "warning"
    itself = next((node for path, node in found if path == top), None)
    first = code[0] if code and itself is None else top if itself is not None else found[0][0]
    node = image.tree.find(first, follow=False) or found[0][1]
    folders = sum(1 for _, one in found if one.children is not None)
    counted = " and ".join(
        text
        for count, text in (
            (folders, plural(folders, "folder")),
            (len(found) - folders, plural(len(found) - folders, "file")),
        )
        if count
    )
    what = f"{counted} below {top}" if len(found) > 1 else first
    return image.finding(
        WRITABLE,
        level,
        f"everybody can write to {what}" + (", which others run or are configured by" if code else ""),
        path=first,
        evidence=[
            Evidence(
                text=f"{path} has mode {one.entry.mode:04o}, from {image.layer_title(one.entry.layer)}",
                source=image.layer_digest(one.entry.layer) or path,
                confidence="binary",
            )
            for path, one in found[:_SHOWN]
        ],
        fix=[
            Fix(
                text="take the right away"
                if node.children is None
                else "take the right away, and give the folder to whom it is for",
                command=f"chmod {'-R ' if len(found) > 1 else ''}o-w {top if len(found) > 1 else first}",
                cost=3,
            )
        ],
    )
