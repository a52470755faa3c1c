import hashlib
import io
import os
import zipfile

import pytest
from installer.sources import WheelFile

from layerwright.core.errors import BuildError
from layerwright.sources.wheelfile import normalise_wheel
from support.packages import make_wheel


def rewritten(data, tmp_path, name="in.whl"):
    source, target = tmp_path / name, tmp_path / f"out-{name}"
    source.write_bytes(data)
    normalise_wheel(source, target)
    return target


def shuffled(data):
    """The same contents as another tool might pack them: reversed, other dates, modes, levels and folders."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for number, info in enumerate(reversed(old.infolist())):
            copy = zipfile.ZipInfo(info.filename, (2001 + number, 2, 3, 4, 5, 6))
            copy.external_attr = 0o100600 << 16
            new.writestr(copy, old.read(info), zipfile.ZIP_DEFLATED, compresslevel=9)
        new.writestr(zipfile.ZipInfo("alpha/", (2001, 1, 1, 0, 0, 0)), b"")
    return buffer.getvalue()


def test_the_same_contents_give_the_same_wheel(tmp_path):
    _, data = make_wheel(
        "alpha", files={"alpha/__init__.py": b"x = 1\n", "alpha/b.py": b"", "專.txt": b"y" * 100_000}
    )
    first, second = rewritten(data, tmp_path, "a.whl"), rewritten(shuffled(data), tmp_path, "b.whl")
    assert first.read_bytes() == second.read_bytes()
    assert rewritten(first.read_bytes(), tmp_path, "c.whl").read_bytes() == first.read_bytes()


def test_members_are_stored_with_one_date_and_plain_modes(tmp_path):
    _, data = make_wheel("alpha")
    with zipfile.ZipFile(rewritten(data, tmp_path)) as wheel:
        infos = wheel.infolist()
    assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}
    assert {info.external_attr >> 16 for info in infos} == {0o100644}
    assert not any(info.flag_bits & 0x08 for info in infos)


def test_what_could_be_run_still_can(tmp_path):
    buffer = io.BytesIO(make_wheel("alpha")[1])
    with zipfile.ZipFile(buffer, "a") as wheel:
        script = zipfile.ZipInfo("alpha-1.0.data/scripts/go")
        script.external_attr = 0o100711 << 16
        wheel.writestr(script, b"#!/bin/sh\n")
    with zipfile.ZipFile(rewritten(buffer.getvalue(), tmp_path)) as wheel:
        assert wheel.getinfo("alpha-1.0.data/scripts/go").external_attr >> 16 == 0o100755


def test_record_is_right_and_signatures_are_gone(tmp_path):
    buffer = io.BytesIO(make_wheel("alpha")[1])
    with zipfile.ZipFile(buffer, "a") as wheel:
        wheel.writestr("alpha/late,with comma.py", b"late")
        wheel.writestr("alpha-1.0.dist-info/RECORD.jws", b"signed")
    target = rewritten(buffer.getvalue(), tmp_path, "alpha-1.0-py3-none-any.whl")
    final = target.rename(tmp_path / "alpha-1.0-py3-none-any.whl")
    with WheelFile.open(final) as wheel:
        wheel.validate_record()
    with zipfile.ZipFile(final) as wheel:
        names = wheel.namelist()
    assert names[-1] == "alpha-1.0.dist-info/RECORD"
    assert "alpha-1.0.dist-info/RECORD.jws" not in names


def test_the_bytes_do_not_change_between_releases(tmp_path):
    _, data = make_wheel("alpha", files={"alpha.py": b"x = 1\n"})
    digest = hashlib.sha256(rewritten(data, tmp_path).read_bytes()).hexdigest()
    assert digest == "b0ca0d39c0c9a7366187b6e9a2443141caf68856afcdf544de52ba1ca6fd7bd0"


@pytest.mark.parametrize("data", [b"no zip", b""])
def test_what_is_no_wheel_is_refused(data, tmp_path):
    with pytest.raises(BuildError, match=r"in\.whl is no wheel"):
        rewritten(data, tmp_path)


def test_a_zip_without_record_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as wheel:
        wheel.writestr("a", os.urandom(4))
    with pytest.raises(BuildError, match="0 RECORD files"):
        rewritten((tmp_path / "x.zip").read_bytes(), tmp_path)
