"""Source trees that stand in images, and tests that are run while an image is built."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from layerwright.spec.keys.run import RunStep
from layerwright.spec.keys.values import ImagePath, NonEmpty, Table

__all__ = [
    "BuildTestTable",
    "SourceTable",
    "SourceUse",
]


class SourceTable(Table, frozen=True, kw_only=True):
    """A git repository whose files stand in images, so that what is in it can be compiled there."""

    git: Annotated[
        NonEmpty,
        Meta(
            description="Address of the repository, or a folder relative to the spec.",
            examples=["https://github.com/pytorch/pytorch"],
        ),
    ]
    rev: Annotated[
        NonEmpty,
        Meta(
            description="Tag, branch, or commit (all 40 digits). The lock holds the commit, and every submodule's.",
            examples=["v2.0.0"],
        ),
    ]
    submodules: Annotated[bool, Meta(description="Take its submodules, and theirs, with it.")] = True
    checkout: (
        Annotated[
            NonEmpty,
            Meta(
                description="A folder, relative to the spec, that the repository may be cloned to already. Where it is "
                "there, nothing is fetched: it must be at the locked commit and without changes, its submodules too. "
                "It is only read.",
                examples=["pytorch"],
            ),
        ]
        | UnsetType
    ) = UNSET


class SourceUse(Table, frozen=True, kw_only=True):
    """A source tree in an image."""

    source: Annotated[NonEmpty, Meta(description="Name from `[sources]`.", examples=["pytorch"])]
    to: Annotated[ImagePath, Meta(description="Folder it goes to in the image.", examples=["/home/pytorch"])]
    git: Annotated[
        bool,
        Meta(
            description="Bring `.git` with it, of the one commit, for builds that call git. The layer is then not "
            "reproducible bit by bit."
        ),
    ] = False


class BuildTestTable(RunStep, frozen=True, kw_only=True):
    """Tests that are run in the image when all else is in it. They leave nothing there but their log."""

    log: Annotated[
        ImagePath,
        Meta(
            description="File of the image that keeps what the tests print, with the verdict at its end.",
            examples=["/home/ut_output.txt"],
        ),
    ]
    junit: (
        Annotated[
            ImagePath,
            Meta(
                description="JUnit file that the tests write: failing tests are read from it instead of from the log, "
                "and it is kept, too.",
                examples=["/home/ut_report.xml"],
            ),
        ]
        | UnsetType
    ) = UNSET
    allow: Annotated[
        tuple[NonEmpty, ...],
        Meta(
            description="Tests that may fail, by name: `test_x`, `TestAdd::test_x`, or as the log has it. Any other "
            "failure fails the build; so does a run that ends by a signal, or that does not say which tests failed.",
            examples=[["test_conv3d", "tests/test_ops.py::TestAdd::test_half"]],
        ),
    ] = ()
