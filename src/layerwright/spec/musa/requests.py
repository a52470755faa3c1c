"""What the three commands are asked for, checked: from options to values that cannot be wrong."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from layerwright.facts.compat import musa, torch
from layerwright.spec.musa.addresses import Address, read_pythons
from layerwright.spec.musa.fields import (
    is_repository,
    read_archives,
    read_base_image,
    read_gpu_arch,
    read_name,
    read_python,
    read_revision,
    read_role,
    read_system,
    read_tag,
)
from layerwright.spec.musa.options import SCRIPTS
from layerwright.spec.musa.records import recorded
from layerwright.spec.musa.said import Given, Said
from layerwright.spec.musa.wheels import WHEELS, Wheel, judge_pairs, read_wheel, vision_for, wheel_file

__all__ = ["AllRequest", "BaseRequest", "ImageRequest", "Places", "read_all", "read_base", "read_image"]

_ONLY_DEV: Final = ("torch_musa_tag", "vision_tag", "torch_musa_git")
_REPOSITORY: Final = re.compile(r"(?:https|ssh|file)://\S+|git@\S+:\S+|/\S+")
_VARIANT: Final = "musa-pytorch-{role}-py{short}"
"""Names of the images that build_all.sh makes, after the registry's."""


class Places(Struct, frozen=True, kw_only=True):
    """Folders of this machine, absolute: where relative paths start, and what the environment names.

    Attributes:
        folder: the caller's.
        pytorch, vision: checkouts that are there; empty for none.
    """

    folder: str
    pytorch: str = ""
    vision: str = ""


class BaseRequest(Struct, frozen=True, kw_only=True):
    """An image with PyTorch's sources and a toolchain; ``interpreter`` is the archive of its Python, if any."""

    name: str
    tag: str
    ubuntu: str
    python: str
    pytorch_tag: str
    checkout: str
    interpreter: Address | None = None


class ImageRequest(Struct, frozen=True, kw_only=True):
    """A development or a release image.

    Attributes:
        base: as given, ``ubuntu:20.04``.
        ubuntu: its version where the base's name says it, else empty.
        python: of a release image; empty for a development image, which has its base's.
        interpreter: archive of its Python, when it is not the system's.
        gpu_arch: ``qy1``.
        archives: of components, by kind.
        without: kinds that are left out by choice.
        wheels: of a release image, in the order they are installed.
        pytorch_tag, vision_tag, torch_musa_tag: of a development image.
        vision: a checkout of torchvision that is there; empty for none.
        prepared: build from what is prepared.
    """

    name: str
    tag: str
    role: Literal["dev", "release"]
    base: str
    ubuntu: str = ""
    python: str = ""
    interpreter: Address | None = None
    gpu_arch: str
    archives: tuple[Address, ...]
    without: tuple[str, ...] = ()
    wheels: tuple[Wheel, ...] = ()
    pytorch_tag: str = ""
    vision_tag: str = ""
    torch_musa_tag: str = ""
    torch_musa_git: str = ""
    vision: str = ""
    prepared: bool = False


class AllRequest(Struct, frozen=True, kw_only=True):
    """The variants of one release, in the order in which they are built."""

    variants: tuple[ImageRequest, ...]


def read_base(given: Given, places: Places) -> BaseRequest:
    """What ``build-base`` is asked for.

    Raises:
        SpecError: everything that is wrong with it.
    """
    said = Said(SCRIPTS["build-base"], given)
    name, tag = read_name(said), read_tag(said, "tag")
    ubuntu = read_system(said)
    pytorch_tag = read_revision(said, "pytorch_tag")
    python = read_python(
        said, "python_version", known=_torch_pythons(pytorch_tag), of=f"PyTorch {pytorch_tag}"
    )
    interpreters = _interpreters(said, places, [python])
    said.done()
    return BaseRequest(
        name=name,
        tag=tag,
        ubuntu=ubuntu,
        python=python,
        pytorch_tag=pytorch_tag,
        checkout=places.pytorch,
        interpreter=interpreters.get(python),
    )


def read_image(given: Given, places: Places) -> ImageRequest:
    """What ``build`` is asked for.

    Raises:
        SpecError: everything that is wrong with it.
    """
    said = Said(SCRIPTS["build"], given)
    name, tag = read_name(said), read_tag(said, "tag")
    role = read_role(said)
    base, ubuntu = read_base_image(said, "base_img", role, folder=places.folder)
    archives, without = read_archives(said, places.folder)
    gpu_arch = read_gpu_arch(said, archives)
    request = ImageRequest(
        name=name,
        tag=tag,
        role=role or "dev",
        base=base,
        ubuntu=ubuntu,
        gpu_arch=gpu_arch,
        archives=archives,
        without=without,
        prepared=said.switch("no_prepare"),
    )
    unpaired = said.switch("unpaired")
    if role == "release":
        request = _release(request, said, places, unpaired=unpaired)
    elif role == "dev":
        _refuse_wheels(said)
        request = _dev(request, said, places, unpaired=unpaired)
    said.done()
    return request


