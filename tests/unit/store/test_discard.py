"""What must not be kept goes at once, whoever counts on it, and leaves the store sound."""

from layerwright.oci.digest import Digest
from layerwright.store import Store


def kept(store, data):
    with store.writer("blobs") as out:
        out.write(data)
    return Digest.of(data)


def test_names_of_images_that_stand_on_it_go_with_it(tmp_path):
    store = Store(tmp_path / "store")
    layer, other, manifest = (kept(store, data) for data in (b"layer", b"other", b"manifest"))
    store.set_image("leaky:1", manifest, needs=[("blobs", layer.hex)])
    store.set_image("sound:1", manifest, needs=[("blobs", other.hex)])
    store.discard("blobs", layer.hex)
    store.discard("blobs", layer.hex)  # what is gone is no error
    assert not store.has("blobs", layer.hex)
    assert dict(store.images()) == {"sound:1": manifest}
    assert store.verify().problems == ()
    assert not list((tmp_path / "store" / "blobs").rglob(layer.hex))


def test_records_and_trees(tmp_path):
    store = Store(tmp_path / "store")
    store.write_record("things", "key", b"data")
    store.discard_record("things", "key")
    store.discard_record("things", "key")
    assert store.read_record("things", "key") is None
    with store.make_tree("a" * 64) as root:
        (root / "file").write_text("x")
    store.discard_tree("a" * 64)
    store.discard_tree("a" * 64)
    assert store.tree("a" * 64) is None
    assert list((tmp_path / "store").rglob("file")) == []
