"""The definition of build-all: the values that build_all.sh keeps in itself, as TOML."""

from collections.abc import Mapping
from typing import Final

import tomli

from layerwright.core.errors import Problem, SpecError
from layerwright.core.source import Location
from layerwright.spec.faults import nearest
from layerwright.spec.musa.options import SCRIPTS, Option
from layerwright.spec.musa.said import Value

__all__ = ["DEFINITION", "TEMPLATE", "read_definition"]

DEFINITION: Final = "build_all.toml"
"""Its name in the current folder, when it is not named."""

_KEYS: Final[Mapping[str, Option]] = {
    option.field: option
    for option in SCRIPTS["build-all"]
    if option.field not in {"definition", "template", "emit_toml", "backend", "output"}
}

TEMPLATE: Final = """\
# What build_all.sh keeps in itself. Options of `layerwright musa build-all` go before what stands here.
tag = "dev1.5.1-qy1"                      # TAG
versions = ["3.8", "3.9", "3.10"]         # also as the script writes them: "38", "39", "310"
torch_musa_tag = "dev1.5.1"               # TORCH_MUSA_TAG
# vision_tag = "v0.15.2"                  # VISION_TAG; left out, it is the one that goes with PyTorch
# registry = "sh-harbor.mthreads.com/mt-ai"
# base_tag = "base-pytorch2.0.0"          # of the images that development images start from
# release_base = "ubuntu:20.04"

# Addresses may end in #sha256=DIGEST. Without it, what is loaded first is what is taken ever after.
musa_toolkits_url = "https://…/musa_toolkits_dev1.5.1-qy1.tar.gz"   # MUSA_TOOLKITS_URL
mudnn_url = "https://…/mudnn_rtm2.3.0-qy1.tar"                      # MUDNN_URL
mccl_url = "https://…/mccl_dev1.3.0-qy1.tar"                        # MCCL_URL; or: without = ["mccl"]
whl_url = "https://…/torch_musa"                                    # WHL_URL, the wheels' folder
torch_version = "2.0.0"                   # as in torch-2.0.0-cp38-cp38-linux_x86_64.whl
torch_musa_version = "1.1.0"
"""


def read_definition(text: str, *, file: str) -> dict[str, Value]:
    """The values of a definition, by field.

    Raises:
        SpecError: it is no TOML, or holds what is no value of build-all.
    """
    try:
        tables = tomli.loads(text)
    except (tomli.TOMLDecodeError, RecursionError) as error:
        raise SpecError([Problem(what=f"{file} is no TOML: {error}", where=Location(file=file))]) from error
    problems: list[Problem] = []
    values: dict[str, Value] = {}
    for key, value in tables.items():
        where = Location(file=file, key=key)
        option = _KEYS.get(key)
        if option is None:
            near = nearest(key.lower(), _KEYS)
            hint = f"did you mean {near!r}?" if near else f"it has {', '.join(_KEYS)}"
            problems.append(Problem(what=f"build-all has no value {key!r}", where=where, hint=hint))
        elif option.many:
            words = (value,) if isinstance(value, str) else value
            if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
                problems.append(
                    Problem(what=f"{key} is no list of texts", where=where, hint='such as ["3.8", "3.9"]')
                )
            else:
                values[key] = tuple(words)
        elif not isinstance(value, str if option.metavar else bool):
            wanted = "a text" if option.metavar else "true or false"
            problems.append(Problem(what=f"{key} is not {wanted}", where=where, hint=f"write {wanted}"))
        else:
            values[key] = value
    if problems:
        raise SpecError(problems)
    return values
