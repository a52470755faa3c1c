"""``--secret-file``."""

import pytest

from layerwright.core.errors import UsageError
from layerwright.verify.secrets import read_secret_files


def test_with_and_without_a_name(tmp_path):
    (tmp_path / "token").write_bytes(b"Zx81kfjqP0\n")
    (tmp_path / "a=b").write_bytes(b"other-one")
    assert read_secret_files([f"api={tmp_path}/token", f"{tmp_path}/token", f"{tmp_path}/a=b"]) == {
        "api": b"Zx81kfjqP0",
        "token": b"Zx81kfjqP0",
        "a=b": b"other-one",
    }


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing", None, "cannot read the secret file .*No such file"),
        ("empty", b"\n", "is empty"),
        ("large", b"x" * ((1 << 20) + 1), "larger than 1 MiB"),
    ],
)
def test_refusals(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=words):
        read_secret_files([f"token={tmp_path}/{name}"])


def test_one_name_twice(tmp_path):
    (tmp_path / "token").write_bytes(b"Zx81kfjqP0")
    with pytest.raises(UsageError, match="'token' is given twice"):
        read_secret_files([f"{tmp_path}/token"] * 2)
