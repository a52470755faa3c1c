"""Where packages come from: Debian's archive for a suite, or what the files of an image say."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from layerwright.core.addresses import mask_credentials, split_userinfo
from layerwright.core.errors import ResolveError
from layerwright.oci.platform import Platform
from layerwright.sandbox.changes import look_up

__all__ = [
    "AptSources",
    "DebianMirror",
    "debian_sources",
    "suite_lines",
    "tree_sources",
]

_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_ROLLING = ("sid", "unstable", "experimental", "rc-buggy")
_KNOWN_SUITES = ("bullseye", "bookworm", "trixie", "forky", "sid")
_SUITE = re.compile(r"[a-z][a-z0-9-]*")
_LARGEST_FILE = 1 << 20
# The servers of Debian's own archives; an image's sources name them so (https://www.debian.org/mirror/list).
_OWN_MAIN = ("http://deb.debian.org/debian/", "https://deb.debian.org/debian/")
_OWN_SECURITY = tuple(
    f"{scheme}://{host}/debian-security/"
    for scheme in ("http", "https")
    for host in ("deb.debian.org", "security.debian.org")
)
# The servers that Ubuntu's images name (https://documentation.ubuntu.com/server/how-to/software/package-management);
# the first has what the second has, too.
_OWN_UBUNTU = tuple(
    f"{scheme}://{host}.ubuntu.com/ubuntu/"
    for scheme in ("http", "https")
    for host in ("archive", "security")
)
_OWN_PORTS = ("http://ports.ubuntu.com/ubuntu-ports/", "https://ports.ubuntu.com/ubuntu-ports/")
_DEBIANS_OWN = re.compile(r"https?://(deb|security|archive|cdn-[a-z]+\.deb|ftp(\.[a-z]+)?)\.debian\.org/")


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianMirror:
    """Where Debian's two archives are served, and everything that was ever in them.

    Attributes:
        main: address of the main archive, without a slash at its end.
        security: address of the security archive.
        snapshot: address of the archive of everything, without a slash at its end.
        ubuntu: address of a mirror of Ubuntu's archive; empty for Ubuntu's own servers.
        ubuntu_ports: of its archive for other processors than amd64; likewise.
    """

    main: str = "http://deb.debian.org/debian"
    security: str = "http://deb.debian.org/debian-security"
    snapshot: str = "https://snapshot.debian.org"
    ubuntu: str = ""
    ubuntu_ports: str = ""

    @classmethod
    def parse(cls, text: str, *, snapshot: str = "", ubuntu: str = "") -> "DebianMirror":
        """Read one address, or two with a blank between; the second defaults to the first with ``-security``.

        Args:
            text: the addresses; an empty text gives Debian's own. Plain HTTP is safe: the lists are signed, the
                packages hashed.
            snapshot: address of the archive of everything; an empty text gives Debian's own.
            ubuntu: address of a mirror of Ubuntu's archive, and after a blank that of its ports; the second defaults
                to the first with ``-ports``.
        """
        main, *ports = [address.rstrip("/") for address in ubuntu.split()] or [""]
        own = cls()
        addresses = [address.rstrip("/") for address in text.split()] or [own.main, own.security]
        return cls(
            main=addresses[0],
            security=addresses[1] if addresses[1:] else addresses[0] + "-security",
            snapshot=snapshot.strip().rstrip("/") or own.snapshot,
            ubuntu=main,
            ubuntu_ports=ports[0] if ports else f"{main}-ports" if main else "",
        )

    @property
    def stand_ins(self) -> tuple[tuple[str, str], ...]:
        """Addresses of distributions' own servers and what is asked in their place, each with a slash at its end."""
        own = DebianMirror()
        found = []
        if self.main != own.main:
            found += [(address, f"{self.main}/") for address in _OWN_MAIN]
        if self.security != own.security:
            found += [(address, f"{self.security}/") for address in _OWN_SECURITY]
        if self.ubuntu:
            found += [(address, f"{self.ubuntu}/") for address in _OWN_UBUNTU]
            found += [(address, f"{self.ubuntu_ports}/") for address in _OWN_PORTS]
        return tuple(found)

    def asked(self, address: str) -> str:
        """Where a package is asked for that a lock names by its distribution's own address."""
        for own, mirror in self.stand_ins:
            if address.startswith(own):
                return mirror + address.removeprefix(own)
        return address

    def has(self, path: str) -> bool:
        """Whether a locked path is of Debian's archives, rather than of somebody else's."""
        if "://" not in path:
            return True
        # A lock holds no credentials, a mirror's address may.
        roots = (split_userinfo(root)[0] for root in (self.main, self.security))
        return _DEBIANS_OWN.match(path) is not None or path.startswith(tuple(f"{root}/" for root in roots))


@dataclass(frozen=True, slots=True, kw_only=True)
class AptSources:
    """Package sources in apt's own words.

    Attributes:
        label: what they are, for people: ``debian bookworm``.
        files: contents by file name; ``.list`` is the one-line format, ``.sources`` deb822.
        keys: public keys by path, that the files name in ``signed-by`` and that lie elsewhere on the host.
        trusted: keys trusted for every source without ``signed-by``, by file name.
        architecture: Debian's name of it.
        roots: addresses of Debian's own archives; packages below are locked by their path alone.
        stand_ins: distributions' own addresses and those of the mirrors that the files name in their place: a lock
            names the former.
        suite: the suite, for Debian's own archive; else empty.
    """

    label: str
    files: Mapping[str, str]
    keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    trusted: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    architecture: str
    roots: tuple[str, ...] = ()
    stand_ins: tuple[tuple[str, str], ...] = ()
    suite: str = ""


