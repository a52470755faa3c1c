"""Finding out what this machine can do by doing it: each way of running a program fails somewhere."""

import tempfile
from pathlib import Path

from msgspec.structs import replace

from layerwright.core.errors import LayerwrightError
from layerwright.host.environment import HostEnvironment
from layerwright.host.process import ProcessError, find_program, run
from layerwright.sandbox.execute import execute
from layerwright.sandbox.model import Bind, Capabilities, Command
from layerwright.sandbox.namespace import namespace_obstacle
from layerwright.sandbox.rootfs import assemble

__all__ = ["probe"]

_TIMEOUT = 20.0
_PROGRAMS = ("runc", "crun")
_IDENTITY = ["0", "0", str(2**32 - 1)]
_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "nix", "gnu")


def probe(host: HostEnvironment, scratch: Path) -> Capabilities:
    """Try every way of running a program, in a root made of the host's own system folders.

    Args:
        host: the caller's surroundings.
        scratch: folder on the file system where root file systems will be assembled; overlays depend on it.

    Returns:
        What works. Worth caching (``Capabilities.to_json``): it takes about half a second.
    """
    inside = _in_user_namespace()
    programs = {name: str(path) for name in _PROGRAMS if (path := find_program(name, host.path))}
    everything = Capabilities(
        root=host.uid == 0,
        user_namespace=inside,
        overlay=False,
        mount_namespace=True,
        network_namespace=True,
        runners=("namespaces", *programs),
        programs=programs,
        chroot=False,
    )
    reasons: list[str] = []
    if host.uid != 0:
        # An ordinary user becomes root of a user namespace first (namespace.py), then probes again.
        reason = namespace_obstacle() or "we are not root, not even of a user namespace"
        return replace(
            everything, mount_namespace=False, network_namespace=False, runners=(), reasons=(reason,)
        )
    chroot = _try_chroot(scratch, reasons)
    true = find_program("true", host.path)
    if true is None:
        reasons.append("no program to try with (true) was found on the host")
        return replace(everything, runners=("namespaces",), chroot=chroot, reasons=tuple(reasons))
    mounts = _try("namespaces", true, scratch, everything, reasons, network=True)
    network = mounts and _try("namespaces", true, scratch, everything, reasons, network=False)
    found = replace(everything, mount_namespace=mounts, network_namespace=network, chroot=chroot)
    options = _overlay_options(true, scratch, found, reasons) if mounts else None
    runners = ["namespaces"] if mounts else []
    runners += [name for name in programs if _try(name, true, scratch, found, reasons, network=True)]
    if chroot and not mounts:
        runners.append("chroot")
    return replace(
        found,
        overlay=options is not None,
        overlay_options=options or (),
        runners=tuple(runners),
        reasons=tuple(reasons),
    )


def _try(
    runner: str, true: Path, scratch: Path, capabilities: Capabilities, reasons: list[str], *, network: bool
) -> bool:
    """Run the host's ``true`` in a root of bound system folders."""
    lines: list[str] = []
    what = runner + ("" if network else " with the network off")
    try:
        with tempfile.TemporaryDirectory(prefix="probe-", dir=scratch) as folder:
            lower = Path(folder)
            binds = _system_folders(lower)
            command = Command(argv=(str(true),), binds=binds, network=network)
            with assemble([lower], scratch=scratch, capabilities=capabilities) as rootfs:
                status = execute(
                    rootfs,
                    command,
                    capabilities=capabilities,
                    on_line=lines.append,
                    timeout=_TIMEOUT,
                    runner=runner,
                )
    except (LayerwrightError, OSError) as error:
        reasons.append(f"{what}: {error}")
        return False
    if status != 0:
        reasons.append(f"{what}: a trial run ended with status {status}: {' '.join(lines[-1:])}")
    return status == 0


def _overlay_options(
    true: Path, scratch: Path, capabilities: Capabilities, reasons: list[str]
) -> tuple[str, ...] | None:
    """Return the options an overlay can be mounted with here; None when it cannot.

    ``volatile`` (Linux 5.10) leaves out the syncs that make dpkg slow: what we throw away after
    a crash need not survive one. The switched-off features would put into the upper folder what a
    layer cannot say. In user namespaces (Linux 5.11) attributes go to ``user.`` and the rest is off anyway.
    """
    plain = (
        ("userxattr",) if capabilities.user_namespace else ("redirect_dir=off", "metacopy=off", "index=off")
    )
    failures: list[str] = []
    for options in ((*plain, "volatile"), plain):
        tried = replace(capabilities, overlay=True, overlay_options=options)
        if _try("namespaces", true, scratch, tried, failures, network=True):
            return options
    reasons.append(f"overlay in {failures[-1]}")
    return None


def _system_folders(root: Path) -> tuple[Bind, ...]:
    """Lay out the host's system folders below ``root``: links as links, folders as mount points."""
    binds = []
    for name in _FOLDERS:
        source = Path("/") / name
        if source.is_symlink():
            (root / name).symlink_to(source.readlink())
        elif source.is_dir():
            binds.append(Bind(source=source, target=f"/{name}", read_only=True))
    return tuple(binds)


def _try_chroot(scratch: Path, reasons: list[str]) -> bool:
    """Ask for a chroot in a process of its own."""
    import sys  # noqa: PLC0415

    try:
        code = "import os, sys; os.chroot(sys.argv[1])"
        run([sys.executable, "-I", "-S", "-c", code, str(scratch)], timeout=_TIMEOUT)
    except ProcessError as error:
        reasons.append(f"chroot: {error.output.splitlines()[-1] if error.output else error}")
        return False
    return True


def _in_user_namespace() -> bool:
    return Path("/proc/self/uid_map").read_text(encoding="ascii").split() != _IDENTITY
