"""The options of the container scripts of torch_musa, as their documents name them, and ours beside them.

Sources: MooreThreads/torch_musa, ``docker/README.md``, ``docker/build_base.sh``, ``docker/build.sh``,
``docker/build_all.sh`` and ``docker/common/push_docker_image.sh`` at commit 21080ff (2023-11-24).
"""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

__all__ = ["GLOBAL", "MISSPELT", "NULL", "SCRIPTS", "Option", "ScriptName", "table_of"]

ScriptName = Literal["build-base", "build", "build-all"]

NULL: Final = "NULL"
"""What the scripts call an image that got no name; no engine takes it, as it is in upper case."""

MISSPELT: Final[Mapping[str, str]] = {"--python_verison": "--python_version"}
"""What the scripts' parsers knew instead of what their documents say."""


class Option(Struct, frozen=True, kw_only=True):
    """One option.

    Attributes:
        long: with its dashes, ``--python_version``.
        help: one line; the default is added to it.
        short: ``-v``; empty for none.
        metavar: the value's name; empty for a switch.
        default: what holds when it is not given, as documented; empty for nothing.
        documented: the scripts' documents name it; False for ours.
        many: may be given several times.
    """

    long: str
    help: str
    short: str = ""
    metavar: str = ""
    default: str = ""
    documented: bool = True
    many: bool = False

    @property
    def field(self) -> str:
        """The value's name in a definition: ``python_version``."""
        return self.long.removeprefix("--").replace("-", "_")

    @property
    def name(self) -> str:
        """The option for people: ``-v/--python_version``."""
        return f"{self.short}/{self.long}" if self.short else self.long


_NAME = Option(short="-n", long="--name", metavar="NAME", help="name of the image, without its tag")
_TAG = Option(short="-t", long="--tag", metavar="TAG", default="latest", help="tag of the image")
_TOOLKIT = Option(short="-m", long="--musa_toolkits_url", metavar="URL", help="archive of the MUSA toolkit")
_MUDNN = Option(long="--mudnn_url", metavar="URL", help="archive of muDNN")
_MCCL = Option(long="--mccl_url", metavar="URL", help="archive of MCCL")
_TORCH_MUSA_TAG = Option(
    long="--torch_musa_tag",
    metavar="TAG",
    default="dev1.5.1",
    help="development images: tag or branch of torch_musa",
)

_WITHOUT = Option(
    long="--without",
    metavar="KIND",
    many=True,
    documented=False,
    help="a component the image does without, by choice: mccl, for the S80 and S3000",
)
_GPU_ARCH = Option(
    long="--gpu_arch",
    metavar="ARCH",
    documented=False,
    help="architecture of the GPU, such as qy1; what the archives' names say when it is left out",
)
_PYTORCH_TAG = Option(
    long="--pytorch_tag",
    metavar="TAG",
    default="v2.0.0",
    documented=False,
    help="tag of PyTorch (PYTORCH_TAG in the script)",
)
_VISION_TAG = Option(
    long="--vision_tag",
    metavar="TAG",
    documented=False,
    help="development images: tag of torchvision (VISION_TAG in the script); the one that goes with PyTorch when "
    "it is left out",
)
_TORCH_MUSA_GIT = Option(
    long="--torch_musa_git",
    metavar="URL",
    default="https://github.com/MooreThreads/torch_musa.git",
    documented=False,
    help="development images: repository of torch_musa",
)
_PYTHON_URL = Option(
    long="--python_url",
    metavar="URL",
    many=True,
    documented=False,
    help="archive of a Python that the system does not have, of github.com/astral-sh/python-build-standalone",
)
_HTTP = Option(
    long="--insecure_http",
    metavar="HOST",
    many=True,
    documented=False,
    help="a host whose archives may come over http",
)
_UNPAIRED = Option(
    long="--unpaired",
    documented=False,
    help="take releases of torch, torchvision and torch_musa that the records say do not go together",
)

_OURS = (
    Option(
        long="--emit-toml",
        documented=False,
        help="print the spec that the command line stands for; build nothing",
    ),
    Option(
        long="--backend",
        metavar="NAME",
        default="docker",
        documented=False,
        help="what builds: docker, podman, or native, which needs no engine",
    ),
    Option(
        long="--output",
        metavar="OUTPUT",
        many=True,
        documented=False,
        help="with the native backend: where images go, as for `layerwright build`; docker when it is left out",
    ),
)
"""Of the front end itself."""

GLOBAL: Final = (
    Option(long="--json", documented=False, help="one JSON object on standard output"),
    Option(short="-q", long="--quiet", documented=False, help="say nothing but warnings and errors"),
    Option(long="--verbose", documented=False, help="show what the steps' programs print"),
    Option(long="--no-color", documented=False, help="no colours"),
    Option(long="--offline", documented=False, help="reach no index, mirror or registry"),
    Option(long="--store", metavar="DIR", documented=False, help="the cache"),
)
"""Options of every command of layerwright, but for ``-v``, which is the Python here, and ``--file``."""

