"""What a file is, for a count of where an image's bytes are."""

import re
from typing import Final

from layerwright.verify.entries import Entry

__all__ = ["KINDS", "kind_of"]

KINDS: Final = (
    "shared libraries",
    "programs",
    "Python source",
    "bytecode",
    "headers and static libraries",
    "tests and documentation",
    "models and data sets",
    "archives and packages",
    "caches and package lists",
    "other",
)

_CACHE: Final = re.compile(
    r"var/lib/apt/lists/.+|var/cache/.+|(?:root|home/[^/]+)/\.cache/.+|tmp/.+|var/tmp/.+|var/log/.+"
    r"|(?:.*/)?(?:conda|miniconda3|anaconda3)/pkgs/.+|(?:.*/)?\.npm/_cacache/.+"
)
_DOCUMENTS: Final = re.compile(
    r"usr/(?:local/)?share/(?:doc|man|info|locale|help|gtk-doc)/.+"
    r"|(?:.*/)?(?:site|dist)-packages/(?:.*/)?(?:tests?|testing/data|test_data|docs?|examples?|benchmarks?)/.+"
)
_SOURCES: Final = re.compile(r"\.(?:h|hh|hpp|hxx|cuh|inl|inc|a|la|cmake|pc|pxd|f90|cpp|cc|cu|c)$")
_MODELS: Final = re.compile(
    r"\.(?:onnx|pt|pth|ckpt|safetensors|engine|tflite|gguf|h5|npy|npz|parquet|lmdb|mdb|bin|pb|pdparams|caffemodel)$"
)
_ARCHIVES: Final = re.compile(r"\.(?:whl|deb|zip|tar|tgz|gz|bz2|xz|zst|7z|rar|jar|conda|run|iso)$")
_LIBRARY: Final = re.compile(r"\.so(?:\.[\d.]+)?$")


def kind_of(path: str, entry: Entry) -> str:
    """One of ``KINDS``.

    Args:
        path: without a leading slash.
        entry: what stands there.
    """
    name = path.rpartition("/")[2].lower()
    if _CACHE.fullmatch(path):
        return "caches and package lists"
    if entry.library is not None:
        return "shared libraries" if _LIBRARY.search(name) or entry.library.soname else "programs"
    if name.endswith((".pyc", ".pyo")):
        return "bytecode"
    if _DOCUMENTS.fullmatch(path):
        return "tests and documentation"
    if name.endswith((".py", ".pyi")):
        return "Python source"
    for pattern, kind in (
        (_SOURCES, "headers and static libraries"),
        (_MODELS, "models and data sets"),
        (_ARCHIVES, "archives and packages"),
    ):
        if pattern.search(name):
            return kind
    return "other"
