"""Health checks whose program is there, and whose program is not."""

from pathlib import Path

import pytest

from layerwright.oci.image import build_image
from layerwright.verify import Inspection, read_contents
from layerwright.verify.checks import health
from support.made_image import Link, Put, debian, tar_layer
from support.oci import MemoryBlobs

FILES = {
    "usr/local/bin/check-device": Put(data=b"#!/bin/sh\n", mode=0o755),
    "usr/local/bin/weak": Put(data=b"#!/bin/sh\n"),
    "usr/bin/linked": Link(target="/usr/local/bin/check-device"),
}


def judged(scratch: Path, *command: str) -> list[str]:
    blobs = MemoryBlobs()
    layers = [blobs.add(tar_layer(files)) for files in (debian(), FILES)]
    image = build_image(
        layers=layers, env={"PATH": "/usr/local/bin:/usr/bin"}, workdir="/usr", health=command
    )
    contents = read_contents(image, blobs, scratch=scratch)
    return [one.message for one in health.check(Inspection(name="made:1", contents=contents))]


@pytest.mark.parametrize(
    "command",
    [(), ("/usr/local/bin/check-device", "--quick"), ("check-device",), ("linked",), ("bin/linked",)],
)
def test_f17_a_program_that_is_there(tmp_path: Path, command: tuple[str, ...]) -> None:
    assert judged(tmp_path, *command) == []


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("/usr/bin/check-device",), "runs /usr/bin/check-device, which is not in the image"),
        (("nothing", "x"), "runs nothing, which is not in the image"),
        (("weak",), "runs weak, which may not be started"),
        (("/usr/local/bin",), "may not be started"),
    ],
)
def test_f17_a_program_that_cannot_run(tmp_path: Path, command: tuple[str, ...], words: str) -> None:
    (message,) = judged(tmp_path, *command)
    assert words in message
