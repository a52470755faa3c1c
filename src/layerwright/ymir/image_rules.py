"""What is wrong with what an executor's image says about itself, by the contract with YMIR 2.0 to 2.5. Pure.

One set of rules for an image, for a folder with the files of ``/img-man``, and for a spec whose files are not written
yet: each is an ``ImageView``.
"""

from collections.abc import Iterator
from datetime import date

from layerwright.core.errors import UsageError
from layerwright.core.findings import Finding
from layerwright.core.text import visible
from layerwright.ymir import image_kinds as kinds
from layerwright.ymir.entrypoint_rules import check_answers, check_start
from layerwright.ymir.image import IMG_MAN, template_path
from layerwright.ymir.image_case import (
    FOLDERS,
    Case,
    ImageView,
    Placer,
    Start,
    template_folders,
    wanted_files,
)
from layerwright.ymir.image_kinds import KINDS
from layerwright.ymir.manifest_rules import check_manifest
from layerwright.ymir.parameter import TASKS, Parameter
from layerwright.ymir.parameters import PARAMETERS_FILE, read_parameters
from layerwright.ymir.reading import Document
from layerwright.ymir.template_rules import check_template

__all__ = [
    "KINDS",
    "ImageView",
    "Start",
    "judge_image",
    "judge_start",
    "template_folders",
    "wanted_files",
]


def judge_image(view: ImageView, place: Placer | None = None) -> tuple[Finding, ...]:
    """Everything that is wrong, in the platform's order of reading.

    Args:
        view: what is known.
        place: gives the place of a path, key and line (0 for none); the path in the image when absent.
    """
    case = Case(view, place)
    parameters, unreadable = _parameters(case)
    found = [*check_start(case), *check_answers(case), *check_manifest(case), *unreadable]
    found += [*_templates(case, parameters), *_misplaced(case), *_closed(case)]
    return tuple(found)


def judge_start(view: ImageView, place: Placer | None = None) -> tuple[Finding, ...]:
    """What is wrong with how the image starts, and nothing else; arguments as for ``judge_image``."""
    return tuple(check_start(Case(view, place)))


def _closed(case: Case) -> Iterator[Finding]:
    for path in case.view.unread:
        yield case.finding(
            kinds.TEMPLATE,
            "unknown",
            f"{path} is a link to a file elsewhere in the image, which was not read",
            path,
            fix="put the file itself there, or look with an engine: layerwright executor lint docker:NAME",
        )
    for path in case.view.closed:
        yield case.finding(
            kinds.READABLE,
            "warning",
            f"others may not read {path}: a container of another user cannot",
            path,
            fix="chmod a+r",
        )


def _parameters(case: Case) -> tuple[tuple[Parameter, ...] | None, list[Finding]]:
    """The parameters with their types, None without any that can be read; and what is wrong with the file."""
    text = case.view.files.get(PARAMETERS_FILE)
    if text is None:
        return None, []
    try:
        return read_parameters(text), []
    except UsageError as error:
        finding = case.finding(
            kinds.PARAMETERS,
            "error",
            visible(error.what),
            PARAMETERS_FILE,
            fix=error.hint or "write it from [[images.NAME.parameters]]",
        )
        return None, [finding]


def _templates(case: Case, parameters: tuple[Parameter, ...] | None) -> Iterator[Finding]:
    manifest = case.manifest
    found = False
    for folder in template_folders(manifest):
        for task in TASKS:
            path = template_path(task, folder)
            document = case.document(path)
            # One that the platform fails on ends the request before it would miss the others.
            found = found or case.seen(path).state != "absent" or path in case.view.unread
            if document.state == "mapping" or document.json_path:
                for remark in check_template(document, task, parameters):
                    yield case.remark(path, remark)
            if path in case.view.files and document.state != "mapping":
                yield from _unreadable(case, path, document)
    wanted = wanted_files(manifest)
    if not found and wanted:
        yield case.finding(
            kinds.NO_TEMPLATE,
            "error",
            f"none of {', '.join(wanted)} is a mapping: the platform answers 130401",
            wanted[0],
            fix="write one for each task, {} when there is nothing to set",
        )


def _unreadable(case: Case, path: str, document: Document) -> Iterator[Finding]:
    if any(isinstance(one.value, date) for one in document.entries):
        return  # dates have a finding of their own
    if document.state == "failed":
        what = f"the platform fails on {path}: {visible(document.why)}"
    else:
        what = f"{path} counts as absent: {visible(document.why)}"
    yield case.finding(
        kinds.TEMPLATE,
        "error",
        what,
        path,
        line=document.line,
        fix="write `key: value` lines, or {} when there is nothing to set",
    )


def _misplaced(case: Case) -> Iterator[Finding]:
    manifest = case.manifest
    folders = template_folders(manifest)
    several = isinstance(manifest.values.get("object_type"), list)
    for folder in ("", *FOLDERS.values()):
        if folder in folders:
            continue
        for task in TASKS:
            path = template_path(task, folder)
            if path in case.view.files:
                what = (
                    f"object_type is a list, so the platform reads only {', '.join(folders)}"
                    if several
                    else "object_type is one number, so the platform reads /img-man itself"
                )
                yield case.finding(
                    kinds.FOLDER,
                    "warning",
                    f"{path} is never read: {what}",
                    path,
                    fix="move the template, or change object_type",
                )
    for folder in folders if several else ():
        paths = [template_path(task, folder) for task in TASKS]
        if not any(case.seen(path).state == "mapping" for path in paths):
            yield case.finding(
                kinds.FOLDER,
                "error",
                f"the manifest names an object type whose templates, in {IMG_MAN}/{folder}, are not there",
                paths[0],
                fix="write them, or leave the type out of object_type",
            )
