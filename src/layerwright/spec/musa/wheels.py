"""Wheels of release images: their names tell Python, machine and version before anything is loaded."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from msgspec import Struct

from layerwright.facts.compat import musa, vision
from layerwright.facts.compat.versions import first_parts, public_of, same_release
from layerwright.spec.musa.addresses import Address, read_address
from layerwright.spec.musa.fields import read_revision
from layerwright.spec.musa.said import Said

__all__ = ["WHEELS", "Wheel", "judge_pairs", "read_wheel", "vision_for", "wheel_file"]

WHEELS: Final = {
    "torch_whl_url": "torch",
    "torchvision_whl_url": "torchvision",
    "torchaudio_whl_url": "torchaudio",
    "torch_musa_whl_url": "torch_musa",
}
"""Which distribution an option's wheel is, in the order in which they are installed."""

_MACHINE: Final = "x86_64"
"""Moore Threads publishes for no other."""


class Wheel(Struct, frozen=True, kw_only=True):
    """A wheel by its address, and the version that its name says."""

    address: Address
    distribution: str
    version: str


def wheel_file(distribution: str, version: str, python: str) -> str:
    """A wheel's name, as Moore Threads' build makes it."""
    tag = f"cp{python.replace('.', '')}"
    return f"{distribution}-{version}-{tag}-{tag}-linux_{_MACHINE}.whl"


def read_wheel(
    said: Said,
    name: str,
    *,
    python: str,
    hosts: tuple[str, ...],
    folder: str,
    file: str = "",
    distribution: str = "",
) -> Wheel | None:
    """The wheel that an option names; None after a fault.

    Args:
        said: what was given.
        name: the option's field; it was given.
        python: the image's.
        hosts: hosts that may be asked over http.
        folder: absolute folder that paths are relative to.
        file: the wheel's name, where the option names a folder.
        distribution: what it is a wheel of, where the option does not tell.
    """
    from packaging.utils import (  # noqa: PLC0415 - start-up
        InvalidWheelFilename,
        canonicalize_name,
        parse_wheel_filename,
    )

    address = read_address(said, name, hosts=hosts, folder=folder)
    if address is None:
        return None
    if file:
        address = Address(field=name, url=f"{address.url.rstrip('/')}/{file}", sha256="", file=file)
    distribution = distribution or WHEELS[name]
    try:
        found, version, _, tags = parse_wheel_filename(address.file)
    except InvalidWheelFilename:
        said.fault(
            name,
            f" names {address.file or 'no file'}, which is no wheel",
            f"a wheel's name is like {wheel_file(distribution, '2.0.0', python)}",
        )
        return None
    if found != canonicalize_name(distribution):
        said.fault(name, f" names a wheel of {found}", f"give the wheel of {distribution}")
        return None
    if not any(_serves(tag.interpreter, tag.abi, python) for tag in tags):
        have = ", ".join(sorted({tag.interpreter for tag in tags}))
        said.fault(
            name,
            f" names a wheel for {have}, and -v/--python_version is {python}",
            f"give the wheel for cp{python.replace('.', '')}, or change the Python",
        )
        return None
    if not any(tag.platform == "any" or tag.platform.endswith(_MACHINE) for tag in tags):
        have = ", ".join(sorted({tag.platform for tag in tags}))
        said.fault(name, f" names a wheel for {have}", f"the image is for linux_{_MACHINE}")
        return None
    return Wheel(address=address, distribution=distribution, version=str(version))


def _serves(interpreter: str, abi: str, python: str) -> bool:
    short = python.replace(".", "")
    if interpreter == f"cp{short}":
        return True
    if interpreter in {"py3", f"py{short}"}:
        return True
    # The stable interface of an older Python serves later ones.
    minor = interpreter.removeprefix("cp3")
    return (
        abi == "abi3" and interpreter.startswith("cp3") and minor.isdigit() and int(minor) <= int(short[1:])
    )


