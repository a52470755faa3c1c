import json
from dataclasses import replace

import pytest

from layerwright.core.errors import BuildError, IntegrityError
from layerwright.oci.digest import Digest
from layerwright.oci.image import LAYER_LIMIT, Image, build_image, parse_image
from layerwright.oci.layer import GZIP_LAYER, TAR_LAYER, Layer
from layerwright.oci.platform import Platform
from layerwright.oci.validate import validate
from support.oci import MemoryBlobs, random_image, tar_of_files


def changed(image: Image, **config: object) -> Image:
    """The image with fields of its config replaced, and a manifest that fits."""
    data = json.dumps({**json.loads(image.config), **config}).encode()
    manifest = json.loads(image.manifest)
    manifest["config"].update(digest=Digest.of(data), size=len(data))
    return replace(image, config=data, manifest=json.dumps(manifest).encode())


def test_the_bytes_of_an_image_never_change() -> None:
    layer = Layer(
        diff_id=Digest.of(b"tar"), digest=Digest.of(b"blob"), size=4, tar_size=3, created_by="torch 2.13.0"
    )
    image = build_image(layers=[layer], env={"A": "图"}, command=["python"])
    assert image.config == (
        b'{"architecture":"amd64","config":{"Cmd":["python"],"Env":["A=\xe5\x9b\xbe"]},'
        b'"created":"1970-01-01T00:00:00Z","history":['
        b'{"created":"1970-01-01T00:00:00Z","created_by":"torch 2.13.0"},'
        b'{"created":"1970-01-01T00:00:00Z","created_by":"ENV A=\xe5\x9b\xbe","empty_layer":true},'
        b'{"created":"1970-01-01T00:00:00Z","created_by":"CMD [\\"python\\"]","empty_layer":true}],'
        b'"os":"linux","rootfs":{"diff_ids":["' + Digest.of(b"tar").encode() + b'"],"type":"layers"}}'
    )
    config = Digest.of(image.config)
    assert image.manifest.decode() == (
        f'{{"config":{{"digest":"{config}","mediaType":"application/vnd.oci.image.config.v1+json",'
        f'"size":{len(image.config)}}},"layers":[{{"digest":"{Digest.of(b"blob")}",'
        '"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","size":4}],'
        '"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2}'
    )


def test_an_image_agrees_with_itself() -> None:
    image, blobs = random_image(1, layers=6)
    validate(image, blobs)
    read = parse_image(image.manifest, image.config)
    assert [layer.created_by for layer in read.layers] == [f"layer {number}" for number in range(6)]
    assert {layer.tar_size for layer in read.layers} == {0}
    assert {layer.media_type for layer in read.layers} == {GZIP_LAYER, TAR_LAYER}


@pytest.mark.parametrize("what", ["blobs", "tars"])
def test_validate_sees_one_changed_byte(what: str) -> None:
    image, blobs = random_image(1)
    held = getattr(blobs, what)
    digest = next(iter(held))
    held[digest] = held[digest][:-1] + bytes([held[digest][-1] ^ 1])
    with pytest.raises(IntegrityError, match="layer"):
        validate(image, blobs)


def test_validate_sees_layers_that_the_manifest_does_not_have() -> None:
    image, blobs = random_image(1)
    with pytest.raises(IntegrityError, match="not those"):
        validate(replace(image, layers=image.layers[::-1]), blobs)
    with pytest.raises(IntegrityError, match="bytes"):
        validate(replace(image, layers=(*image.layers[:2], replace(image.layers[2], tar_size=1))), blobs)
    with pytest.raises(IntegrityError, match="arm64"):
        validate(replace(image, platform=Platform(architecture="arm64")), blobs)


