"""Requests of the container scripts as the text of a spec."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import quote

from layerwright.spec.musa.addresses import KINDS, Address, python_of
from layerwright.spec.musa.records import recorded
from layerwright.spec.musa.requests import AllRequest, BaseRequest, ImageRequest

__all__ = [
    "MARK",
    "PYTORCH",
    "VISION",
    "addresses_of",
    "variant_name",
    "write_all",
    "write_base",
    "write_image",
]

Digests = Mapping[str, str]
"""sha256 of files by address."""

PYTORCH: Final = "https://github.com/pytorch/pytorch.git"
VISION: Final = "https://github.com/pytorch/vision.git"
MARK: Final = "# Written by `"
"""How every text begins; the command line follows."""
_WIDE: Final = 100
_LINE: Final = 110

# build.sh goes on after a patch that does not apply, and the image then holds a PyTorch without it.
_PATCHES: Final = """\
cd /home/torch_musa
if [ -d torch_patches ]; then
  find "$PWD/torch_patches" -name '*.patch' -print0 | sort -z |
    xargs -0 -r sh -c 'cd /home/pytorch && git apply --check "$@"' patches
fi
"""
_TORCH: Final = """\
cd /home/torch_musa
if [ -f requirements.txt ]; then pip install -r requirements.txt; fi
pip install pytest
bash build.sh -t
rm -rf /home/pytorch/build
"""
_VISION_BUILD: Final = """\
cd /home/vision
pip install --no-deps --no-build-isolation .
rm -rf build
"""
_TORCH_MUSA: Final = """\
cd /home/torch_musa
bash build.sh -m
rm -rf build
"""


def addresses_of(requests: Iterable[BaseRequest | ImageRequest]) -> tuple[Address, ...]:
    """Every file that the images are made of, once each."""
    found: dict[str, Address] = {}
    for request in requests:
        if isinstance(request, ImageRequest):
            files = (*request.archives, *(wheel.address for wheel in request.wheels))
            found |= {address.url: address for address in files}
        if request.interpreter is not None:
            found[request.interpreter.url] = request.interpreter
    return tuple(found.values())


def write_base(request: BaseRequest, *, command: str, digests: Digests, base: str = "") -> str:
    """The spec of ``build-base``.

    Args:
        request: what was asked for.
        command: the command line, for the head.
        digests: of all files.
        base: what to start from instead of Ubuntu's image by its name.
    """
    release = recorded().release(request.ubuntu)
    apt = [
        *(recorded().packages(release) if release else ()),
        *_python_packages(request),
    ]
    lines = [
        *_head(request.name, command),
        *_interpreters([request], digests),
        *_source("pytorch", PYTORCH, request.pytorch_tag, request.checkout),
        "",
        "[images.base]",
        f"from = {_quoted(base or f'ubuntu:{request.ubuntu}')}",
        'role = "base"',
        'accelerator = "mthreads"',
        *_reference(request.name, request.tag),
        f"python = {_quoted(request.python)}",
        'timezone = "Asia/Shanghai"',
        *_list("apt", apt),
        *_list("components", [_component_of(request)] if request.interpreter else []),
        *_list("packages", recorded().requirements("base", request.python)),
        'sources = [{ source = "pytorch", to = "/home/pytorch" }]',
        'workdir = "/home"',
        'command = ["bash"]',
    ]
    return "\n".join(lines) + "\n"


def write_image(request: ImageRequest, *, command: str, digests: Digests, base: str = "") -> str:
    """The spec of ``build``; the arguments are those of ``write_base``."""
    name = request.role
    lines = [
        *_head(request.name, command),
        *_shared([request], digests),
        *_image(name, request, digests, base),
    ]
    return "\n".join(lines) + "\n"


def write_all(request: AllRequest, *, command: str, digests: Digests, bases: Mapping[str, str]) -> str:
    """The spec of ``build-all``: an image for each variant.

    Args:
        request: what was asked for.
        command: the command line, for the head.
        digests: of all files.
        bases: what to start from instead of a base as it was named.
    """
    lines = [*_head("musa-pytorch", command), *_shared(request.variants, digests)]
    for variant in request.variants:
        lines += _image(variant_name(variant), variant, digests, bases.get(variant.base, ""))
    return "\n".join(lines) + "\n"


def variant_name(variant: ImageRequest) -> str:
    """A variant's name in the spec: ``dev-py38``."""
    return variant.name.rpartition("/")[2].removeprefix("musa-pytorch-")


def _head(name: str, command: str) -> list[str]:
    return [
        f"{MARK}{_comment(command)}`.",
        "# Keep it and build it with `layerwright build`, or run that command again.",
        "",
        "[project]",
        f"name = {_quoted(name.rpartition('/')[2])}",
    ]


def _shared(requests: Sequence[ImageRequest], digests: Digests) -> list[str]:
    """Components and source trees, once each."""
    lines: list[str] = []
    first = requests[0]
    for archive in first.archives:
        lines += ["", f"[components.{KINDS[archive.field]}]", f"url = {_quoted(archive.url)}"]
        lines.append(f"sha256 = {_quoted(archive.sha256 or digests[archive.url])}")
        if archive.arch:
            lines.append(f"arch = [{_quoted(archive.arch)}]")
        if archive.is_http:
            lines.append('insecure = "http"')
    lines += _interpreters(requests, digests)
    dev = next((one for one in requests if one.role == "dev"), None)
    if dev is not None:
        lines += _source("vision", VISION, dev.vision_tag, dev.vision)
        lines += _source("torch_musa", dev.torch_musa_git, dev.torch_musa_tag, "")
    return lines


