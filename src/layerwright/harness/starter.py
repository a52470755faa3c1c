"""What the harness needs of an engine."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from layerwright.ymir.command import Launch
from layerwright.ymir.reading import Answer

__all__ = ["RunningContainer", "Starter"]


class RunningContainer(Protocol):
    """An executor at work."""

    def poll(self) -> int | None:
        """Its exit status, or None while it runs."""

    def kill(self) -> None:
        """End it as ``docker rm -f`` does: SIGKILL, no grace time; no error when it has ended."""


class Starter(Protocol):
    """Starts containers of one image."""

    @property
    def engine(self) -> str:
        """``docker``, ``podman`` or ``native``."""

    @property
    def image(self) -> str:
        """What the engine calls the image."""

    @property
    def read_only_inputs(self) -> bool:
        """Whether /in really is read-only here."""

    def cat(self, file: str) -> Answer:
        """Run ``cat FILE`` through the image's entrypoint, as the platform reads /img-man (§1.2)."""

    def command_line(self, launch: Launch) -> Sequence[str]:
        """What a person would type; for the report."""

    def start(self, launch: Launch, log: Path) -> AbstractContextManager[RunningContainer]:
        """Start the image's own command; standard output and error are appended to ``log``.

        Nothing is left of the container when the block ends.

        Raises:
            EngineError: the engine refuses.
        """
