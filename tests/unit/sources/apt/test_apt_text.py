"""What is read from apt and what is written for it; no apt runs here."""

from pathlib import Path

import pytest

from layerwright.core.errors import IntegrityError, LayerwrightError, NetworkError, ResolveError
from layerwright.host.process import Completed
from layerwright.lock.model import Deb
from layerwright.oci.platform import Platform
from layerwright.sources.apt import AptSources, DebianMirror, base_facts, deb_url, tree_sources, tree_status
from layerwright.sources.apt.explain import apt_error
from layerwright.sources.apt.resolve import parse_uris
from layerwright.sources.apt.sourcelist import suite_lines

SHA = "a" * 64
ROOTS = ("http://deb.debian.org/debian-security", "http://deb.debian.org/debian")
BOOKWORM = AptSources(
    label="debian bookworm",
    files={"debian.list": "deb http://user:hunter2@deb.debian.org/debian bookworm main\n"},
    architecture="amd64",
    suite="bookworm",
)


def deb(name: str, version: str, path: str = "pool/x") -> Deb:
    return Deb(name=name, version=version, architecture="amd64", sha256=SHA, size=1, path=path)


def failed(stderr: str, stdout: str = "") -> Completed:
    return Completed(argv=("apt-get",), status=100, stdout=stdout.encode(), stderr=stderr.encode())


def test_uris_are_read_with_epochs_and_escapes() -> None:
    text = (
        "Reading package lists...\n"
        f"'http://deb.debian.org/debian/pool/main/s/shadow/login_4.13%2bdfsg1-1_amd64.deb' "
        f"login_1%3a4.13+dfsg1-1_amd64.deb 617000 SHA256:{SHA}\n"
        f"'http://deb.debian.org/debian-security/pool/updates/main/o/openssl/libssl3_3.0.20-1_amd64.deb' "
        f"libssl3_3.0.20-1_amd64.deb 2000 SHA256:{SHA}\n"
        f"'https://user:hunter2@apt.example.org/x/tool_1_all.deb' tool_1_all.deb 3 SHA256:{SHA}\n"
    )
    found = parse_uris(text, ROOTS)
    assert [(item.name, item.version, item.architecture, item.size, item.path) for item in found] == [
        ("libssl3", "3.0.20-1", "amd64", 2000, "pool/updates/main/o/openssl/libssl3_3.0.20-1_amd64.deb"),
        ("login", "1:4.13+dfsg1-1", "amd64", 617000, "pool/main/s/shadow/login_4.13+dfsg1-1_amd64.deb"),
        ("tool", "1", "all", 3, "https://apt.example.org/x/tool_1_all.deb"),
    ]


def test_a_package_without_a_strong_hash_is_refused() -> None:
    line = "'http://deb.debian.org/debian/pool/a_1_all.deb' a_1_all.deb 3 MD5Sum:8e7e741807b1e1939df8f58323affdcb\n"
    with pytest.raises(ResolveError, match="no sha256 for a 1"):
        parse_uris(line, ROOTS)


def test_addresses_lead_to_the_archive_a_path_belongs_to() -> None:
    mirror = DebianMirror.parse("https://mirror.example/debian/ https://sec.example/s")
    assert (
        deb_url(deb("a", "1", "pool/main/a/a_1+b_all.deb"), mirror)
        == "https://mirror.example/debian/pool/main/a/a_1%2Bb_all.deb"
    )
    assert (
        deb_url(deb("a", "1", "pool/updates/main/a/a_1_all.deb"), mirror)
        == "https://sec.example/s/pool/updates/main/a/a_1_all.deb"
    )
    assert deb_url(deb("a", "1", "https://x.example/a.deb"), mirror) == "https://x.example/a.deb"


def test_mirrors() -> None:
    assert DebianMirror.parse("") == DebianMirror()
    assert DebianMirror.parse("http://m/debian/").security == "http://m/debian-security"


def test_rolling_suites_have_no_updates() -> None:
    assert suite_lines("sid", DebianMirror()) == ("http://deb.debian.org/debian sid main",)
    assert [line.split()[1] for line in suite_lines("bookworm", DebianMirror())] == [
        "bookworm",
        "bookworm-updates",
        "bookworm-security",
    ]


def test_facts_come_from_versions() -> None:
    facts = base_facts(
        [
            deb("libc6", "2.36-9+deb12u14"),
            deb("python3.11-minimal", "3.11.2-6+deb12u9"),
            deb("python3-minimal", "3.11.2-1+b1"),
        ]
    )
    assert (facts.python, facts.interpreter, facts.glibc) == ("3.11.2", "/usr/bin/python3.11", "2.36")
    assert base_facts([deb("python3.14-minimal", "3.14.0~rc2-1")]).python == "3.14.0"
    assert base_facts([deb("x", "1:2-3")]).python == ""


@pytest.mark.parametrize(
    ("stderr", "kind", "parts"),
    [
        ("E: Unable to locate package libgll1\n", ResolveError, ["libgll1", "did you mean libgl1"]),
        ("E: Package 'libgl' has no installation candidate\n", ResolveError, ["no package libgl"]),
        ("E: Version '9' for 'libgl1' was not found\n", ResolveError, ["libgl1=9"]),
        (
            "E: The repository 'http://deb.debian.org/debian bookwurm Release' does not have a Release file.\n",
            ResolveError,
            ["no suite 'bookwurm'", "bookworm"],
        ),
        (
            "W: GPG error: http://x bookworm InRelease: NO_PUBKEY 0E98404D386FA1D9\nE: The repository is not signed.\n",
            IntegrityError,
            ["not signed by a key", "debian-archive-keyring"],
        ),
        (
            "W: Failed to fetch http://x/InRelease  Temporary failure resolving 'x'\nE: Some index files failed.\n",
            NetworkError,
            ["Temporary failure", "LAYERWRIGHT_DEBIAN_MIRROR"],
        ),
        ("E: dpkg was interrupted\n", ResolveError, ["dpkg was interrupted"]),
    ],
)
def test_apt_s_complaints_become_errors_with_a_way_out(
    stderr: str, kind: type[LayerwrightError], parts: list[str]
) -> None:
    error = apt_error(failed(stderr), BOOKWORM, lambda: ["libgl1", "libglu1", "zlib1g"])
    assert type(error) is kind
    for part in parts:
        assert part in error.what + error.hint
    assert "hunter2" not in error.what + error.hint


