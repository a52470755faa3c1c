"""Commands that are run while an image is built, and how the image is started."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from layerwright.spec.keys.values import (
    ImagePath,
    NonEmpty,
    Table,
    Variable,
    default_of,
    text_like,
)

__all__ = ["MountTable", "RunStep", "RunTable"]


class RunStep(Table, frozen=True, kw_only=True):
    """A command that is run while the image is built: exactly one of ``script`` and ``argv``."""

    script: (
        Annotated[
            NonEmpty,
            Meta(
                description="Shell text, run by `/bin/sh -eu`: it stops at the first command that fails.",
                examples=["make -C /code"],
            ),
        ]
        | UnsetType
    ) = UNSET
    argv: (
        Annotated[
            tuple[str, ...],
            Meta(
                min_length=1,
                description="Program and arguments; no shell.",
                examples=[["make", "-C", "/code"]],
            ),
        ]
        | UnsetType
    ) = UNSET
    secrets: Annotated[
        tuple[NonEmpty, ...],
        Meta(
            description="Names from `[secrets]`; each is the file /run/secrets/NAME while the command runs, "
            "and never part of the image.",
            examples=[["token"]],
        ),
    ] = ()
    network: Annotated[
        bool, Meta(description="The command may use the network. Its result is then not reproducible.")
    ] = False
    env: Annotated[
        dict[Variable, str],
        Meta(description="Variables for this command only.", examples=[{"MAKEFLAGS": "-j2"}]),
    ] = field(default_factory=dict)


class MountTable(Table, frozen=True, kw_only=True):
    """A path of the host that the container sees."""

    from_: Annotated[
        NonEmpty, Meta(description="File or folder on the host, relative to the spec.", examples=["data"])
    ] = field(name="from")
    to: Annotated[ImagePath, Meta(description="Where the container sees it.", examples=["/data"])]
    read_only: Annotated[bool, Meta(description="The container cannot write to it.")] = False


class RunTable(Table, frozen=True, kw_only=True):
    """How ``layerwright run`` starts the image; and, under ``commands``, what is run while it is built."""

    commands: Annotated[
        tuple[RunStep, ...],
        Meta(
            description="Commands run at build: what `run` is when it is a list.",
            examples=[[{"script": "make -C /code"}]],
        ),
    ] = ()
    gpus: (
        Annotated[
            str,
            text_like(
                "none|all|[1-9][0-9]*|device=[A-Za-z0-9,:-]+", '"none", "all", a number, or "device=0,1"'
            ),
            Meta(
                description="GPUs the container gets: `none`, `all`, how many, or which. Of the maker that "
                "`accelerator` names; NVIDIA's when it names none.",
                examples=["all", "2", "device=0,1"],
                extra_json_schema=default_of("none"),
            ),
        ]
        | UnsetType
    ) = UNSET
    shm_size: (
        Annotated[
            str,
            text_like("[1-9][0-9]*[bkmgBKMG]?", 'a size such as "8g"'),
            Meta(
                description="Size of /dev/shm, which data loaders use to pass batches.",
                examples=["8g"],
            ),
        ]
        | UnsetType
    ) = UNSET
    ipc: (
        Annotated[
            Literal["private", "host"],
            Meta(
                description="`host` shares the machine's shared memory and semaphores with the container; "
                "`shm_size` means nothing then.",
                extra_json_schema=default_of("private"),
            ),
        ]
        | UnsetType
    ) = UNSET
    network: (
        Annotated[
            bool | Literal["host"],
            Meta(
                description="Whether the container has a network; `host` gives it the machine's own.",
                extra_json_schema=default_of(value=True),
            ),
        ]
        | UnsetType
    ) = UNSET
    cpus: (
        Annotated[
            str,
            text_like(
                r"[0-9]*[1-9][0-9]*(?:\.[0-9]{1,3})?|0?\.[0-9]{0,2}[1-9]", 'a number such as "4" or "1.5"'
            ),
            Meta(description="How much processor time the container may use, in processors.", examples=["4"]),
        ]
        | UnsetType
    ) = UNSET
    cpu_set: (
        Annotated[
            str,
            text_like("[0-9]+(?:-[0-9]+)?(?:,[0-9]+(?:-[0-9]+)?)*", 'numbers of processors such as "0-3,8"'),
            Meta(
                description="Which processors the container may use, counted from 0.",
                examples=["0-31", "0,2"],
            ),
        ]
        | UnsetType
    ) = UNSET
    memory: (
        Annotated[
            str,
            text_like("[1-9][0-9]*[bkmgBKMG]?", 'a size such as "32g"'),
            Meta(
                description="Memory the container may use; what takes more is ended by the kernel.",
                examples=["32g"],
            ),
        ]
        | UnsetType
    ) = UNSET
    ulimits: Annotated[
        dict[
            Annotated[str, text_like("[a-z]+", "the name of a limit such as memlock")],
            Annotated[
                str, text_like("(?:-1|[0-9]+)(?::(?:-1|[0-9]+))?", 'a limit such as "-1" or "1024:4096"')
            ],
        ],
        Meta(
            description="Limits of processes (`ulimit`), soft and hard; -1 is unlimited.",
            examples=[{"memlock": "-1", "stack": "67108864"}],
        ),
    ] = field(default_factory=dict)
    privileged: (
        Annotated[
            bool,
            Meta(
                description="The container may do what root of the machine may. Devices do not need it.",
                extra_json_schema=default_of(value=False),
            ),
        ]
        | UnsetType
    ) = UNSET
    groups: Annotated[
        tuple[NonEmpty, ...],
        Meta(
            description="More groups of the host for the process, by name or number.", examples=[["render"]]
        ),
    ] = ()
    mounts: Annotated[
        tuple[MountTable, ...],
        Meta(
            description="Paths of the host that the container sees.",
            examples=[[{"from": "data", "to": "/data", "read_only": True}]],
        ),
    ] = ()
    keep_home: (
        Annotated[
            bool | NonEmpty,
            Meta(
                description="Keep HOME, and with it every cache, from run to run: `true` in a folder of yours for this "
                "image, or a folder, relative to the spec.",
                examples=[True, ".home"],
                extra_json_schema=default_of(value=False),
            ),
        ]
        | UnsetType
    ) = UNSET
    stop_timeout: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=86400,
                description="Seconds between the polite signal and the end by force when the container is stopped.",
                examples=[30],
                extra_json_schema=default_of(10),
            ),
        ]
        | UnsetType
    ) = UNSET
