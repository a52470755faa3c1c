"""Model packages (§3.2): what goes in, under which names, and their description."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml
from msgspec import Struct

from layerwright.core.errors import UsageError
from layerwright.ymir.stages import TrainingResult

__all__ = ["DESCRIPTION", "Member", "PackageInfo", "describe_package", "package_members", "read_description"]

DESCRIPTION: Final = "ymir-info.yaml"
_VERSION: Final = "2.0.0"
_SAME_VERSIONS: Final = ("2.0.0", "2.0.1", "2.0.2")


class Member(Struct, frozen=True, kw_only=True):
    """A file of a package.

    Attributes:
        name: in the package.
        place: relative to /out/models.
    """

    name: str
    place: str


class PackageInfo(Struct, frozen=True, kw_only=True):
    """What a package's description says, as far as a task that starts from it needs.

    Attributes:
        object_type: of the task that made it.
        class_names: that it was trained for.
        stages: file names by stage.
        best: the best stage.
    """

    object_type: int
    class_names: tuple[str, ...]
    stages: Mapping[str, tuple[str, ...]]
    best: str


def package_members(result: TrainingResult) -> Iterator[Member]:
    """The files, in the package's order; its description comes last and is none of them.

    A file that lies outside of /out/models (an absolute path) is left out: the platform would pack a file of its own
    machine, this harness does not.
    """
    for stage in result.stages:
        for name, place in zip(stage.files, stage.places, strict=True):
            if place:
                yield Member(name=f"{stage.name}/{place if name.startswith('/') else name}", place=place)
    for section, names in result.attachments.items():
        for name in names:
            yield Member(name=f"attachments/{section}/{name}", place=f"attachments/{section}/{name}")


def describe_package(
    result: TrainingResult,
    *,
    configuration: Mapping[str, Any],
    context: Mapping[str, Any],
    object_type: int,
) -> str:
    """The text of ymir-info.yaml.

    Args:
        result: of the training.
        configuration: the document of config.yaml.
        context: what the task was.
        object_type: of the task; the result's own word is not heard.
    """
    stages = {
        stage.name: {
            "stage_name": stage.name,
            "files": list(stage.files),
            "timestamp": stage.timestamp,
            **stage.metrics,
            **stage.counts,
        }
        for stage in result.stages
    }
    document = {
        "executor_config": dict(configuration),
        "task_context": dict(context),
        "stages": stages,
        "best_stage_name": result.best,
        "model_hash": "",
        "stage_name": "",
        "attachments": {section: list(names) for section, names in result.attachments.items()},
        "evaluate_config": dict(result.evaluate_config),
        "object_type": object_type,
        "package_version": _VERSION,
    }
    return yaml.safe_dump(document, sort_keys=True, allow_unicode=True)


def read_description(text: bytes, file: str) -> PackageInfo:
    """Read a package's ymir-info.yaml.

    Raises:
        UsageError: it is none, or of another version.
    """
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{file} is no model package: its {DESCRIPTION} cannot be read") from error
    try:
        version = _scalar(document["package_version"])
        if version not in _SAME_VERSIONS:
            raise UsageError(
                f"{file} is a model package of version {version}, and {', '.join(_SAME_VERSIONS)} are read",
                hint="train the model anew",
            )
        return PackageInfo(
            object_type=int(document["object_type"]),
            class_names=tuple(_scalar(name) for name in document["executor_config"]["class_names"]),
            stages={
                _scalar(name): tuple(_scalar(one) for one in stage["files"])
                for name, stage in document["stages"].items()
            },
            best=_scalar(document["best_stage_name"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{file} is no model package: a part of its {DESCRIPTION} is missing") from error


def _scalar(value: object) -> str:
    if isinstance(value, str | int | float):
        return str(value)
    msg = "no scalar"
    raise TypeError(msg)