def _torch_pythons(tag: str) -> tuple[str, ...]:
    """Pythons of a tag of PyTorch, by the records; empty when they do not know it."""
    found = torch.build(tag.removeprefix("v"))
    return tuple(one for one in found.python if not one.endswith("t")) if found else ()


def _release(request: ImageRequest, said: Said, places: Places, *, unpaired: bool) -> ImageRequest:
    """Python and wheels of a release image."""
    for name in _ONLY_DEV:
        if name in said:
            said.fault(
                name,
                " is for development images, and --release makes another",
                "leave it out: the wheels say what is in",
            )
    interpreters = read_pythons(said, hosts=said.many("insecure_http"), folder=places.folder)
    # A base of one's own may have any; the wheels' names tell whether it is the right one.
    known = (*_ubuntus_pythons(), *interpreters) if request.ubuntu else ()
    python = read_python(said, "python_version", known=known, of="a release image")
    _check_interpreters(said, interpreters, [python])
    wheels: dict[str, Wheel] = {}
    for name, distribution in WHEELS.items():
        if name in said:
            found = read_wheel(
                said, name, python=python, hosts=said.many("insecure_http"), folder=places.folder
            )
            if found is not None:
                wheels[name] = found
        elif distribution in {"torch", "torch_musa"}:
            said.fault(name, " is missing", f"give the address of {distribution}'s wheel")
    if not unpaired:
        judge_pairs(said, wheels, python)
    return replace(
        request, python=python, wheels=tuple(wheels.values()), interpreter=interpreters.get(python)
    )


def _interpreters(said: Said, places: Places, pythons: Sequence[str]) -> Mapping[str, Address]:
    """Archives of Pythons by version."""
    found = read_pythons(said, hosts=said.many("insecure_http"), folder=places.folder)
    _check_interpreters(said, found, pythons)
    return found


def _check_interpreters(said: Said, found: Mapping[str, Address], pythons: Sequence[str]) -> None:
    """Note archives of Pythons that no image has."""
    for version, address in found.items():
        if version not in pythons:
            said.fault(
                "python_url",
                f" names {address.file}, and no image has Python {version}",
                f"the images have {', '.join(pythons)}",
            )


def _ubuntus_pythons() -> tuple[str, ...]:
    known = {one for release in recorded().ubuntu for one in release.python}
    return tuple(sorted(known, key=_minor))


def _minor(python: str) -> int:
    return int(python.partition(".")[2])


def _refuse_wheels(said: Said) -> None:
    if "python_url" in said:
        said.fault(
            "python_url",
            " is for images that have a Python of their own, and a development image has its base's",
            "give it to build-base",
        )
    for name in WHEELS:
        if name in said:
            said.fault(
                name,
                " is for release images, and -f/--docker_file names dockerfile.dev",
                "leave it out, or name dockerfile.release and add --release",
            )


def _dev(request: ImageRequest, said: Said, places: Places, *, unpaired: bool) -> ImageRequest:
    """Tags of a development image."""
    pytorch_tag = read_revision(said, "pytorch_tag")
    torch_musa_tag = read_revision(said, "torch_musa_tag")
    git = said.text("torch_musa_git")
    if not _REPOSITORY.fullmatch(git):
        said.fault(
            "torch_musa_git",
            f" is no address of a repository: {git!r}",
            "an https address or an absolute path",
        )
    if not unpaired:
        _judge_tags(said, pytorch_tag, torch_musa_tag)
    return replace(
        request,
        pytorch_tag=pytorch_tag,
        torch_musa_tag=torch_musa_tag,
        torch_musa_git=git,
        vision_tag=vision_for(said, pytorch_tag, torch_musa_tag, unpaired=unpaired),
        vision=places.vision,
    )


def _judge_tags(said: Said, pytorch_tag: str, torch_musa_tag: str) -> None:
    """The tag of torch_musa is for one PyTorch: note when it is another (the records may not know it)."""
    wanted = next((one.pytorch for one in recorded().tag if one.torch_musa == torch_musa_tag), "")
    release = musa.release(torch_musa_tag.removeprefix("v")) if torch_musa_tag.startswith("v") else None
    if release is not None:
        wanted = f"v{release.torch}"
    if wanted and wanted != pytorch_tag:
        said.fault(
            "torch_musa_tag",
            f" is {torch_musa_tag}, which is for PyTorch {wanted}, and --pytorch_tag is {pytorch_tag}",
            f"say --pytorch_tag {wanted}, and use it for build-base too",
        )


