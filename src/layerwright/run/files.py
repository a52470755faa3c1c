"""Files that tell a program who it is: passwd and group, made from the image's own and the caller."""

from layerwright.run.invocation import Identity

__all__ = ["group_text", "passwd_text"]


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
