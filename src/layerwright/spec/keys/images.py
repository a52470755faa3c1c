"""What an image may say, and defaults and overrides with it."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType, field

from layerwright.spec.keys.executor import ExecutorTable, ParameterTable
from layerwright.spec.keys.items import CopyTable, ModelTable, PackageTable
from layerwright.spec.keys.matrix import MatrixTable, WhenTable
from layerwright.spec.keys.run import RunStep, RunTable
from layerwright.spec.keys.trees import BuildTestTable, SourceUse
from layerwright.spec.keys.values import (
    AcceleratorName,
    AptPackage,
    ComponentKindName,
    GpuArchitectureName,
    ImagePath,
    NonEmpty,
    PrereleaseMode,
    PythonVersion,
    Repository,
    RoleName,
    Table,
    Tag,
    Variable,
    default_of,
    text_like,
)

__all__ = [
    "DefaultsTable",
    "ImageTable",
    "OverrideTable",
]


class DefaultsTable(Table, frozen=True, kw_only=True):
    """What holds for every image that does not say otherwise."""

    from_: (
        Annotated[
            NonEmpty,
            Meta(
                description="What the image starts from: `debian` or `debian:SUITE` (built from Debian packages; "
                "without a suite, the one that has the image's Python), `image:NAME` (an image or cell of this "
                "spec), `oci:DIR` (OCI layout), `archive:FILE` (docker or OCI archive), `docker:NAME` (image of the "
                "local engine), else a registry reference with a tag or digest.",
                examples=["debian:bookworm", "image:base", "nvcr.io/nvidia/cuda:12.4.1-runtime-ubuntu22.04"],
            ),
        ]
        | UnsetType
    ) = field(name="from", default=UNSET)
    role: (
        Annotated[
            RoleName, Meta(description="What the image is for.", extra_json_schema=default_of("inference"))
        ]
        | UnsetType
    ) = UNSET
    accelerator: (
        Annotated[
            AcceleratorName,
            Meta(
                description="The kind of device the image computes on.", extra_json_schema=default_of("cpu")
            ),
        ]
        | UnsetType
    ) = UNSET
    gpu_arch: (
        Annotated[
            GpuArchitectureName,
            Meta(
                description="Architecture of the Moore Threads GPUs that the image is for: `qy1`, `qy2` or `ph1`, its "
                "number (`MP 22`), or a product that has it (`S4000`); `layerwright doctor` says which one a machine "
                "has. Becomes `TORCH_MUSA_ARCH_LIST`.",
                examples=["qy2"],
            ),
        ]
        | UnsetType
    ) = UNSET
    tags: (
        Annotated[
            tuple[Tag, ...],
            Meta(
                min_length=1,
                description="Tags; the image's references are name:tag. Cells of a matrix get their axes appended "
                "(`1.2.0-py311-cpu`). Without `tags` the tag is `project.version`, or `local` without that too: "
                "never an implicit `latest`.",
                examples=[["1.2.0"]],
            ),
        ]
        | UnsetType
    ) = UNSET
    python: (
        Annotated[
            PythonVersion, Meta(description="Python version of the image's environment.", examples=["3.11"])
        ]
        | UnsetType
    ) = UNSET
    platforms: (
        Annotated[
            tuple[str, ...],
            Meta(
                min_length=1,
                description="Platform, `linux/amd64` or `linux/arm64`. Exactly one for now.",
                examples=[["linux/amd64"]],
                extra_json_schema=default_of(["linux/amd64"]),
            ),
        ]
        | UnsetType
    ) = UNSET
    packages: Annotated[
        tuple[NonEmpty | PackageTable, ...],
        Meta(
            description="Python packages: requirements (PEP 508) that an index meets, or tables.",
            examples=[["onnxruntime==1.20.1", "numpy>=2", {"path": "."}]],
        ),
    ] = ()
    constraints: Annotated[
        tuple[NonEmpty, ...],
        Meta(
            description="Requirements (PEP 508) that hold only for packages that something else asks for.",
            examples=[["numpy<2.2"]],
        ),
    ] = ()
    prereleases: (
        Annotated[
            PrereleaseMode,
            Meta(
                description="When pre-releases may be chosen; uv's `--prerelease`.",
                extra_json_schema=default_of("if-necessary-or-explicit"),
            ),
        ]
        | UnsetType
    ) = UNSET
    exclude_newer: (
        Annotated[
            str,
            text_like(
                r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2}))?",
                'a date or time of RFC 3339 such as "2025-01-31"',
            ),
            Meta(
                description="Only packages uploaded before this date or time are seen; uv's `--exclude-newer`.",
                examples=["2025-01-31", "2025-01-31T12:00:00Z"],
            ),
        ]
        | UnsetType
    ) = field(name="exclude-newer", default=UNSET)
    apt: Annotated[
        tuple[AptPackage, ...],
        Meta(description="Debian packages, as name or name=version.", examples=[["libturbojpeg0", "ffmpeg"]]),
    ] = ()
    components: Annotated[
        tuple[NonEmpty, ...],
        Meta(
            description="Names from `[components]`, in any order: they are installed in the order that works, above "
            "the Debian packages.",
            examples=[["musa_toolkit", "mudnn", "mccl"]],
        ),
    ] = ()
    without: Annotated[
        tuple[ComponentKindName, ...],
        Meta(
            description="Kinds of components that torch_musa needs and that this image is to do without, such as MCCL "
            "on S80 and S3000, for which there is none.",
            examples=[["mccl"]],
        ),
    ] = ()
    executor: (
        Annotated[
            ExecutorTable,
            Meta(
                description="What the YMIR platform may ask of an image whose role is `executor`.",
                examples=[{"tasks": ["training", "infer"], "object_types": ["detection"]}],
            ),
        ]
        | UnsetType
    ) = UNSET
    parameters: Annotated[
        tuple[ParameterTable, ...],
        Meta(
            description="Hyper-parameters of an image whose role is `executor`: its templates in /img-man are made of "
            "them.",
            examples=[[{"name": "epochs", "default": 10, "minimum": 1, "task": ["training"]}]],
        ),
    ] = ()
    timezone: (
        Annotated[
            str,
            text_like("[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*", "a time zone such as Asia/Taipei"),
            Meta(description="Time zone, by its IANA name.", examples=["Asia/Taipei"]),
        ]
        | UnsetType
    ) = UNSET
    env: Annotated[
        dict[Variable, str],
        Meta(description="Environment variables of the image.", examples=[{"ORT_LOGGING_LEVEL": "3"}]),
    ] = field(default_factory=dict)
    labels: Annotated[
        dict[NonEmpty, str],
        Meta(description="Labels of the image.", examples=[{"org.opencontainers.image.vendor": "Example"}]),
    ] = field(default_factory=dict)
    writable: Annotated[
        tuple[Variable, ...],
        Meta(
            description="Cache variables: each is set to a folder that the caller's uid can write to.",
            examples=[["HF_HOME", "MPLCONFIGDIR"]],
        ),
    ] = ()
    models: Annotated[
        tuple[ModelTable, ...],
        Meta(
            description="Files fetched at build.",
            examples=[
                [
                    {
                        "url": "https://example.org/detector.onnx",
                        "sha256": "0" * 64,
                        "to": "/models/detector.onnx",
                    }
                ]
            ],
        ),
    ] = ()
    sources: Annotated[
        tuple[SourceUse, ...],
        Meta(
            description="Source trees of `[sources]` that stand in the image, where the commands find them.",
            examples=[[{"source": "pytorch", "to": "/home/pytorch"}]],
        ),
    ] = ()
    copy: Annotated[
        tuple[CopyTable, ...],
        Meta(
            description="Files and folders of the project.", examples=[[{"from": "src", "to": "/code/src"}]]
        ),
    ] = ()
    run: (
        Annotated[
            tuple[RunStep, ...] | RunTable,
            Meta(
                description="A list: commands run at build. A table: how `layerwright run` starts the image, "
                "with the commands under `commands`.",
                examples=[
                    [{"script": "make -C /code", "secrets": ["token"]}],
                    {"gpus": "all", "shm_size": "8g"},
                ],
            ),
        ]
        | UnsetType
    ) = UNSET
    tests: Annotated[
        tuple[BuildTestTable, ...],
        Meta(
            description="Tests run at build, after all commands; their logs are kept in the image.",
            examples=[
                [
                    {
                        "script": "pytest /home/torch_musa/tests",
                        "log": "/home/ut_output.txt",
                        "allow": ["test_conv3d"],
                    }
                ]
            ],
        ),
    ] = ()
    smoke: Annotated[
        tuple[NonEmpty | tuple[str, ...], ...],
        Meta(
            description="Commands that must succeed in the finished image: text, split as a shell splits words "
            "(there is no shell), or a list of words.",
            examples=[["python -c 'import numpy'", ["python", "--version"]]],
        ),
    ] = ()
    workdir: (
        Annotated[
            ImagePath,
            Meta(description="Working directory.", examples=["/code"], extra_json_schema=default_of("/code")),
        ]
        | UnsetType
    ) = UNSET
    entrypoint: (
        Annotated[
            tuple[str, ...],
            Meta(
                description="Program the image runs; arguments of `run` are appended.", examples=[["python"]]
            ),
        ]
        | UnsetType
    ) = UNSET
    command: (
        Annotated[
            tuple[str, ...],
            Meta(
                description="Arguments when `run` gives none; the program itself without an entrypoint. An image whose "
                "role is `executor` runs `bash /usr/bin/start.sh` when nothing is said.",
                examples=[["main.py"]],
            ),
        ]
        | UnsetType
    ) = UNSET
    bytecode: (
        Annotated[
            bool,
            Meta(
                description="Compile .pyc files, in layers of their own, so that programs start sooner.",
                extra_json_schema=default_of(value=True),
            ),
        ]
        | UnsetType
    ) = UNSET
    sealed: (
        Annotated[
            bool,
            Meta(
                description="Tell pip and uv inside the image which versions are locked, so that what is installed "
                "later keeps to them or is refused.",
                extra_json_schema=default_of(value=True),
            ),
        ]
        | UnsetType
    ) = UNSET
    entry_program: (
        Annotated[
            bool,
            Meta(
                description="Start the image's entrypoint through a small program that makes whoever starts it at "
                "home: it takes the ids of `USER_ID` and `GROUP_ID`, and gives a HOME and caches that can be "
                "written. Needs a shell in the image, and an entrypoint, a Debian base or the role `executor`.",
                extra_json_schema=default_of(value=True),
            ),
        ]
        | UnsetType
    ) = UNSET
    check_device: (
        Annotated[
            bool,
            Meta(
                description="Install `check-device`, which tells whether a container can compute on its devices, as a "
                "program and as the image's health check. For `mthreads` and `nvidia`; cells of a matrix that are for "
                "the CPU get none.",
                extra_json_schema=default_of(value=False),
            ),
        ]
        | UnsetType
    ) = UNSET


class _NamedTable(DefaultsTable, frozen=True, kw_only=True):
    """What an image and an override may say beyond the defaults."""

    name: (
        Annotated[
            Repository,
            Meta(
                description="Repository part of the references; `PROJECT-IMAGE` in lower case when absent.",
                examples=["receipts-infer", "registry.example.org/team/receipts-infer"],
            ),
        ]
        | UnsetType
    ) = UNSET


class OverrideTable(_NamedTable, frozen=True, kw_only=True):
    """What is different for some cells of a matrix."""

    when: Annotated[
        WhenTable,
        Meta(
            description="Which cells.", examples=[{"python": "3.9"}, {"accelerator": ["nvidia", "mthreads"]}]
        ),
    ]


class ImageTable(_NamedTable, frozen=True, kw_only=True):
    """An image."""

    matrix: (
        Annotated[
            MatrixTable,
            Meta(
                description="Makes the image several cells.",
                examples=[{"python": ["3.9", "3.11"], "accelerator": ["cpu", "nvidia"]}],
            ),
        ]
        | UnsetType
    ) = UNSET
    override: Annotated[
        tuple[OverrideTable, ...],
        Meta(
            description="Changes for some cells, applied in order.",
            examples=[[{"when": {"python": "3.9"}, "packages": ["numpy<2.1"]}]],
        ),
    ] = ()
