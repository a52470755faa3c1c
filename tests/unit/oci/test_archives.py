import gzip
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from layerwright.core.errors import BuildError, IntegrityError
from layerwright.oci.archive import docker_archive, oci_archive
from layerwright.oci.digest import Digest
from layerwright.oci.image import build_image
from layerwright.oci.platform import Platform
from layerwright.oci.saved import read_archive
from layerwright.oci.validate import validate
from support.oci import MemoryBlobs, random_image, tar_of_files


def members(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def save(path: Path, files: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type = tarfile.SYMTYPE
            member.linkname = target
            tar.addfile(member)
    return path


def write(path: Path, archive: bytes) -> Path:
    path.write_bytes(archive)
    return path


def test_a_docker_archive_holds_plain_tars(tmp_path: Path) -> None:
    image, blobs = random_image(1)
    archive = b"".join(docker_archive([(["a:1", "b:2"], image)], blobs))
    assert archive == b"".join(docker_archive([(["a:1", "b:2"], image)], blobs, check=False))
    found = members(archive)
    (entry,) = json.loads(found["manifest.json"])
    assert entry["RepoTags"] == ["a:1", "b:2"]
    assert found[entry["Config"]] == image.config
    assert [Digest.of(found[name]) for name in entry["Layers"]] == [layer.diff_id for layer in image.layers]
    path = write(tmp_path / "x.tar", archive)
    for name in ("", "a:1", "docker.io/library/b:2", image.config_digest, image.config_digest.hex):
        read, source = read_archive(path, name)
        assert read.config == image.config
        assert [layer.created_by for layer in read.layers] == [layer.created_by for layer in image.layers]
        assert [layer.tar_size for layer in read.layers] == [layer.tar_size for layer in image.layers]
        validate(read, source)


def test_leading_layers_can_be_left_out() -> None:
    blobs = MemoryBlobs()
    layers = [blobs.add(tar_of_files({name: name.encode()})) for name in "aba"]
    image = build_image(layers=layers)
    for omit, expected in ((0, {0, 1}), (1, {0, 1}), (2, {0}), (3, set())):
        found = members(b"".join(docker_archive([(["x:1"], image)], blobs, omit=omit)))
        tars = {name for name in found if name.endswith("layer.tar")}
        assert tars == {f"{layers[number].diff_id.hex}/layer.tar" for number in expected}
        assert len(json.loads(found["manifest.json"])[0]["Layers"]) == 3


def test_layers_of_unknown_tar_size_are_counted_first() -> None:
    image, blobs = random_image(1)
    unsized = replace(image, layers=tuple(replace(layer, tar_size=0) for layer in image.layers))
    assert b"".join(docker_archive([([], unsized)], blobs)) == b"".join(docker_archive([([], image)], blobs))


@pytest.mark.parametrize("check", [True, False])
def test_a_tar_of_another_size_stops_the_stream(check: bool) -> None:
    image, blobs = random_image(1)
    diff_id = image.layers[0].diff_id
    for data in (blobs.tars[diff_id] + b"x", blobs.tars[diff_id][:-1]):
        blobs.tars[diff_id] = data
        with pytest.raises(IntegrityError, match="tar of layer"):
            b"".join(docker_archive([([], image)], blobs, check=check))


def test_a_changed_byte_is_seen_when_asked() -> None:
    image, blobs = random_image(1)
    diff_id = image.layers[0].diff_id
    blobs.tars[diff_id] = b"!" + blobs.tars[diff_id][1:]
    b"".join(docker_archive([([], image)], blobs, check=False))
    with pytest.raises(IntegrityError, match="digest"):
        b"".join(docker_archive([([], image)], blobs))


def test_an_archive_of_several_images_shares_layers(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    one, _ = random_image(1, blobs=blobs)
    two = build_image(base=one, layers=random_image(2, blobs=blobs)[0].layers[:1])
    path = write(tmp_path / "x.tar", b"".join(docker_archive([(["a:1"], one), (["b:1"], two)], blobs)))
    with tarfile.open(path) as tar:
        assert len(tar.getnames()) == len(set(tar.getnames())) == 1 + 2 + 4
    for name, image in (("a:1", one), ("b:1", two)):
        read, source = read_archive(path, name)
        assert read.config == image.config
        validate(read, source)
    with pytest.raises(BuildError, match="2 images") as caught:
        read_archive(path)
    assert caught.value.hint == "there are a:1, b:1"
    with pytest.raises(BuildError, match="no image named"):
        read_archive(path, "c:1")


def test_an_oci_archive_is_a_layout(tmp_path: Path) -> None:
    image, blobs = random_image(1)
    archive = b"".join(oci_archive([("x:1", image)], blobs))
    assert next(iter(members(archive))) == "oci-layout"
    read, source = read_archive(write(tmp_path / "x.tar", archive), "x:1")
    assert read.manifest == image.manifest
    validate(read, source)
    arm = Platform(architecture="arm64")
    other, _ = random_image(2, platform=arm, blobs=blobs)
    path = write(tmp_path / "y.tar", b"".join(oci_archive([("x:1", image), ("x:1", other)], blobs)))
    assert read_archive(path, "x:1")[0].digest == image.digest
    assert read_archive(path, "", arm)[0].digest == other.digest


def test_old_docker_save_links_equal_layers(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    layer = blobs.add(tar_of_files({"a": b"1"}))
    image = build_image(layers=[layer, layer])
    manifest = [{"Config": "c.json", "RepoTags": None, "Layers": ["1/layer.tar", "2/layer.tar"]}]
    files = {
        "./manifest.json": json.dumps(manifest).encode(),
        "c.json": image.config,
        "1/layer.tar": blobs.tars[layer.diff_id],
    }
    path = save(tmp_path / "x.tar", files, {"2/layer.tar": "../1/layer.tar"})
    validate(*read_archive(path))
    with pytest.raises(IntegrityError, match="is missing"):
        read_archive(save(tmp_path / "y.tar", files, {"2/layer.tar": "../../../etc/passwd"}))
    with pytest.raises(IntegrityError, match="is missing"):
        read_archive(save(tmp_path / "z.tar", files, {"2/layer.tar": "../2/layer.tar"}))


def test_new_docker_save_is_a_layout_too(tmp_path: Path) -> None:
    image, blobs = random_image(1)
    files = members(b"".join(oci_archive([("1", image)], blobs)))
    index = json.loads(files["index.json"])
    index["manifests"][0]["annotations"]["io.containerd.image.name"] = "docker.io/library/x:1"
    files |= {"index.json": json.dumps(index).encode(), "manifest.json": b"[]"}
    path = save(tmp_path / "x.tar", files)
    for name in ("", "x:1", "docker.io/library/x:1"):
        assert read_archive(path, name)[0].digest == image.digest


def test_gzipped_layers_and_gzipped_archives(tmp_path: Path) -> None:
    image, blobs = random_image(1)
    layers = [f"{number}.tar.gz" for number in range(3)]
    files = {
        "manifest.json": json.dumps([{"Config": "c", "RepoTags": ["x:1"], "Layers": layers}]).encode(),
        "c": image.config,
    }
    files |= {
        name: gzip.compress(blobs.tars[layer.diff_id])
        for name, layer in zip(layers, image.layers, strict=True)
    }
    path = save(tmp_path / "x.tar", files)
    validate(*read_archive(path))
    packed = write(tmp_path / "x.tar.gz", gzip.compress(path.read_bytes()))
    (tmp_path / "scratch").mkdir()
    validate(*read_archive(packed, scratch=tmp_path / "scratch"))
    with pytest.raises(BuildError, match="compressed"):
        read_archive(packed)


def test_lies_in_an_archive(tmp_path: Path) -> None:
    image, blobs = random_image(1)
    whole = members(b"".join(docker_archive([(["x:1"], image)], blobs)))
    entry = json.loads(whole["manifest.json"])[0]

    def archive(**changes: bytes | dict[str, object]) -> Path:
        manifest = changes.pop("manifest", json.dumps([entry]).encode())
        files = {
            **whole,
            "manifest.json": manifest if isinstance(manifest, bytes) else json.dumps([manifest]).encode(),
        }
        return save(tmp_path / "lie.tar", files)

    for manifest, words in (
        (b"{", "not JSON"),
        (b"{}", "array of objects"),
        ({**entry, "Config": "absent"}, "no file absent"),
        ({**entry, "Config": "../../etc/passwd"}, "no file"),
        ({**entry, "Layers": entry["Layers"][:1]}, "1 layers, and 3"),
        ({**entry, "Layers": ["manifest.json"] * 3}, None),
        ({"Layers": []}, "'Config' is missing"),
    ):
        path = archive(manifest=manifest)
        with pytest.raises(IntegrityError, match=words):
            validate(*read_archive(path))
    cut = write(tmp_path / "cut.tar", save(tmp_path / "w.tar", whole).read_bytes()[:-15_000])
    with pytest.raises(IntegrityError):
        validate(*read_archive(cut))


def test_what_is_no_archive(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="No such file"):
        read_archive(tmp_path / "absent.tar")
    with pytest.raises(IntegrityError, match="not a tar archive"):
        read_archive(write(tmp_path / "x", b"hello" * 1000))
    with pytest.raises(BuildError, match="no image archive"):
        read_archive(write(tmp_path / "y", tar_of_files({"a": b""})))
    image, blobs = random_image(1, platform=Platform(architecture="arm64"))
    with pytest.raises(BuildError, match="is for linux/arm64"):
        read_archive(write(tmp_path / "z", b"".join(docker_archive([([], image)], blobs))))


def test_sizes_from_8_gib_on_fit_the_header() -> None:
    from layerwright.oci.archive import _header

    member = tarfile.TarInfo.frombuf(_header("x/layer.tar", 9 << 30), "utf-8", "strict")
    assert member.size == 9 << 30
