r"""Every key of the spec, declared once.

The classes are the parser (``msgspec.convert``); the JSON Schema and the reference page are generated from
them by ``tools/generate_spec_reference.py``. A key that nobody wrote is ``UNSET`` or empty here: what holds
then depends on parents and on the cell, and stands in ``extra_json_schema["default"]`` for people.

Patterns end in ``$(?!\n)``: Python's ``$`` alone lets a final line end pass.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

__all__ = [
    "CopyTable",
    "DefaultsTable",
    "ImageTable",
    "IndexTable",
    "MatrixTable",
    "ModelTable",
    "MountTable",
    "OverrideTable",
    "PackageTable",
    "ProjectTable",
    "RunStep",
    "RunTable",
    "SecretTable",
    "SpecFile",
    "WhenTable",
]


def _text(pattern: str, words: str) -> Meta:
    """Text that matches the pattern as a whole; ``words`` completes "must be …" in errors and editors."""
    return Meta(pattern=f"^(?:{pattern})$(?!\\n)", extra_json_schema={"errorMessage": f"must be {words}"})


def _default(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """What holds when the key is absent, for the schema and the reference page."""
    return {"default": value}


NonEmpty = Annotated[str, Meta(min_length=1)]
Sha256 = Annotated[str, _text("[0-9a-f]{64}", "64 hexadecimal digits in lower case")]
PythonVersion = Annotated[str, _text(r"3\.(?:0|[1-9][0-9]*)", 'a Python version such as "3.11"')]
Variable = Annotated[str, _text("[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable")]
ImagePath = Annotated[str, _text(r"/[^\x00]*", "an absolute path in the image, beginning with /")]
Tag = Annotated[
    str,
    _text(
        "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}",
        "a tag: at most 128 letters, digits, '_', '.' and '-', not beginning with '.' or '-'",
    ),
]
Repository = Annotated[
    str,
    _text(
        r"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
        r"(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*",
        "a repository name: lower case letters, digits and single '.', '_' or '-' between them, "
        "parts divided by '/', without a tag",
    ),
]
AptPackage = Annotated[
    str, _text(r"[a-z0-9][a-z0-9+.-]+(?:=[A-Za-z0-9.+:~-]+)?", "a Debian package, as name or name=version")
]
Label = Annotated[
    str,
    _text(
        r"""[^\s/:@"'.-][^\s/:@"']*""",
        "a name without spaces, quotes, '/', ':' and '@', not beginning with '.' or '-'",
    ),
]
Variant = Annotated[
    str, _text("[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", "a name of at most 32 letters, digits, '_', '.' and '-'")
]
RoleName = Literal["base", "training", "inference", "dev", "release", "executor"]
AcceleratorName = Literal["cpu", "nvidia", "mthreads"]
PrereleaseMode = Literal["disallow", "allow", "if-necessary", "explicit", "if-necessary-or-explicit"]


