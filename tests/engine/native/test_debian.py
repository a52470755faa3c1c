"""A Debian base built for real, and packages installed over it for real."""

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from layerwright.backends.native.apt import install_apt
from layerwright.backends.native.debian import build_base
from layerwright.core.errors import BuildError
from layerwright.core.events import SilentReporter
from layerwright.host.environment import HostEnvironment
from layerwright.host.http import HttpClient
from layerwright.layers import capture_layer, extract_layer
from layerwright.layers.digests import LayerDigests
from layerwright.lock.model import Deb
from layerwright.oci.platform import Platform
from layerwright.sandbox.model import Capabilities
from layerwright.sandbox.rootfs import assemble
from layerwright.sources.apt import AptContext, debian_sources, fetch_debs, resolve_apt, tree_status
from layerwright.store import Store
from support.change import replace
from support.mirror import MIRROR

pytestmark = [pytest.mark.engine, pytest.mark.network]


@contextmanager
def surroundings(umask: int, zone: str) -> Iterator[None]:
    """Another umask and time zone for a while."""
    before = os.umask(umask)
    zone_before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    try:
        yield
    finally:
        os.umask(before)
        os.environ.pop("TZ")
        if zone_before is not None:
            os.environ["TZ"] = zone_before


@pytest.fixture(scope="module")
def base(
    debs: tuple[Deb, ...], store: Store, host: HostEnvironment, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The base's tar."""
    if shutil.which("mmdebstrap") is None:
        pytest.skip("mmdebstrap is not installed")
    scratch = tmp_path_factory.mktemp("base")
    return build_base(debs, suite="bookworm", platform=Platform(), store=store, scratch=scratch, host=host)


@pytest.fixture(scope="module")
def tree(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree") / "base"
    folder.mkdir()
    with base.open("rb") as stream:
        extract_layer(iter(lambda: stream.read(1 << 20), b""), folder, as_root=True)
    return folder


def test_the_same_packages_give_the_same_bytes_anywhere(
    base: Path, debs: tuple[Deb, ...], store: Store, host: HostEnvironment, tmp_path: Path
) -> None:
    other = tmp_path / "a folder of another name"
    other.mkdir()
    with surroundings(0o077, "Asia/Taipei"):
        again = build_base(
            tuple(reversed(debs)),
            suite="bookworm",
            platform=Platform(),
            store=store,
            scratch=other,
            host=host,
        )
    assert digest(again) == digest(base)


def test_nothing_of_this_machine_is_in_a_base(base: Path) -> None:
    with tarfile.open(base) as tar:
        names = {member.name.removeprefix("./"): member for member in tar}
        sources = tar.extractfile(names["etc/apt/sources.list"])
        assert sources is not None
        assert b"http://deb.debian.org/debian bookworm main" in sources.read()
    assert names["etc/resolv.conf"].size == 0
    for absent in ("etc/hostname", "var/cache/ldconfig/aux-cache", "var/log/dpkg.log"):
        assert absent not in names
    of_apt = [name for name in names if name.startswith(("var/lib/apt/lists/", "var/cache/apt/"))]
    assert sum(names[name].size for name in of_apt) == 0  # empty lock files
    assert not any(member.isdev() for member in names.values())
    assert "usr/share/doc/libc6/copyright" in names
    assert not any(name.startswith("usr/share/man/man") for name in names)
    assert names["bin"].linkname == "usr/bin"


def test_packages_give_the_same_layer_with_and_without_mounts(
    tree: Path,
    store: Store,
    host: HostEnvironment,
    context: AptContext,
    capabilities: Capabilities,
    tmp_path: Path,
) -> None:
    sources = debian_sources("bookworm", platform=Platform(), mirror=MIRROR)
    added = resolve_apt(context, ["ca-certificates"], sources=sources, installed=tree_status([tree]))
    fetch_debs(
        added, store, http=HttpClient(variables=host.variables), mirror=MIRROR, reporter=SilentReporter()
    )
    plain = replace(
        capabilities, overlay=False, mount_namespace=False, network_namespace=False, runners=("chroot",)
    )
    layers = []
    for number, found in enumerate((capabilities, plain)):
        scratch = tmp_path / str(number)
        scratch.mkdir()
        layers.append(installed(tree, added, ["ca-certificates"], store, host, found, scratch))
    assert layers[0][0] == layers[1][0]
    with tarfile.open(fileobj=io.BytesIO(layers[0][1])) as tar:
        names = tar.getnames()
        status = tar.extractfile("var/lib/dpkg/status")
        states = tar.extractfile("var/lib/apt/extended_states")
        assert status is not None
        assert states is not None
        assert b"Package: ca-certificates\nStatus: install ok installed" in status.read()
        automatic = states.read()
    assert b"Package: openssl" in automatic
    assert b"Package: ca-certificates" not in automatic
    assert "etc/ssl/certs/ca-certificates.crt" in names
    assert not any(
        name.startswith(("run/", "tmp/", "var/log/", "var/cache/apt", "usr/sbin/policy")) for name in names
    )


def test_a_package_whose_script_fails_is_named(
    tree: Path, store: Store, host: HostEnvironment, capabilities: Capabilities, tmp_path: Path
) -> None:
    broken = made_package(store, tmp_path, "broken", postinst="#!/bin/sh\necho it hurts >&2\nexit 3\n")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with pytest.raises(BuildError, match="broken") as caught:
        installed(tree, [broken], ["broken"], store, host, capabilities, scratch)
    assert "it hurts" in caught.value.what


def test_scripts_start_no_service_and_see_no_network(
    tree: Path, store: Store, host: HostEnvironment, capabilities: Capabilities, tmp_path: Path
) -> None:
    script = (
        "#!/bin/sh\n/usr/sbin/policy-rc.d; echo $? > /etc/policy\ncat /proc/net/dev | wc -l > /etc/links\n"
    )
    asking = made_package(store, tmp_path, "asking", postinst=script)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    _, blob = installed(tree, [asking], ["asking"], store, host, capabilities, scratch)
    with tarfile.open(fileobj=io.BytesIO(blob)) as tar:
        answers = [tar.extractfile(f"etc/{name}") for name in ("policy", "links")]
        assert [answer.read().strip() for answer in answers if answer] == [b"101", b"3"]


def installed(
    tree: Path,
    debs: list[Deb] | tuple[Deb, ...],
    requested: list[str],
    store: Store,
    host: HostEnvironment,
    capabilities: Capabilities,
    scratch: Path,
) -> tuple[LayerDigests, bytes]:
    out = io.BytesIO()
    with assemble([tree], scratch=scratch, capabilities=capabilities) as rootfs:
        changes = install_apt(
            rootfs, debs, requested=requested, store=store, host=host, capabilities=capabilities
        )
        return capture_layer(changes, out), out.getvalue()


def made_package(store: Store, folder: Path, name: str, *, postinst: str) -> Deb:
    """Make a package of a script only and put it into the store."""
    control = folder / name / "DEBIAN"
    control.mkdir(parents=True)
    (control / "control").write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <n@example.org>\nDescription: test\n"
    )
    (control / "postinst").write_text(postinst)
    (control / "postinst").chmod(0o755)
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", folder / name, folder / "x.deb"], check=True)
    size = (folder / "x.deb").stat().st_size
    sha256 = store.adopt("debs", folder / "x.deb")
    return Deb(
        name=name, version="1", architecture="all", sha256=sha256, size=size, path=f"pool/{name}_1_all.deb"
    )


def digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
