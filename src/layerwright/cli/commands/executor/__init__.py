"""``layerwright executor``: executors for the YMIR platform, with no platform at hand."""

import argparse
from typing import Final, Protocol

from layerwright.cli.commands.executor import lint, new, run, serve
from layerwright.cli.parsers import Commands

__all__ = ["add"]


class _Verb(Protocol):
    def add(self, commands: Commands, common: argparse.ArgumentParser, /) -> None: ...


_VERBS: Final[tuple[_Verb, ...]] = (new, lint, run, serve)
"""A module each, which declares its own arguments; in the order of ``--help``, which is the order of use."""


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command and its verbs."""
    parser = commands.add_parser(
        "executor",
        parents=[common],
        help="make, check and try executors for the YMIR platform",
        description="Executors are images that the YMIR platform runs for training, mining and inference. All of this "
        "works with no platform at hand.",
    )
    verbs = parser.add_subparsers(title="verbs", dest="verb", metavar="VERB", required=True)
    for module in _VERBS:
        module.add(verbs, common)