def test_settings_on_a_base() -> None:
    blobs = MemoryBlobs()
    base = build_image(
        layers=[blobs.add(tar_of_files({"a": b"1"}), created_by="the base")],
        env={"PATH": "/bin", "LANG": "C"},
        command=["/bin/sh"],
        labels={"maker": "me", "kept": "yes"},
        workdir="/w",
        user="1000",
    )
    image = build_image(
        base=base,
        layers=[blobs.add(tar_of_files({"b": b"2"}), created_by="wheels")],
        env={"Z": "图", "PATH": "/opt/venv/bin:/bin", "A": "x=y", "LANG": "C"},
        entrypoint=["python"],
        labels={"maker": "you"},
    )
    validate(image, blobs)
    settings = image.settings
    assert list(settings.env.items()) == [
        ("LANG", "C"),
        ("PATH", "/opt/venv/bin:/bin"),
        ("A", "x=y"),
        ("Z", "图"),
    ]
    assert (settings.entrypoint, settings.command) == (("python",), ()), (
        "a new entrypoint drops the base's command"
    )
    assert (settings.workdir, settings.user) == ("/w", "1000")
    assert settings.labels == {"maker": "you", "kept": "yes"}
    history = json.loads(image.config)["history"]
    assert [entry["created_by"] for entry in history][-5:] == [
        "ENV A=x=y",
        "ENV PATH=/opt/venv/bin:/bin",
        "ENV Z=图",
        "LABEL maker=you",
        'ENTRYPOINT ["python"]',
    ]
    assert history[0]["created_by"] == "the base"
    assert [entry["created_by"] for entry in history if not entry.get("empty_layer")] == [
        "the base",
        "wheels",
    ]
    assert build_image(base=base, entrypoint=["a"], command=["b"]).settings.command == ("b",)
    assert build_image(base=base).settings.command == ("/bin/sh",)


def test_a_bases_other_settings_pass_on_and_dockers_leftovers_do_not() -> None:
    image, _ = random_image(1)
    base = changed(
        image,
        container="abc",
        docker_version="20",
        author="me",
        config={
            "ExposedPorts": {"80/tcp": {}},
            "Volumes": {"/v": {}, "/a": None},
            "StopSignal": "SIGINT",
            "Env": None,
        },
    )
    config = json.loads(build_image(base=base, env={"A": "1"}).config)
    assert config["config"] == {
        "Env": ["A=1"],
        "ExposedPorts": {"80/tcp": {}},
        "StopSignal": "SIGINT",
        "Volumes": {"/v": {}, "/a": None},
    }
    assert config["author"] == "me"
    assert {"container", "docker_version"}.isdisjoint(config)
    assert base.settings.volumes == ("/a", "/v")
    assert base.settings.stop_signal == "SIGINT"


def test_a_base_with_a_history_that_does_not_fit_gets_a_new_one() -> None:
    image, blobs = random_image(1)
    base = changed(image, history=[{"created_by": "squashed"}])
    built = build_image(base=base, layers=image.layers[:1])
    validate(built, blobs)
    entries = json.loads(built.config)["history"]
    assert sum(not entry.get("empty_layer") for entry in entries) == 4


def test_docker_takes_125_layers() -> None:
    blobs = MemoryBlobs()
    layers = [blobs.add(tar_of_files({f"{n}": b""})) for n in range(LAYER_LIMIT + 1)]
    base = build_image(layers=layers[:100])
    assert len(build_image(base=base, layers=layers[100:125]).layers) == 125
    with pytest.raises(BuildError, match="126 layers"):
        build_image(base=base, layers=layers[100:])


def test_the_base_must_be_for_the_platform() -> None:
    base, _ = random_image(1, platform=Platform(architecture="arm64"))
    assert build_image(base=base).platform.architecture == "arm64"
    with pytest.raises(BuildError, match=r"linux/arm64.*linux/amd64"):
        build_image(base=base, platform=Platform())


