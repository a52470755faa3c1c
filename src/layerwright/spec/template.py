"""The spec that ``layerwright init`` writes."""

import json

__all__ = ["starter"]

_TEXT = """\
# What the images of this project are made of. Reference: docs/reference/spec.md
#   layerwright build     builds every image
#   layerwright run app   runs one, with the current folder at its working directory

[project]
name = @NAME@
version = "0.1.0"                       # the tag of images that have no `tags`

# What holds for every image that does not say otherwise.
[defaults]
python = "3.11"
timezone = "UTC"

# A base: system packages, shared by the images that start from it.
[images.base]
from = "debian:bookworm"                # or a reference such as "python:3.11-slim", "oci:DIR", "docker:NAME:TAG"
role = "base"
apt = ["ca-certificates"]

# An image on top of it: `apt`, `packages`, `env` and the rest add to what the parent has.
[images.app]
from = "image:base"
role = "inference"                      # base, training, inference, dev, release or executor
accelerator = "cpu"                     # cpu, nvidia or mthreads
packages = ["numpy>=2"]                 # as pip and uv read them; also { path = "." }, { git = …, rev = … }
env = { PYTHONUNBUFFERED = "1" }
writable = ["XDG_CACHE_HOME"]           # cache variables that the caller must be able to write to
smoke = ["python -c 'import numpy'"]    # must succeed in the finished image
entrypoint = ["python"]                 # arguments of `layerwright run app` are appended
# copy = [{ from = "src", to = "/code/src" }]
# models = [{ url = "https://…/model.onnx", sha256 = "…", to = "/models/model.onnx" }]

# How `layerwright run app` starts it.
# [images.app.run]
# gpus = "all"
# shm_size = "8g"
# mounts = [{ from = "data", to = "/data", read_only = true }]

# Several cells of one image, named app-py311-cpu and so on.
# [images.app.matrix]
# python = ["3.11", "3.13"]
# accelerator = ["cpu", "nvidia"]

# A package index of your own; credentials stay on the host.
# [indexes.internal]
# url = "https://pypi.example.org/simple"
# credentials = "netrc"                 # or "keyring", "pip.conf", "env:NAME"
"""


def starter(project: str) -> str:
    """A commented spec for a project of that name, to be edited.

    The images get names of their own when the project's cannot be part of a reference.
    """
    # The name may be a folder's, with bytes that are not UTF-8.
    name = project.encode(errors="replace").decode() or "project"
    # JSON's escapes are TOML's, but for the surrogate pairs of ensure_ascii and for DEL, which TOML wants escaped.
    quoted = json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f")
    text = _TEXT.replace("@NAME@", quoted)
    if name.isascii():
        return text
    named = text.replace("[images.base]\n", '[images.base]\nname = "base"\n')
    return named.replace("[images.app]\n", '[images.app]\nname = "app"\n')
