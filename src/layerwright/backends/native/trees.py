"""Source trees: the files of repositories at their locked commits, as a layer."""

from layerwright.backends.native.files import write_blob
from layerwright.backends.native.results import NodeResult
from layerwright.backends.native.workshop import Workshop
from layerwright.core.errors import NetworkError
from layerwright.layers import scan_tree, tar_to_layer
from layerwright.layers.tree import emit_tree_tar
from layerwright.plan.steps import CopySource
from layerwright.sources.trees import address_of, checkout_of, put_tree

__all__ = ["copy_source"]


def copy_source(workshop: Workshop, step: CopySource) -> NodeResult:
    """Fetch a source tree, or take it from the user's checkout; without ``.git`` unless that was asked for.

    Raises:
        NetworkError: it cannot be had, or ``--offline`` forbids to try.
    """
    checkout = checkout_of(step.checkout, workshop.root)
    remote = not address_of(step.git, workshop.root).startswith("file:")
    if workshop.offline and checkout is None and remote:
        raise NetworkError(
            f"{step.name}: {step.git} at {step.commit[:12]} is needed, but --offline forbids the network",
            where=step.location,
            hint="build once with the network, or clone it and name the folder: checkout = …",
        )
    with workshop.store.scratch() as scratch:
        tree = scratch / "tree"
        tree.mkdir()
        put_tree(step, tree, host=workshop.host, root=workshop.root, checkout=checkout)
        scan = scan_tree(tree, own=True)
        return write_blob(
            workshop,
            f"layerwright: source {step.name} {step.rev} {step.to}",
            # Gigabytes of text, as a rule: compressed, though another zlib gives another blob of the same tar.
            lambda out: tar_to_layer(emit_tree_tar(scan, to=step.to), out),
        )