_BUILD_BASE = (
    _NAME,
    _TAG,
    Option(
        short="-s",
        long="--sys",
        metavar="OS",
        default="ubuntu:20.04",
        help="operating system, ubuntu:VERSION",
    ),
    Option(
        short="-v",
        long="--python_version",
        metavar="PYTHON",
        default="3.8",
        help="Python of the image's environment",
    ),
    _PYTORCH_TAG,
    _PYTHON_URL,
    _HTTP,
    *_OURS,
)

_BUILD = (
    _NAME,
    _TAG,
    Option(
        short="-b",
        long="--base_img",
        metavar="IMAGE",
        help="image to start from: of build-base for development, of the operating system for release",
    ),
    Option(
        short="-f",
        long="--docker_file",
        metavar="FILE",
        help="what to build, by the name of the script's file: dockerfile.dev or dockerfile.release",
    ),
    Option(
        short="-v",
        long="--python_version",
        metavar="PYTHON",
        default="3.8",
        help="release images: their Python; a development image has its base's",
    ),
    _TOOLKIT,
    _MUDNN,
    _MCCL,
    Option(short="-r", long="--release", help="build a release image; goes with dockerfile.release"),
    Option(long="--torch_whl_url", metavar="URL", help="release images: wheel of torch"),
    Option(long="--torch_musa_whl_url", metavar="URL", help="release images: wheel of torch_musa"),
    Option(
        long="--torchvision_whl_url",
        metavar="URL",
        help="release images: wheel of torchvision (from v1.2.1 on)",
    ),
    Option(
        long="--torchaudio_whl_url",
        metavar="URL",
        help="release images: wheel of torchaudio (from v1.2.1 on)",
    ),
    _TORCH_MUSA_TAG,
    Option(
        long="--no_prepare",
        help="build from what an earlier build has prepared: its lock, its sources, its archives",
    ),
    _PYTORCH_TAG,
    _VISION_TAG,
    _TORCH_MUSA_GIT,
    _GPU_ARCH,
    _WITHOUT,
    _PYTHON_URL,
    _HTTP,
    _UNPAIRED,
    *_OURS,
)

_BUILD_ALL = (
    Option(
        long="--definition",
        metavar="FILE",
        documented=False,
        help="the values, as TOML; build_all.toml of the current folder when there is one",
    ),
    Option(long="--template", documented=False, help="print a definition to fill in; build nothing"),
    Option(
        long="--versions",
        metavar="PYTHON",
        many=True,
        default="3.8 3.9 3.10",
        documented=False,
        help="a Python to build for (versions in the script)",
    ),
    Option(short="-t", long="--tag", metavar="TAG", documented=False, help="tag of the images (TAG)"),
    Option(
        long="--registry",
        metavar="PREFIX",
        default="sh-harbor.mthreads.com/mt-ai",
        documented=False,
        help="what stands before the images' names",
    ),
    Option(
        long="--base_tag",
        metavar="TAG",
        default="base-pytorch2.0.0",
        documented=False,
        help="tag of the images that development images start from",
    ),
    Option(
        long="--release_base",
        metavar="IMAGE",
        default="ubuntu:20.04",
        documented=False,
        help="what release images start from",
    ),
    Option(
        short="-m",
        long="--musa_toolkits_url",
        metavar="URL",
        documented=False,
        help="archive of the MUSA toolkit (MUSA_TOOLKITS_URL)",
    ),
    Option(long="--mudnn_url", metavar="URL", documented=False, help="archive of muDNN (MUDNN_URL)"),
    Option(long="--mccl_url", metavar="URL", documented=False, help="archive of MCCL (MCCL_URL)"),
    Option(
        long="--whl_url",
        metavar="URL",
        documented=False,
        help="the folder of release images' wheels (WHL_URL)",
    ),
    Option(
        long="--torch_version",
        metavar="VERSION",
        default="2.0.0",
        documented=False,
        help="version in the name of torch's wheel",
    ),
    Option(
        long="--torch_musa_version",
        metavar="VERSION",
        documented=False,
        help="version in the name of torch_musa's wheel",
    ),
    Option(
        long="--torch_musa_tag",
        metavar="TAG",
        default="dev1.5.1",
        documented=False,
        help="tag or branch of torch_musa (TORCH_MUSA_TAG)",
    ),
    _PYTORCH_TAG,
    _VISION_TAG,
    _TORCH_MUSA_GIT,
    _GPU_ARCH,
    _WITHOUT,
    _PYTHON_URL,
    _HTTP,
    _UNPAIRED,
    *_OURS,
)

SCRIPTS: Final[Mapping[ScriptName, tuple[Option, ...]]] = {
    "build-base": _BUILD_BASE,
    "build": _BUILD,
    "build-all": _BUILD_ALL,
}
"""Every option of the commands, in the order of their help; none of build_all.sh is documented, as it takes none."""


def table_of(script: str) -> tuple[Option, ...]:
    """The options of a command by its name."""
    return next(table for name, table in SCRIPTS.items() if name == script)
