"""What a project, a package, a model, a command, a mount or a matrix is made of."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from layerwright.spec.keys.values import (
    AcceleratorName,
    ComponentKindName,
    GpuArchitectureName,
    ImagePath,
    NonEmpty,
    PythonVersion,
    Sha256,
    Table,
    Tag,
    Variable,
    Variant,
    default_of,
    text_like,
)

__all__ = [
    "ComponentTable",
    "CopyTable",
    "MatrixTable",
    "ModelTable",
    "MountTable",
    "PackageTable",
    "ProjectTable",
    "RunStep",
    "RunTable",
    "WhenTable",
]


class ProjectTable(Table, frozen=True, kw_only=True):
    """What the images belong to. In pyproject.toml both keys are taken from its ``[project]`` table when absent."""

    name: Annotated[
        NonEmpty,
        Meta(
            description="The project's name; part of the image names that are not given.",
            examples=["receipts"],
        ),
    ]
    version: (
        Annotated[
            Tag,
            Meta(
                description="The project's version: the tag of images that have no `tags`.",
                examples=["1.2.0"],
            ),
        ]
        | UnsetType
    ) = UNSET


class PackageTable(Table, frozen=True, kw_only=True):
    """A package that no index serves: exactly one of ``path``, ``git`` and ``url``."""

    path: (
        Annotated[
            NonEmpty,
            Meta(
                description="A project's folder, or a wheel or sdist file, relative to the spec.",
                examples=[".", "vendor/tool-1.0-py3-none-any.whl"],
            ),
        ]
        | UnsetType
    ) = UNSET
    git: (
        Annotated[
            NonEmpty,
            Meta(
                description="Address of a git repository.", examples=["https://github.com/pypa/sampleproject"]
            ),
        ]
        | UnsetType
    ) = UNSET
    rev: (
        Annotated[
            NonEmpty,
            Meta(
                description="Commit, tag or branch of the `git` repository; required with it. "
                "The lock holds the commit.",
                examples=["v1.2.0"],
            ),
        ]
        | UnsetType
    ) = UNSET
    subdirectory: (
        Annotated[
            NonEmpty,
            Meta(description="The project's folder inside the `git` repository.", examples=["python"]),
        ]
        | UnsetType
    ) = UNSET
    url: (
        Annotated[
            NonEmpty,
            Meta(
                description="Address of a wheel or sdist.", examples=["https://example.org/tool-1.0.tar.gz"]
            ),
        ]
        | UnsetType
    ) = UNSET
    sha256: (
        Annotated[
            Sha256, Meta(description="Digest of what `url` serves; required with it.", examples=["0" * 64])
        ]
        | UnsetType
    ) = UNSET
    extras: Annotated[
        tuple[NonEmpty, ...],
        Meta(description="Extras of the package, for `path` and `git`.", examples=[["gpu"]]),
    ] = ()


class ModelTable(Table, frozen=True, kw_only=True):
    """A file that is fetched on the host and put into the image."""

    url: Annotated[
        NonEmpty,
        Meta(
            description="Address (http, https or file), or a path relative to the spec.",
            examples=["https://example.org/detector.onnx", "models/detector.onnx"],
        ),
    ]
    sha256: Annotated[Sha256, Meta(description="Digest of the file.", examples=["0" * 64])]
    to: Annotated[
        ImagePath, Meta(description="Where it goes in the image.", examples=["/models/detector.onnx"])
    ]
    mode: Annotated[
        str,
        text_like("0?[0-7]{3}", 'permission bits such as "0644"'),
        Meta(description="Permission bits, in octal.", examples=["0644"]),
    ] = "0644"


class ComponentTable(Table, frozen=True, kw_only=True):
    """An archive with an installer, such as the MUSA toolkit; the image gets what it installs, and not the archive."""

    kind: (
        Annotated[
            ComponentKindName,
            Meta(
                description="What it is; the component's name when that is a kind. It decides when the component is "
                "installed (in this order) and how. An image has one toolkit, one muDNN and one MCCL at most.",
                examples=["mudnn"],
            ),
        ]
        | UnsetType
    ) = UNSET
    url: Annotated[
        NonEmpty,
        Meta(
            description="Address (https, http on this machine, or file) of the tar archive, or a path relative to the "
            "spec.",
            examples=["https://example.org/musa_toolkits_rc4.0.1.tar.gz", "archives/mudnn.tar.gz"],
        ),
    ]
    sha256: Annotated[Sha256, Meta(description="Digest of the archive.", examples=["0" * 64])]
    version: (
        Annotated[
            NonEmpty,
            Meta(
                description="Its release, as the maker calls it; `check` compares it with what torch_musa asks for.",
                examples=["rc4.0.1"],
            ),
        ]
        | UnsetType
    ) = UNSET
    arch: Annotated[
        tuple[GpuArchitectureName, ...],
        Meta(
            description="GPU architectures that it serves; any when there are none. An image with another `gpu_arch` "
            "is refused.",
            examples=[["qy1"]],
        ),
    ] = ()
    install: (
        Annotated[
            NonEmpty,
            Meta(
                description="Shell text that installs it, run by `/bin/sh -eu` in the folder it was unpacked to (the "
                "archive's own, where all is in one), without a network. Absent: `install.sh`; for muDNN "
                "`install_mudnn.sh` where there is one, for MCCL `install_mccl.sh`.",
                examples=["./install.sh", "cp -r lib include /usr/local/musa/"],
            ),
        ]
        | UnsetType
    ) = UNSET
    insecure: (
        Annotated[
            Literal["http"],
            Meta(
                description="Fetch it without encryption. Whoever is on the line can see it; the digest still tells "
                "whether it was changed."
            ),
        ]
        | UnsetType
    ) = UNSET


class CopyTable(Table, frozen=True, kw_only=True):
    """A file or folder of the project that is copied into the image."""

    from_: Annotated[
        NonEmpty,
        Meta(
            description="File or folder, relative to the spec and below its folder; or absolute.",
            examples=["src"],
        ),
    ] = field(name="from")
    to: Annotated[ImagePath, Meta(description="Where it goes in the image.", examples=["/code/src"])]
    exclude: Annotated[
        tuple[NonEmpty, ...],
        Meta(description="Patterns, as in .gitignore, of what stays out.", examples=[["*.tmp", "data/"]]),
    ] = ()


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


class MatrixTable(Table, frozen=True, kw_only=True):
    """Axes of an image: one cell for each combination. The order in which the axes stand is that of cell names."""

    python: (
        Annotated[
            tuple[PythonVersion, ...],
            Meta(
                min_length=1, description="Python versions; `py311` in the name.", examples=[["3.9", "3.11"]]
            ),
        ]
        | UnsetType
    ) = UNSET
    accelerator: (
        Annotated[
            tuple[AcceleratorName, ...],
            Meta(min_length=1, description="Accelerators.", examples=[["cpu", "nvidia"]]),
        ]
        | UnsetType
    ) = UNSET
    gpu_arch: (
        Annotated[
            tuple[GpuArchitectureName, ...],
            Meta(min_length=1, description="GPU architectures.", examples=[["qy1", "qy2"]]),
        ]
        | UnsetType
    ) = UNSET
    from_: (
        Annotated[
            tuple[NonEmpty, ...],
            Meta(
                min_length=1,
                description="Bases; the suite, the image's name or the reference's last part in the name.",
                examples=[["debian:bookworm", "debian:trixie"]],
            ),
        ]
        | UnsetType
    ) = field(name="from", default=UNSET)
    variant: (
        Annotated[
            tuple[Variant, ...],
            Meta(min_length=1, description="Names of your own, for overrides.", examples=[["slim", "full"]]),
        ]
        | UnsetType
    ) = UNSET


class WhenTable(Table, frozen=True, kw_only=True):
    """Which cells an override is for: those with one of these values on every axis named."""

    python: (
        Annotated[str | tuple[str, ...], Meta(description="Python versions.", examples=["3.9"])] | UnsetType
    ) = UNSET
    accelerator: (
        Annotated[str | tuple[str, ...], Meta(description="Accelerators.", examples=[["nvidia", "mthreads"]])]
        | UnsetType
    ) = UNSET
    gpu_arch: (
        Annotated[str | tuple[str, ...], Meta(description="GPU architectures.", examples=["qy1"])] | UnsetType
    ) = UNSET
    from_: (
        Annotated[
            str | tuple[str, ...],
            Meta(description="Bases, as the matrix has them.", examples=["debian:trixie"]),
        ]
        | UnsetType
    ) = field(name="from", default=UNSET)
    variant: (
        Annotated[str | tuple[str, ...], Meta(description="Variants.", examples=["slim"])] | UnsetType
    ) = UNSET