def judge_pairs(
    said: Said, wheels: Mapping[str, Wheel], python: str, *, fields: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Note releases that the records say do not go together, naming both.

    Args:
        said: takes the faults.
        wheels: by their options.
        python: the image's.
        fields: where the versions were said, by option, when not there.
    """
    torch = wheels.get("torch_whl_url")
    extension = wheels.get("torch_musa_whl_url")
    release = musa.release(extension.version) if extension is not None else None
    place = fields.get("torch_musa_whl_url", "torch_musa_whl_url")
    if torch is not None:
        torch_place = said.name(fields.get("torch_whl_url", "torch_whl_url"))
        for name in ("torchvision_whl_url", "torchaudio_whl_url"):
            companion = wheels.get(name)
            if companion is not None:
                _judge_companion(said, name, companion, torch, release)
        if extension is not None and release is not None and not same_release(torch.version, release.torch):
            said.fault(
                place,
                f" is torch_musa {extension.version}, which was made for torch {release.torch}, and "
                f"{torch_place} is torch {torch.version}",
                "give two that go together; where the file only has a release's number and is a build of its own, add "
                "--unpaired",
            )
    if extension is not None and release is not None and release.python and python not in release.python:
        said.fault(
            place,
            f" is torch_musa {extension.version}, which is published for Python {', '.join(release.python)}, and "
            f"the image has Python {python}",
            f"use Python {release.python[-1]}; for a build of your own, add --unpaired",
        )


def _judge_companion(
    said: Said, name: str, companion: Wheel, torch: Wheel, release: musa.MusaRelease | None
) -> None:
    which: Literal["torchvision", "torchaudio"] = (
        "torchvision" if companion.distribution == "torchvision" else "torchaudio"
    )
    wanted = "" if release is None else getattr(release, which)
    if wanted and public_of(companion.version) == public_of(wanted):
        return  # Moore Threads' own pairing goes before the wheels' requirements
    fit = vision.fits(which, companion.version, torch.version)
    if fit.fits is False:
        said.fault(
            name,
            f" is {which} {companion.version}, which needs torch {fit.wanted.removeprefix('==')}, and "
            f"{said.name('torch_whl_url')} is torch {torch.version}",
            f"give the {which} that goes with torch {torch.version}",
        )


def vision_for(said: Said, pytorch_tag: str, torch_musa_tag: str, *, unpaired: bool) -> str:
    """The tag of torchvision that goes with a tag of PyTorch; empty after a fault."""
    torch = pytorch_tag.removeprefix("v")
    if "vision_tag" not in said:
        known = _vision_of(torch, torch_musa_tag)
        if not known:
            said.fault(
                "vision_tag",
                f" is not given, and which torchvision goes with PyTorch {pytorch_tag} is not recorded",
                "name its tag, such as --vision_tag v0.15.2",
            )
        return known
    tag = read_revision(said, "vision_tag")
    if unpaired:
        return tag
    fit = vision.fits("torchvision", tag.removeprefix("v"), torch)
    wanted = fit.wanted.removeprefix("==")
    # Compiled beside it, a release takes every patch release of the torch that it was made for.
    if fit.fits is False and first_parts(wanted, 2) != first_parts(torch, 2):
        known = _vision_of(torch, torch_musa_tag)
        said.fault(
            "vision_tag",
            f" is {tag}, which needs torch {wanted}, and {said.name('pytorch_tag')} is {pytorch_tag}",
            f"take torchvision {known}"
            if known
            else f"take the torchvision that goes with PyTorch {pytorch_tag}",
        )
    return tag


def _vision_of(torch: str, torch_musa_tag: str) -> str:
    """Moore Threads' own pairing, for the tag or any release with this torch, else PyTorch's; empty when unknown."""
    own = musa.release(torch_musa_tag.removeprefix("v")) if torch_musa_tag.startswith("v") else None
    pairs = [one.torchvision for one in (own, *musa.releases_for_torch(torch)) if one is not None]
    for text in pairs:
        # 0.15.2a0+fa99a53 is what the source of the tag v0.15.2 calls itself; what ends in -musa is a fork's.
        if found := re.fullmatch(r"(\d+\.\d+\.\d+)(?:a0\+[0-9a-f]+)?", text):
            return f"v{found[1]}"
    known = vision.companions(torch).torchvision
    return f"v{known[0]}" if known else ""
