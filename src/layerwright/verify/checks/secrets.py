"""What the scan for secrets saw in config, history and every layer, as findings."""

from collections.abc import Iterator

from layerwright.core.findings import Finding
from layerwright.verify.inspection import Inspection
from layerwright.verify.secrets import KINDS, secret_findings

__all__ = ["KINDS", "check"]


def check(image: Inspection) -> Iterator[Finding]:
    """Tell every hit, and of files that a later layer hides, that they are still there for whoever looks."""
    hits = [*image.contents.config_secrets]
    gone: dict[tuple[str, str], str] = {}
    for index in image.contents.layers:
        for hit in index.secrets:
            hits.append(hit)
            later = _hidden_by(image, hit.where.lstrip("/"), index.number)
            if later:
                gone[hit.layer, hit.where] = later
    yield from secret_findings(hits, image=image.name, deleted=gone)


def _hidden_by(image: Inspection, path: str, number: int) -> str:
    """Diff id of the layer above that deletes or replaces a file; empty when it is still seen."""
    node = image.tree.find(path, follow=False)
    if node is not None and node.entry.layer == number:
        return ""
    parts = path.split("/")
    above = {"/".join(parts[:length]) for length in range(1, len(parts) + 1)}
    for index in image.contents.layers[number + 1 :]:
        replaced = path in index.entries
        if replaced or not above.isdisjoint(index.whiteouts) or not above.isdisjoint(index.opaque):
            return str(index.layer.diff_id)
    return image.layer_digest(node.entry.layer) if node is not None else ""
