"""What every command is handed: the terminal, the host and the choices made on the command line."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from layerwright.cli.reporters import ClosingReporter, make_reporter
from layerwright.cli.terminal import Terminal
from layerwright.core.errors import UsageError
from layerwright.host.environment import HostEnvironment
from layerwright.workflow.masking import Mask, MaskingReporter
from layerwright.workflow.mirrors import with_mirrors
from layerwright.workflow.session import Session

__all__ = ["Context"]


class Context(Struct, frozen=True, kw_only=True):
    """A command's surroundings."""

    terminal: Terminal
    reporter: ClosingReporter
    session: Session

    @classmethod
    def make(cls, terminal: Terminal, variables: Mapping[str, str], options: argparse.Namespace) -> Self:
        """Wire a session from the environment and the global options.

        Raises:
            UsageError: the current folder is gone, or unknown mirrors are named.
        """
        host = HostEnvironment.gather(with_mirrors(variables))
        # Podman makes a namespace of its own for the caller, which works from outside of ours only.
        apart = getattr(options, "makes_images", False) and getattr(options, "engine", "") != "podman"
        outside = None
        if host.uid != 0 and apart:
            if _uses_podman(options):
                from layerwright.host.outside import Outside  # noqa: PLC0415 - for ordinary users only

                outside = Outside.start()
            from layerwright.sandbox.namespace import enter_namespace  # noqa: PLC0415 - for ordinary users only

            # Early, while there is one thread: the store's trees belong to many users, as images do.
            host = enter_namespace(host)
        mask = Mask(host.seen)
        terminal = replace(terminal, mask=mask)
        reporter = make_reporter(terminal)
        file = getattr(options, "file", None)
        store = getattr(options, "store", None) or variables.get("LAYERWRIGHT_STORE")
        session = Session(
            host=host,
            reporter=MaskingReporter(reporter, mask),
            start=_current_folder(),
            spec_file=Path(file) if file else None,
            settings=tuple(getattr(options, "settings", ())),
            store_root=Path(store).absolute() if store else _default_store(),
            offline=getattr(options, "offline", False) or variables.get("LAYERWRIGHT_OFFLINE") == "1",
            outside=outside,
        )
        return cls(terminal=terminal, reporter=reporter, session=session)


def _uses_podman(options: argparse.Namespace) -> bool:
    """Whether a command that works inside of our namespace needs Podman, which works outside."""
    outputs = getattr(options, "output", None)
    return getattr(options, "backend", "") == "podman" or (isinstance(outputs, list) and "podman" in outputs)


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise UsageError("the current folder does not exist any more", hint="cd to one that does") from error


def _default_store() -> Path:
    from platformdirs import user_cache_path  # noqa: PLC0415 - start-up

    return user_cache_path("layerwright")
