"""Reports on executors for people."""

from collections.abc import Iterator

from layerwright.cli.terminal import Terminal
from layerwright.core.text import size_text, time_text, visible
from layerwright.harness.records import Report, State
from layerwright.harness.torture import Shown, TortureReport, TrialRow
from layerwright.ymir.remarks import Outcome, Remark

__all__ = ["print_report", "print_torture", "progress_text", "row_text"]

_STYLES: dict[Outcome, str] = {"rejected": "1;31", "lost": "1;33", "unknown": "1;35", "fine": "1;36"}
_SHOWN_STYLES: dict[Shown, str] = {"passed": "1;32", "failed": "1;31", "not shown": "1;35"}
_SHOWN_STAGES = 8


def progress_text(state: State) -> str:
    """One line on a job that runs."""
    parts = [f"{state.latest:>4.0%}"]
    if state.stage:
        parts.append(state.stage)
    parts.append(
        "remaining time unknown" if state.remaining is None else f"{time_text(state.remaining)} left"
    )
    return ", ".join(parts)


def print_report(terminal: Terminal, report: Report) -> None:
    """The report as text on standard output."""
    verdict = report.verdict
    word = (
        terminal.paint("success", "1;32")
        if verdict.success
        else terminal.paint(f"failed {verdict.code}", "1;31")
    )
    terminal.print(f"{report.task} of {report.image} ({report.engine}): {word}")
    if not verdict.success:
        terminal.print(f"  {report.meaning}: {visible(verdict.reason)} (rule {verdict.rule})")
    for line in _result_lines(report):
        terminal.print(f"  {line}")
    timings = report.timings
    first = (
        "no report"
        if timings.first_report is None
        else f"first report after {time_text(timings.first_report)}"
    )
    terminal.print(f"  ran {time_text(timings.seconds)}, {_counted(timings.reports, 'report')}, {first}")
    if report.dropped:
        terminal.print(f"  not sent by the web (rule 1.3): {', '.join(report.dropped)}")
    terminal.print(f"  folder {report.folder}")
    for remark in report.remarks:
        terminal.print("")
        for line in _remark_lines(terminal, remark):
            terminal.print(line)
    if report.message and report.message != verdict.reason:
        terminal.print("")
        for line in report.message.splitlines():
            terminal.print(visible(line))


def _result_lines(report: Report) -> Iterator[str]:
    if report.training is not None:
        result = report.training
        yield f"best stage {visible(result.best)}: {result.metric} {result.value:.4f}"
        for stage in result.stages[:_SHOWN_STAGES]:
            numbers = ", ".join(f"{name} {value:.4f}" for name, value in stage.metrics.items()) or "no metric"
            yield f"stage {visible(stage.name)}: {numbers}; {_counted(len(stage.files), 'file')}"
        if len(result.stages) > _SHOWN_STAGES:
            yield f"and {len(result.stages) - _SHOWN_STAGES} more stages"
        yield f"TensorBoard: {_counted(result.event_files, 'event file')}, {_counted(len(result.scalars), 'curve')}"
        if result.package is not None:
            yield f"package {result.package.path} ({size_text(result.package.size)})"
    if report.mining is not None:
        mined = report.mining
        yield (
            f"selected {len(mined.selected)} of {mined.candidates} pictures (topk {mined.topk}), {mined.ranked} ranked"
        )
        if mined.skipped:
            yield "the platform would not start it: topk covers every picture, and all are returned (rule 3.4)"
    if report.infer is not None:
        found = report.infer
        pictures = f"{found.with_boxes} of {found.pictures} pictures"
        boxes = f"{found.boxes} box{'es' if found.boxes != 1 else ''}"
        yield f"{boxes} in {pictures}, {len(found.dropped)} dropped"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' if number != 1 else ''}"


def _remark_lines(terminal: Terminal, remark: Remark) -> Iterator[str]:
    where = " ".join(part for part in (remark.file, remark.field) if part)
    times = f", {remark.count} times" if remark.count > 1 else ""
    code = f", {remark.code}" if remark.code else ""
    word = terminal.paint(remark.outcome, _STYLES[remark.outcome])
    yield f"{word} {visible(where) or 'the container'} (rule {remark.rule}{code}{times})"
    yield f"  {visible(remark.message)}"
    if remark.repair:
        yield f"  {terminal.paint('hint', '1;36')}: {visible(remark.repair)}"


def row_text(terminal: Terminal, row: TrialRow) -> str:
    """One line of the table of robustness runs."""
    return (
        f"{terminal.paint(f'{row.shown:<9}', _SHOWN_STYLES[row.shown])} {row.name:<15} {visible(row.detail)}"
    )


def print_torture(terminal: Terminal, report: TortureReport) -> None:
    """The table as text on standard output."""
    for row in report.rows:
        terminal.print(row_text(terminal, row))
        if row.repair:
            terminal.print(f"          {row.what}")
            terminal.print(f"          {terminal.paint('hint', '1;36')}: {row.repair}")
    failed = sum(1 for row in report.rows if row.shown == "failed")
    unknown = sum(1 for row in report.rows if row.shown == "not shown")
    terminal.print(f"{len(report.rows)} trials, {failed} failed, {unknown} not shown")
