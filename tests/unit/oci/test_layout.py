import json
from dataclasses import replace
from pathlib import Path

import pytest

from layerwright.core.errors import BuildError, IntegrityError
from layerwright.oci.digest import Digest
from layerwright.oci.layout import read_layout, write_layout
from layerwright.oci.platform import Platform
from layerwright.oci.validate import validate
from support.oci import MemoryBlobs, random_image

ARM = Platform(architecture="arm64")


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def edit_index(folder: Path, **fields: object) -> None:
    path = folder / "index.json"
    index = json.loads(path.read_bytes())
    for entry in index["manifests"]:
        entry.update(fields)
    path.write_text(json.dumps(index), encoding="utf-8")


def add_blob(folder: Path, data: bytes) -> dict[str, object]:
    digest = Digest.of(data)
    (folder / "blobs" / "sha256" / digest.hex).write_bytes(data)
    return {"digest": digest, "size": len(data)}


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    image, blobs = random_image(1)
    moved: list[int] = []
    write_layout(tmp_path / "out", [("receipts:1", image)], blobs, progress=moved.append)
    assert sum(moved) == sum(layer.size for layer in image.layers)
    read, source = read_layout(tmp_path / "out")
    assert (read.manifest, read.config, read.platform) == (image.manifest, image.config, image.platform)
    validate(read, source)
    for name in ("receipts:1", "docker.io/library/receipts:1", image.digest):
        assert read_layout(tmp_path / "out", name)[0].digest == image.digest


def test_the_same_images_give_the_same_folder(tmp_path: Path) -> None:
    image, blobs = random_image(1)
    for name in ("a", "b"):
        write_layout(tmp_path / name, [("x:1", image)], blobs)
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b")


def test_blobs_that_are_there_are_left_alone(tmp_path: Path) -> None:
    image, blobs = random_image(1)
    write_layout(tmp_path, [("x:1", image)], blobs)
    blobs.opened.clear()
    write_layout(tmp_path, [("x:1", image)], blobs)
    assert blobs.opened == []
    short = tmp_path / "blobs" / "sha256" / image.layers[0].digest.hex
    short.write_bytes(short.read_bytes()[:-1])
    write_layout(tmp_path, [("x:1", image)], blobs)
    assert blobs.opened == [image.layers[0].digest]
    validate(*read_layout(tmp_path))


def test_other_names_stay_and_keep_what_other_tools_wrote(tmp_path: Path) -> None:
    (one, blobs), (two, _) = random_image(1), random_image(2)
    _, both = random_image(2, blobs=blobs)
    write_layout(tmp_path, [("a:1", one)], both)
    edit_index(tmp_path, artifactType="application/x")
    write_layout(tmp_path, [("b:1", two)], both)
    assert read_layout(tmp_path, "a:1")[0].digest == one.digest
    assert read_layout(tmp_path, "b:1")[0].digest == two.digest
    assert (
        json.loads((tmp_path / "index.json").read_bytes())["manifests"][0]["artifactType"] == "application/x"
    )
    write_layout(tmp_path, [("a:1", two)], both)
    assert read_layout(tmp_path, "a:1")[0].digest == two.digest
    with pytest.raises(BuildError, match="no image named c:1") as caught:
        read_layout(tmp_path, "c:1")
    assert "a:1" in caught.value.hint


def test_several_images_want_a_name(tmp_path: Path) -> None:
    (one, blobs), (two, _) = random_image(1), random_image(2)
    random_image(2, blobs=blobs)
    write_layout(tmp_path, [("a:1", one), ("b:1", two)], blobs)
    with pytest.raises(BuildError, match="several") as caught:
        read_layout(tmp_path)
    assert caught.value.hint == "there are a:1, b:1"
    write_layout(tmp_path, [("b:1", one)], blobs)
    assert read_layout(tmp_path)[0].digest == one.digest, "two names, but one image"


