"""What a realised node left in the store, and its record."""

from dataclasses import dataclass

import msgspec

from layerwright.backends.base import BuiltLayer, WheelPart
from layerwright.layers.formats import BASE_FORMAT, BYTECODE_FORMAT, LAYER_FORMAT, SCRUB_FORMAT
from layerwright.oci.digest import Digest
from layerwright.plan.testing import Verdict
from layerwright.store import Store

__all__ = ["RESULT_FORMAT", "NodeResult", "decode_digest", "forget_result", "read_result", "write_result"]

RESULT_FORMAT = 2
"""Of the records themselves."""

_KIND = f"nodes-{RESULT_FORMAT}.{LAYER_FORMAT}.{BYTECODE_FORMAT}.{BASE_FORMAT}.{SCRUB_FORMAT}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeResult:
    """The outcome of one node.

    Attributes:
        layers: what it adds, bottom first; only a base has more than one.
        config: hexadecimal sha256 of the base's config among the store's blobs; empty for other nodes.
        wheel: the wheel a ``BuildWheel`` made.
        bytes_written: bytes that realising it added to the store; 0 when read back.
        verdict: how the tests of a ``RunTests`` ended.
    """

    layers: tuple[BuiltLayer, ...] = ()
    config: str = ""
    wheel: WheelPart | None = None
    bytes_written: int = 0
    verdict: Verdict | None = None


def _key(digest: str) -> str:
    return digest.removeprefix("sha256:")


def write_result(store: Store, digest: str, result: NodeResult) -> None:
    """Remember what the node with this digest left."""
    store.write_record(_KIND, _key(digest), msgspec.json.encode(result, enc_hook=str))


def forget_result(store: Store, digest: str, result: NodeResult) -> None:
    """Remove what the node left, with its trees: for what must not be kept."""
    store.discard_record(_KIND, _key(digest))
    for layer in result.layers:
        for key in layer.trees or (layer.diff_id.hex,):
            store.discard_tree(key)
        if not layer.wheels:
            store.discard("blobs", layer.digest.hex)
    if result.wheel is not None:
        store.discard("wheels", result.wheel.sha256)


def decode_digest(kind: type, value: object) -> object:
    """Digests are the only type that JSON has no word for."""
    if kind is Digest and isinstance(value, str):
        return Digest.parse(value)
    raise ValueError(f"cannot read a {kind.__name__}")


def read_result(store: Store, digest: str) -> NodeResult | None:
    """What the node left, when all of it is still there; None when it must be realised again.

    Wheels a layer is made of may have been pruned: the layer's digests still hold, and the wheel is
    fetched again when its bytes are asked for.
    """
    data = store.read_record(_KIND, _key(digest))
    if data is None:
        return None
    try:
        result = msgspec.json.decode(data, type=NodeResult, dec_hook=decode_digest)
    except msgspec.DecodeError:
        return None
    blobs = [layer.digest.removeprefix("sha256:") for layer in result.layers if not layer.wheels]
    if result.config:
        blobs.append(result.config)
    if not all(store.has("blobs", digits) for digits in blobs):
        return None
    if result.wheel is not None and not store.has("wheels", result.wheel.sha256):
        return None
    return result
