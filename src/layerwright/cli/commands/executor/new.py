"""``layerwright executor new``."""

import argparse
import json
import shlex
from pathlib import Path

from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands

__all__ = ["add"]

_TASKS = ("training", "mining", "infer")


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the verb."""
    parser = commands.add_parser(
        "new",
        parents=[common],
        help="write the project of an executor that builds and passes",
        description="Write a project into a new folder: layerwright.toml with hyper-parameters, a start.sh, a small "
        "model that learns, two dozen labelled pictures to try it on, and the ymir_exc module as a wheel. It builds, "
        "passes `executor lint` and `executor run`; replace the model by yours.",
    )
    parser.add_argument(
        "folder", metavar="NAME", type=Path, help="the folder to make, and the project's name"
    )
    parser.add_argument(
        "--task",
        action="append",
        choices=_TASKS,
        metavar="TASK",
        help="training, mining or infer; may be given several times (default: all three)",
    )
    parser.add_argument(
        "--segmentation",
        action="store_true",
        help="an executor that finds masks (default: one that finds boxes)",
    )
    parser.set_defaults(handler=_new, makes_images=True)


def _new(context: Context, options: argparse.Namespace) -> int:
    from layerwright.workflow.executor_new import write_project  # noqa: PLC0415 - start-up
    from layerwright.ymir.parameter import TASKS  # noqa: PLC0415 - start-up

    files = write_project(
        context.session, options.folder, tasks=options.task or list(TASKS), segmentation=options.segmentation
    )
    context.reporter.close()
    terminal = context.terminal
    if terminal.json:
        document = {"schema": 1, "folder": str(options.folder), "files": list(files)}
        terminal.print(json.dumps(document, ensure_ascii=False))
        return 0
    pictures = [path for path in files if path.endswith(".png")]
    for path in files:
        if path not in pictures[1:-1]:
            terminal.print(str(options.folder / path))
        elif path == pictures[1]:
            terminal.print(f"{options.folder / 'data'}/… ({len(pictures)} pictures)")
    # Mining and inference need a model first, which another executor's training makes.
    trains = "training" in (options.task or _TASKS)
    verb = "run --task training --data data" if trains else "lint"
    command = shlex.join(["cd", str(options.folder)])
    terminal.tell(f"next: {command} && layerwright build && layerwright executor {verb}")
    return 0
