"""``layerwright store``."""

import argparse
import json
import re

from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands
from layerwright.cli.reporters import format_size
from layerwright.core.errors import UsageError

__all__ = ["add", "parse_size"]

_UNITS = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
    "ti": 2**40,
}


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command and its verbs."""
    parser = commands.add_parser("store", parents=[common], help="look after the cache: info, verify, prune")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    info = verbs.add_parser("info", parents=[common], help="what is there and how big it is")
    info.set_defaults(handler=_info, makes_images=True)
    verify = verbs.add_parser(
        "verify", parents=[common], help="read everything again and compare with its digests"
    )
    verify.add_argument(
        "--repair", action="store_true", help="take away what is damaged; it is made anew when needed"
    )
    verify.set_defaults(handler=_verify, makes_images=True)
    prune = verbs.add_parser("prune", parents=[common], help="remove what was used longest ago")
    prune.add_argument(
        "--keep-size", required=True, metavar="SIZE", help="bytes to keep, such as 20GB; 0 for nothing"
    )
    prune.set_defaults(handler=_prune, makes_images=True)


def parse_size(text: str) -> int:
    """Bytes from ``20GB``, ``512MiB`` or ``0``.

    Raises:
        UsageError: it is no size.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?", text.strip().lower())
    if match is None:
        raise UsageError(f"{text!r} is no size", hint="write bytes with a unit, such as 20GB or 512MiB")
    return int(float(match[1]) * _UNITS[match[2] or ""])


def _info(context: Context, options: argparse.Namespace) -> int:
    del options
    terminal = context.terminal
    info = context.session.store.info()
    if terminal.json:
        rooms = {name: {"count": room.count, "size": room.size} for name, room in info.rooms.items()}
        images = {image.reference: image.manifest for image in info.images}
        terminal.print(
            json.dumps(
                {"schema": 1, "root": str(info.root), "size": info.size, "rooms": rooms, "images": images}
            )
        )
        return 0
    terminal.print(str(info.root))
    for name, room in info.rooms.items():
        terminal.print(f"  {name:<8} {room.count:>7}  {format_size(room.size):>10}")
    terminal.print(f"  {'total':<8} {'':>7}  {format_size(info.size):>10}")
    if info.temporary:
        terminal.print(f"  builds that are running hold {format_size(info.temporary)} more")
    for image in info.images:
        terminal.print(f"  {image.reference}  {image.manifest}")
    return 0


def _verify(context: Context, options: argparse.Namespace) -> int:
    terminal = context.terminal
    report = context.session.store.verify(repair=options.repair)
    left = [problem for problem in report.problems if not problem.removed]
    if terminal.json:
        problems = [{"item": p.item, "what": p.what, "removed": p.removed} for p in report.problems]
        terminal.print(
            json.dumps({"schema": 1, "checked": report.checked, "size": report.size, "problems": problems})
        )
    else:
        for problem in report.problems:
            terminal.print(f"{problem.item}: {problem.what}{' (removed)' if problem.removed else ''}")
        terminal.print(
            f"{report.checked} things read, {format_size(report.size)}, {len(report.problems)} damaged"
        )
        if left:
            terminal.tell(
                "hint: `layerwright store verify --repair` removes them; they are made anew when needed"
            )
    return 7 if left else 0


def _prune(context: Context, options: argparse.Namespace) -> int:
    terminal = context.terminal
    report = context.session.store.prune(keep_size=parse_size(options.keep_size))
    if terminal.json:
        terminal.print(
            json.dumps(
                {
                    "schema": 1,
                    "freed": report.freed,
                    "size": report.size,
                    "removed": {
                        name: {"count": r.count, "size": r.size} for name, r in report.removed.items()
                    },
                    "images": list(report.images),
                    "in_use": list(report.in_use),
                    "left": list(report.left),
                }
            )
        )
        return 0
    for reference in report.images:
        terminal.print(f"{reference} is gone")
    for line in report.left:
        terminal.tell(f"warning: not removed: {line}")
    terminal.print(f"{format_size(report.freed)} removed, {format_size(report.size)} kept")
    return 0
