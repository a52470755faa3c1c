"""The spec as a whole: its project, its indexes and its secrets."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from layerwright.spec.keys.images import DefaultsTable, ImageTable
from layerwright.spec.keys.items import ComponentTable
from layerwright.spec.keys.trees import SourceTable
from layerwright.spec.keys.values import (
    Label,
    NonEmpty,
    Table,
    Tag,
    Variable,
    text_like,
)

__all__ = [
    "IndexTable",
    "LeaksTable",
    "ProjectTable",
    "SecretTable",
    "SpecFile",
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


class IndexTable(Table, frozen=True, kw_only=True):
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
            text_like(
                r"netrc|keyring(:.+)?|pip\.conf|env:[A-Za-z_][A-Za-z0-9_]*|file:.+",
                '"netrc", "keyring", "keyring:USER", "pip.conf", "env:NAME" or "file:PATH"',
            ),
            Meta(
                description="Where the host finds user and password: `netrc`, `keyring` (`keyring:USER` for one that "
                "must be told the user), `pip.conf`, `env:NAME` "
                "(a variable that holds user:password), or `file:PATH` (a file that does, relative to the spec). "
                "They never enter a build.",
                examples=["netrc", "env:INTERNAL_INDEX", "file:~/.secrets/index"],
            ),
        ]
        | UnsetType
    ) = UNSET
    ca: (
        Annotated[
            NonEmpty,
            Meta(
                description="File with the certificates (PEM) of the authority that this index is trusted by, relative "
                "to the spec; the system's do not count for it then.",
                examples=["corporate-ca.pem"],
            ),
        ]
        | UnsetType
    ) = UNSET
    insecure: (
        Annotated[
            Literal["http", "certificate"],
            Meta(
                description="`http`: speak to this index without encryption; `certificate`: take any certificate "
                "(pip's trusted-host). Whoever is on the line can then read the password and change what is locked; "
                "every `lock`, `build` and `check` says so."
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


class SecretTable(Table, frozen=True, kw_only=True):
    """A value for run steps, read on the host when it is needed: exactly one of ``env`` and ``file``."""

    env: (
        Annotated[Variable, Meta(description="Environment variable.", examples=["API_TOKEN"])] | UnsetType
    ) = UNSET
    file: (
        Annotated[NonEmpty, Meta(description="File, relative to the spec.", examples=["token.txt"])]
        | UnsetType
    ) = UNSET
    required: Annotated[
        bool, Meta(description="False: when the host does not have it, steps find an empty file.")
    ] = True


class LeaksTable(Table, frozen=True, kw_only=True):
    """What the search for leaked secrets at the end of a build lets pass."""

    allow: Annotated[
        tuple[NonEmpty, ...],
        Meta(
            description="Patterns of paths in images whose contents may look like a secret, such as the key of an "
            "example. Secrets of this spec and accounts of its indexes are never let pass.",
            examples=[["/code/examples/*.pem"]],
        ),
    ] = ()


class SpecFile(Table, frozen=True, kw_only=True):
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
        dict[Annotated[str, text_like("[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?", "a name")], IndexTable],
        Meta(
            description="Package indexes, by name; PyPI is there unless one is `default`.",
            examples=[{"internal": {"url": "https://pypi.example.org/simple", "credentials": "netrc"}}],
        ),
    ] = field(default_factory=dict)
    components: Annotated[
        dict[Annotated[str, text_like("[A-Za-z0-9_][A-Za-z0-9_.-]*", "a name")], ComponentTable],
        Meta(
            description="Component archives, by name.",
            examples=[
                {"mudnn": {"url": "https://example.org/mudnn.tar.gz", "sha256": "0" * 64, "arch": ["qy1"]}}
            ],
        ),
    ] = field(default_factory=dict)
    sources: Annotated[
        dict[Annotated[str, text_like("[A-Za-z0-9_][A-Za-z0-9_.-]*", "a name")], SourceTable],
        Meta(
            description="Source trees, by name.",
            examples=[{"pytorch": {"git": "https://github.com/pytorch/pytorch", "rev": "v2.0.0"}}],
        ),
    ] = field(default_factory=dict)
    secrets: Annotated[
        dict[Annotated[str, text_like("[A-Za-z0-9_][A-Za-z0-9_.-]*", "a name")], SecretTable],
        Meta(description="Secrets, by name.", examples=[{"token": {"env": "API_TOKEN"}}]),
    ] = field(default_factory=dict)
    leaks: Annotated[
        LeaksTable,
        Meta(description="The search for leaked secrets.", examples=[{"allow": ["/code/examples/*.pem"]}]),
    ] = field(default_factory=LeaksTable)