def test_one_name_for_several_platforms(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    amd, _ = random_image(1, blobs=blobs)
    arm, _ = random_image(2, blobs=blobs, platform=ARM)
    write_layout(tmp_path, [("x:1", arm), ("x:1", amd)], blobs)
    assert len(json.loads((tmp_path / "index.json").read_bytes())["manifests"]) == 1
    for name in ("", "x:1"):
        assert read_layout(tmp_path, name)[0].digest == amd.digest
        assert read_layout(tmp_path, name, ARM)[0].digest == arm.digest
    with pytest.raises(BuildError, match="two images for one platform"):
        write_layout(tmp_path, [("x:1", amd), ("x:1", random_image(3, blobs=blobs)[0])], blobs)


def test_nested_indexes_variants_and_attestations(tmp_path: Path) -> None:
    image, blobs = random_image(1, platform=ARM)
    write_layout(tmp_path, [("x:1", image)], blobs)
    entry = json.loads((tmp_path / "index.json").read_bytes())["manifests"][0]
    entry["platform"] = {"os": "linux", "architecture": "arm64", "variant": "v8"}
    attestation = {
        **entry,
        **add_blob(tmp_path, b"{}"),
        "platform": {"os": "unknown", "architecture": "unknown"},
    }
    other = {**entry, **add_blob(tmp_path, b"{ }"), "platform": {"os": "linux", "architecture": "s390x"}}
    for _ in range(2):
        data = json.dumps({"manifests": [attestation, other, entry]}).encode()
        entry = {
            "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
            **add_blob(tmp_path, data),
        }
    edit_index(tmp_path, platform=None, **entry)
    read, source = read_layout(tmp_path, "x:1", ARM)
    validate(read, source)
    with pytest.raises(BuildError, match="no image for linux/amd64"):
        read_layout(tmp_path, "x:1")
    for _ in range(5):
        data = json.dumps({"manifests": [entry]}).encode()
        entry = {"mediaType": "application/vnd.oci.image.index.v1+json", **add_blob(tmp_path, data)}
    edit_index(tmp_path, **entry)
    with pytest.raises(IntegrityError, match="deep"):
        read_layout(tmp_path, "x:1", ARM)


def test_an_image_for_another_platform_is_refused(tmp_path: Path) -> None:
    image, blobs = random_image(1, platform=ARM)
    write_layout(tmp_path, [("x:1", image)], blobs)
    with pytest.raises(BuildError, match="no image for linux/amd64"):
        read_layout(tmp_path, "x:1")
    edit_index(tmp_path, platform=None)
    with pytest.raises(BuildError, match="is for linux/arm64"):
        read_layout(tmp_path, "x:1")


def test_damage_is_found(tmp_path: Path) -> None:
    image, blobs = random_image(1)
    write_layout(tmp_path, [("x:1", image)], blobs)
    whole = snapshot(tmp_path)
    layer = image.layers[0]
    for digest, words in (
        (image.digest, "manifest"),
        (image.config_digest, "config"),
        (layer.digest, "layer"),
    ):
        path = tmp_path / "blobs" / "sha256" / digest.hex
        data = whole[f"blobs/sha256/{digest.hex}"]
        path.write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])
        with pytest.raises(IntegrityError, match=words):
            validate(*read_layout(tmp_path))
        path.write_bytes(data[:-1])
        with pytest.raises(IntegrityError, match=words):
            read_layout(tmp_path)
        path.unlink()
        with pytest.raises(IntegrityError, match=r"no file|missing"):
            read_layout(tmp_path)
        path.write_bytes(data)
    validate(*read_layout(tmp_path))
    edit_index(tmp_path, size=1)
    with pytest.raises(IntegrityError, match="index says 1"):
        read_layout(tmp_path)


def test_folders_with_other_things_are_left_alone(tmp_path: Path) -> None:
    image, blobs = random_image(1)
    (tmp_path / "thesis").touch()
    with pytest.raises(BuildError, match="neither empty nor"):
        write_layout(tmp_path, [("x:1", image)], blobs)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis"]
    with pytest.raises(BuildError, match="not an OCI layout"):
        read_layout(tmp_path)
    with pytest.raises(BuildError, match="cannot write"):
        write_layout(tmp_path / "thesis" / "out", [("x:1", image)], blobs)


def test_a_source_that_lies_leaves_no_blob_and_no_image(tmp_path: Path) -> None:
    image, blobs = random_image(1)
    last = image.layers[-1]
    blobs.blobs[last.digest] = blobs.blobs[last.digest][:-1] + b"!"
    with pytest.raises(IntegrityError, match="blob"):
        write_layout(tmp_path, [("x:1", image)], blobs)
    assert {path.name for path in (tmp_path / "blobs" / "sha256").iterdir()} == {
        layer.digest.hex for layer in image.layers[:-1]
    }
    assert not (tmp_path / "index.json").exists()


def test_what_a_killed_writer_left_is_cleared(tmp_path: Path) -> None:
    image, blobs = random_image(1)
    (tmp_path / "blobs" / "sha256").mkdir(parents=True)
    (tmp_path / "oci-layout").touch()
    (tmp_path / "blobs" / "sha256" / ".0123").write_bytes(b"x")
    write_layout(tmp_path, [("x:1", image)], blobs)
    assert not (tmp_path / "blobs" / "sha256" / ".0123").exists()


def test_a_layer_without_its_tar_size_is_fine(tmp_path: Path) -> None:
    image, blobs = random_image(1)
    unsized = replace(image, layers=tuple(replace(layer, tar_size=0) for layer in image.layers))
    write_layout(tmp_path, [("x:1", unsized)], blobs)
    validate(*read_layout(tmp_path))