def debian_sources(suite: str, *, platform: Platform, mirror: DebianMirror) -> AptSources:
    """Return the sources of a Debian suite: its main archive, updates and security.

    Raises:
        ResolveError: not a name a suite can have, or Debian's keys are not on this machine.
    """
    if not _SUITE.fullmatch(suite):
        raise ResolveError(f"{suite!r} is not the name of a Debian suite", hint=suite_hint(suite))
    if not Path(_KEYRING).is_file():
        raise ResolveError(
            f"Debian's archive keys are not on this machine ({_KEYRING})",
            hint="install them: apt-get install debian-archive-keyring",
        )
    text = "".join(f"deb [signed-by={_KEYRING}] {line}\n" for line in suite_lines(suite, mirror))
    return AptSources(
        label=f"debian {suite}",
        files={"debian.list": text},
        architecture=platform.debian,
        roots=(mirror.security, mirror.main),
        suite=suite,
    )


def suite_lines(suite: str, mirror: DebianMirror) -> tuple[str, ...]:
    """Return the sources of a suite as ``address suite component`` lines."""
    lines = [f"{mirror.main} {suite} main"]
    if suite not in _ROLLING:
        lines += [f"{mirror.main} {suite}-updates main", f"{mirror.security} {suite}-security main"]
    return tuple(lines)


def suite_hint(suite: str) -> str:
    """Return the nearest suite that exists, as a hint."""
    import difflib  # noqa: PLC0415  start-up

    near = difflib.get_close_matches(suite, _KNOWN_SUITES, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known suites: {', '.join(_KNOWN_SUITES)}"


def tree_sources(
    trees: Sequence[Path], *, platform: Platform, label: str, mirror: DebianMirror | None = None
) -> AptSources:
    """Return the sources that an image's own files name, with its keys.

    Args:
        trees: the image's layers as folders, bottom first.
        platform: the image's.
        label: what to call them in messages.
        mirror: what is asked in place of Debian's and Ubuntu's own servers.

    Raises:
        ResolveError: the image names none.
    """
    stack = tuple(reversed(trees))
    files = {}
    for path in ("etc/apt/sources.list", *_listed("etc/apt/sources.list.d", stack)):
        if (
            path.endswith((".list", ".sources"))
            and (text := _read(path, stack).decode(errors="replace")).strip()
        ):
            files[path.replace("/", "_").removeprefix("etc_apt_")] = text
    if not files:
        raise ResolveError(
            f"{label} names no package sources (/etc/apt/sources.list)",
            hint="start from an image that has them, or from debian:SUITE",
        )
    keys = {}
    for text in files.values():
        for path in re.findall(r"signed-by\s*[=:]\s*([^\s\]]+)", text, flags=re.IGNORECASE):
            if path.startswith("/") and (content := _read(path.lstrip("/"), stack)):
                keys[path] = content
    trusted = {Path(path).name: _read(path, stack) for path in _listed("etc/apt/trusted.gpg.d", stack)}
    stand_ins = mirror.stand_ins if mirror is not None else ()
    return AptSources(
        label=label,
        files={name: _with_stand_ins(text, stand_ins) for name, text in files.items()},
        keys=keys,
        trusted=trusted,
        architecture=platform.debian,
        stand_ins=stand_ins,
    )


def _with_stand_ins(text: str, stand_ins: Sequence[tuple[str, str]]) -> str:
    """The text of a file of sources with mirrors in it; sources may end their addresses without a slash."""
    for own, mirror in stand_ins:
        place = re.compile(rf"{re.escape(own.rstrip('/'))}/?(?=[\s\]]|$)")
        text = place.sub(mirror.replace("\\", r"\\"), text)
    return text


def _read(path: str, stack: Sequence[Path]) -> bytes:
    """Return a file of the image, links followed once within it; empty when there is none."""
    for _ in range(8):
        entry = look_up(path, stack)
        if entry is None:
            return b""
        if not entry.is_symlink():
            break
        target = str(entry.readlink())
        path = _normal(target if target.startswith("/") else f"{path.rpartition('/')[0]}/{target}")
    else:
        return b""
    if not entry.is_file():
        return b""
    with entry.open("rb") as stream:
        return stream.read(_LARGEST_FILE)


def _normal(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _listed(folder: str, stack: Sequence[Path]) -> list[str]:
    names = {entry.name for tree in stack if (tree / folder).is_dir() for entry in (tree / folder).iterdir()}
    return [path for name in sorted(names) if look_up(path := f"{folder}/{name}", stack) is not None]


def describe(sources: AptSources) -> str:
    """Return the sources' addresses for messages, without credentials."""
    found: list[str] = []
    for text in sources.files.values():
        found += [mask_credentials(address) for address in re.findall(r"\bhttps?://[^\s\]]+", text)]
    return ", ".join(dict.fromkeys(found))
