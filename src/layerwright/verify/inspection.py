"""An image under judgement: its contents, and what every check may ask of them. Derived things are made once."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Final

from msgspec import Struct

from layerwright.core.findings import Evidence, Finding, Fix, Kind, Level, Member, Place
from layerwright.oci.config import Settings
from layerwright.plan.seal import LOCKED, read_locked
from layerwright.verify.contents import Contents
from layerwright.verify.loader.closure import DEFAULT_PATH, Closure, close_over
from layerwright.verify.loader.system import find_system
from layerwright.verify.python.dists import Dist
from layerwright.verify.python.environments import Environment, find_environments
from layerwright.verify.tree import Tree

__all__ = ["ACCELERATOR_LABEL", "ROLE_LABEL", "Inspection"]

ROLE_LABEL: Final = "dev.layerwright.role"
ACCELERATOR_LABEL: Final = "dev.layerwright.accelerator"
_OURS: Final = "layerwright: "


class Inspection(Struct, frozen=True, kw_only=True, dict=True):
    """What checks look at.

    Attributes:
        name: what people call the image.
        contents: what was read of it.
        asked_role: role that the caller names; empty to go by the image's label.
        declared: versions of Python packages that the lock says it has, by normalized name; None without a lock.
        hwcaps: ``glibc-hwcaps`` subfolders of the processor to judge for; none judges for the least one.
    """

    name: str
    contents: Contents
    asked_role: str = ""
    declared: Mapping[str, str] | None = None
    hwcaps: tuple[str, ...] = ()

    @cached_property
    def settings(self) -> Settings:
        """What the config says."""
        return self.contents.image.settings

    @property
    def tree(self) -> Tree:
        """All layers merged."""
        return self.contents.tree

    @property
    def role(self) -> str:
        """``inference``, ``training`` and so on; empty when nobody says."""
        return self.asked_role or self.settings.labels.get(ROLE_LABEL, "")

    @property
    def accelerator(self) -> str:
        """``cpu``, ``nvidia``, ``mthreads``; empty when nobody says."""
        return self.settings.labels.get(ACCELERATOR_LABEL, "")

    @property
    def is_ours(self) -> bool:
        """Whether this program built it, or what it was built from."""
        return ROLE_LABEL in self.settings.labels

    def is_own_layer(self, number: int) -> bool:
        """Whether this program made the layer."""
        layers = self.contents.image.layers
        return 0 <= number < len(layers) and layers[number].created_by.startswith(_OURS)

    def layer_title(self, number: int) -> str:
        """A layer for messages: its number from the bottom, and what made it."""
        layers = self.contents.image.layers
        if not 0 <= number < len(layers):
            return "no layer"
        made_by = " ".join(layers[number].created_by.split())
        shown = made_by if len(made_by) <= 90 else f"{made_by[:89]}…"  # noqa: PLR2004 - a line
        return f"layer {number + 1}" + (f" ({shown})" if shown else "")

    def layer_digest(self, number: int) -> str:
        """Diff id of a layer; empty when there is none of that number."""
        layers = self.contents.image.layers
        return str(layers[number].diff_id) if 0 <= number < len(layers) else ""

    @cached_property
    def environments(self) -> tuple[Environment, ...]:
        """Its Pythons."""
        return find_environments(self.tree, self.settings.env)

    @cached_property
    def sealed(self) -> Mapping[str, str]:
        """Versions that were locked, by what stands in the image; none in images of others."""
        node = self.tree.find(LOCKED)
        text = node.entry.text if node is not None else None
        return {package.name: package.version for package in read_locked(text)} if text else {}

    @cached_property
    def closure(self) -> Closure:
        """What its loader will do."""
        system = find_system(
            self.tree,
            machine=self.contents.image.platform.machine,
            env=self.settings.env,
            workdir=self.settings.workdir,
            hwcaps=self.hwcaps,
        )
        path = self.settings.env.get("PATH") or DEFAULT_PATH
        return close_over(self.tree, system, self.environments, path=path)

    def owner(self, path: str) -> Dist | None:
        """The Python distribution that a file belongs to."""
        for environment in self.environments:
            dist = environment.owners.get(path)
            if dist is not None:
                return dist
        return None

    def layer_of(self, path: str) -> int:
        """Position of the layer that a path comes from; -1 when it is not there."""
        node = self.tree.find(path)
        return node.entry.layer if node is not None else -1

    def finding(
        self,
        kind: Kind,
        level: Level,
        message: str,
        *,
        path: str = "",
        layer: int = -1,
        evidence: Iterable[Evidence] = (),
        fix: Iterable[Fix] = (),
        members: Iterable[Member] = (),
    ) -> Finding:
        """A finding about this image."""
        return Finding(
            code=kind.code,
            level=level,
            message=message,
            where=Place(
                image=self.name,
                path=path,
                layer=self.layer_digest(self.layer_of(path) if path and layer < 0 else layer),
            ),
            evidence=tuple(evidence),
            fix=tuple(sorted(fix, key=lambda one: one.cost)),
            members=tuple(members),
        )

    def wheel(self, dist: Dist) -> Member:
        """A distribution as one side of a clash."""
        return Member(
            kind="wheel",
            name=dist.name,
            version=dist.version,
            origin=f"installed by {self.layer_title(dist.layer)}",
        )
