import gzip
import hashlib
import io
import tarfile
from types import SimpleNamespace

from layerwright.backends.native.files import fetch_file
from layerwright.plan.steps import FetchFile
from layerwright.store import Store


def test_a_model_has_the_mode_that_the_spec_gives(tmp_path):
    (tmp_path / "m").write_bytes(b"model")
    sha256 = hashlib.sha256(b"model").hexdigest()
    with Store(tmp_path / "store") as store:
        store.adopt("files", tmp_path / "m", sha256=sha256)
        step = FetchFile(url="m", sha256=sha256, to="/models/m", mode=0o640)
        [layer] = fetch_file(SimpleNamespace(store=store), step).layers
        tar = gzip.decompress(store.path("blobs", layer.digest.hex).read_bytes())
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        member = archive.getmember("models/m")
        assert (member.mode & 0o7777, archive.extractfile(member).read()) == (0o640, b"model")
