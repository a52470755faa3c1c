"""What a container gets from us beside its mounts: a home, and passwd and group files that know the caller."""

from pathlib import Path

from layerwright.run.invocation import Identity, Invocation, MountPoint

__all__ = ["group_text", "own_mounts", "passwd_text"]


def own_mounts(invocation: Invocation, scratch: Path) -> tuple[MountPoint, ...]:
    """Write the files and an empty home into ``scratch``.

    They belong to the caller because we run for the caller: as themselves, or as root of their own namespace.
    """
    home = scratch / "home"
    home.mkdir(mode=0o700)
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
    """The image's ``/etc/group`` with a name for each of the caller's groups.

    Args:
        image: the image's file.
        identity: the caller.
        names: the host's names of groups by id.
    """
    lines = [line for line in image.splitlines() if line]
    known_ids = {line.split(":")[2] for line in lines if line.count(":") >= 3}  # noqa: PLR2004 - group(5)
    known_names = {line.split(":")[0] for line in lines}
    for gid in (identity.gid, *identity.groups):
        if str(gid) in known_ids:
            continue
        name = names.get(gid) or f"group{gid}"
        if name in known_names:
            name = f"group{gid}"
        members = identity.name if gid != identity.gid else ""
        lines.append(f"{name}:x:{gid}:{members}")
        known_names.add(name)
        known_ids.add(str(gid))
    return "\n".join(lines) + "\n"


def _has_id(line: str, uid: int) -> bool:
    fields = line.split(":")
    return len(fields) > 2 and fields[2] == str(uid)  # noqa: PLR2004 - passwd(5)