def test_what_does_not_go_together_is_told_in_apt_s_words() -> None:
    stdout = (
        "Some packages could not be installed.\nThe following packages have unmet dependencies:\n"
        " a : Depends: b (>= 2) but 1 is to be installed\n"
    )
    error = apt_error(
        failed("E: Unable to correct problems, you have held broken packages.\n", stdout), BOOKWORM, list
    )
    assert isinstance(error, ResolveError)
    assert "a : Depends: b (>= 2)" in error.what


def test_an_image_s_own_sources_and_keys_are_taken_from_its_layers(tmp_path: Path) -> None:
    low, high = tmp_path / "low", tmp_path / "high"
    for name, text in {
        "etc/apt/sources.list": "",
        "etc/apt/sources.list.d/ubuntu.sources": "Types: deb\nSigned-By: /usr/share/keyrings/u.gpg\n",
        "etc/apt/trusted.gpg.d/t.gpg": "trusted",
        "var/lib/dpkg/status": "Package: a\n",
        "usr/share/keyrings/real.gpg": "key",
    }.items():
        (low / name).parent.mkdir(parents=True, exist_ok=True)
        (low / name).write_text(text)
    (low / "usr/share/keyrings/u.gpg").symlink_to("real.gpg")
    (high / "var/lib/dpkg").mkdir(parents=True)
    (high / "var/lib/dpkg/status").write_text("Package: a\n\nPackage: b\n")
    sources = tree_sources([low, high], platform=Platform(), label="image")
    assert list(sources.files) == ["sources.list.d_ubuntu.sources"]
    assert sources.keys == {"/usr/share/keyrings/u.gpg": b"key"}
    assert sources.trusted == {"t.gpg": b"trusted"}
    assert tree_status([low, high]).count("Package:") == 2
    with pytest.raises(ResolveError, match="names no package sources"):
        tree_sources([high], platform=Platform(), label="image")


SOURCES = """\
deb http://archive.ubuntu.com/ubuntu/ jammy main
deb [signed-by=/k.gpg] http://security.ubuntu.com/ubuntu jammy-security main
deb http://ports.ubuntu.com/ubuntu-ports jammy main
deb https://deb.debian.org/debian bookworm main
deb http://deb.debian.org/debian-security bookworm-security main
deb https://other.example/ubuntu jammy main
"""
DEB822 = (
    "Types: deb\nURIs: http://archive.ubuntu.com/ubuntu http://security.ubuntu.com/ubuntu/\nSuites: noble\n"
)


def own_sources(tmp_path: Path, mirror: DebianMirror) -> AptSources:
    for name, text in {"sources.list": SOURCES, "sources.list.d/ubuntu.sources": DEB822}.items():
        file = tmp_path / "etc/apt" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tree_sources([tmp_path], platform=Platform(), label="image", mirror=mirror)


def test_f19_mirrors_stand_in_for_the_servers_that_an_image_names(tmp_path: Path) -> None:
    mirror = DebianMirror.parse("https://m.example/debian", ubuntu="https://m.example/ubuntu")
    sources = own_sources(tmp_path, mirror)
    assert sources.files["sources.list"].splitlines() == [
        "deb https://m.example/ubuntu/ jammy main",
        "deb [signed-by=/k.gpg] https://m.example/ubuntu/ jammy-security main",
        "deb https://m.example/ubuntu-ports/ jammy main",
        "deb https://m.example/debian/ bookworm main",
        "deb https://m.example/debian-security/ bookworm-security main",
        "deb https://other.example/ubuntu jammy main",
    ]
    uris = sources.files["sources.list.d_ubuntu.sources"].splitlines()[1]
    assert uris == "URIs: https://m.example/ubuntu/ https://m.example/ubuntu/"
    # Without a mirror an image's files are taken as they are.
    assert own_sources(tmp_path, DebianMirror()).files["sources.list"] == SOURCES


def test_f19_a_lock_names_no_mirror(tmp_path: Path) -> None:
    mirror = DebianMirror.parse("", ubuntu="https://user:pw@m.example/ubuntu")
    stand_ins = own_sources(tmp_path, mirror).stand_ins
    uri = "'https://user:pw@m.example/ubuntu/pool/main/a/a_1_amd64.deb' a_1_amd64.deb 10 SHA256:" + "0" * 64
    (deb,) = parse_uris(uri, (), stand_ins)
    assert deb.path == "http://archive.ubuntu.com/ubuntu/pool/main/a/a_1_amd64.deb"
    # And is good with any of them, or none.
    assert deb_url(deb, mirror) == "https://user:pw@m.example/ubuntu/pool/main/a/a_1_amd64.deb"
    assert deb_url(deb, DebianMirror()) == deb.path
    assert deb_url(deb, DebianMirror.parse("", ubuntu="http://n/u http://n/p")).startswith("http://n/u/pool/")
