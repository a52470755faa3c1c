"""What every step of a native build works with."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from layerwright.core.events import BytesMoved, Reporter, TaskEnded, TaskStarted, Warned
from layerwright.host.environment import HostEnvironment
from layerwright.store import Store

if TYPE_CHECKING:
    from layerwright.sandbox.model import Capabilities
    from layerwright.sources.fetch import Fetcher

__all__ = ["Workshop"]


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
        debian_mirror: address that replaces Debian's own, empty for none.
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
    debian_mirror: str = ""
    warned: set[str] = field(default_factory=set)

    def warn_once(self, message: str, hint: str = "") -> None:
        """Warn, unless this build has said so already."""
        if message not in self.warned:
            self.warned.add(message)
            self.reporter(Warned(message=message, hint=hint))

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
