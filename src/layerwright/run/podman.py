"""How Podman is asked to run a program as the caller, as root and without."""

from typing import TYPE_CHECKING, Final

from layerwright.run.command_line import Dialect

if TYPE_CHECKING:
    from layerwright.engines.podman import Podman
    from layerwright.run.invocation import Identity

__all__ = ["lost_groups", "podman_dialect"]

_CLIENT: Final = (
    "HOME", "PATH", "USER", "LOGNAME", "TMPDIR", "SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS", "NOTIFY_SOCKET",
    "XDG_*", "CONTAINER_*", "CONTAINERS_*", "PODMAN_*", "STORAGE_*", "BUILDAH_*", "REGISTRY_AUTH_FILE",
    "_CONTAINERS_*",
)  # fmt: skip


def podman_dialect(podman: "Podman", identity: "Identity") -> Dialect:
    """How this Podman is asked.

    Without root, ``keep-id`` maps the caller's ids to themselves, and every other id of the container to one of the
    caller's subordinate ids. A group of the machine is none of these, so ``--group-add NUMBER`` would give a group of
    the same number and none of its rights; only ``keep-groups`` leaves the caller's own in force, and only crun can
    do that (podman-run(1)).
    """
    # Podman would hand the caller's proxies on; variables of the caller's reach a program when asked to.
    options = ["--http-proxy=false", "--pull=never"]
    if podman.init:
        options += ["--init-path", podman.init]
    who: tuple[str, ...] = ()
    if podman.rootless:
        who = ("--userns", "keep-id", "--user", f"{identity.uid}:{identity.gid}")
        if identity.groups and podman.keeps_groups:
            who = (*who, "--group-add", "keep-groups")
    return Dialect(name="podman", client_variables=_CLIENT, identity=who, options=tuple(options))


def lost_groups(podman: "Podman", identity: "Identity") -> tuple[int, ...]:
    """Groups that the program will not have."""
    return identity.groups if podman.rootless and not podman.keeps_groups else ()
