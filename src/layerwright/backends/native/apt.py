"""Installing Debian packages into an image: the image's own apt and dpkg, from locked packages, no network."""

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from layerwright.backends.native.debs import local_repository, newest_time
from layerwright.core.errors import BuildError
from layerwright.core.paths import DEFAULT_PATH
from layerwright.host.environment import HostEnvironment
from layerwright.lock.model import Deb
from layerwright.sandbox.changes import Change
from layerwright.sandbox.execute import execute
from layerwright.sandbox.model import Bind, Capabilities, Command
from layerwright.sandbox.rootfs import Rootfs
from layerwright.store import Store

__all__ = ["SCRUBBED", "apt_configuration", "install_apt", "install_script", "scrubbed"]

_TIMEOUT = 3600.0
_LAST_LINES = 30
_STAGE = "/run/layerwright-apt"
_NOT_FOUND = 127
# What an installation leaves behind that is of the run and not of the packages: logs, lists, caches that are made
# again, copies of older states, identities of machines, and what stood in /run and /tmp.
SCRUBBED = (
    "etc/machine-id",
    "etc/resolv.conf",
    "run/*",
    "tmp/*",
    "usr/sbin/policy-rc.d",
    "var/cache/apt/*",
    "var/cache/debconf/*-old",
    "var/cache/ldconfig/aux-cache",
    "var/lib/apt/lists/*",
    "var/lib/dbus/machine-id",
    "var/lib/dpkg/*-old",
    "var/lib/dpkg/lock*",
    "var/lib/dpkg/triggers/Lock",
    "var/log/alternatives.log",
    "var/log/apt/*",
    "var/log/dpkg.log",
    "var/log/fontconfig.log",
    "var/tmp/*",
)


def install_apt(
    rootfs: Rootfs,
    debs: Sequence[Deb],
    *,
    requested: Sequence[str],
    store: Store,
    host: HostEnvironment,
    capabilities: Capabilities,
    on_line: Callable[[str], None] | None = None,
) -> Iterator[Change]:
    """Install packages that are in the store into a root file system, their scripts run.

    Args:
        rootfs: the image so far, fresh.
        debs: exactly what is installed.
        requested: names (or ``name=version``) that people asked for; the others are marked as automatic.
        store: holds the packages.
        host: the caller's surroundings.
        capabilities: what ``probe`` found.
        on_line: gets apt's lines.

    Returns:
        What the layer is made of: the changes without the traces of the run.

    Raises:
        BuildError: apt or a package's script failed; with the package and the last lines.
        EngineError: no sandbox works here.
    """
    stage = rootfs.work / "apt"
    for name in ("repository", "lists/partial", "cache/archives/partial", "log"):
        (stage / name).mkdir(parents=True)
    stage.chmod(0o755)
    local_repository(debs, stage / "repository", store=store, host=host)
    (stage / "sources.list").write_text(f"deb [trusted=yes] copy:{_STAGE}/repository ./\n", encoding="utf-8")
    (stage / "apt.conf").write_text(apt_configuration(_STAGE), encoding="utf-8")
    (stage / "install").write_text(install_script(debs, requested), encoding="utf-8")
    lines: list[str] = []

    def note(line: str) -> None:
        lines.append(line)
        del lines[:-_LAST_LINES]
        if on_line is not None:
            on_line(line)

    command = Command(
        argv=("/bin/sh", "-eu", f"{_STAGE}/install"),
        env={
            "PATH": DEFAULT_PATH,
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "APT_CONFIG": f"{_STAGE}/apt.conf",
            "DEBIAN_FRONTEND": "noninteractive",
            "DEBCONF_NONINTERACTIVE_SEEN": "true",
            # Compilers of caches and bytecode write it instead of the time of day.
            "SOURCE_DATE_EPOCH": str(newest_time(debs, store)),
        },
        binds=(Bind(source=stage, target=_STAGE),),
    )
    status = execute(rootfs, command, capabilities=capabilities, on_line=note, timeout=_TIMEOUT)
    if status != 0:
        raise _failure(status, lines)
    return scrubbed(rootfs.changes())


def scrubbed(changes: Iterable[Change]) -> Iterator[Change]:
    """Leave out changes that are traces of the run, and the folders that hold nothing else."""
    for change in changes:
        if not any(fnmatchcase(change.path, pattern) for pattern in SCRUBBED):
            yield change


def apt_configuration(stage: str) -> str:
    """Return apt's configuration: its state lies beside the image, which keeps only what dpkg writes."""
    values = {
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Dir::Etc::sourcelist": f"{stage}/sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State::lists": f"{stage}/lists",
        "Dir::Cache": f"{stage}/cache",
        "Dir::Log": f"{stage}/log",
        "Dpkg::Use-Pty": "0",
        "Quiet::NoProgress": "1",
    }
    lines = [f'{name} "{value}";' for name, value in values.items()]
    options = ("--force-confdef", "--force-confold", f"--log={stage}/log/dpkg.log", "--force-unsafe-io")
    lines += [f'Dpkg::Options:: "{option}";' for option in options]
    return "\n".join(lines) + "\n"


def install_script(debs: Sequence[Deb], requested: Sequence[str]) -> str:
    """Return the shell script that installs; services are kept from being started meanwhile."""
    wanted = {name.partition("=")[0].partition(":")[0] for name in requested}
    packages = shlex.join(f"{deb.name}={deb.version}" for deb in debs)
    automatic = shlex.join(deb.name for deb in debs if deb.name not in wanted)
    lines = [
        "umask 022",
        "policy=/usr/sbin/policy-rc.d",
        "ours=",
        '[ -e "$policy" ] || { ours=1; printf "#!/bin/sh\\nexit 101\\n" > "$policy"; chmod 0755 "$policy"; }',
        "apt-get -qq update",
        f"apt-get -q install --yes --no-install-recommends --allow-downgrades --allow-change-held-packages {packages}",
        f"apt-mark -qq auto {automatic} > /dev/null" if automatic else ":",
        '[ -z "$ours" ] || rm -f "$policy"',
    ]
    return "\n".join(lines) + "\n"


def _failure(status: int, lines: Sequence[str]) -> BuildError:
    if status == _NOT_FOUND and any("apt-get" in line or "/bin/sh" in line for line in lines[-2:]):
        return BuildError(
            "the image has no apt-get, so Debian packages cannot be installed in it",
            hint="start from a Debian or Ubuntu image",
        )
    # dpkg: "error processing package NAME (--configure):", "error processing archive PATH (--unpack):"
    marker = "dpkg: error processing "
    faulty = [line.removeprefix(marker).partition(" (")[0] for line in lines if line.startswith(marker)]
    which = f" on {', '.join(dict.fromkeys(faulty))}" if faulty else ""
    shown = "\n".join(f"  {line}" for line in lines)
    return BuildError(f"installing Debian packages failed with status {status}{which}\n{shown}")
