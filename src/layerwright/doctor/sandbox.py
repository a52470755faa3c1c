"""What building and running without an engine can do here, found out by doing it."""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from layerwright.core.findings import Kind
from layerwright.doctor.foreign import as_mapping, last_line, one_line
from layerwright.doctor.machine import Machine
from layerwright.doctor.model import Check, Cure, Needs, Outcome, broken

__all__ = ["KINDS", "examine", "judge"]

_SECONDS: Final = 8.0
_RUN, _OVERLAY, _NETWORK = "native-run", "native-overlay", "native-network"
_SWITCH: Final = Cure(
    text="open user namespaces to ordinary users (as root); the reason above names the setting"
)
_ENGINE: Final = Cure(
    text="or use an engine: `layerwright build --backend docker`, `layerwright run --engine docker`"
)

KINDS: Final = (
    Kind(
        code=_RUN,
        title="programs of an image can be run without an engine",
        why="Packages of Debian, build commands, smoke tests and `run` start programs of the image in a root of their "
        "own. Wheels, copies and models need none of it.",
        evidence="A trial run of `true` by each way there is: our own namespaces, runc, crun, chroot.",
        repair="Open user namespaces, become root, or use an engine.",
    ),
    Kind(
        code=_OVERLAY,
        title="layers can be laid over each other",
        why="With overlays a base is used as it lies in the store; without, its files are copied or linked first.",
        evidence="A trial mount on the file system of the store.",
        repair="Put the store on a local disk, or give the container the right to mount.",
    ),
    Kind(
        code=_NETWORK,
        title="build commands can be cut off from the network",
        why="A build that fetches things nobody locked is not the same tomorrow, so build commands get no network "
        "unless they ask for it.",
        evidence="A trial run in a network namespace.",
        repair="Give the container the right to make namespaces.",
    ),
)


def examine(machine: Machine, needs: Needs) -> Outcome:
    """Try it in a process of its own."""
    folder = _folder(machine.store)
    order = {"variables": dict(machine.host.variables), "folder": str(folder)}
    done = machine.start(
        [sys.executable, "-P", "-m", "layerwright.doctor.sandbox_child"],
        seconds=_SECONDS,
        data=json.dumps(order).encode(),
    )
    try:
        found = as_mapping(json.loads(done.out)) if done.status == 0 else {}
    except (ValueError, RecursionError):
        found = {}
    if not found:
        why = (
            f"it took longer than {_SECONDS:g} s" if done.timed_out else last_line(done.error) or "no answer"
        )
        detail = f"the trial gave no result: {why}"
        return Outcome(checks=tuple(Check(id=kind.code, status="unknown", detail=detail) for kind in KINDS))
    return Outcome(checks=judge(found, needs))


def judge(found: dict[str, Any], needs: Needs) -> tuple[Check, ...]:
    """Say what capabilities mean (``sandbox.model.Capabilities``)."""
    runners = [name for name in found.get("runners") or () if isinstance(name, str)]
    reasons = "; ".join(one_line(str(reason)) for reason in found.get("reasons") or ())
    because = f" ({reasons})" if reasons else ""
    needed = needs.wants("build", "run")
    return (
        _run(runners, because, ids=found.get("ids"), needed=needed),
        _overlay(found, because),
        _network(found, because),
    )


def _run(runners: list[str], because: str, *, ids: object, needed: bool) -> Check:
    if not runners:
        detail = f"no way of starting a program in an image works here{because}"
        return broken(_RUN, detail, (_SWITCH, _ENGINE), needed=needed)
    if runners == ["chroot"]:
        return Check(
            id=_RUN,
            status="warning",
            detail=f"by chroot alone: mounted folders are copied in and back{because}",
            fix=(
                Cure(
                    text="give the container more rights (--cap-add SYS_ADMIN and a seccomp profile that mounts)"
                ),
            ),
        )
    alone = " (one user id only: see subordinate-ids)" if ids == 1 else ""
    return Check(id=_RUN, status="ok", detail=f"by {', '.join(runners)}{alone}")


def _overlay(found: dict[str, Any], because: str) -> Check:
    if found.get("overlay") is True:
        options = ", ".join(str(option) for option in found.get("overlay_options") or ())
        return Check(id=_OVERLAY, status="ok", detail=f"overlayfs ({options})" if options else "overlayfs")
    return Check(
        id=_OVERLAY,
        status="warning",
        detail=f"no overlay can be mounted: bases are copied or linked, which is slower{because}",
        fix=(
            Cure(text="put the store on a local disk (ext4, xfs, btrfs), and load the kernel module overlay"),
        ),
    )


def _network(found: dict[str, Any], because: str) -> Check:
    if found.get("network_namespace") is True:
        return Check(id=_NETWORK, status="ok", detail="network namespaces work")
    return Check(
        id=_NETWORK,
        status="warning",
        detail=f"build commands cannot be cut off from the network here{because}",
        fix=(Cure(text="build on a machine or in a container that may make namespaces"),),
    )


def _folder(store: Path) -> Path:
    """Where the trial takes place: on the store's file system when that can be written."""
    for path in (store, *store.parents):
        if path.is_dir():
            return path if os.access(path, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
    return Path(tempfile.gettempdir())
