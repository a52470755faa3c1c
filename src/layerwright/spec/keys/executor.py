"""What an executor image says about itself: its hyper-parameters and what the platform may ask of it."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from layerwright.spec.keys.values import NonEmpty, Table, default_of

__all__ = ["ExecutorTable", "ParameterTable"]

TaskName = Literal["training", "mining", "infer"]
ObjectTypeName = Literal["detection", "semantic-segmentation", "instance-segmentation", "multi-modal"]


class ParameterTable(Table, frozen=True, kw_only=True):
    """A hyper-parameter of an executor; one of the same name takes the place of an earlier one."""

    name: Annotated[
        NonEmpty,
        Meta(
            description="Key in the templates and in config.yaml, at most 50 characters.", examples=["epochs"]
        ),
    ]
    default: Annotated[
        bool | int | float | str,
        Meta(
            description="What holds when nothing is said. Text has at most 100 characters.",
            examples=[10, 0.01, True, "sgd"],
        ),
    ]
    type: (
        Annotated[
            Literal["int", "float", "bool", "str", "choice"],
            Meta(
                description="What values are; `choice` with `choices`, else as the default is, when absent."
            ),
        ]
        | UnsetType
    ) = UNSET
    minimum: (
        Annotated[int | float, Meta(description="Least number that may be given.", examples=[1])] | UnsetType
    ) = UNSET
    maximum: (
        Annotated[int | float, Meta(description="Greatest number that may be given.", examples=[300])]
        | UnsetType
    ) = UNSET
    choices: Annotated[
        tuple[int | float | str, ...],
        Meta(
            description="What may be given, texts or numbers; for `choice`.",
            examples=[["sgd", "adam"], [320, 640]],
        ),
    ] = ()
    unit: Annotated[str, Meta(description="What a number counts.", examples=["pixels", "s"])] = ""
    help: Annotated[
        str,
        Meta(
            description="One line for whoever fills in the form.", examples=["passes over the training set"]
        ),
    ] = ""
    task: (
        Annotated[
            tuple[TaskName, ...],
            Meta(
                min_length=1,
                description="Tasks that have it; all of the executor's when absent.",
                examples=[["training"], ["mining", "infer"]],
            ),
        ]
        | UnsetType
    ) = UNSET


class ExecutorTable(Table, frozen=True, kw_only=True):
    """What the platform may ask of an executor."""

    tasks: (
        Annotated[
            tuple[TaskName, ...],
            Meta(
                min_length=1,
                description="Tasks it does: each becomes a template in /img-man.",
                examples=[["training"]],
                extra_json_schema=default_of(["training", "mining", "infer"]),
            ),
        ]
        | UnsetType
    ) = UNSET
    object_types: (
        Annotated[
            tuple[ObjectTypeName, ...],
            Meta(
                min_length=1,
                description="What it finds. Several need a platform of release 2.4 or later, and put the templates "
                "into a folder for each.",
                examples=[["semantic-segmentation"], ["detection", "instance-segmentation"]],
                extra_json_schema=default_of(["detection"]),
            ),
        ]
        | UnsetType
    ) = UNSET
    live_code: (
        Annotated[
            bool,
            Meta(
                description="It fetches its code from the git repository that the form names.",
                extra_json_schema=default_of(value=False),
            ),
        ]
        | UnsetType
    ) = UNSET
