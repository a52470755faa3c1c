"""``layerwright executor run``."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands
from layerwright.core.errors import UsageError

if TYPE_CHECKING:
    from layerwright.harness.jobs import JobView
    from layerwright.harness.records import Report, State
    from layerwright.workflow.executor_run import ExecutorRequest

__all__ = ["add"]

_IMAGES = """\
IMAGE is an image or cell of the spec (built if it is not up to date), docker:NAME, or a reference that the engine has.

Exit code 0: the platform takes the result and loses nothing of it. 1: the task fails there, something of the result is
lost, or a robustness run fails.
"""


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the verb."""
    parser = commands.add_parser(
        "run",
        parents=[common],
        help="run an executor exactly as the platform would, and say which rule it broke",
        description="Play the YMIR platform: read the template through the image's entrypoint, fill /in from your "
        "pictures, start the container with the platform's command line, poll its monitor file, and give the verdict "
        "that the platform would give, with each rule that was broken and its repair.",
        epilog=_IMAGES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "image", nargs="?", default="", metavar="IMAGE", help="what to run (default: the only image)"
    )
    parser.add_argument(
        "--task",
        choices=["training", "mining", "infer", "mining+infer"],
        default="training",
        help="what runs",
    )
    parser.add_argument(
        "--engine",
        choices=["docker", "podman", "native"],
        default="docker",
        help="what runs it (default: docker)",
    )
    _add_data(parser)
    _add_job(parser)
    folder = parser.add_argument_group("work folders")
    folder.add_argument(
        "--work", metavar="DIR", type=Path, help="the work folder (default: a new one in executor-runs)"
    )
    folder.add_argument(
        "--again", metavar="DIR", type=Path, help="judge a work folder again; nothing is started"
    )
    folder.add_argument(
        "--cancel", metavar="DIR", type=Path, help="end a job that runs, as docker rm -f does"
    )
    folder.add_argument(
        "--fetch-result", action="store_true", help="with --cancel: keep a training's result if it is valid"
    )
    folder.add_argument(
        "--clean", action="store_true", help="remove what the platform removes after a task (rule 3.5)"
    )
    parser.set_defaults(
        handler=_run,
        makes_images=True,
        interrupted="a container that ran is gone, and its work folder tells how far it came; "
        "the same command makes a new job, in another work folder",
    )


