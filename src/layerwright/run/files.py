"""What a container gets from us beside its mounts: a home, and passwd and group files that know the caller."""

from pathlib import Path

from layerwright.run.invocation import Identity, Invocation, MountPoint

__all__ = ["group_text", "own_mounts", "passwd_text"]


def own_mounts(invocation: Invocation, scratch: Path) -> tuple[MountPoint, ...]:
    """Write the files, and an empty home where none is kept, into ``scratch``; what is there already stays.

    They belong to the caller because we run for the caller: as themselves, or as root of their own namespace.
    """
    home = invocation.home or scratch / "home"
    if invocation.home is None:
        home.mkdir(mode=0o700, exist_ok=True)
    mounts = [MountPoint(source=home, target=invocation.identity.home)]
    for name, text in (("passwd", invocation.passwd), ("group", invocation.group)):
        path = scratch / name
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
        path.chmod(0o644)
        mounts.append(MountPoint(source=path, target=f"/etc/{name}", read_only=True))
    return tuple(mounts)


def passwd_text(image: str, identity: Identity) -> str:
    """The image's ``/etc/passwd`` with the caller's entry.

    An entry of the image with the caller's uid gives way: the caller keeps the uid and gets its own name and home.
    """
    kept = [
        line
        for line in image.splitlines()
        if line and not _has_id(line, identity.uid) and line.split(":")[0] != identity.name
    ]
    entry = f"{identity.name}:x:{identity.uid}:{identity.gid}:{identity.name}:{identity.home}:/bin/sh"
    return "\n".join([*kept, entry]) + "\n"


def group_text(image: str, identity: Identity, names: dict[int, str]) -> str:
    """The image's ``/etc/group`` with a name for each of the caller's groups, and the caller as a member of it.

    Membership counts when a program is started in the container later (``docker exec`` and ``podman exec`` read it).

    Args:
        image: the image's file.
        identity: the caller.
        names: the host's names of groups by id.
    """
    lines = []
    missing = dict.fromkeys((identity.gid, *identity.groups))
    known = set()
    for line in image.splitlines():
        fields = line.split(":")
        if len(fields) != 4 or not fields[2].isdecimal():  # noqa: PLR2004 - group(5)
            lines += [line] if line else []
            continue
        known.add(fields[0])
        gid = int(fields[2])
        if gid in missing:
            del missing[gid]
            if gid != identity.gid and identity.name not in fields[3].split(","):
                fields[3] = f"{fields[3]},{identity.name}".lstrip(",")
        lines.append(":".join(fields))
    for gid in missing:
        name = names.get(gid) or f"group{gid}"
        if name in known:
            name = f"group{gid}"
        lines.append(f"{name}:x:{gid}:{identity.name if gid != identity.gid else ''}")
        known.add(name)
    return "\n".join(lines) + "\n"


def _has_id(line: str, uid: int) -> bool:
    fields = line.split(":")
    return len(fields) > 2 and fields[2] == str(uid)  # noqa: PLR2004 - passwd(5)
