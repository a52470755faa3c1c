"""``layerwright explain``: why things are as they are."""

import argparse
import json
from pathlib import Path

from msgspec import to_builtins
from msgspec.structs import replace

from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands
from layerwright.core.errors import UsageError
from layerwright.core.events import Notice

__all__ = ["add"]

_FILES = 1000
"""Largest files that ``--json`` lists."""


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "explain",
        parents=[common],
        help="say why things clash, why an image is big, what changed",
        description="Say why things are as they are.",
    )
    verbs = parser.add_subparsers(title="what to explain", dest="verb", metavar="WHAT", required=True)
    _add_size(verbs, common)
    _add_diff(verbs, common)
    _add_conflict(verbs, common)


_IMAGES = """\
IMAGE is one of
  NAME                  an image or cell of the spec, as it was last built
  oci:DIR[:NAME]        an OCI image layout
  docker-archive:FILE   what `docker save` wrote
  docker:NAME           an image of the local Docker engine
  HOST/NAME:TAG         a reference in a registry
"""

_LOCKS = """\
LOCK is `lock` for the spec's own, or FILE.lock; after a colon the cell, when there are several: lock:infer.
Two locks are compared as they stand; a lock and an image by their packages.
"""


def _add_size(verbs: Commands, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "size",
        parents=[common],
        help="where an image's bytes are, and what could go",
        description="Read every layer of an image and say where its bytes are: by layer, package, kind and folder, "
        "compressed and unpacked; what lies in lower layers and nobody sees; copies; code for GPUs; what could go.",
        epilog=_IMAGES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "image",
        nargs="?",
        default="",
        metavar="IMAGE",
        help="what to look at (default: every image of the spec)",
    )
    parser.add_argument(
        "--top", type=_count, default=10, metavar="N", help="lines of each list (default: 10)"
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write a page with a treemap of one image, down to the file"
    )
    parser.set_defaults(handler=_size, makes_images=True)


def _add_diff(verbs: Commands, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "diff",
        parents=[common],
        help="what changed between two images, or an image and a lock",
        description="Say what changed from OLD to NEW: packages with their versions, settings, files, layers that both "
        "share, and how much whoever has the old one downloads for the new one.",
        epilog=f"OLD and NEW are each an IMAGE or a LOCK.\n\n{_IMAGES}\n{_LOCKS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("old", metavar="OLD", help="an image or lock (see below)")
    parser.add_argument("new", metavar="NEW", help="likewise")
    parser.add_argument("--top", type=_count, default=20, metavar="N", help="files to list (default: 20)")
    parser.set_defaults(handler=_diff, makes_images=True)


def _count(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of lines")
    return number


def _size(context: Context, options: argparse.Namespace) -> int:
    from layerwright.cli.excerpts import Painter, width_of  # noqa: PLC0415 - start-up
    from layerwright.cli.sizes import size_lines  # noqa: PLC0415 - start-up
    from layerwright.workflow.explain import explain_sizes, size_details  # noqa: PLC0415 - start-up

    terminal = context.terminal
    documents = []
    for number, (report, image, measured) in enumerate(explain_sizes(context.session, options.image)):
        if options.html is not None:
            if number:
                raise UsageError(
                    "a page shows one image", hint="name it: layerwright explain size IMAGE --html FILE"
                )
            from layerwright.reports.html import html_page  # noqa: PLC0415 - start-up

            title = f"layerwright explain size {report.image}"
            page = html_page(None, title=title, details=size_details(report, image, measured))
            _write(options.html, page)
            context.reporter(Notice(message=f"wrote {options.html}"))
        if terminal.json:
            documents.append(to_builtins(replace(report, largest=report.largest[:_FILES])))
            continue
        context.reporter.close()
        if number:
            terminal.print("")
        for line in size_lines(Painter.of(terminal), report, top=options.top, width=width_of(terminal)):
            terminal.print(line)
    context.reporter.close()
    if terminal.json:
        terminal.print(json.dumps({"schema": 1, "images": documents}, ensure_ascii=False))
    return 0


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error


def _diff(context: Context, options: argparse.Namespace) -> int:
    from layerwright.cli.differences import difference_lines  # noqa: PLC0415 - start-up
    from layerwright.cli.excerpts import Painter  # noqa: PLC0415 - start-up
    from layerwright.workflow.explain import explain_difference  # noqa: PLC0415 - start-up

    found = explain_difference(context.session, options.old, options.new)
    context.reporter.close()
    terminal = context.terminal
    if terminal.json:
        document = (
            to_builtins(found.difference) if found.difference is not None else {"changes": list(found.lines)}
        )
        terminal.print(json.dumps({"schema": 1, **document}, ensure_ascii=False))
    elif found.difference is not None:
        for line in difference_lines(Painter.of(terminal), found.difference, top=options.top):
            terminal.print(line)
    else:
        for line in found.lines or ("both locks say the same",):
            terminal.print(line)
    return 0


def _add_conflict(verbs: Commands, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "conflict",
        parents=[common],
        help="what clashes, who asked for it, and the least change that mends it",
        description="Tell every error of `check` from its beginning to its end: the smallest set of things that clash, "
        "what shows it, who asked for each of them, and repairs that were tried on what is known. Where no set of "
        "packages meets the requirements at all: both requirements with their places, and the resolver's own words.",
    )
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="images or cells (default: all)")
    parser.add_argument(
        "--host",
        metavar="FILE",
        type=Path,
        help="judge for the machine that `doctor --record FILE` wrote down",
    )
    parser.set_defaults(handler=_conflict, makes_images=True)


def _conflict(context: Context, options: argparse.Namespace) -> int:
    from layerwright.cli.excerpts import Painter, width_of  # noqa: PLC0415 - start-up
    from layerwright.cli.findings import locate_findings  # noqa: PLC0415 - start-up
    from layerwright.cli.prose import conflict_lines  # noqa: PLC0415 - start-up
    from layerwright.core.findings import findings_document, sort_findings  # noqa: PLC0415 - start-up
    from layerwright.workflow.conflict import explain_conflicts  # noqa: PLC0415 - start-up

    explained = explain_conflicts(context.session, options.images, options.host)
    context.reporter.close()
    found = sort_findings(locate_findings(explained.findings))
    terminal = context.terminal
    if terminal.json:
        terminal.print(json.dumps(findings_document(found), ensure_ascii=False))
    elif not found:
        count = len(explained.cells)
        terminal.print(f"nothing clashes in {count} image{'' if count == 1 else 's'}")
    else:
        for line in conflict_lines(Painter.of(terminal), found, width_of(terminal)):
            terminal.print(line)
    return 1 if found else 0
