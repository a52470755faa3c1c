"""A form that was sent → a request for a job, or what is wrong with it, field by field."""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from layerwright.core.errors import UsageError
from layerwright.harness.jobs import list_jobs
from layerwright.harness.sources import DataSource
from layerwright.web.images import Card, Fields
from layerwright.web.site import Site
from layerwright.workflow.executor_run import ExecutorRequest
from layerwright.ymir.codes import Task
from layerwright.ymir.parameters import Parameter, form_text, parse_text

__all__ = ["PREFIX", "Filled", "StartChoice", "fill", "prefilled", "refused", "start_choices"]

PREFIX = "p."
"""Before the names of hyper-parameters, so that none of them is taken for a field of the page's own."""

_MOST_PICTURES = 1_000_000


class StartChoice(Struct, frozen=True, kw_only=True):
    """A model that a job can start from.

    Attributes:
        task_id: of the training.
        folder: its work folder.
        label: for people.
    """

    task_id: str
    folder: Path
    label: str


class Filled(Struct, frozen=True, kw_only=True):
    """A form with what somebody typed.

    Attributes:
        texts: of every field, as typed.
        errors: what is wrong, with the mend, by field.
        request: the job; None when something is wrong.
    """

    texts: Mapping[str, str]
    errors: Mapping[str, tuple[str, str]] = {}
    request: ExecutorRequest | None = None


def start_choices(site: Site, name: str) -> tuple[StartChoice, ...]:
    """Trainings of the image that left a package, newest first."""
    found = []
    for view in list_jobs(site.runs):
        report = view.report
        if view.job.image_name != name or report is None or report.training is None:
            continue
        if report.training.package is not None:
            best = report.training
            found.append(
                StartChoice(
                    task_id=view.job.task_id,
                    folder=view.folder,
                    label=f"{view.job.task_id}: {best.best}, {best.metric} {best.value:.3f}",
                )
            )
    return tuple(found)


def prefilled(site: Site, fields: Fields, task: Task, starts: tuple[StartChoice, ...]) -> Filled:
    """The form before anybody typed."""
    texts = {f"{PREFIX}{one.name}": form_text(one.default) for one in fields.parameters}
    texts |= {
        "engine": site.engines[0],
        "data": site.data[0].name if site.data else "",
        "limit": "0",
        "topk": "0",
        "start": starts[0].task_id if starts and task != "training" else "",
        "also_infer": "",
    }
    return Filled(texts=texts)


def fill(
    site: Site, card: Card, task: Task, starts: tuple[StartChoice, ...], sent: Mapping[str, str]
) -> Filled:
    """Read a form.

    Args:
        site: what may be chosen.
        card: the executor.
        task: that is to run.
        starts: models that may be chosen.
        sent: fields by name; a field that is missing keeps its default.
    """
    fields = card.tasks[task]
    texts = {**prefilled(site, fields, task, starts).texts, **sent}
    errors = dict[str, tuple[str, str]]()
    edits = _edits(fields.parameters, texts, errors)
    data = site.data_set(texts["data"])
    if data is None:
        errors["data"] = ("this data set is not one of the page's", "name it at the start: --data PATH")
    if texts["engine"] not in site.engines:
        errors["engine"] = ("this engine cannot be chosen here", f"one of {', '.join(site.engines)}")
    start = next((one for one in starts if one.task_id == texts["start"]), None)
    if texts["start"] and start is None:
        errors["start"] = ("this model is not one of the page's", "choose another, or none")
    limit = _count(texts, "limit", errors)
    topk = _count(texts, "topk", errors)
    if errors or data is None:
        return Filled(texts=texts, errors=errors)
    return Filled(
        texts=texts,
        request=ExecutorRequest(
            image=card.name,
            task=task,
            also_infer=task == "mining" and texts["also_infer"] == "yes" and "infer" in card.tasks,
            data=DataSource(path=data.path, limit=limit),
            engine=texts["engine"],
            edits=edits,
            model=start.folder if start else None,
            topk=topk,
            poll_seconds=site.poll_seconds,
        ),
    )


def _edits(
    parameters: tuple[Parameter, ...], texts: Mapping[str, str], errors: dict[str, tuple[str, str]]
) -> dict[str, str]:
    """What was changed: the platform's form sends the others as the template has them."""
    typed = {one.name: texts[f"{PREFIX}{one.name}"] for one in parameters}
    values, wrong = parse_text(parameters, typed)
    for name, error in wrong.items():
        errors[f"{PREFIX}{name}"] = (error.reason, error.hint)
    return {
        one.name: form_text(values[one.name])
        for one in parameters
        if one.name in values and values[one.name] != one.default
    }


def _count(texts: Mapping[str, str], name: str, errors: dict[str, tuple[str, str]]) -> int:
    text = texts[name].strip()
    if text.isascii() and text.isdecimal() and int(text) <= _MOST_PICTURES:
        return int(text)
    errors[name] = (
        f"{text[:40]!r} is no number of pictures",
        f"give a whole number from 0 to {_MOST_PICTURES}",
    )
    return 0


def refused(filled: Filled, error: UsageError) -> Filled:
    """The form with what the platform would refuse about it as a whole."""
    return Filled(texts=filled.texts, errors={"": (error.what, error.hint)})
