"""Files of a folder that somebody else closed."""

from pathlib import Path

import pytest

from layerwright.core.errors import UsageError
from layerwright.oci.files import FolderFiles


@pytest.mark.parametrize("call", ["stat", "open"])
def test_a_closed_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    (tmp_path / "index.json").write_text("{}")

    def closed(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Root may read everything, and tests are often root.
    monkeypatch.setattr(Path, call, closed)
    files = FolderFiles(folder=tmp_path)
    with pytest.raises(UsageError, match=r"you may not read .*index\.json"):
        files.read("index.json", limit=10)
