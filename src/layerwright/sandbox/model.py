"""The words of the sandbox: what this machine can do, what to run, and what it may see."""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import asdict

__all__ = ["CAPABILITIES_FORMAT", "Bind", "Capabilities", "Command", "Secret"]

CAPABILITIES_FORMAT = 1
"""Rises when a cached probe of an earlier version would mislead."""


class Capabilities(Struct, frozen=True, kw_only=True):
    """What ``probe`` found to work, each by really doing it.

    Attributes:
        root: we are root, perhaps only of a user namespace.
        user_namespace: we are in a user namespace: ids are mapped, devices cannot be made.
        overlay: overlayfs can be mounted over the scratch folder's file system.
        overlay_options: mount options beside the folders, such as ``userxattr``.
        mount_namespace: mounts can be made where only the program sees them.
        network_namespace: a program can be cut off from the network.
        runners: what can start a program, best first: ``namespaces``, ``runc``, ``crun``, ``chroot``.
        programs: path of each outside runner, by name.
        chroot: chroot(2) is allowed.
        reasons: why the rest does not work, one sentence each.
    """

    root: bool
    user_namespace: bool = False
    overlay: bool
    overlay_options: tuple[str, ...] = ()
    mount_namespace: bool
    network_namespace: bool
    runners: tuple[str, ...]
    programs: Mapping[str, str] = field(default_factory=dict)
    chroot: bool
    reasons: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """Return a record for a cache."""
        import json  # noqa: PLC0415  start-up

        return json.dumps({"format": CAPABILITIES_FORMAT, **asdict(self)}, sort_keys=True).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Capabilities | None":
        """Read a cached record; None when it is damaged or of another format."""
        import json  # noqa: PLC0415  start-up

        try:
            fields = json.loads(data)
            if fields.pop("format") != CAPABILITIES_FORMAT:
                return None
            for name in ("overlay_options", "runners", "reasons"):
                fields[name] = tuple(fields[name])
            return cls(**fields)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


class Bind(Struct, frozen=True, kw_only=True):
    """A host file or folder that the program sees at ``target``; its owners and modes stay as they are.

    Attributes:
        source: the host's path.
        target: absolute path in the root.
        read_only: writing is refused.
        device: a device node: it may be opened as one.
    """

    source: Path
    target: str
    read_only: bool = False
    device: bool = False


class Secret(Struct, frozen=True, kw_only=True):
    """A file ``/run/secrets/NAME`` that exists only in memory and only while the program runs."""

    name: str
    value: bytes

    def __repr__(self) -> str:
        """Leave the value out."""
        return f"Secret(name={self.name!r})"


class Command(Struct, frozen=True, kw_only=True):
    """A program to run in a root file system.

    Attributes:
        argv: program and arguments; a name without a slash is looked up in the PATH of ``env``.
        env: its whole environment.
        cwd: absolute path in the root; made when missing.
        uid, gid, groups: ids it runs as.
        binds: host folders it sees, in mount order.
        secrets: files in ``/run/secrets``.
        network: it shares the host's network; otherwise it has a loopback interface only.
        tty: it is given our terminal.
        hostname: what it calls its host.
        shm_size: bytes of ``/dev/shm``.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = "/"
    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    binds: tuple[Bind, ...] = ()
    secrets: tuple[Secret, ...] = ()
    network: bool = False
    tty: bool = False
    hostname: str = "layerwright"
    shm_size: int = 64 << 20
