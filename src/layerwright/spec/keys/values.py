r"""Kinds of text that keys take, and the base of all tables.

Patterns end in ``$(?!\n)``: Python's ``$`` alone lets a final line end pass.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

__all__ = [
    "AcceleratorName",
    "AptPackage",
    "ComponentKindName",
    "GpuArchitectureName",
    "ImagePath",
    "Label",
    "NonEmpty",
    "PrereleaseMode",
    "PythonVersion",
    "Repository",
    "RoleName",
    "Sha256",
    "Table",
    "Tag",
    "Variable",
    "Variant",
    "default_of",
    "text_like",
]


def text_like(pattern: str, words: str) -> Meta:
    """Text that matches the pattern as a whole; ``words`` completes "must be …" in errors and editors."""
    return Meta(pattern=f"^(?:{pattern})$(?!\\n)", extra_json_schema={"errorMessage": f"must be {words}"})


def default_of(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """What holds when the key is absent, for the schema and the reference page."""
    return {"default": value}


NonEmpty = Annotated[str, Meta(min_length=1)]
Sha256 = Annotated[str, text_like("[0-9a-f]{64}", "64 hexadecimal digits in lower case")]
PythonVersion = Annotated[str, text_like(r"3\.(?:0|[1-9][0-9]*)", 'a Python version such as "3.11"')]
Variable = Annotated[str, text_like("[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable")]
ImagePath = Annotated[str, text_like(r"/[^\x00]*", "an absolute path in the image, beginning with /")]
Tag = Annotated[
    str,
    text_like(
        "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}",
        "a tag: at most 128 letters, digits, '_', '.' and '-', not beginning with '.' or '-'",
    ),
]
Repository = Annotated[
    str,
    text_like(
        r"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
        r"(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*",
        "a repository name: lower case letters, digits and single '.', '_' or '-' between them, "
        "parts divided by '/', without a tag",
    ),
]
AptPackage = Annotated[
    str,
    text_like(r"[a-z0-9][a-z0-9+.-]+(?:=[A-Za-z0-9.+:~-]+)?", "a Debian package, as name or name=version"),
]
Label = Annotated[
    str,
    text_like(
        r"""[^\s/:@"'.-][^\s/:@"']*""",
        "a name without spaces, quotes, '/', ':' and '@', not beginning with '.' or '-'",
    ),
]
Variant = Annotated[
    str,
    text_like("[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", "a name of at most 32 letters, digits, '_', '.' and '-'"),
]
RoleName = Literal["base", "training", "inference", "dev", "release", "executor"]
AcceleratorName = Literal["cpu", "nvidia", "mthreads"]
ComponentKindName = Literal["musa_toolkit", "mudnn", "mccl", "musa_math", "python", "other"]
GpuArchitectureName = Annotated[
    str, text_like(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,31}", 'a GPU architecture such as "qy2"')
]
PrereleaseMode = Literal["disallow", "allow", "if-necessary", "explicit", "if-necessary-or-explicit"]


class Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the spec: unknown keys are errors."""
