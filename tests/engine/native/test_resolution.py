"""Debian's own archive, asked through the host's apt."""

from pathlib import Path

import pytest

from layerwright.core.errors import NetworkError, ResolveError
from layerwright.core.events import SilentReporter
from layerwright.host.http import HttpClient
from layerwright.lock.model import Deb
from layerwright.oci.platform import Platform
from layerwright.sources.apt import (
    AptContext,
    DebianMirror,
    base_facts,
    debian_sources,
    debs_status,
    fetch_debs,
    resolve_apt,
    resolve_debian_base,
)
from layerwright.store import Store
from support.change import replace
from support.index import serve
from support.mirror import MIRROR

pytestmark = [pytest.mark.engine, pytest.mark.network]


def test_a_base_is_small_has_python_and_no_pip(debs: tuple[Deb, ...]) -> None:
    names = {deb.name for deb in debs}
    assert {"apt", "dpkg", "libc6", "python3", "python3.11", "python3-distutils", "usr-is-merged"} <= names
    assert not names & {"python3-pip", "perl", "systemd", "usrmerge"}
    facts = base_facts(debs)
    assert facts.python.startswith("3.11.")
    assert facts.interpreter == "/usr/bin/python3.11"
    assert facts.glibc == "2.36"
    assert [deb.name for deb in debs] == sorted(names)


def test_additions_are_only_what_is_new(context: AptContext, debs: tuple[Deb, ...], store: Store) -> None:
    sources = debian_sources("bookworm", platform=Platform(), mirror=MIRROR)
    installed = debs_status(context, debs, sources=sources, store=store)
    added = resolve_apt(context, ["ca-certificates", "tzdata"], sources=sources, installed=installed)
    assert {deb.name for deb in added} == {"ca-certificates", "openssl"}
    pinned = resolve_apt(
        context, [f"openssl={next(deb.version for deb in added if deb.name == 'openssl')}"],
        sources=sources, installed=installed,
    )  # fmt: skip
    assert [deb.name for deb in pinned] == ["openssl"]


@pytest.mark.parametrize(
    ("suite", "python", "part"),
    [
        ("bookwurm", "3.11", "bookwurm"),
        ("bookworm", "3.9", "has no Python 3.9"),
        ("no suite!", "3.11", "not the name"),
    ],
)
def test_what_there_is_not(context: AptContext, suite: str, python: str, part: str) -> None:
    with pytest.raises(ResolveError, match=part) as caught:
        resolve_debian_base(context, suite, python=python, platform=Platform(), mirror=MIRROR)
    assert "bookworm" in caught.value.hint


def test_unknown_packages_get_a_suggestion(context: AptContext) -> None:
    sources = debian_sources("bookworm", platform=Platform(), mirror=MIRROR)
    with pytest.raises(ResolveError, match="libgll1") as caught:
        resolve_apt(context, ["libgll1"], sources=sources, installed="")
    assert "libgl1" in caught.value.hint
    for odd in ("-o=x", "/etc/passwd", "?essential", "a b"):
        with pytest.raises(ResolveError, match="not a Debian package name"):
            resolve_apt(context, [odd], sources=sources, installed="")


def test_offline_uses_earlier_lists_or_says_what_is_missing(
    context: AptContext, debs: tuple[Deb, ...], tmp_path: Path
) -> None:
    offline = replace(context, offline=True)
    again = resolve_debian_base(offline, "bookworm", python="3.11", platform=Platform(), mirror=MIRROR)
    assert again == debs
    with pytest.raises(NetworkError, match="--offline"):
        resolve_debian_base(
            replace(offline, cache=tmp_path), "bookworm", python="3.11", platform=Platform(), mirror=MIRROR
        )


def test_a_mirror_that_does_not_answer(context: AptContext) -> None:
    dead = DebianMirror.parse("http://127.0.0.1:9/debian")
    with pytest.raises(NetworkError, match=r"127\.0\.0\.1:9"):
        resolve_debian_base(context, "bookworm", python="3.11", platform=Platform(), mirror=dead)


def test_a_version_that_left_the_archive(store: Store, debs: tuple[Deb, ...], context: AptContext) -> None:
    gone = replace(debs[0], version="0", sha256="0" * 64, path="pool/main/n/nonesuch/nonesuch_0_all.deb")
    client = HttpClient(variables=context.host.variables)
    with serve() as empty:
        mirror = replace(MIRROR, snapshot=empty.url)
        with pytest.raises(ResolveError, match="no longer in the archive") as caught:
            fetch_debs([gone], store, http=client, mirror=mirror, reporter=SilentReporter())
    assert "lock --upgrade" in caught.value.hint
    with pytest.raises(NetworkError, match="--offline"):
        fetch_debs(
            [gone],
            store,
            http=HttpClient(variables={}, offline=True),
            mirror=MIRROR,
            reporter=SilentReporter(),
        )
