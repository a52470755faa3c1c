"""Node digests: what a step is, and what it stands on, as one sha256."""

import hashlib
import json
from collections.abc import Iterable, Mapping

from msgspec import Struct

from layerwright.plan.steps import Base, CopySource, InstallWheels, Node, RunCommand, Step, WheelInput

__all__ = ["PLAN_FORMAT", "canonical", "make_node", "step_fields"]

PLAN_FORMAT = 1
"""Part of every node digest; raise it when a step's meaning changes."""


_POSITIONS = frozenset({"location", "checkout"})
"""Fields that say where something stands, in the user's file or on this machine, and never what it is."""


def canonical(value: object) -> bytes:
    """JSON with sorted keys and no blanks; the same value always gives the same bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _plain(value: object) -> object:
    if isinstance(value, Struct):
        return {
            name: _plain(getattr(value, name)) for name in value.__struct_fields__ if name not in _POSITIONS
        }
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def step_fields(step: Step) -> dict[str, object]:
    """The step as plain JSON values: its kind and every field but positions."""
    fields = _plain(step)
    if not isinstance(fields, dict):  # pragma: no branch - a step is a dataclass
        raise TypeError(type(step).__name__)
    return {"kind": type(step).__name__, **fields}


def _identity(wheel: WheelInput) -> dict[str, object]:
    """What of a wheel reaches the image: where it was fetched from does not."""
    return {
        "file": wheel.file,
        "sha256": wheel.sha256,
        "url": wheel.url,
        "requested": wheel.requested,
        "built_by": wheel.built_by,
    }


def _digest_fields(step: Step) -> dict[str, object]:
    fields = step_fields(step)
    if isinstance(step, Base):
        base = step.base
        # The digest covers the content; the name people know it by does not matter.
        fields["base"] = {"kind": base.kind, "digest": base.digest}
    elif isinstance(step, InstallWheels):
        fields["wheels"] = [_identity(wheel) for wheel in step.wheels]
    elif isinstance(step, CopySource) and not step.history:
        # Commits cover the content; with ``.git`` come names and addresses.
        commits = [[one.path, one.commit] for one in step.submodules]
        fields = {"kind": fields["kind"], "commit": step.commit, "submodules": commits, "to": step.to}
    elif isinstance(step, RunCommand):
        del fields["files"]
        if step.files:
            # Where a file is fetched from does not reach the image.
            fields["files"] = [[file.name, file.sha256] for file in step.files]
    return fields


def make_node(step: Step, inputs: Iterable[str], title: str) -> Node:
    """Put a step into the graph, above the nodes with the digests ``inputs``."""
    needed = tuple(inputs)
    payload = {"format": PLAN_FORMAT, "step": _digest_fields(step), "inputs": list(needed)}
    digest = "sha256:" + hashlib.sha256(canonical(payload)).hexdigest()
    return Node(step=step, digest=digest, inputs=needed, title=title)
