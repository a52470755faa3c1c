"""Model packages that a task starts from: what is unpacked, and what is not."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from layerwright.core.errors import UsageError
from layerwright.harness.start_model import StartModel, unpack_model
from layerwright.ymir.package import PackageInfo


def package(file: Path, **members: bytes) -> Path:
    with tarfile.open(file, "w:gz") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            member.mode = 0o666
            archive.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("attachments/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return file


def model(file: Path) -> StartModel:
    info = PackageInfo(object_type=2, class_names=("cat",), stages={"best": ("a.pt",)}, best="best")
    return StartModel(package=file, stage="best", info=info)


def test_without_the_filters_of_newer_pythons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(tarfile, "FilterError", raising=False)  # Debian 12 has Python 3.11.2
    monkeypatch.delattr(tarfile.TarFile, "extract")
    file = package(tmp_path / "p", **{"best/a.pt": b"a", "last/b.pt": b"b", "attachments/c/d": b"d"})
    assert unpack_model(tmp_path / "m", model(file)) == ("/in/models/best/a.pt",)
    found = {
        str(one.relative_to(tmp_path / "m")): one for one in (tmp_path / "m").rglob("*") if not one.is_dir()
    }
    assert sorted(found) == ["attachments/c/d", "best/a.pt"]
    assert found["best/a.pt"].read_bytes() == b"a"
    assert found["best/a.pt"].stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("name", ["attachments/../../out", "attachments/../../../etc/x"])
def test_names_that_lead_out(tmp_path: Path, name: str) -> None:
    file = package(tmp_path / "p", **{"best/a.pt": b"a", name: b"x"})
    with pytest.raises(UsageError, match="leads out of the package"):
        unpack_model(tmp_path / "w", model(file))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["p", "w"]


def test_a_package_that_is_cut_off(tmp_path: Path) -> None:
    data = package(tmp_path / "p", **{"best/a.pt": bytes(range(256)) * 4000}).read_bytes()
    for number, part in enumerate((data[: len(data) // 2], gzip.compress(b"no archive" * 100))):
        (tmp_path / "p").write_bytes(part)
        with pytest.raises(UsageError, match="cannot be unpacked") as caught:
            unpack_model(tmp_path / f"w{number}", model(tmp_path / "p"))
        assert "train again" in caught.value.hint