def _add_data(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("pictures")
    data.add_argument(
        "--data", metavar="PATH", type=Path, help="a folder, a COCO document, or a YOLO data.yaml"
    )
    data.add_argument(
        "--format",
        choices=["auto", "coco", "voc", "yolo", "pictures"],
        default="auto",
        help="of the labels (default: look)",
    )
    data.add_argument(
        "--validation", metavar="PATH", type=Path, help="pictures for validation, where they are apart"
    )
    data.add_argument(
        "--validation-share",
        metavar="SHARE",
        type=float,
        default=0.2,
        help="set this share apart where the data names none (default: 0.2)",
    )
    data.add_argument(
        "--classes", metavar="NAMES", default="", help="their order, with commas; others are left out"
    )
    data.add_argument(
        "--limit", metavar="N", type=int, default=0, help="take the first N pictures of each part"
    )


def _add_job(parser: argparse.ArgumentParser) -> None:
    job = parser.add_argument_group("the task")
    job.add_argument(
        "--param", metavar="KEY=VALUE", action="append", default=[], help="type a value into the form"
    )
    job.add_argument(
        "--model", metavar="PATH", type=Path, help="start from a package, or a training's work folder"
    )
    job.add_argument("--stage", metavar="NAME", default="", help="of the package (default: its best)")
    job.add_argument("--topk", metavar="N", type=int, default=0, help="pictures to select (default: a fifth)")
    job.add_argument(
        "--gpus", metavar="NUMBERS", type=_gpus, default=(), help="none, or the host's numbers: 0,1"
    )
    job.add_argument(
        "--object-type", metavar="N", type=int, help="of the project (default: the image's first)"
    )
    job.add_argument(
        "--user", metavar="UID:GID", default="", help="or root (default: you; as root, ids nobody has)"
    )
    job.add_argument(
        "--protocol", metavar="VERSION", default="1.1.0", help="that env.yaml announces (default: 1.1.0)"
    )
    job.add_argument(
        "--old-codes",
        action="store_true",
        help="be a platform before 2.3, which takes no code from an executor",
    )
    job.add_argument(
        "--poll", metavar="SECONDS", type=float, default=20.0, help="between two polls (default: 20)"
    )
    job.add_argument(
        "--timeout", metavar="SECONDS", type=float, default=0.0, help="kill it then (default: never)"
    )
    job.add_argument("--torture", action="store_true", help="robustness runs: a table of what it stands")


def _gpus(text: str) -> tuple[int, ...]:
    if text in {"", "none"}:
        return ()
    parts = text.split(",")
    if not all(part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not none, or numbers with commas")
    return tuple(int(part) for part in parts)


def _run(context: Context, options: argparse.Namespace) -> int:
    if options.cancel is not None:
        from layerwright.workflow.executor_run import cancel_executor  # noqa: PLC0415 - start-up

        folder = context.session.start / options.cancel.expanduser()
        return _cancelled(
            context, cancel_executor(context.session, folder, fetch_result=options.fetch_result)
        )
    if options.again is not None:
        from layerwright.harness.judging import judge_folder  # noqa: PLC0415 - start-up

        return _told(context, judge_folder((context.session.start / options.again.expanduser()).absolute()))
    request = _request(context, options)
    if options.torture:
        return _torture(context, request)
    from layerwright.workflow.executor_run import run_executor  # noqa: PLC0415 - start-up

    report = run_executor(context.session, request, on_state=_Teller(context))
    if options.clean:
        from layerwright.harness.cleaning import clean  # noqa: PLC0415 - start-up

        clean(Path(report.folder), success=report.verdict.success)
    return _told(context, report)


def _request(context: Context, options: argparse.Namespace) -> "ExecutorRequest":
    from layerwright.harness.sources import DataSource  # noqa: PLC0415 - start-up
    from layerwright.workflow.executor_run import ExecutorRequest  # noqa: PLC0415 - start-up

    if options.data is None:
        raise UsageError(
            "nothing says which pictures the executor gets",
            hint="--data names a folder of pictures, or of COCO, VOC or YOLO labels; a few dozen are enough",
        )
    if options.poll <= 0:
        raise UsageError("--poll takes seconds above 0", hint="the platform polls every 20 seconds")
    if options.fetch_result:
        raise UsageError("--fetch-result belongs to --cancel", hint="--cancel DIR --fetch-result")
    for name, number in (
        ("--limit", options.limit),
        ("--topk", options.topk),
        ("--timeout", options.timeout),
    ):
        if not number >= 0:
            raise UsageError(
                f"{name} is {number:g}, and 0 or more is wanted", hint=f"leave {name} out for the default"
            )
    if not 0 <= options.validation_share < 1:
        raise UsageError(
            f"--validation-share is {options.validation_share:g}, and a share from 0 to below 1 is wanted",
            hint="0.2 sets a fifth of the pictures apart",
        )
    start = context.session.start
    edits = {}
    for text in options.param:
        key, separator, value = text.partition("=")
        if not key or not separator:
            raise UsageError(f"{text!r} sets no parameter", hint="write --param KEY=VALUE")
        edits[key] = value
    return ExecutorRequest(
        image=options.image,
        task="mining" if options.task == "mining+infer" else options.task,
        also_infer=options.task == "mining+infer",
        data=DataSource(
            path=start / options.data.expanduser(),
            form=options.format,
            validation=None if options.validation is None else start / options.validation.expanduser(),
            validation_share=options.validation_share,
            class_names=tuple(name.strip() for name in options.classes.split(",") if name.strip()),
            limit=options.limit,
        ),
        engine=options.engine,
        edits=edits,
        work=options.work,
        object_type=options.object_type,
        model=options.model,
        stage=options.stage,
        topk=options.topk,
        gpus=options.gpus,
        user=options.user,
        protocol=options.protocol,
        honours_codes=not options.old_codes,
        poll_seconds=options.poll,
        timeout=options.timeout,
    )


class _Teller:
    """Tells of progress when there is something new, at most once a second."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.told: tuple[object, ...] = ()
        self.when = 0.0

    def __call__(self, state: "State") -> None:
        from layerwright.cli.executor_report import progress_text  # noqa: PLC0415 - start-up
        from layerwright.core.events import Notice  # noqa: PLC0415 - start-up

        news = (round(state.latest, 2), state.stage, state.code)
        now = time.monotonic()
        waiting = state.remaining is None and not state.stage
        if state.phase != "running" or waiting or news == self.told or now - self.when < 1:
            return
        self.told, self.when = news, now
        self.context.session.reporter(Notice(message=progress_text(state)))


def _cancelled(context: Context, view: "JobView") -> int:
    """Say what became of ``--cancel``."""
    from msgspec import json  # noqa: PLC0415 - start-up

    asked = view.report is None and view.state.phase in {"prepared", "running"}
    if context.terminal.json:
        document = {
            "schema": 1,
            "folder": str(view.folder),
            "task_id": view.job.task_id,
            "was": view.state.phase,
            "asked": asked,
        }
        context.terminal.print(json.encode(document).decode())
    elif asked:
        context.terminal.tell(f"{view.job.task_id} ends within a second; --again {view.folder} tells how")
    else:
        context.terminal.tell(f"{view.job.task_id} does not run any more: {view.state.phase}")
    return 0


def _told(context: Context, report: "Report") -> int:
    from msgspec import json  # noqa: PLC0415 - start-up

    context.reporter.close()
    if context.terminal.json:
        context.terminal.print(json.encode(report).decode())
    else:
        from layerwright.cli.executor_report import print_report  # noqa: PLC0415 - start-up

        print_report(context.terminal, report)
    return 0 if report.good else 1


def _torture(context: Context, request: "ExecutorRequest") -> int:
    from msgspec import json  # noqa: PLC0415 - start-up

    from layerwright.cli.executor_report import print_torture, row_text  # noqa: PLC0415 - start-up
    from layerwright.core.events import Notice  # noqa: PLC0415 - start-up
    from layerwright.workflow.executor_torture import torture_executor  # noqa: PLC0415 - start-up

    report = torture_executor(
        context.session,
        request,
        on_row=lambda row: context.session.reporter(Notice(message=row_text(context.terminal, row))),
    )
    context.reporter.close()
    if context.terminal.json:
        context.terminal.print(json.encode(report).decode())
    else:
        print_torture(context.terminal, report)
    return 0 if report.good else 1
