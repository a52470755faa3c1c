"""Nothing that is told holds a secret: events and messages pass by here on their way to the terminal."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from msgspec import structs

from layerwright.core.events import Event, OutputLine, Reporter, Warned
from layerwright.host.seen import SeenSecrets

if TYPE_CHECKING:
    from layerwright.verify.secrets.known import KnownValues

__all__ = ["Mask", "MaskingReporter"]

MASK: Final = "***"
_FIELDS: Final = ("title", "detail", "line", "message", "hint")


class Mask:
    """Replaces the secrets that this process has seen, in every spelling that the leak scan knows.

    Before the first secret is read it costs nothing. Safe to use from several threads.

    Args:
        seen: grows while the process works.
    """

    def __init__(self, seen: SeenSecrets) -> None:
        self._seen = seen
        self._known: KnownValues | None = None
        self._count = 0
        self._lock = threading.Lock()

    def __call__(self, text: str) -> str:
        """The text with ``***`` in the place of secrets."""
        if not len(self._seen) or not text:
            return text
        with self._lock:
            if self._count != len(self._seen):
                self._learn()
            known = self._known
        return _without(text, known) if known is not None else text

    def _learn(self) -> None:
        from layerwright.verify.secrets.known import KnownValues, fault_of_secret  # noqa: PLC0415 - start-up

        values = self._seen.values()
        self._count = len(values)
        self._known = KnownValues(
            {name: value for name, value in values.items() if not fault_of_secret(value)}
        )


def _without(text: str, known: "KnownValues") -> str:
    data = text.encode("utf-8", "surrogateescape")
    places = sorted((found.start, found.end) for found in known.search(data) if found.level == "error")
    if not places:
        return text
    kept = bytearray()
    at = 0
    for start, end in places:
        if start >= at:
            kept += data[at:start] + MASK.encode()
        at = max(at, end)
    return (bytes(kept) + data[at:]).decode("utf-8", "surrogateescape")


class MaskingReporter:
    """Masks every text of the events; tells once when a step of the build printed a secret.

    Args:
        reporter: takes the masked events.
        mask: replaces secrets.
    """

    def __init__(self, reporter: Reporter, mask: Callable[[str], str]) -> None:
        self._reporter = reporter
        self._mask = mask
        self._told = False

    def __call__(self, event: Event, /) -> None:
        """Take one event."""
        changed = {}
        for name in _FIELDS:
            text = getattr(event, name, "")
            if text and (masked := self._mask(text)) != text:
                changed[name] = masked
        self._reporter(structs.replace(event, **changed) if changed else event)
        if changed and isinstance(event, OutputLine) and not self._told:
            self._told = True
            self._reporter(
                Warned(
                    message="a step of the build printed a secret; it is shown as ***",
                    hint="other programs that run the step would show it: have it print less",
                )
            )
