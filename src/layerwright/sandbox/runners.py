"""OCI runtimes that can stand in for our own runner: runc and crun.

The helper still mounts the overlay, is the runner's parent in a process namespace, and cleans up;
what differs is who makes the root. See docs/decisions/0005-sandbox.md for when they are chosen.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from layerwright.core.errors import EngineError
from layerwright.core.paths import DEFAULT_PATH
from layerwright.sandbox import kernel
from layerwright.sandbox.model import Capabilities, Command
from layerwright.sandbox.mounts import Mount
from layerwright.sandbox.rootfs import Rootfs

__all__ = ["bundle_config", "runner_orders"]

_NAMES = (
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "NET_BIND_SERVICE",
    "NET_RAW", "SYS_CHROOT", "MKNOD", "AUDIT_WRITE", "SETFCAP",
)  # fmt: skip
_FLAGS = (
    (kernel.MS_NOSUID, "nosuid"),
    (kernel.MS_NODEV, "nodev"),
    (kernel.MS_NOEXEC, "noexec"),
    (kernel.MS_RDONLY, "ro"),
)


def runner_orders(
    runner: str,
    rootfs: Rootfs,
    command: Command,
    capabilities: Capabilities,
    mounts: Sequence[Mount],
    orders: dict[str, Any],
) -> dict[str, Any]:
    """Return what changes in the helper's orders when an outside runner starts the program.

    Raises:
        EngineError: the runner cannot do what the command asks.
    """
    secrets = rootfs.work / "secrets"
    secrets.mkdir(exist_ok=True)
    before: list[Mount] = [
        ("proc", "proc", "/proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC, "")
    ]
    after: list[Mount] = []
    for mount in mounts:
        # Secrets lie in a tmpfs of the helper's own namespace and are bound from there.
        if mount[2] == "/run/secrets":
            if mount[0] == "tmpfs":
                before.append((*mount[:2], str(secrets), *mount[3:]))
                after.append(("bind", str(secrets), "/run/secrets", kernel.MS_RDONLY | kernel.MS_NOSUID, ""))
        elif mount[0] == "file":
            before.append((*mount[:2], f"{secrets}/{Path(mount[2]).name}", *mount[3:]))
        else:
            after.append(mount)
    program = capabilities.programs[runner]
    if orders["user_maps"] is not None:
        raise EngineError(
            f"{runner} cannot run a program under the caller's own ids in a user namespace",
            hint="use another runner",
        )
    bundle = rootfs.work / "bundle"
    bundle.mkdir(exist_ok=True)
    config = bundle_config(rootfs, command, after, groups=orders["groups"] or [])
    (bundle / "config.json").write_text(json.dumps(config), encoding="utf-8")
    state = str(rootfs.work / "state")
    argv = [program, "--root", state, "run", "--bundle", str(bundle), rootfs.work.name]
    return {
        "external": argv,
        # runc wants a PATH, and nothing else of ours.
        "external_env": {"PATH": DEFAULT_PATH},
        "runner_mounts": before,
        "user_maps": None,
    }


def bundle_config(
    rootfs: Rootfs, command: Command, mounts: Sequence[Mount], *, groups: Sequence[int]
) -> dict[str, Any]:
    """Return config.json of an OCI bundle (opencontainers/runtime-spec, config.md and config-linux.md).

    Resource limits are left out: raising one that the host has lowered fails.
    """
    names = [f"CAP_{name}" for name in _NAMES]
    # No process namespace: the helper has made one, and its first process is a better init than the program.
    namespaces = [{"type": kind} for kind in ("ipc", "uts", "mount")]
    config: dict[str, Any] = {
        "ociVersion": "1.0.2",
        "root": {"path": str(rootfs.path)},
        "hostname": command.hostname,
        "process": {
            "terminal": command.tty,
            "user": {"uid": command.uid, "gid": command.gid, "additionalGids": list(groups)},
            "args": list(command.argv),
            "env": [f"{name}={value}" for name, value in command.env.items()],
            "cwd": command.cwd,
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), names),
            "noNewPrivileges": True,
        },
        "mounts": [entry for mount in mounts if (entry := _bundle_mount(mount))],
        "linux": {
            "namespaces": namespaces,
            "readonlyPaths": [mount[2] for mount in mounts if mount[0] == "readonly"],
            "maskedPaths": [mount[2] for mount in mounts if mount[0] == "mask"],
        },
    }
    return config


def _bundle_mount(mount: Mount) -> dict[str, Any] | None:
    kind, source, target, flags, data = mount
    if kind in ("symlink", "readonly", "mask"):
        return None
    # runc makes device nodes in /dev, where we would bind them.
    options = ["nosuid"] if target == "/dev" else [name for flag, name in _FLAGS if flags & flag]
    if kind != "bind":
        return {
            "type": kind,
            "source": source,
            "destination": target,
            "options": options + (data.split(",") if data else []),
        }
    own = target.startswith("/dev/") and not flags & kernel.MS_REC
    if own or (data == "optional" and not Path(source).exists()):
        # runc makes the standard devices by itself.
        return None
    return {
        "type": "bind",
        "source": source,
        "destination": target,
        "options": ["rbind", "rprivate", *options],
    }