def _image(name: str, request: ImageRequest, digests: Digests, base: str) -> list[str]:
    lines = [
        "",
        f"[images.{name}]",
        f"from = {_quoted(base or request.base)}",
        f"role = {_quoted(request.role)}",
        'accelerator = "mthreads"',
        f"gpu_arch = {_quoted(request.gpu_arch)}",
        *_reference(request.name, request.tag),
    ]
    if request.role == "release":
        lines += _release(request, digests)
    components: list[str] = [KINDS[archive.field] for archive in request.archives]
    lines += _list("components", [*components, _component_of(request)] if request.interpreter else components)
    lines += _list("without", request.without)
    if request.role == "dev":
        lines += [
            "sources = [",
            '  { source = "torch_musa", to = "/home/torch_musa" },',
            '  { source = "vision", to = "/home/vision" },',
            "]",
        ]
    lines += ['workdir = "/home"', 'command = ["bash"]', "check_device = true"]
    lines += ["", f"[images.{name}.run]", 'gpus = "all"', 'shm_size = "80g"']
    if request.role == "dev":
        lines += _compile(name, request)
    return lines


def _release(request: ImageRequest, digests: Digests) -> list[str]:
    packages = [_quoted(one) for one in recorded().requirements("release", request.python)]
    for wheel in request.wheels:
        address = wheel.address
        sha256 = address.sha256 or digests[address.url]
        packages.append(f"{{ url = {_quoted(_as_url(address.url))}, sha256 = {_quoted(sha256)} }}")
    return [
        f"python = {_quoted(request.python)}",
        *_list("apt", _python_packages(request)),
        "packages = [",
        *(f"  {package}," for package in packages),
        "]",
    ]


def _compile(name: str, request: ImageRequest) -> list[str]:
    """What is compiled in a development image, and the tests of it."""
    env = ' env = { USE_MCCL = "0" } # no MCCL, by choice' if "mccl" in request.without else ""
    lines = []
    for text, network in ((_PATCHES, False), (_TORCH, True), (_VISION_BUILD, False), (_TORCH_MUSA, False)):
        lines += ["", f"[[images.{name}.run.commands]]", f"script = '''\n{text}'''"]
        if network:
            lines.append("network = true")
        if env and text is not _PATCHES:
            lines.append(env.strip())
    for script, log in (
        ("run_unittest.sh", "/home/ut_output.txt"),
        ("run_integration_test.sh", "/home/integration_test_output.txt"),
    ):
        lines += [
            "",
            f"[[images.{name}.tests]]",
            f"script = {_quoted(f'cd /home/torch_musa && bash scripts/{script}')}",
            f"log = {_quoted(log)}",
        ]
    return lines


def _python_packages(request: BaseRequest | ImageRequest) -> list[str]:
    """Debian packages that bring the Python, where the Ubuntu release has it and no archive does."""
    release = recorded().release(request.ubuntu) if request.ubuntu and request.interpreter is None else None
    python = request.python
    return [f"python{python}", f"python{python}-dev"] if release and python in release.python else []


def _component_of(request: BaseRequest | ImageRequest) -> str:
    return f"python{request.python.replace('.', '')}"


def _interpreters(requests: Sequence[BaseRequest | ImageRequest], digests: Digests) -> list[str]:
    """Archives of Pythons, as components."""
    lines: list[str] = []
    for request in requests:
        address = request.interpreter
        if address is not None:
            lines += [
                "",
                f"[components.{_component_of(request)}]",
                'kind = "python"',
                f"url = {_quoted(address.url)}",
                f"sha256 = {_quoted(address.sha256 or digests[address.url])}",
                f"version = {_quoted(python_of(address))}",
                *(['insecure = "http"'] if address.is_http else []),
            ]
    return lines


def _source(name: str, git: str, rev: str, checkout: str) -> list[str]:
    lines = ["", f"[sources.{name}]", f"git = {_quoted(git)}", f"rev = {_quoted(rev)}"]
    return [*lines, f"checkout = {_quoted(checkout)}"] if checkout else lines


def _reference(name: str, tag: str) -> list[str]:
    return [f"name = {_quoted(name)}", f"tags = [{_quoted(tag)}]"]


def _list(key: str, items: Sequence[str]) -> list[str]:
    """A list of texts; a long one fills lines."""
    if not items:
        return []
    line = f"{key} = [{', '.join(_quoted(item) for item in items)}]"
    if len(line) <= _WIDE:
        return [line]
    lines, row = [f"{key} = ["], ""
    for item in items:
        word = f"{_quoted(item)}, "
        if row and len(row) + len(word) > _WIDE:
            lines.append(f"  {row.rstrip()}")
            row = ""
        row += word
    return [*lines, f"  {row.rstrip()}", "]"]


def _as_url(address: str) -> str:
    return f"file://{quote(address)}" if address.startswith("/") else address


def _quoted(text: str) -> str:
    """A basic string of TOML: JSON's escapes are TOML's, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)
