"""``debian:SUITE`` bases: a minimal Debian system made by mmdebstrap from exactly the locked packages.

The result is a function of the packages: two builds, here or elsewhere, give the same bytes.
"""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from layerwright.backends.native.debs import local_repository, newest_time
from layerwright.core.errors import BuildError, EngineError
from layerwright.core.paths import DEFAULT_PATH
from layerwright.host.environment import HostEnvironment
from layerwright.host.process import ProcessError, find_program, run
from layerwright.lock.model import Deb
from layerwright.oci.platform import Platform
from layerwright.sandbox.execute import contained_argv
from layerwright.sandbox.namespace import mapped_ids
from layerwright.sources.apt import DebianMirror
from layerwright.sources.apt.sourcelist import suite_lines
from layerwright.store import Store

__all__ = ["build_base"]

_TIMEOUT = 1800.0
_IDS_OF_A_SYSTEM = 65535  # the users and groups of a Debian system go up to nobody, 65534
# Documentation is left out as in Debian's own slim images, licences stay (Debian policy §12.5).
_LEFT_OUT = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/groff/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/linda/*",
    "path-exclude=/usr/share/lintian/*",
    "path-exclude=/usr/share/locale/*",
    "path-include=/usr/share/locale/locale.alias",
    "path-exclude=/usr/share/man/*",
)
# What engines mount over in every container. Where it is missing, BuildKit makes and removes it again, and every layer
# that it builds keeps a trace of that, so no layer would be the same as ours (engines/delivery.py).
_HOSTS = "127.0.0.1\\tlocalhost\\n::1\\tlocalhost ip6-localhost ip6-loopback\\n"
_MERGED = ("bin", "sbin", "lib", "lib64")
# What mmdebstrap leaves of this machine or of the build (its manual, SOURCE_DATE_EPOCH), and what apt can make again.
_REMOVED = (
    "etc/hostname",
    "etc/resolv.conf",
    "etc/apt/apt.conf.d/99mmdebstrap",
    "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
    "var/cache/apt/*.bin",
    "var/cache/debconf/*-old",
    "var/lib/dpkg/*-old",
    "var/log/apt",
    "var/log/bootstrap.log",
    "var/log/dpkg.log",
    "var/log/alternatives.log",
)


def build_base(
    debs: Sequence[Deb],
    *,
    suite: str,
    platform: Platform,
    store: Store,
    scratch: Path,
    host: HostEnvironment,
    on_line: Callable[[str], None] | None = None,
) -> Path:
    """Build a base from packages that are in the store; no network is used.

    Args:
        debs: all packages of the base.
        suite: Debian suite; the image's own package sources name it.
        platform: what the base is for; must be the machine's own, since package scripts run.
        store: holds the packages.
        scratch: folder on a roomy file system; the result stays in it.
        host: the caller's surroundings.
        on_line: gets mmdebstrap's lines.

    Returns:
        The tar of the base, uncompressed; its members' owners, modes and times are final.

    Raises:
        EngineError: mmdebstrap or root's rights are missing, or the machine is another.
        BuildError: a package's script failed; with the last lines.
    """
    from urllib.parse import quote  # noqa: PLC0415  start-up

    program = _mmdebstrap(suite, platform, host)
    repository = scratch / "repository"
    repository.mkdir()
    local_repository(debs, repository, store=store, host=host)
    temporary = scratch / "tmp"
    temporary.mkdir()
    target = scratch / "base.tar"
    merged = any(deb.name == "usr-is-merged" for deb in debs)
    setup = _script(scratch / "setup", _setup_lines(merged=merged))
    finish = _script(scratch / "finish", _finish_lines(suite))
    argv = [
        str(program),
        "--mode=root",
        "--variant=minbase",
        "--format=tar",
        f"--architectures={platform.debian}",
        f"--include={','.join(deb.name for deb in debs)}",
        f"--setup-hook={setup}",
        f"--customize-hook={finish}",
        # The store is closed to apt's own user.
        '--aptopt=APT::Sandbox::User "root"',
        *(f"--dpkgopt={option}" for option in _LEFT_OUT),
        # Device nodes are the runtime's; in layers they only make trouble for users without root's rights.
        "--skip=output/dev",
        # No suite: with one, mmdebstrap would ask the repository, which is only ours, for its name.
        "",
        str(target),
        f"deb [trusted=yes] copy://{quote(str(repository))} ./",
    ]
    env = {
        "PATH": DEFAULT_PATH,
        "HOME": str(temporary),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "TMPDIR": str(temporary),
        "SOURCE_DATE_EPOCH": str(newest_time(debs, store)),
        "DEBIAN_FRONTEND": "noninteractive",
    }
    try:
        run(contained_argv(argv), env=env, timeout=_TIMEOUT, on_line=on_line)
    except ProcessError as error:
        raise BuildError(
            f"mmdebstrap could not build debian:{suite} (status {error.status})\n{error.output}",
            hint="a package's script failed, or the disk is full: see the last lines",
        ) from error
    return target


def _mmdebstrap(suite: str, platform: Platform, host: HostEnvironment) -> Path:
    import os  # noqa: PLC0415  start-up

    program = find_program("mmdebstrap", host.path)
    if program is None:
        raise EngineError(
            f"mmdebstrap was not found; debian:{suite} is built with it",
            hint="install it (apt-get install mmdebstrap), or start from an image: an OCI layout, a registry",
        )
    if os.uname().machine != platform.machine:
        raise EngineError(
            f"a base for {platform} cannot be built on this machine ({os.uname().machine}): package scripts run",
            hint="build it on such a machine, or start from an image of a registry",
        )
    if host.uid != 0 or mapped_ids() < _IDS_OF_A_SYSTEM:
        raise EngineError(
            f"debian:{suite} needs root's rights or a user namespace with subordinate ids",
            hint="give the user ids (usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER) "
            "and install uidmap, or start from an image of a registry",
        )
    return program


def _setup_lines(*, merged: bool) -> list[str]:
    """Return what happens before the first package: ``/bin`` and its like become links into ``/usr``.

    Until Debian 12 that is the installer's task and not a package's (wiki.debian.org/UsrMerge).
    """
    if not merged:
        return []
    return [
        line
        for name in _MERGED
        for line in (f'mkdir -p "$1/usr/{name}"', f'[ -e "$1/{name}" ] || ln -s usr/{name} "$1/{name}"')
    ]


def _finish_lines(suite: str) -> list[str]:
    """Return what happens after the last package: the image's own settings, and the traces of the build."""
    # Always Debian's own mirror: the base must not depend on where its packages were fetched.
    sources = "".join(f"deb {line}\\n" for line in suite_lines(suite, DebianMirror()))
    options = "".join(f"{option}\\n" for option in _LEFT_OUT)
    return [
        *(f'rm -rf "$1"/{path}' for path in _REMOVED),
        f'printf {shlex.quote(sources)} > "$1/etc/apt/sources.list"',
        f'printf {shlex.quote(options)} > "$1/etc/dpkg/dpkg.cfg.d/layerwright"',
        f'printf {shlex.quote(_HOSTS)} > "$1/etc/hosts"',
        ': > "$1/etc/resolv.conf"',
        'chmod 0644 "$1/etc/apt/sources.list" "$1/etc/dpkg/dpkg.cfg.d/layerwright" "$1/etc/hosts" "$1/etc/resolv.conf"',
    ]


def _script(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("#!/bin/sh\nset -eu\n" + "\n".join(lines) + "\n", encoding="utf-8")
    path.chmod(0o755)
    return path
