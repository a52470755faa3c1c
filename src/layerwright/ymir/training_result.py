"""result.yaml of a training as the platform reads it, and what it loses on the way (§3.2)."""

import math
import posixpath
from collections.abc import Mapping
from typing import Any, Final, Literal

import yaml
from msgspec import Struct

from layerwright.ymir.codes import NO_RESULT
from layerwright.ymir.remarks import MISSING, Collector, Remark, brief
from layerwright.ymir.stages import COUNTS, METRICS, Stage, TrainingResult
from layerwright.ymir.verdict import ResultState

__all__ = ["METRICS", "RESULT_FILE", "FileKinds", "TrainingCheck", "check_training_result"]

RESULT_FILE: Final = "/out/models/result.yaml"

_STAGE_KEYS: Final = frozenset({"stage_name", "files", "timestamp", *METRICS, *COUNTS})
_TOP_KEYS: Final = frozenset(
    {"model_stages", "best_stage_name", "attachments", "evaluate_config", "model", "map", *METRICS}
)
_PER_CENT: Final = 100
_OLD_STAGE: Final = "default_best_stage"

FileKinds = Mapping[str, Literal["file", "folder"]]
"""What lies below /out/models, by relative path; a path that is not there does not exist."""


class TrainingCheck(Struct, frozen=True, kw_only=True):
    """A judged result file.

    Attributes:
        result: None when the platform refuses it.
        state: for the verdict.
        remarks: worst first.
    """

    result: TrainingResult | None
    state: ResultState
    remarks: tuple[Remark, ...]


def check_training_result(text: bytes | None, files: FileKinds) -> TrainingCheck:
    """Judge result.yaml.

    Args:
        text: the file; None when it is missing.
        files: what lies below /out/models.
    """
    reader = _Reader(files)
    result = reader.read(text)
    remarks = reader.found.done()
    if result is not None:
        return TrainingCheck(result=result, state=ResultState(valid=True), remarks=remarks)
    first = next(remark for remark in remarks if remark.outcome == "rejected")
    where = f" ({first.field})" if first.field else ""
    return TrainingCheck(
        result=None,
        state=ResultState(
            valid=False, code=NO_RESULT, why=f"result.yaml is not valid{where}: {first.message}"
        ),
        remarks=remarks,
    )


class _Refused(Exception):  # noqa: N818 - ends one part of the reading; the remark is made already
    pass


