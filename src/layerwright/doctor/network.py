"""The way out: proxies, certificates, package index, Debian mirror, and mirrors that are offered."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from layerwright.core.addresses import mask_credentials, split_userinfo
from layerwright.core.errors import NetworkError
from layerwright.core.findings import Kind
from layerwright.doctor import data
from layerwright.doctor.bounded import run_bounded
from layerwright.doctor.foreign import one_line
from layerwright.doctor.machine import Machine, read_bytes
from layerwright.doctor.model import Check, Cure, Needs, Outcome, broken
from layerwright.host.http import HttpClient, HttpStatusError, ca_bundle, proxies

__all__ = ["KINDS", "PYPI_URL", "Reached", "examine", "measure_mirrors", "reach"]

_PROXY, _CERTIFICATES = "proxy", "certificates"
_INDEX, _DEBIAN = "package-index", "debian-mirror"
PYPI_URL: Final = "https://pypi.org/simple"
_DEBIAN_OWN: Final = "http://deb.debian.org/debian"
_PROJECT: Final = "pip"
_RELEASE: Final = "dists/stable/Release"
_SLOW_SECONDS: Final = 2.0
_SLOW_RATE: Final = 100_000
_ENOUGH: Final = 50_000
_CONNECT_SECONDS: Final = 2.5
_SECONDS: Final = 6.0
_LIMIT: Final = 8 << 20
_BUNDLE_VARIABLES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_MEASURE: Final = Cure(
    text="see whether a mirror answers faster (none is used unless you say so)",
    command="layerwright doctor --mirrors",
)

KINDS: Final = (
    Kind(
        code=_PROXY,
        title="proxies in the environment",
        why="Companies let requests out through a proxy only; one that is set for HTTP alone leaves HTTPS out.",
        evidence="`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`, in either case.",
        repair="Set HTTPS_PROXY too, and NO_PROXY for what is inside.",
    ),
    Kind(
        code=_CERTIFICATES,
        title="certificates to trust",
        why="A proxy that opens TLS signs with an authority of its own, which has to be named.",
        evidence="`SSL_CERT_FILE`, `REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`, else the system's bundle.",
        repair="Name a file in PEM form that can be read.",
    ),
    Kind(
        code=_INDEX,
        title="the package index answers, and how fast",
        why="Locking asks it for every package; wheels of several GB come from it.",
        evidence="One page, fetched once, with a time limit. No credentials are sent.",
        repair="Mend the network, or put a mirror in its place with LAYERWRIGHT_INDEX_NAME.",
    ),
    Kind(
        code=_DEBIAN,
        title="the Debian mirror answers, and how fast",
        why="Debian bases and `apt` packages come from it.",
        evidence="The release file of Debian stable, fetched once, with a time limit.",
        repair="Mend the network, or name a mirror in LAYERWRIGHT_DEBIAN_MIRROR.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How an address answered.

    Attributes:
        seconds: how long it took.
        size: bytes of the body; 0 when it answered with an error status, which is an answer too.
        error: why it did not; empty when it did.
    """

    seconds: float = 0.0
    size: int = 0
    error: str = ""

    @property
    def slow(self) -> bool:
        """Whether it is worth looking for another."""
        rate = self.size / self.seconds if self.seconds else 0.0
        return self.seconds > _SLOW_SECONDS or (self.size > _ENOUGH and rate < _SLOW_RATE)

    @property
    def text(self) -> str:
        """For people: ``0.31 s, 148 kB at 0.5 MB/s``."""
        words = f"{self.seconds:.2f} s"
        if self.size > _ENOUGH and self.seconds:
            words += f", {self.size / 1000:.0f} kB at {self.size / self.seconds / 1e6:.1f} MB/s"
        return words


