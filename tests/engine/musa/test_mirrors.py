"""A machine's mirror is asked, and the lock does not know of it."""

from pathlib import Path

import pytest

from support.command import new_project

pytestmark = [pytest.mark.engine, pytest.mark.network]

MIRROR = "https://deb.debian.org/debian https://deb.debian.org/debian-security"
"""Another address than the one that images name, of the same archive."""


def test_f19_a_mirror_for_an_image_that_names_its_own_sources(
    tmp_path: Path, home: Path, debian_layout: Path, debian_store: Path
) -> None:
    project = new_project(tmp_path / "project", home=home, store=debian_store, base=f"oci:{debian_layout}")
    project.spec('[images.app]\napt = ["ed"]\n')
    project("lock")
    first = project.lock.read_text()
    assert "http://deb.debian.org/debian/pool/main/e/ed/ed_" in first
    project.lock.unlink()
    project.command.with_variables(LAYERWRIGHT_DEBIAN_MIRROR=MIRROR)("lock")
    assert project.lock.read_text() == first
    project.lock.unlink()
    # It is the mirror that is asked.
    done = project.command.with_variables(LAYERWRIGHT_DEBIAN_MIRROR="http://127.0.0.1:9/debian")(
        "lock", status=6
    )
    assert "127.0.0.1:9" in done.err
    done = project.command.with_variables(LAYERWRIGHT_MIRRORS="nowhere")("lock", status=2)
    assert "it takes tuna, ustc, aliyun, or none" in done.err