class _Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the spec: unknown keys are errors."""


class ProjectTable(_Table, frozen=True, kw_only=True):
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


class PackageTable(_Table, frozen=True, kw_only=True):
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


class ModelTable(_Table, frozen=True, kw_only=True):
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
        _text("0?[0-7]{3}", 'permission bits such as "0644"'),
        Meta(description="Permission bits, in octal.", examples=["0644"]),
    ] = "0644"


class CopyTable(_Table, frozen=True, kw_only=True):
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


class RunStep(_Table, frozen=True, kw_only=True):
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


class MountTable(_Table, frozen=True, kw_only=True):
    """A path of the host that the container sees."""

    from_: Annotated[
        NonEmpty, Meta(description="File or folder on the host, relative to the spec.", examples=["data"])
    ] = field(name="from")
    to: Annotated[ImagePath, Meta(description="Where the container sees it.", examples=["/data"])]
    read_only: Annotated[bool, Meta(description="The container cannot write to it.")] = False


class RunTable(_Table, frozen=True, kw_only=True):
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
            _text("none|all|[1-9][0-9]*|device=[A-Za-z0-9,:-]+", '"none", "all", a number, or "device=0,1"'),
            Meta(
                description="GPUs the container gets: `none`, `all`, how many, or which.",
                examples=["all", "device=0,1"],
                extra_json_schema=_default("none"),
            ),
        ]
        | UnsetType
    ) = UNSET
    shm_size: (
        Annotated[
            str,
            _text("[1-9][0-9]*[bkmgBKMG]?", 'a size such as "8g"'),
            Meta(
                description="Size of /dev/shm, which data loaders use to pass batches.",
                examples=["8g"],
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
    network: (
        Annotated[
            bool, Meta(description="The container has a network.", extra_json_schema=_default(value=True))
        ]
        | UnsetType
    ) = UNSET


class MatrixTable(_Table, frozen=True, kw_only=True):
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


class WhenTable(_Table, frozen=True, kw_only=True):
    """Which cells an override is for: those with one of these values on every axis named."""

    python: (
        Annotated[str | tuple[str, ...], Meta(description="Python versions.", examples=["3.9"])] | UnsetType
    ) = UNSET
    accelerator: (
        Annotated[str | tuple[str, ...], Meta(description="Accelerators.", examples=[["nvidia", "mthreads"]])]
        | UnsetType
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


class DefaultsTable(_Table, frozen=True, kw_only=True):
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
            RoleName, Meta(description="What the image is for.", extra_json_schema=_default("inference"))
        ]
        | UnsetType
    ) = UNSET
    accelerator: (
        Annotated[
            AcceleratorName,
            Meta(description="The kind of device the image computes on.", extra_json_schema=_default("cpu")),
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
                extra_json_schema=_default(["linux/amd64"]),
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
                extra_json_schema=_default("if-necessary-or-explicit"),
            ),
        ]
        | UnsetType
    ) = UNSET
    exclude_newer: (
        Annotated[
            str,
            _text(
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
    timezone: (
        Annotated[
            str,
            _text("[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*", "a time zone such as Asia/Taipei"),
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
            Meta(description="Working directory.", examples=["/code"], extra_json_schema=_default("/code")),
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
                description="Arguments when `run` gives none; the program itself without an entrypoint.",
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
                extra_json_schema=_default(value=True),
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


class IndexTable(_Table, frozen=True, kw_only=True):
    """A package index."""

    url: Annotated[
        NonEmpty,
        Meta(
            description="Address (https, or http on this machine) without credentials; a folder for `flat`.",
            examples=["https://pypi.example.org/simple", "wheelhouse"],
        ),
    ]
    format: Annotated[
        Literal["simple", "flat"],
        Meta(
            description="`simple` (PEP 503, PEP 691), or `flat`: a page or folder of links, pip's find-links."
        ),
    ] = "simple"
    credentials: (
        Annotated[
            str,
            _text(
                r"netrc|keyring|pip\.conf|env:[A-Za-z_][A-Za-z0-9_]*",
                '"netrc", "keyring", "pip.conf" or "env:NAME"',
            ),
            Meta(
                description="Where the host finds user and password: `netrc`, `keyring`, `pip.conf`, or `env:NAME` "
                "(a variable that holds user:password). They never enter a build.",
                examples=["netrc", "env:INTERNAL_INDEX"],
            ),
        ]
        | UnsetType
    ) = UNSET
    default: Annotated[bool, Meta(description="Stands in for PyPI.")] = False
    explicit: Annotated[bool, Meta(description="Only for the packages that `packages` names.")] = False
    packages: Annotated[
        tuple[NonEmpty, ...],
        Meta(description="Packages that must come from this index.", examples=[["torch", "torchvision"]]),
    ] = ()


class SecretTable(_Table, frozen=True, kw_only=True):
    """A value for run steps, read on the host when it is needed: exactly one of ``env`` and ``file``."""

    env: (
        Annotated[Variable, Meta(description="Environment variable.", examples=["API_TOKEN"])] | UnsetType
    ) = UNSET
    file: (
        Annotated[NonEmpty, Meta(description="File, relative to the spec.", examples=["token.txt"])]
        | UnsetType
    ) = UNSET


class SpecFile(_Table, frozen=True, kw_only=True):
    """The spec: ``layerwright.toml``, or ``[tool.layerwright]`` in pyproject.toml."""

    project: Annotated[
        ProjectTable, Meta(description="What the images belong to.", examples=[{"name": "receipts"}])
    ]
    defaults: Annotated[
        DefaultsTable,
        Meta(
            description="What holds for every image that does not say otherwise.",
            examples=[{"python": "3.11"}],
        ),
    ] = field(default_factory=DefaultsTable)
    images: Annotated[
        dict[Label, ImageTable],
        Meta(min_length=1, description="Images, by name.", examples=[{"infer": {"from": "debian:bookworm"}}]),
    ]
    indexes: Annotated[
        dict[Annotated[str, _text("[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?", "a name")], IndexTable],
        Meta(
            description="Package indexes, by name; PyPI is there unless one is `default`.",
            examples=[{"internal": {"url": "https://pypi.example.org/simple", "credentials": "netrc"}}],
        ),
    ] = field(default_factory=dict)
    secrets: Annotated[
        dict[Annotated[str, _text("[A-Za-z0-9_][A-Za-z0-9_.-]*", "a name")], SecretTable],
        Meta(description="Secrets, by name.", examples=[{"token": {"env": "API_TOKEN"}}]),
    ] = field(default_factory=dict)