def examine(machine: Machine, needs: Needs) -> Outcome:
    """Look at the settings, then ask index and mirror at the same time."""
    indexes = _indexes(machine, needs)
    mirror = (machine.host.variables.get("LAYERWRIGHT_DEBIAN_MIRROR", "").split() or [_DEBIAN_OWN])[0]
    addresses = {f"index {name}": _page(url) for name, url in indexes.items() if "://" in url}
    addresses["debian"] = f"{mirror.rstrip('/')}/{_RELEASE}"
    if machine.offline:
        asked: Mapping[str, Reached] = {}
    else:
        asked = reach_all(machine.host.variables, addresses)
    return Outcome(
        checks=(
            _proxy(machine.host.variables),
            _certificates(machine),
            _index(indexes, asked, offline=machine.offline, needed=needs.wants("build")),
            _debian(mirror, asked.get("debian"), needed=needs.debian),
        )
    )


def measure_mirrors(machine: Machine) -> tuple[tuple[data.Mirror, Reached, Reached], ...]:
    """Every known mirror with how its index and its Debian archive answer, the fastest index first."""
    known = data.mirrors()
    addresses = {f"{mirror.id} pypi": _page(mirror.pypi) for mirror in known}
    addresses |= {f"{mirror.id} debian": f"{mirror.debian}/{_RELEASE}" for mirror in known}
    asked = reach_all(machine.host.variables, addresses)
    rows = [(mirror, asked[f"{mirror.id} pypi"], asked[f"{mirror.id} debian"]) for mirror in known]
    return tuple(sorted(rows, key=lambda row: (bool(row[1].error), row[1].seconds)))


def reach_all(variables: Mapping[str, str], addresses: Mapping[str, str]) -> Mapping[str, Reached]:
    """Ask several addresses at the same time."""
    import requests  # noqa: F401, PLC0415 - imported once, before threads would wait for each other on it

    found = run_bounded(
        {name: partial(reach, variables, url) for name, url in addresses.items()}, seconds=_SECONDS
    )
    late = Reached(seconds=_SECONDS, error=f"no whole answer within {_SECONDS:g} s")
    return {
        name: result
        if isinstance(result, Reached)
        else late
        if result is None
        else Reached(error=str(result))
        for name, result in found.items()
    }


def reach(variables: Mapping[str, str], url: str) -> Reached:
    """Fetch an address once, without credentials."""
    client = HttpClient(
        variables=variables,
        attempts=1,
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_CONNECT_SECONDS,
        sleep=lambda _seconds: None,
    )
    begun = time.monotonic()
    try:
        size = len(client.get(split_userinfo(url)[0], limit=_LIMIT).data)
    except HttpStatusError:
        # It answers: what it answers to somebody without credentials says nothing about them.
        return Reached(seconds=time.monotonic() - begun)
    except NetworkError as error:
        return Reached(seconds=time.monotonic() - begun, error=one_line(error.what))
    return Reached(seconds=time.monotonic() - begun, size=size)


def _indexes(machine: Machine, needs: Needs) -> dict[str, str]:
    """Indexes by name, each where this machine would look for it."""
    from layerwright.sources.indexes import PYPI, variable_name  # noqa: PLC0415 - start-up

    named = dict(needs.addresses) or {PYPI: PYPI_URL}
    return {name: machine.host.variables.get(variable_name(name), "") or url for name, url in named.items()}


def _page(index: str) -> str:
    return f"{index.rstrip('/')}/{_PROJECT}/"


def _proxy(variables: Mapping[str, str]) -> Check:
    def value(name: str) -> str:
        return variables.get(name.lower()) or variables.get(name.upper()) or ""

    chosen = proxies(variables, PYPI_URL).get("https", "")
    if value("http_proxy") and not value("https_proxy") and not value("all_proxy"):
        return Check(
            id=_PROXY,
            status="warning",
            detail="a proxy is set for HTTP and none for HTTPS, which indexes and registries use",
            fix=(Cure(text="set it too", command='export HTTPS_PROXY="$HTTP_PROXY"'),),
        )
    if not chosen:
        return Check(id=_PROXY, status="ok", detail="none is used")
    return Check(id=_PROXY, status="ok", detail=one_line(f"HTTPS goes through {mask_credentials(chosen)}"))