def read_all(given: Given, places: Places) -> AllRequest:
    """What ``build-all`` is asked for: development images, then release images, each by Python.

    Raises:
        SpecError: everything that is wrong with it.
    """
    said = Said(SCRIPTS["build-all"], given)
    tag = ""
    if "tag" in said:
        tag = read_tag(said, "tag")
    else:
        said.fault(
            "tag", " is missing", "give the tag of the images, or a build_all.toml, which --template prints"
        )
    prefix = said.text("registry").rstrip("/")
    if not is_repository(f"{prefix}/x"):
        said.fault("registry", f" is no beginning of a name: {prefix!r}", "such as registry.example.org/team")
    base_tag = read_tag(said, "base_tag")
    release_base, ubuntu = read_base_image(said, "release_base", "release", folder=places.folder)
    pythons = _versions(said)
    archives, without = read_archives(said, places.folder)
    common = ImageRequest(
        name=prefix,
        tag=tag,
        role="dev",
        base=release_base,
        gpu_arch=read_gpu_arch(said, archives),
        archives=archives,
        without=without,
    )
    unpaired = said.switch("unpaired")
    dev = _dev(common, said, places, unpaired=unpaired)
    wheels = _wheels_of_all(said, places, pythons, unpaired=unpaired)
    interpreters = _interpreters(said, places, pythons)
    said.done()
    variants = []
    for python in pythons:
        name = f"{prefix}/{_VARIANT.format(role='dev', short=_short(python))}"
        variants.append(replace(dev, name=name, base=f"{name}:{base_tag}"))
    for python in pythons:
        name = f"{prefix}/{_VARIANT.format(role='release', short=_short(python))}"
        variants.append(
            replace(
                common,
                role="release",
                name=name,
                ubuntu=ubuntu,
                python=python,
                wheels=wheels[python],
                interpreter=interpreters.get(python),
            )
        )
    return AllRequest(variants=tuple(variants))


def _short(python: str) -> str:
    return python.replace(".", "")


def _versions(said: Said) -> tuple[str, ...]:
    """The Pythons, also as the script writes them (38, 39, 310)."""
    known = _ubuntus_pythons()
    for_tag = recorded().pythons(said.text("torch_musa_tag"))
    found = []
    words = [word for text in said.many("versions") for word in text.replace(",", " ").split()]
    for text in words:
        python = f"3.{text[1:]}" if re.fullmatch("3[0-9]{1,2}", text) else text
        if python not in known:
            said.fault("versions", f" names {text!r}", f"known are {', '.join(known)}")
        elif for_tag and python not in for_tag:
            said.fault(
                "versions",
                f" names {python}, and torch_musa {said.text('torch_musa_tag')} is for {', '.join(for_tag)}",
                "leave it out",
            )
        elif python in found:
            said.fault("versions", f" names {python} twice", "leave one out")
        else:
            found.append(python)
    if not words:
        said.fault("versions", " is empty", f"known are {', '.join(known)}")
    return tuple(found)


def _wheels_of_all(
    said: Said, places: Places, pythons: tuple[str, ...], *, unpaired: bool
) -> Mapping[str, tuple[Wheel, ...]]:
    """Wheels of the release images, by Python: files of one folder, named as Moore Threads names them."""
    if "whl_url" not in said:
        said.fault("whl_url", " is missing", "give the address of the folder with the wheels")
    if not said.text("torch_musa_version"):
        said.fault("torch_musa_version", " is missing", "give the version in the name of torch_musa's wheel")
    if "whl_url" not in said or not said.text("torch_musa_version"):
        return {}
    found = {}
    for python in pythons:
        wheels: dict[str, Wheel] = {}
        for name, version in (
            ("torch_whl_url", "torch_version"),
            ("torch_musa_whl_url", "torch_musa_version"),
        ):
            file = wheel_file(WHEELS[name], said.text(version), python)
            wheel = read_wheel(
                said,
                "whl_url",
                python=python,
                hosts=said.many("insecure_http"),
                folder=places.folder,
                file=file,
                distribution=WHEELS[name],
            )
            if wheel is None:
                return {}  # the folder's address is at fault, and that is told once
            wheels[name] = wheel
        if not unpaired:
            judge_pairs(
                said,
                wheels,
                python,
                fields={"torch_whl_url": "torch_version", "torch_musa_whl_url": "torch_musa_version"},
            )
        found[python] = tuple(wheels.values())
    return found
