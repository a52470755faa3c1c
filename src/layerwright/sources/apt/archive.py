"""The host's apt-get on package lists of our own: the system's state is neither read nor touched."""

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from layerwright.core.errors import EngineError, NetworkError
from layerwright.host.environment import HostEnvironment
from layerwright.host.process import Completed, find_program, run
from layerwright.sources.apt.explain import apt_error
from layerwright.sources.apt.sourcelist import AptSources, describe

__all__ = ["AptContext", "Archive", "opened"]

_UPDATE_TIMEOUT = 600.0
_QUERY_TIMEOUT = 120.0
_FRESH_SECONDS = 300.0
_STAMP = "updated"


@dataclass(frozen=True, slots=True, kw_only=True)
class AptContext:
    """What every question to apt needs.

    Attributes:
        host: the caller's surroundings.
        cache: folder for package lists; kept between calls, so that a second one is quick.
        offline: ask no server; lists of an earlier call are used as they are.
        clock: seconds since the epoch. Lists are looked for anew when five minutes have passed.
    """

    host: HostEnvironment
    cache: Path
    offline: bool = False
    clock: Callable[[], float] = field(default=time.time, repr=False)


class Archive:
    """Package lists of one set of sources, seen from one state of installed packages."""

    def __init__(self, context: AptContext, sources: AptSources, folder: Path, state: Path) -> None:
        self.sources = sources
        self._context = context
        self._environment = {
            **context.host.variables,
            "LC_ALL": "C.UTF-8",  # what is read back are English messages
            "APT_CONFIG": str(state / "apt.conf"),
        }
        self._folder = folder
        self._state = state

    def run(
        self, program: str, *arguments: str, check: bool = True, timeout: float = _QUERY_TIMEOUT
    ) -> Completed:
        """Run apt-get or apt-cache on these lists.

        Raises:
            ResolveError, NetworkError, IntegrityError: what apt says is wrong.
            EngineError: apt is not on this machine.
        """
        path = find_program(program, self._context.host.path)
        if path is None:
            raise EngineError(
                f"{program} was not found on this machine; Debian packages are resolved with it",
                hint="install apt (Debian and Ubuntu have it), or start from an image that needs no apt packages",
            )
        done = run([str(path), *arguments], env=self._environment, timeout=timeout, check=False)
        if check and done.status != 0:
            raise apt_error(done, self.sources, self.names)
        return done

    def names(self) -> Sequence[str]:
        """Return the names of all packages."""
        return self.run("apt-cache", "pkgnames", check=False).text.split()

    def update(self) -> None:
        """Bring the lists up to date, unless that was done a moment ago.

        Raises:
            NetworkError: a server does not answer, or the lists are missing and ``offline`` is set.
            ResolveError: there is no such suite.
            IntegrityError: the lists are not signed by a known key.
        """
        stamp = self._folder / _STAMP
        if self._context.offline:
            if not stamp.exists():
                raise NetworkError(
                    f"the package lists of {self.sources.label} are needed ({describe(self.sources)}), "
                    "but --offline forbids the network",
                )
            return
        try:
            if 0 <= self._context.clock() - stamp.stat().st_mtime < _FRESH_SECONDS:
                return
        except FileNotFoundError:
            pass
        done = self.run(
            "apt-get",
            "-q",
            "update",
            "-o",
            "APT::Update::Error-Mode=any",
            check=False,
            timeout=_UPDATE_TIMEOUT,
        )
        # Before 2.3 (Debian 11's is 2.2) apt ends well although lists are missing, and only warns.
        if (
            done.status != 0
            or b"W: Failed to fetch" in done.stderr
            or b"Some index files failed" in done.stderr
        ):
            raise apt_error(done, self.sources, self.names)
        stamp.touch()
        now = self._context.clock()
        os.utime(stamp, (now, now))


@contextmanager
def opened(context: AptContext, sources: AptSources, *, installed: str = "") -> Iterator[Archive]:
    """Open the lists of some sources, up to date, for one caller at a time.

    Args:
        context: what every question needs.
        sources: where packages come from.
        installed: text of dpkg's status file; "" for an empty system.
    """
    key = hashlib.sha256(repr((sorted(sources.files.items()), sources.architecture)).encode()).hexdigest()[
        :20
    ]
    folder = context.cache / key
    (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with tempfile.TemporaryDirectory(prefix="state-", dir=folder) as name:
            state = Path(name)
            _lay_out(context, sources, folder, state, installed)
            archive = Archive(context, sources, folder, state)
            archive.update()
            yield archive


def _lay_out(context: AptContext, sources: AptSources, folder: Path, state: Path, installed: str) -> None:
    """Write a state of apt: nothing of the host's is used but how it reaches the network."""
    for name in ("sources", "keys", "trusted", "archives/partial", "log"):
        (state / name).mkdir(parents=True)
    (state / "status").write_text(installed, encoding="utf-8")
    contents = dict(sources.files)
    for number, (path, key) in enumerate(sorted(sources.keys.items())):
        place = state / "keys" / f"{number}{Path(path).suffix}"
        place.write_bytes(key)
        contents = {name: text.replace(path, str(place)) for name, text in contents.items()}
    for name, text in contents.items():
        (state / "sources" / name).write_text(text, encoding="utf-8")
    for name, key in sources.trusted.items():
        (state / "trusted" / name).write_bytes(key)
    (state / "apt.conf").write_text(
        _configuration(sources, folder, state, _network_settings(context.host)), encoding="utf-8"
    )


def _configuration(sources: AptSources, folder: Path, state: Path, network: str) -> str:
    values = {
        "Dir::Etc::main": "/dev/null",
        "Dir::Etc::parts": "/dev/null",
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": state / "sources",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::Etc::trusted": "/dev/null",
        "Dir::Etc::trustedparts": state / "trusted",
        "Dir::State": state,
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": folder,
        "Dir::Cache::archives": state / "archives",
        # This cache depends on what is installed; the other one, of the lists alone, is worth keeping.
        "Dir::Cache::pkgcache": state / "pkgcache.bin",
        "Dir::Log": state / "log",
        "APT::Architecture": sources.architecture,
        # Our folders are closed to apt's own user, and an ordinary user has no other.
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        # Compressed lists would be a quarter of the size, and every question three times as slow.
        "Acquire::GzipIndexes": "false",
        "Acquire::Retries": "2",
        "Acquire::ForceHash": "SHA256",
        # Mirrors that stand still on purpose are fine: what is locked is named by its hash.
        "Acquire::Check-Valid-Until": "false",
        "Acquire::Check-Date": "false",
    }
    lines = [f'{name} "{value}";' for name, value in values.items()]
    lines += ["#clear APT::Architectures;", f'APT::Architectures {{ "{sources.architecture}"; }};']
    return "\n".join(lines) + "\n" + network


def _network_settings(host: HostEnvironment) -> str:
    """Return the host's settings on proxies and certificates, as configuration."""
    program = find_program("apt-config", host.path)
    if program is None:
        return ""
    done = run([str(program), "dump"], env=host.variables, timeout=_QUERY_TIMEOUT, check=False)
    kept = ("Acquire::http::", "Acquire::https::", "Acquire::proxy")
    return "".join(f"{line}\n" for line in done.text.splitlines() if line.startswith(kept))
