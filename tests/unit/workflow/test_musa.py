"""Files and folders that the front end of the container scripts takes, without network, engine or git."""

import hashlib
from pathlib import Path

import pytest

from layerwright.core.errors import IntegrityError, NetworkError, SpecError, UsageError
from layerwright.core.events import SilentReporter
from layerwright.host.environment import HostEnvironment
from layerwright.spec.musa.addresses import Address
from layerwright.workflow.musa_files import RECORD, bring_files
from layerwright.workflow.musa_places import build_folder, find_checkout
from layerwright.workflow.musa_scripts import write_scripts
from layerwright.workflow.session import Session


def session(folder: Path, **variables: str) -> Session:
    return Session(
        host=HostEnvironment.gather({"HOME": str(folder / "home"), "PATH": "", **variables}),
        reporter=SilentReporter(),
        start=folder,
        spec_file=None,
        store_root=folder / "store",
        offline=True,
    )


def address(path: Path | str, *, sha256: str = "") -> Address:
    return Address(field="mccl_url", url=str(path), sha256=sha256, file=str(path).rpartition("/")[2])


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "mccl.tar"
    path.write_bytes(b"one")
    return path


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_the_first_that_came_is_the_one(tmp_path: Path, archive: Path) -> None:
    found = bring_files(session(tmp_path), [address(archive)], tmp_path)
    assert found == {str(archive): digest(b"one")}
    text = (tmp_path / RECORD).read_text(encoding="utf-8")
    assert digest(b"one") in text
    archive.write_bytes(b"two")
    # The store has what was taken; nothing looks at what the address has by now.
    assert bring_files(session(tmp_path), [address(archive)], tmp_path) == found
    other = Session(**{name: getattr(session(tmp_path), name) for name in Session.__struct_fields__} | {
        "store_root": tmp_path / "other"
    })  # fmt: skip
    with pytest.raises(IntegrityError, match="is not what it was") as caught:
        bring_files(other, [address(archive)], tmp_path)
    assert str(tmp_path / RECORD) in caught.value.hint
    assert (tmp_path / RECORD).read_text(encoding="utf-8") == text


def test_a_digest_in_the_address_needs_no_record(tmp_path: Path, archive: Path) -> None:
    bring_files(session(tmp_path), [address(archive, sha256=digest(b"one"))], tmp_path)
    assert not (tmp_path / RECORD).exists()
    with pytest.raises(IntegrityError) as caught:
        bring_files(session(tmp_path), [address(archive, sha256=digest(b"two"))], tmp_path)
    assert "write its digest into the address" in caught.value.hint


def test_what_has_come_is_recorded_whatever_becomes_of_the_others(tmp_path: Path, archive: Path) -> None:
    gone = address("https://example.org/mudnn.tar")
    with pytest.raises(NetworkError, match="--mccl_url"):
        bring_files(session(tmp_path), [address(archive), gone], tmp_path)
    assert digest(b"one") in (tmp_path / RECORD).read_text(encoding="utf-8")
    missing: dict[str, Exception] = {}
    bring_files(session(tmp_path), [gone, address(archive)], tmp_path, missing=missing)
    assert list(missing) == [gone.url]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--mccl_url: cannot read"):
        bring_files(session(tmp_path), [address(tmp_path / "none.tar")], tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[file]]\nurl = 1\n", "is damaged"),
        ("\x00", "is damaged"),
        ("version = 2\n", "has version 2, and 1 is known"),
        ("#" * (2**20 + 1), "is larger than 1 MiB"),
    ],
)
def test_a_record_that_cannot_be_understood_is_never_written_over(
    tmp_path: Path, archive: Path, text: str, told: str
) -> None:
    (tmp_path / RECORD).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=told):
        bring_files(session(tmp_path), [address(archive)], tmp_path)
    assert (tmp_path / RECORD).read_text(encoding="utf-8") == text


def test_the_build_folder_is_made_and_kept(tmp_path: Path) -> None:
    assert build_folder(session(tmp_path), make=False) == tmp_path / "tmp"
    assert not (tmp_path / "tmp").exists()
    named = session(tmp_path, DOCKER_BUILD_DIR="a/b")
    assert build_folder(named) == tmp_path / "a" / "b"
    (tmp_path / "a" / "b" / "mine").touch()
    assert build_folder(named).joinpath("mine").exists()
    (tmp_path / "file").touch()
    with pytest.raises(SpecError, match=r"names .*, which is no folder"):
        build_folder(session(tmp_path, DOCKER_BUILD_DIR="file"))


def test_a_checkout_is_looked_for_where_the_documents_say(tmp_path: Path) -> None:
    home = find_checkout(session(tmp_path), "PYTORCH_REPO_ROOT_PATH", "pytorch")
    assert (home.folder, home.named) == (tmp_path / "home" / "pytorch", False)
    named = find_checkout(
        session(tmp_path, PYTORCH_REPO_ROOT_PATH="roots"), "PYTORCH_REPO_ROOT_PATH", "pytorch"
    )
    assert (named.folder, named.named, named.there) == (tmp_path / "roots" / "pytorch", True, False)


def test_scripts_are_written_once_and_other_scripts_are_left_alone(tmp_path: Path) -> None:
    files = write_scripts(tmp_path / "docker")
    assert [path.name for path in files] == ["build_base.sh", "build.sh", "build_all.sh"]
    assert all(path.stat().st_mode & 0o111 for path in files)
    assert write_scripts(tmp_path / "docker") == files
    files[1].write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="exists already, and is another script"):
        write_scripts(tmp_path / "docker")
    assert files[1].read_text(encoding="utf-8") == "mine"
