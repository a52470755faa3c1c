"""Variables by which libraries of the field are told where their caches are."""

from collections.abc import Container, Iterable
from typing import Final

from layerwright.guest import cache_folder

__all__ = ["CACHE_VARIABLES", "cache_variables"]

CACHE_VARIABLES: Final = {
    "XDG_CACHE_HOME": "https://specifications.freedesktop.org/basedir-spec/latest/",
    "HF_HOME": "https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables",
    "TORCH_HOME": "https://docs.pytorch.org/docs/stable/hub.html",
    "TORCHINDUCTOR_CACHE_DIR": "https://docs.pytorch.org/tutorials/recipes/torch_compile_caching_tutorial.html",
    "TORCH_EXTENSIONS_DIR": "https://docs.pytorch.org/docs/stable/cpp_extension.html",
    "TRITON_CACHE_DIR": "https://github.com/triton-lang/triton/blob/main/README.md",
    "CUDA_CACHE_PATH": "https://docs.nvidia.com/cuda/cuda-c-programming-guide/#cuda-environment-variables",
    "CUPY_CACHE_DIR": "https://docs.cupy.dev/en/stable/reference/environment.html",
    "NUMBA_CACHE_DIR": "https://numba.readthedocs.io/en/stable/reference/envvars.html",
    "MPLCONFIGDIR": "https://matplotlib.org/stable/install/environment_variables_faq.html",
    "PIP_CACHE_DIR": "https://pip.pypa.io/en/stable/topics/caching/",
}
"""Variables that every program is given, each with the page that says what it means.

Most default to a place below HOME. Numba's and CuPy's kernels, Inductor's code and CUDA's may go beside the code, into
/tmp or nowhere without them, so that a kept home would not keep them.
"""


def cache_variables(home: str, *, declared: Iterable[str], known: Container[str]) -> dict[str, str]:
    """Each cache variable with a folder of its own below ``home``.

    Args:
        home: HOME in the container.
        declared: variables that the spec names as ``writable``; they count whatever the image says of them.
        known: variables that the image sets itself, such as for models it brings; these keep their values.
    """
    names = dict.fromkeys((*declared, *(name for name in CACHE_VARIABLES if name not in known)))
    return {
        name: f"{home}/.cache" if name == "XDG_CACHE_HOME" else f"{home}/.cache/{cache_folder(name)}"
        for name in names
    }
