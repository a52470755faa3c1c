from pathlib import Path

import pytest

from layerwright.core.errors import BuildError
from layerwright.sandbox.model import Bind, Capabilities, Command, Secret
from layerwright.sandbox.mounts import mount_points, mounts_for
from layerwright.sandbox.rootfs import MOST_LOWERS, Rootfs, assemble
from layerwright.sandbox.runners import bundle_config

CAPABILITIES = Capabilities(
    root=True,
    overlay=True,
    overlay_options=("volatile",),
    mount_namespace=True,
    network_namespace=True,
    runners=("namespaces",),
    chroot=True,
)


@pytest.fixture
def rootfs(tmp_path: Path) -> Rootfs:
    return Rootfs(path=tmp_path / "root", upper=tmp_path / "upper", lowers=(), work=tmp_path)


def command(**fields: object) -> Command:
    defaults: dict[str, object] = {"argv": ("prog", "a b"), "env": {"A": "1"}}
    return Command(**{**defaults, **fields})  # type: ignore[arg-type]


def test_a_bundle_gives_no_rights_that_docker_would_not(rootfs: Rootfs) -> None:
    asked = command(uid=1000, gid=1001)
    config = bundle_config(rootfs, asked, mounts_for(rootfs, asked, CAPABILITIES), groups=[44])
    process = config["process"]
    assert process["args"] == ["prog", "a b"]
    assert process["user"] == {"uid": 1000, "gid": 1001, "additionalGids": [44]}
    assert process["noNewPrivileges"] is True
    assert process["terminal"] is False
    assert "CAP_SYS_ADMIN" not in process["capabilities"]["bounding"]
    assert "rlimits" not in process
    assert "/proc/sys" in config["linux"]["readonlyPaths"]
    assert "/proc/kcore" in config["linux"]["maskedPaths"]


def test_binds_keep_their_order_and_rights(rootfs: Rootfs, tmp_path: Path) -> None:
    asked = command(
        binds=(Bind(source=tmp_path, target="/a", read_only=True), Bind(source=tmp_path, target="/a/b"))
    )
    mounts = mounts_for(rootfs, asked, CAPABILITIES)
    config = bundle_config(rootfs, asked, mounts, groups=[])
    shown = [
        (m["destination"], "ro" in m["options"]) for m in config["mounts"] if m["source"] == str(tmp_path)
    ]
    assert shown == [("/a", True), ("/a/b", False)]


def test_mount_points_below_a_mount_are_not_made_in_the_tree(rootfs: Rootfs) -> None:
    asked = command(secrets=(Secret(name="t", value=b"v"),))
    points = dict(mount_points(mounts_for(rootfs, asked, CAPABILITIES)))
    assert points["/dev"] is True
    assert points["/etc/hosts"] is False
    assert points["/run/secrets"] is True
    assert not any(point.startswith(("/dev/", "/run/secrets/")) for point in points)


def test_values_of_secrets_are_not_shown() -> None:
    assert "hunter2" not in repr(Secret(name="t", value=b"hunter2"))


def test_too_many_layers_are_told(tmp_path: Path) -> None:
    with (
        pytest.raises(BuildError, match="501 layers"),
        assemble([tmp_path] * (MOST_LOWERS + 1), scratch=tmp_path, capabilities=CAPABILITIES),
    ):
        pass


def test_five_hundred_layers_fit_one_page_of_options(tmp_path: Path) -> None:
    with assemble([tmp_path] * MOST_LOWERS, scratch=tmp_path, capabilities=CAPABILITIES) as rootfs:
        assert len(rootfs.options) < 4096


def test_capabilities_survive_a_cache_and_damage_does_not() -> None:
    assert Capabilities.from_json(CAPABILITIES.to_json()) == CAPABILITIES
    for damaged in (
        b"",
        b"{}",
        b"[]",
        b'{"format": 1}',
        CAPABILITIES.to_json().replace(b'"format": 1', b'"format": 0'),
    ):
        assert Capabilities.from_json(damaged) is None


def test_files_are_found_through_the_image_s_own_links(tmp_path: Path) -> None:
    low, high = tmp_path / "low", tmp_path / "high"
    (low / "usr/bin").mkdir(parents=True)
    (low / "bin").symlink_to("usr/bin")
    (low / "usr/bin/python3.11").write_text("")
    high.mkdir()
    (high / "python").symlink_to("/bin/python3.11")
    (high / "loop").symlink_to("loop")
    with assemble([low, high], scratch=tmp_path, capabilities=CAPABILITIES) as rootfs:
        assert rootfs.find("/python") == low / "usr/bin/python3.11"
        assert rootfs.find("/bin/../bin/python3.11") == low / "usr/bin/python3.11"
        assert rootfs.find("/loop") is None
        assert rootfs.find("/nonesuch") is None