class _Reader:
    def __init__(self, files: FileKinds) -> None:
        self.files = files
        self.found = Collector(RESULT_FILE)

    def _reject(self, where: str, message: str, repair: str, *, kind: str = "") -> _Refused:
        self.found.add("rejected", "3.2", where, message, repair, code=NO_RESULT, kind=kind)
        return _Refused()

    def read(self, text: bytes | None) -> TrainingResult | None:
        try:
            document = self._document(text)
            return self._old(document) if "model" in document else self._new(document)
        except _Refused:
            return None

    def _document(self, text: bytes | None) -> Mapping[str, Any]:
        if text is None:
            raise self._reject(
                "",
                MISSING,
                "write it after each epoch, with ymir_exc.result_writer.write_model_stage",
            )
        try:
            document = yaml.safe_load(text)
        except yaml.constructor.ConstructorError as error:
            tag = _tag(error)
            raise self._reject(
                _line(error),
                f"the platform's safe YAML reader refuses the tag {tag or 'of an object'}",
                "make numpy and torch values plain before they are written: float(metric), int(time)",
            ) from error
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise self._reject(
                _line(error),
                f"it is no YAML: {' '.join(str(error).split())}",
                "write it with yaml.safe_dump into a temporary file, and rename that",
            ) from error
        if document is None:
            raise self._reject(
                "",
                "the file is empty",
                "a writer that fails half-way leaves this: convert values first, write to a temporary file, rename",
            )
        if not isinstance(document, dict):
            raise self._reject("", f"it holds {type(document).__name__}, not a mapping", "write a mapping")
        return document

    def _old(self, document: Mapping[str, Any]) -> TrainingResult:
        names = document["model"]
        if "model_stages" in document:
            self.found.add(
                "lost",
                "3.2",
                "model",
                "the old form (`model`) and the new one (`model_stages`) are both there, and the old one wins",
                "leave out `model`",
            )
        if "map" not in document:
            raise self._reject(
                "map", "the old form has no `map`", "write the new form: `model_stages`, `best_stage_name`"
            )
        metric = self._metric("map", document["map"])
        listed = self._files("model", _OLD_STAGE, names)
        stage = Stage(
            name=_OLD_STAGE,
            files=tuple(name for name, _ in listed),
            places=tuple(place for _, place in listed),
            timestamp=0,
            metrics={"mAP": metric},
        )
        self.found.add(
            "fine",
            "3.2",
            "model",
            "it is the old form of platform 1.1: one model, no stages",
            "write `model_stages` and `best_stage_name`",
        )
        return TrainingResult(stages=(stage,), best=_OLD_STAGE)

    def _new(self, document: Mapping[str, Any]) -> TrainingResult:
        stages = document.get("model_stages")
        if not isinstance(stages, dict) or not stages:
            said = (
                "neither `model_stages` nor `model` is there"
                if stages is None
                else f"{brief(stages)} names no stage"
            )
            raise self._reject(
                "model_stages", said, "write at least one stage: stage_name, files, timestamp and a metric"
            )
        read = []
        refused = False
        for name, entry in stages.items():
            try:
                read.append(self._stage(_text(name) or brief(name), entry))
            except _Refused:
                refused = True
        best = document.get("best_stage_name")
        if best is None:
            self._reject("best_stage_name", "it is missing", "name the best stage, a key of `model_stages`")
            refused = True
        elif _text(best) not in {_text(name) for name in stages}:
            self._reject(
                "best_stage_name",
                f"{brief(best)} is none of the stages: {', '.join(brief(name) for name in list(stages)[:5])}",
                "name a key of `model_stages`",
            )
            refused = True
        attachments: dict[str, tuple[str, ...]] = {}
        evaluation: dict[str, float] = {}
        try:
            attachments = self._attachments(document)
            evaluation = self._evaluation(document)
        except _Refused:
            refused = True
        for key in document:
            if key not in _TOP_KEYS:
                self.found.add(
                    "lost",
                    "3.2",
                    str(key),
                    f"{key} is no key that the platform reads, and it is gone from the package",
                    "put numbers into a stage's metrics, and other things into an attachment",
                )
        if refused:
            raise _Refused
        return TrainingResult(
            stages=tuple(read), best=_text(best), attachments=attachments, evaluate_config=evaluation
        )

    def _stage(self, name: str, entry: object) -> Stage:
        where = f"model_stages.{name}"
        if not isinstance(entry, dict):
            raise self._reject(
                where, "the stage is no mapping", "write stage_name, files, timestamp and a metric"
            )
        own = entry.get("stage_name")
        if own is None:
            raise self._reject(f"{where}.stage_name", "it is missing", f"write stage_name: {name}")
        if _text(own) != name:
            self.found.add(
                "fine",
                "3.2",
                f"{where}.stage_name",
                f"it is {brief(own)} below the key {brief(name)}; the key names the folder in the package",
                "use one name for both",
            )
        listed = self._files(f"{where}.files", name, entry.get("files"))
        stage = Stage(
            name=name,
            files=tuple(one for one, _ in listed),
            places=tuple(place for _, place in listed),
            timestamp=self._time(where, entry),
            metrics={key: self._metric(f"{where}.{key}", entry[key]) for key in METRICS if key in entry},
            counts={key: self._count(f"{where}.{key}", entry[key]) for key in COUNTS if key in entry},
        )
        if not stage.metrics:
            self.found.add(
                "fine",
                "3.2",
                where,
                "the stage has no metric, which counts as 0",
                "write mAP, mIoU or maskAP as a fraction from 0 to 1",
            )
        for key in entry:
            if key not in _STAGE_KEYS:
                near = next((one for one in _STAGE_KEYS if one.lower() == str(key).lower()), "")
                self.found.add(
                    "lost",
                    "3.2",
                    f"{where}.{key}",
                    f"{key} is no key of a stage, and the platform drops it",
                    f"write {near}" if near else f"the platform keeps {', '.join((*METRICS, *COUNTS))}",
                    kind=f"stage key {key}",
                )
        return stage

    def _time(self, where: str, entry: Mapping[str, Any]) -> int:
        field_name = f"{where}.timestamp"
        if "timestamp" not in entry:
            raise self._reject(field_name, "it is missing", "write int(time.time())")
        value = entry["timestamp"]
        try:
            time = int(value)
        except (TypeError, ValueError, OverflowError):
            raise self._reject(field_name, f"{brief(value)} is no time", "write int(time.time())") from None
        if isinstance(value, float) and value != time:
            self.found.add(
                "fine",
                "3.2",
                field_name,
                f"{brief(value)} becomes {time}",
                "write int(time.time())",
                kind="fraction of time",
            )
        return time

    def _metric(self, where: str, value: object) -> float:
        number = _float(value)
        if number is None:
            raise self._reject(where, f"{brief(value)} is no number", "write float(metric)")
        if math.isnan(number):
            raise self._reject(
                where, "it is NaN", "write 0.0 when nothing could be measured, or end with code 300201"
            )
        if number > 1:
            raise self._reject(
                where,
                f"it is {number:g}, and the platform takes fractions from 0 to 1",
                f"write {number / _PER_CENT:g} for {number:g} %"
                if number <= _PER_CENT
                else "write a fraction from 0 to 1",
                kind="above 1",
            )
        if number < 0:
            raise self._reject(
                where, f"it is {number:g}, and less than 0 is refused", "write a fraction from 0 to 1"
            )
        return number

    def _count(self, where: str, value: object) -> int:
        number = _float(value)
        if number is None or not math.isfinite(number) or number < 0:
            raise self._reject(where, f"{brief(value)} is no count", "write a whole number from 0 on")
        return int(number)

    def _files(self, where: str, stage: str, names: object) -> list[tuple[str, str]]:
        if not isinstance(names, list):
            raise self._reject(
                where, f"{brief(names)} is no list of files", "list names relative to /out/models"
            )
        if not names:
            self.found.add(
                "lost", "3.2", where, "no file is listed, so the package holds no weights", "list the weights"
            )
        listed = []
        refused = False
        for place, name in enumerate(names):
            try:
                listed.append(self._file(f"{where}[{place}]", stage, name))
            except _Refused:
                refused = True
        if refused:
            raise _Refused
        return listed

    def _file(self, where: str, stage: str, value: object) -> tuple[str, str]:
        name = _text(value)
        if not name:
            raise self._reject(where, f"{brief(value)} is no name of a file", "write the name as text")
        if name.startswith("/"):
            relative = name.removeprefix("/out/models/")
            self.found.add(
                "lost",
                "3.2",
                where,
                f"{name} is an absolute path: the platform takes it for a file of its own machine and packs that",
                f"write {relative if relative != name else posixpath.basename(name)}, relative to /out/models",
                kind="absolute path",
            )
            return name, relative if relative != name else ""
        if ".." in name.split("/"):
            self.found.add(
                "lost",
                "3.2",
                where,
                f"{name} leads out of the model's folder, and the package has a file of another place",
                "write a path below /out/models without ..",
                kind="path outside",
            )
            return name, ""
        for place in (f"{stage}/{name}", name):
            kind = self.files.get(posixpath.normpath(place))
            if kind == "file":
                return name, posixpath.normpath(place)
        if any(self.files.get(posixpath.normpath(place)) == "folder" for place in (f"{stage}/{name}", name)):
            raise self._reject(where, f"{name} is a folder", "list the files in it, one by one")
        raise self._reject(
            where,
            f"{name} is neither in /out/models/{stage} nor in /out/models",
            "save the file before it is listed, and list it by its path relative to /out/models",
        )

    def _attachments(self, document: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
        if "attachments" not in document:
            return {}
        sections = document["attachments"]
        if not isinstance(sections, dict):
            raise self._reject(
                "attachments",
                f"{'null' if sections is None else repr(sections)[:60]} is no mapping of sections",
                "leave the key out when there are none",
            )
        read = {}
        for section, names in sections.items():
            where = f"attachments.{section}"
            if not isinstance(names, list):
                raise self._reject(where, f"{brief(names)} is no list of files", "list names of files")
            for place, name in enumerate(names):
                path = posixpath.normpath(f"attachments/{section}/{_text(name)}")
                if not _text(name) or self.files.get(path) != "file":
                    raise self._reject(
                        f"{where}[{place}]",
                        f"/out/models/{path} does not exist",
                        "save the file there, or do not list it",
                    )
            read[str(section)] = tuple(_text(name) for name in names)
        return read

    def _evaluation(self, document: Mapping[str, Any]) -> dict[str, float]:
        values = document.get("evaluate_config")
        if values is None:
            return {}
        if not isinstance(values, dict):
            raise self._reject(
                "evaluate_config", f"{brief(values)} is no mapping", "write iou_thr and conf_thr as numbers"
            )
        read = {}
        for key, value in values.items():
            number = _float(value)
            if number is None:
                raise self._reject(
                    f"evaluate_config.{key}", f"{brief(value)} is no number", "write one number, such as 0.5"
                )
            read[str(key)] = number
        return read


def _text(value: object) -> str:
    """The text that pydantic makes of a scalar; empty for what is none."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) else ""


def _float(value: object) -> float | None:
    """The number that pydantic makes of a value; None when it makes none."""
    if isinstance(value, bool | int | float | str):
        try:
            return float(value)
        except (ValueError, OverflowError):
            return None
    return None


def _tag(error: yaml.constructor.ConstructorError) -> str:
    problem = str(error.problem or "")
    return problem.partition("'")[2].partition("'")[0].replace("tag:yaml.org,2002:", "!!")


def _line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}" if mark is not None else ""
