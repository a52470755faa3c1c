"""What every step of a native build works with."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from layerwright.backends.schedule import Processors
from layerwright.core.events import BytesMoved, Reporter, TaskEnded, TaskStarted, Warned
from layerwright.host.environment import HostEnvironment
from layerwright.host.http import HttpClient
from layerwright.lock.model import Deb
from layerwright.sources.apt import DebianMirror, fetch_debs
from layerwright.store import Store

if TYPE_CHECKING:
    from layerwright.backends.native.results import NodeResult
    from layerwright.oci.image import Image
    from layerwright.plan.steps import CellPlan, Node
    from layerwright.resolve import PackageResolver
    from layerwright.sandbox.model import Capabilities
    from layerwright.sandbox.rootfs import Rootfs
    from layerwright.sources.fetch import Fetcher
    from layerwright.spec.model import Index

__all__ = ["Guard", "Workshop"]


class Guard(Protocol):
    """Judges an image before it gets its names."""

    def __call__(
        self, cell: "CellPlan", image: "Image", made: "Sequence[tuple[Node, NodeResult]]", /
    ) -> None:
        """Raise to have the cell fail.

        Args:
            cell: what was built.
            image: manifest and config, which stand nowhere yet.
            made: what each node of the cell left in the store.

        Raises:
            BuildError: the image may not be.
        """


def _no_guard(_cell: "CellPlan", _image: "Image", _made: "Sequence[tuple[Node, NodeResult]]", /) -> None:
    """Take everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Shared by all steps of a build; safe to use from several threads.

    Attributes:
        store: where results go.
        host: environment and identity of the caller.
        reporter: takes events.
        root: the folder that the spec's relative paths start from.
        capabilities: what the sandbox can do here; probed when first asked for.
        fetcher: gets what the lock names; made when first asked for.
        secrets: value of each secret, read when a step needs it.
        offline: nothing may be asked of the network.
        resolver: chooses what the build of a project needs; made when first asked for.
        indexes: the spec's package indexes, by name.
        mirror: where Debian's archives are.
        http: asks servers.
        processors: shares the processors out to programs that keep them busy.
        guard: judges each image before it gets its names.
        warned: messages of ``warn_once`` so far.
    """

    store: Store
    host: HostEnvironment
    reporter: Reporter
    root: Path
    capabilities: Callable[[], "Capabilities"]
    fetcher: Callable[[], "Fetcher"]
    secrets: Mapping[str, Callable[[], bytes]]
    offline: bool
    resolver: Callable[[], "PackageResolver"]
    indexes: "Mapping[str, Index]"
    mirror: DebianMirror
    http: HttpClient
    processors: Processors = field(default_factory=Processors)
    guard: Guard = _no_guard
    warned: set[str] = field(default_factory=set)

    def warn_once(self, message: str, hint: str = "") -> None:
        """Warn, unless this build has said so already."""
        if message not in self.warned:
            self.warned.add(message)
            self.reporter(Warned(message=message, hint=hint))

    def fetch_debs(self, debs: Sequence[Deb]) -> None:
        """Bring Debian packages into the store."""
        fetch_debs(debs, self.store, http=self.http, mirror=self.mirror, reporter=self.reporter)

    @contextmanager
    def rootfs(self, trees: Sequence[tuple[Path, bool]]) -> "Iterator[Rootfs]":
        """A root file system for the block, made of trees.

        Args:
            trees: bottom first, each with whether a program may write through it.
        """
        from layerwright.sandbox.rootfs import assemble  # noqa: PLC0415 - start-up

        with (
            self.store.scratch() as scratch,
            assemble(
                [path for path, _ in trees],
                scratch=scratch,
                capabilities=self.capabilities(),
                linkable=[path for path, private in trees if not private],
            ) as rootfs,
        ):
            yield rootfs

    @contextmanager
    def task(
        self, name: str, title: str, kind: str, *, total_bytes: int = 0
    ) -> Iterator[Callable[[int], None]]:
        """Tell of a piece of work; gives the function that takes progress in bytes."""
        self.reporter(TaskStarted(task=name, title=title, kind=kind, total_bytes=total_bytes))
        try:
            yield lambda amount: self.reporter(BytesMoved(task=name, amount=amount))
        except BaseException:
            self.reporter(TaskEnded(task=name, failed=True))
            raise
        self.reporter(TaskEnded(task=name))
