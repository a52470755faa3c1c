"""Moore Threads: how a GPU reaches a container, and the SDK on the machine."""

from typing import Final

from layerwright.core.findings import Kind
from layerwright.doctor.data import MthreadsData
from layerwright.doctor.foreign import one_line
from layerwright.doctor.machine import Machine
from layerwright.doctor.model import Check, Cure, absent, broken
from layerwright.facts.components import release_of_toolkit

__all__ = ["CONTAINER_KINDS", "container_checks", "in_container"]

_RUNTIME, _PACKAGES, _SDK = "mthreads-runtime", "mthreads-packages", "mthreads-sdk"
_SETUP: Final = Cure(
    text="bind the runtime to Docker and restart it (as root)",
    command="cd /usr/bin/musa && ./docker setup $PWD && systemctl restart docker",
)

CONTAINER_KINDS: Final = (
    Kind(
        code=_RUNTIME,
        title="Docker knows the runtime mthreads",
        why="The runtime puts mthreads-gmi and libsrv_um_MUSA.so into containers; without it they are missing or of "
        "zero bytes there, though the host works. As the default it does so in builds, too, which torch_musa's own "
        "Dockerfiles count on.",
        evidence="Runtimes of the Docker engine.",
        repair="`cd /usr/bin/musa && ./docker setup $PWD`, as root.",
    ),
    Kind(
        code=_PACKAGES,
        title="the vendor's packages",
        why="Containers need the management library, the sharing module and the container toolkit beside the driver.",
        evidence="Debian's package database: musa, mtml, sgpu-dkms, mt-container-toolkit.",
        repair="Install them from https://developer.mthreads.com/, in that order.",
    ),
    Kind(
        code=_SDK,
        title="a MUSA SDK on the machine",
        why="Images bring their own; one on the machine is only for programs outside containers. Mounted over the "
        "image's, it must be of the same version.",
        evidence="/usr/local/musa and MUSA_HOME.",
        repair="Nothing to mend.",
    ),
)


def in_container(machine: Machine) -> bool:
    """Whether this looks like the inside of a container."""
    return machine.path("/.dockerenv").exists() or machine.path("/run/.containerenv").exists()


def container_checks(machine: Machine, known: MthreadsData, *, needed: bool) -> tuple[Check, ...]:
    """Look at runtime, packages and SDK."""
    return (
        _runtime(machine, needed=needed),
        _packages(machine, known),
        _sdk(machine),
    )


def _runtime(machine: Machine, *, needed: bool) -> Check:
    info = machine.docker
    if not info.answers:
        cure = Cure(text="install and start Docker first (as root)", command="apt-get install docker.io")
        return absent(_RUNTIME, "no Docker engine answers: see docker-engine", cure, needed=needed)
    if "mthreads" in info.runtimes:
        if info.default_runtime == "mthreads":
            return Check(id=_RUNTIME, status="ok", detail="Docker knows it and takes it by default")
        return Check(
            id=_RUNTIME,
            status="ok",
            detail=f"Docker knows it, and takes {one_line(info.default_runtime) or 'another'} by default: `layerwright "
            "run` asks for it by name; builds and starts by other means need the setup, or --runtime=mthreads",
        )
    toolkit = machine.path("/usr/bin/musa/docker").exists()
    have = "the container toolkit is installed, but " if toolkit else ""
    install = Cure(
        text="install the vendor's mt-container-toolkit (as root)",
        command="dpkg -i mt-container-toolkit_*.deb",
    )
    fix = (_SETUP,) if toolkit else (install, _SETUP)
    return broken(_RUNTIME, f"{have}Docker knows no runtime mthreads", fix, needed=needed)


def _packages(machine: Machine, known: MthreadsData) -> Check:
    text = machine.read("/var/lib/dpkg/status", limit=64 << 20)
    if not text:
        return Check(id=_PACKAGES, status="unknown", detail="this system keeps no dpkg database")
    versions = _versions(text, {package.name for package in known.package})
    shown = [f"{name} {version}" for name, version in versions.items()]
    missing = [package for package in known.package if package.name not in versions]
    if not missing:
        return Check(id=_PACKAGES, status="ok", detail=", ".join(shown))
    lacks = ", ".join(f"{package.name} ({package.what})" for package in missing)
    have = f"; there: {', '.join(shown)}" if shown else ""
    return Check(
        id=_PACKAGES,
        # The vendor ships the same in other forms too, so their absence proves nothing.
        status="warning",
        detail=f"not installed: {lacks}{have}",
        fix=(
            Cure(
                text="get them from https://developer.mthreads.com/ and install them in this order (as root)",
                command="dpkg -i " + " ".join(f"{package.name}_*.deb" for package in missing),
            ),
        ),
    )


def _versions(text: str, wanted: set[str]) -> dict[str, str]:
    """Versions of installed packages (deb822 paragraphs of dpkg's status file)."""
    found = {}
    name = version = ""
    installed = False
    for line in (*text.splitlines(), ""):
        if not line:
            if installed and name in wanted:
                found[name] = one_line(version)
            name, version, installed = "", "", False
        elif line.startswith("Package: "):
            name = line[9:].strip()
        elif line.startswith("Version: "):
            version = line[9:].strip()
        elif line.startswith("Status: "):
            installed = line.endswith(" installed")
    return found


def _sdk(machine: Machine) -> Check:
    folders = [machine.host.variables.get("MUSA_HOME", ""), "/usr/local/musa"]
    there = [folder for folder in dict.fromkeys(folders) if folder and machine.path(folder).is_dir()]
    if not there:
        return Check(id=_SDK, status="not_needed", detail="none; images bring their own")
    # The link's target carries the version: /usr/local/musa -> /usr/local/musa-3.1.0
    try:
        target = machine.path(there[0]).readlink().name
    except OSError:
        target = ""
    release = release_of_toolkit(machine.read(f"{there[0]}/version.json"))
    said = ", ".join(filter(None, (target, release and f"toolkit {release}")))
    return Check(id=_SDK, status="ok", detail=one_line(f"{there[0]}{f' ({said})' if said else ''}"))