def _certificates(machine: Machine) -> Check:
    variables = machine.host.variables
    named = next((name for name in _BUNDLE_VARIABLES if variables.get(name)), "")
    bundle = ca_bundle(variables)
    if not bundle:
        return Check(id=_CERTIFICATES, status="ok", detail="those that come with the program (certifi)")
    text = read_bytes(machine.path(bundle), limit=64 << 20)
    count = text.count(b"-----BEGIN CERTIFICATE-----") + text.count(b"-----BEGIN TRUSTED CERTIFICATE-----")
    where = one_line(f"{named} names {bundle}" if named else bundle)
    if not count:
        return Check(
            id=_CERTIFICATES,
            status="error" if named else "warning",
            detail=f"{where}, which holds no certificate that can be read",
            fix=(
                Cure(text="name the system's bundle", command=f"unset {named}")
                if named
                else Cure(text="install it (as root)", command="apt-get install ca-certificates"),
            ),
        )
    return Check(id=_CERTIFICATES, status="ok", detail=f"{where}: {count} authorities")


def _index(indexes: Mapping[str, str], asked: Mapping[str, Reached], *, offline: bool, needed: bool) -> Check:
    folders = [f"{name} is a folder" for name, url in indexes.items() if "://" not in url]
    if offline:
        return Check(id=_INDEX, status="not_needed", detail="not asked: --offline")
    told, failed, slow = folders, [], []
    for name, url in indexes.items():
        reached = asked.get(f"index {name}")
        if reached is None:
            continue
        place = f"{name} ({mask_credentials(url)})" if name not in url else mask_credentials(url)
        if reached.error:
            failed.append(reached.error)
        else:
            told.append(f"{place} answers in {reached.text}")
            slow += [name] if reached.slow else []
    if failed:
        return broken(_INDEX, one_line("; ".join(failed)), _cures(failed, index=True), needed=needed)
    detail = one_line("; ".join(told))
    if slow:
        return Check(id=_INDEX, status="warning", detail=f"{detail}: slow", fix=(_MEASURE,))
    return Check(id=_INDEX, status="ok", detail=detail)


def _debian(mirror: str, reached: Reached | None, *, needed: bool) -> Check:
    if reached is None:
        return Check(id=_DEBIAN, status="not_needed", detail="not asked: --offline")
    if reached.error:
        return broken(_DEBIAN, one_line(reached.error), _cures([reached.error], index=False), needed=needed)
    detail = one_line(f"{mask_credentials(mirror)} answers in {reached.text}")
    if reached.slow:
        return Check(id=_DEBIAN, status="warning", detail=f"{detail}: slow", fix=(_MEASURE,))
    return Check(id=_DEBIAN, status="ok", detail=detail)


def _cures(errors: list[str], *, index: bool) -> tuple[Cure, ...]:
    """What helps, by what the errors say."""
    text = " ".join(errors).lower()
    cures = []
    if "not yet valid" in text or "has expired" in text:
        cures.append(Cure(text="see whether the clock is right", command="date -u"))
    elif "not trusted" in text:
        cures.append(
            Cure(
                text="name the certificates of your company's authority",
                command="export SSL_CERT_FILE=/path/of/authorities.pem",
            )
        )
    from layerwright.sources.indexes import PYPI, variable_name  # noqa: PLC0415 - start-up

    variable = (
        f"{variable_name(PYPI)}=https://…/simple" if index else "LAYERWRIGHT_DEBIAN_MIRROR=https://…/debian"
    )
    cures.append(
        Cure(
            text="set HTTPS_PROXY where the way out is a proxy, or name a mirror",
            command=f"export {variable}",
        )
    )
    cures.append(_MEASURE)
    cures.append(
        Cure(
            text="what is in the store can be built without the network",
            command="layerwright --offline build",
        )
    )
    return tuple(cures)
