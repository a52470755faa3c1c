"""Device nodes of graphics processors, and the groups that may open them."""

from typing import Final

from layerwright.core.findings import Kind
from layerwright.doctor.accounts import group_named, group_of, may_open, user_name
from layerwright.doctor.machine import Machine
from layerwright.doctor.model import Check, Cure, Needs, Outcome, absent, broken

__all__ = ["KINDS", "examine"]

_NODES, _GROUPS = "dri-nodes", "dri-groups"
_FOLDER: Final = "/dev/dri"
_NAMES: Final = ("render", "video")

KINDS: Final = (
    Kind(
        code=_NODES,
        title="render nodes in /dev/dri",
        why="Moore Threads GPUs, and every use of OpenCL, Vulkan or video decoding, go through /dev/dri/renderD*.",
        evidence="`/dev/dri`.",
        repair="Load the GPU's kernel driver; in a container, hand the folder in.",
    ),
    Kind(
        code=_GROUPS,
        title="you may open the render nodes",
        why="The nodes belong to the groups render and video. A program run as you keeps your groups in the container, "
        "so it can do there what you can do here.",
        evidence="Owner, group and rights of each node, against your own groups.",
        repair="Add yourself to the groups and log in again.",
    ),
)


def examine(machine: Machine, needs: Needs) -> Outcome:
    """Look at ``/dev/dri``."""
    needed = needs.wants("mthreads")
    nodes = [name for name in machine.names(_FOLDER) if name.startswith(("renderD", "card"))]
    if not nodes:
        cure = Cure(
            text="install the GPU's driver and load its kernel module, or hand /dev/dri into the container"
        )
        return Outcome(
            checks=(
                absent(_NODES, "there is no /dev/dri with render nodes", cure, needed=needed),
                Check(id=_GROUPS, status="not_needed", detail="there is nothing to open"),
            )
        )
    return Outcome(
        checks=(
            Check(id=_NODES, status="ok", detail=", ".join(nodes)),
            _groups(machine, nodes, needed=needed),
        )
    )


def _groups(machine: Machine, nodes: list[str], *, needed: bool) -> Check:
    closed = [name for name in nodes if not may_open(machine, machine.path(f"{_FOLDER}/{name}"))]
    # A card node drives a screen; compute needs the render nodes, where there are any.
    wanted = [name for name in closed if name.startswith("renderD")]
    if not any(name.startswith("renderD") for name in nodes):
        wanted = closed
    if not wanted:
        return Check(id=_GROUPS, status="ok", detail="you may open them")
    owners = {_owner(machine, name) for name in wanted}
    names = sorted(name for name in owners if name) or [
        name for name in _NAMES if group_named(machine, name) is not None
    ]
    me = user_name(machine)
    fresh = [name for name in names if me and me in group_of(machine, group_named(machine, name) or -1)[1]]
    if fresh:
        return broken(
            _GROUPS,
            f"you are in the group {', '.join(fresh)} since your last login: this session does not know it yet",
            (Cure(text="log in again", command=f"newgrp {fresh[0]}"),),
            needed=needed,
        )
    if not names:
        cure = Cure(text="make the group and give it the nodes (as root)", command="groupadd -f -r render")
        return broken(_GROUPS, f"{', '.join(wanted)} cannot be opened by you", (cure,), needed=needed)
    return broken(
        _GROUPS,
        f"{', '.join(wanted)} may be opened by the group {', '.join(names)}, which you are not in",
        (
            Cure(
                text="add yourself (as root), then log in again",
                command=f"usermod -aG {','.join(names)} {me or '$USER'}",
            ),
        ),
        needed=needed,
    )


def _owner(machine: Machine, node: str) -> str:
    try:
        number = machine.path(f"{_FOLDER}/{node}").stat().st_gid
    except OSError:
        return ""
    name = group_of(machine, number)[0]
    return "" if name == "root" else name
