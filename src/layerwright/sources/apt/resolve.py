"""Which Debian packages a base is made of, and which an image adds, by apt's own resolver."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from layerwright.core.errors import ResolveError
from layerwright.lock.model import Deb
from layerwright.oci.platform import Platform
from layerwright.sources.apt.archive import AptContext, Archive, opened
from layerwright.sources.apt.sourcelist import AptSources, DebianMirror, debian_sources

__all__ = ["BaseFacts", "base_facts", "parse_uris", "resolve_apt", "resolve_debian_base"]

# A line is the quoted address, the file name, the size in bytes and the hash.
_URI = re.compile(r"'(?P<url>[^']+)' (?P<file>\S+) (?P<size>\d+)(?: SHA256:(?P<sha256>[0-9a-f]{64}))?")
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*(:[a-z0-9]+)?(=[A-Za-z0-9.+:~-]+)?")
_PYTHON = re.compile(r"python(\d+\.\d+)-minimal")
# What makes a base: as mmdebstrap's minbase does (its manual, VARIANTS), and Python.
_MINBASE = ("?essential", "?priority(required)", "apt")
# Taken where a suite has them. usr-is-merged instead of usrmerge saves a full perl (bookworm); the standard library's
# distutils is a package of its own until Python 3.11.
_WHERE_PRESENT = ("usr-is-merged",)
_DISTUTILS = "python3-distutils"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseFacts:
    """What the package versions of a Debian base say.

    Attributes:
        python: full version such as ``3.11.2``; empty without Python.
        interpreter: absolute path such as ``/usr/bin/python3.11``; empty without Python.
        glibc: such as ``2.36``; empty when there is none.
    """

    python: str = ""
    interpreter: str = ""
    glibc: str = ""


def resolve_debian_base(
    context: AptContext,
    suite: str,
    *,
    python: str,
    platform: Platform,
    mirror: DebianMirror,
    extra: Sequence[str] = (),
) -> tuple[Deb, ...]:
    """Return the packages of a minimal Debian system with Python, sorted by name.

    Args:
        context: host, cache, offline.
        suite: such as ``bookworm``.
        python: the Python it must have, such as ``3.11``; "" for none.
        platform: what it runs on.
        mirror: where Debian's archives are.
        extra: further packages, ``name`` or ``name=version``.

    Raises:
        ResolveError: unknown suite or package, or a Python that the suite does not have.
        NetworkError: the archive does not answer, or ``offline`` without earlier lists.
    """
    sources = debian_sources(suite, platform=platform, mirror=mirror)
    with opened(context, sources) as archive:
        known = frozenset(archive.names())
        names = [*_MINBASE, *(name for name in _WHERE_PRESENT if name in known)]
        names += _python_packages(archive, suite, python, known) if python else []
        return _resolved(archive, [*names, *_checked(extra)])


def resolve_apt(
    context: AptContext, names: Sequence[str], *, sources: AptSources, installed: str
) -> tuple[Deb, ...]:
    """Return the packages that must be added to a system to have ``names``, sorted by name.

    Args:
        context: host, cache, offline.
        names: ``name`` or ``name=version``; recommended packages are not added.
        sources: where packages come from.
        installed: text of the system's dpkg status file (``debs_status``, ``tree_status``).

    Returns:
        Only what is new, and what must be newer than it is; nothing when all is there.

    Raises:
        ResolveError: an unknown package or version, or packages that do not go together.
        NetworkError: an archive does not answer, or ``offline`` without earlier lists.
    """
    if not names:
        return ()
    with opened(context, sources, installed=installed) as archive:
        return _resolved(archive, _checked(names))


def base_facts(debs: Iterable[Deb]) -> BaseFacts:
    """Read Python's and glibc's versions off the packages of a base."""
    python = interpreter = glibc = ""
    for deb in debs:
        upstream = re.split(r"[-+~]", deb.version.partition(":")[2] or deb.version)[0]
        if deb.name == "libc6":
            glibc = upstream
        elif found := _PYTHON.fullmatch(deb.name):
            python = upstream
            interpreter = f"/usr/bin/python{found.group(1)}"
    return BaseFacts(python=python, interpreter=interpreter, glibc=glibc)


def parse_uris(text: str, roots: Sequence[str], stand_ins: Sequence[tuple[str, str]] = ()) -> tuple[Deb, ...]:
    """Read the output of ``apt-get --print-uris``.

    Args:
        text: the output; lines of another kind are passed over.
        roots: addresses of archives whose packages are named by their path alone; others keep their address.
        stand_ins: distributions' own addresses, which are kept, and those of the mirrors that were asked.

    Raises:
        ResolveError: a package without a sha256.
    """
    debs = {}
    for found in filter(None, map(_URI.match, text.splitlines())):
        # Escaped so that an epoch's colon fits into a file name.
        name, version, architecture = (
            unquote(part) for part in found["file"].removesuffix(".deb").split("_")
        )
        if not found["sha256"]:
            raise ResolveError(f"the archive states no sha256 for {name} {version}")
        debs[name, architecture] = Deb(
            name=name,
            version=version,
            architecture=architecture,
            sha256=found["sha256"],
            size=int(found["size"]),
            path=_path(found["url"], roots, stand_ins),
        )
    return tuple(debs[key] for key in sorted(debs))


def _path(url: str, roots: Sequence[str], stand_ins: Sequence[tuple[str, str]]) -> str:
    for root in roots:
        if url.startswith(f"{root}/"):
            return unquote(url.removeprefix(f"{root}/"))
    for own, mirror in stand_ins:
        if url.startswith(mirror):
            return own + url.removeprefix(mirror)
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    # An address with credentials must never reach a lock.
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"


def _resolved(archive: Archive, names: Sequence[str]) -> tuple[Deb, ...]:
    done = archive.run(
        "apt-get",
        "install",
        "-q",
        "--yes",
        "--print-uris",
        "--no-install-recommends",
        "--allow-downgrades",
        *names,
    )
    return parse_uris(done.text, archive.sources.roots, archive.sources.stand_ins)


def _python_packages(archive: Archive, suite: str, python: str, known: frozenset[str]) -> list[str]:
    """Return what to ask for so that ``python`` is there: the suite's own as ``python3``, else by its number."""
    shown = archive.run("apt-cache", "show", "--no-all-versions", "python3", check=False).text
    found = re.search(r"^Version: (\d+\.\d+)", shown, re.MULTILINE)
    default = found.group(1) if found else ""
    if python == default:
        return ["python3", *([_DISTUTILS] if _DISTUTILS in known else [])]
    if f"python{python}" in known:
        return [f"python{python}"]
    offered = sorted(
        (match.group(1) for name in known if (match := _PYTHON.fullmatch(name))),
        key=lambda version: tuple(map(int, version.split("."))),
    )
    raise ResolveError(
        f"Debian {suite} has no Python {python}",
        hint=f"it has {' and '.join(offered) or 'none'}; bullseye has 3.9, bookworm 3.11, trixie 3.13",
    )


def _checked(names: Sequence[str]) -> list[str]:
    """Refuse what is no package name: apt would take a pattern, a path or an option for one."""
    for name in names:
        if not _NAME.fullmatch(name):
            raise ResolveError(f"{name!r} is not a Debian package name", hint="write name or name=version")
    return list(names)