def test_dockers_media_types_are_read() -> None:
    image, blobs = random_image(1)
    text = image.manifest.decode()
    for ours, theirs in (
        ("vnd.oci.image.layer.v1.tar+gzip", "vnd.docker.image.rootfs.diff.tar.gzip"),
        ('vnd.oci.image.layer.v1.tar"', 'vnd.docker.image.rootfs.diff.tar"'),
        ("vnd.oci.image.config.v1", "vnd.docker.container.image.v1"),
        ("vnd.oci.image.manifest.v1", "vnd.docker.distribution.manifest.v2"),
    ):
        assert ours in text
        text = text.replace(ours, theirs)
    read = parse_image(text.encode(), image.config)
    assert read.media_type == "application/vnd.docker.distribution.manifest.v2+json"
    assert [layer.media_type for layer in read.layers] == [layer.media_type for layer in image.layers]
    validate(read, blobs)
    assert build_image(base=read).media_type == "application/vnd.oci.image.manifest.v1+json"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b'"size":', b'"sIze":', "'size' is missing"),
        (b'"size":', b'"size":-', "not a number|bytes"),
        (b'"layers":[', b'"layers":[1,', "array of objects"),
        (b"sha256:", b"md5:", "not a sha256"),
        (b'"config":{', b'"konfig":{', "'config' is missing"),
        (b"{", b"", "not JSON"),
        (b"{", b"[" * 100_000, "not JSON"),
        (b"\x7b", b"\xff", "not JSON"),
    ],
)
def test_a_lying_manifest(old: bytes, new: bytes, words: str) -> None:
    image, _ = random_image(1)
    assert old in image.manifest
    with pytest.raises(IntegrityError, match=words):
        parse_image(image.manifest.replace(old, new, 1), image.config)


def test_a_config_that_is_not_the_manifests() -> None:
    image, _ = random_image(1)
    with pytest.raises(IntegrityError, match="bytes"):
        parse_image(image.manifest, image.config + b" ")
    with pytest.raises(IntegrityError, match="digest"):
        parse_image(image.manifest, image.config.replace(b"layer 0", b"layer X"))


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"rootfs": {"diff_ids": []}}, IntegrityError, "3 layers in its manifest and 0"),
        ({"rootfs": {"diff_ids": ["x"] * 3}}, IntegrityError, "not a sha256"),
        ({"rootfs": None}, IntegrityError, "0 in its config"),
        ({"architecture": None}, IntegrityError, "'architecture' is missing"),
        ({"architecture": "s390x"}, BuildError, "s390x"),
        ({"os": "windows"}, BuildError, "windows"),
        ({"history": "x"}, IntegrityError, "history"),
        ({"history": [{"empty_layer": 1}]}, IntegrityError, "empty_layer"),
    ],
)
def test_a_lying_config(fields: dict[str, object], error: type[Exception], words: str) -> None:
    image = changed(random_image(1)[0], **fields)
    with pytest.raises(error, match=words):
        parse_image(image.manifest, image.config)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"Env": "A=1"}, "Env"),
        ({"Entrypoint": [1]}, "Entrypoint"),
        ({"Labels": {"a": 1}}, "Labels"),
        ([], "config"),
    ],
)
def test_lying_settings(fields: object, words: str) -> None:
    image = changed(random_image(1)[0], config=fields)
    with pytest.raises(IntegrityError, match=words):
        _ = image.settings


def test_other_manifests_are_refused() -> None:
    image, _ = random_image(1)
    with pytest.raises(BuildError, match="schema 1"):
        parse_image(b'{"schemaVersion":1,"name":"x"}', image.config)
    with pytest.raises(BuildError, match="index"):
        parse_image(b'{"mediaType":"application/vnd.oci.image.index.v1+json"}', image.config)
    foreign = image.manifest.replace(
        GZIP_LAYER.encode(), b"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    )
    with pytest.raises(BuildError, match="foreign"):
        parse_image(foreign, image.config)
    with pytest.raises(IntegrityError, match="allowed"):
        parse_image(b" " * (5 << 20), image.config)
