"""Podman: whether it can run here, which control groups, limits and storage decide."""

import json
from collections.abc import Mapping
from typing import Any, Final

from layerwright.core.findings import Kind
from layerwright.doctor import data
from layerwright.doctor.docker import numbers
from layerwright.doctor.foreign import as_mapping, last_line, one_line
from layerwright.doctor.machine import Machine
from layerwright.doctor.model import Check, Cure, Needs, Outcome, absent, broken
from layerwright.doctor.storage import parse_mounts
from layerwright.facts.model import HostFacts

__all__ = ["KINDS", "examine"]

_PODMAN, _STORAGE, _RUNTIME, _LIMITS = "podman", "podman-storage", "podman-runtime", "podman-limits"
_SYS_RESOURCE: Final = 24  # linux/capability.h
_WANTED_FILES: Final = 1 << 20
_CONFIGURATIONS: Final = (
    "/etc/containers/containers.conf",
    "/usr/share/containers/containers.conf",
)

_LOOK: Final = Cure(text="look at what it says", command="podman info")

KINDS: Final = (
    Kind(
        code=_PODMAN,
        title="podman",
        why="Rendered Dockerfiles and images work with podman too; it needs no daemon and no root.",
        evidence="`podman --version`; `podman info` too where podman is in use or asked for, since it sets itself up "
        "for whoever asks.",
        repair="Install podman.",
    ),
    Kind(
        code=_STORAGE,
        title="how podman keeps images",
        why="Without a configuration, rootless podman of older versions falls back to `vfs`, which copies every layer "
        "whole.",
        evidence="`store.graphDriverName` of `podman info`, where that is asked.",
        repair='Write `driver = "overlay"` to storage.conf.',
    ),
    Kind(
        code=_RUNTIME,
        title="podman's runtime and the control groups",
        why="crun refuses machines whose control groups are of both versions (`cgroups in hybrid mode not supported`).",
        evidence="`host.ociRuntime` of `podman info`, else containers.conf and what is installed; the mounted control "
        "groups.",
        repair="Use runc, or boot with version 2 alone.",
    ),
    Kind(
        code=_LIMITS,
        title="limits that podman raises, and what its version cannot do",
        why="Podman as root asks for 1,048,576 open files; where the machine's limit is lower and may not be raised, "
        "every container fails (`setrlimit RLIMIT_NOFILE: Operation not permitted`).",
        evidence="The hard limit and the capabilities of this process; containers.conf; the version.",
        repair="Write lower `default_ulimits` to containers.conf.",
    ),
)


def examine(machine: Machine, needs: Needs) -> Outcome:
    """Look at podman. It is asked about itself only where that changes nothing, or when podman is asked for."""
    needed = needs.wants("podman")
    program = machine.program("podman")
    if program is None:
        cure = Cure(text="install it (as root)", command="apt-get install podman")
        return Outcome(
            checks=(
                absent(_PODMAN, "no podman command was found", cure, needed=needed),
                *(
                    Check(id=identity, status="not_needed", detail="there is no podman")
                    for identity in (_STORAGE, _RUNTIME, _LIMITS)
                ),
            )
        )
    shown = machine.start([str(program), "--version"])
    version = one_line(shown.out).rpartition(" ")[2] if shown.status == 0 else ""
    asked = needed or _in_use(machine)
    info, why = _info(machine, str(program)) if asked else ({}, "")
    rootless = machine.host.uid != 0
    named = f"{version or 'of unknown version'}, {'rootless' if rootless else 'as root'} ({program})"
    if shown.status != 0:
        told = one_line(shown.error or shown.out) or f"status {shown.status}"
        first = broken(_PODMAN, f"{program} does not run: {told}", (_LOOK,), needed=needed)
    elif why:
        first = broken(_PODMAN, f"{named} cannot tell about itself: {why}", (_LOOK,), needed=needed)
    else:
        first = Check(id=_PODMAN, status="ok", detail=named)
    return Outcome(
        checks=(
            first,
            _storage(info, rootless=rootless, asked=asked),
            _runtime(machine, info),
            _limits(machine, version),
        ),
        facts=HostFacts(engines={"podman": version}) if version else HostFacts(),
    )


def _in_use(machine: Machine) -> bool:
    """Whether the caller has used podman: else ``podman info`` would make its folders, and rootless start a process.

    Rootless podman keeps its namespaces alive with a process whose number is in ``pause.pid`` of its run-time folder.
    """
    host = machine.host
    if host.uid == 0:
        return machine.path("/var/lib/containers/storage").is_dir()
    folder = host.variables.get("XDG_RUNTIME_DIR") or f"/tmp/podman-run-{host.uid}"  # noqa: S108 - podman's own
    number = machine.read(f"{folder}/libpod/tmp/pause.pid", limit=32).strip()
    return number.isdecimal() and machine.path(f"/proc/{number}").exists()


def _info(machine: Machine, program: str) -> tuple[Mapping[str, Any], str]:
    """``podman info``, and why there is none."""
    done = machine.start([program, "info", "--format", "json"])
    try:
        found = as_mapping(json.loads(done.out)) if done.status == 0 else {}
    except (ValueError, RecursionError):
        found = {}
    if found:
        return found, ""
    if done.timed_out:
        return {}, "it did not answer in time"
    return {}, last_line(done.error) or f"status {done.status}, and no JSON"


def _storage(info: Mapping[str, Any], *, rootless: bool, asked: bool) -> Check:
    if not asked:
        detail = "not asked, since you do not use podman: it would set itself up for you (--for podman asks)"
        return Check(id=_STORAGE, status="not_needed", detail=detail)
    driver = as_mapping(info.get("store")).get("graphDriverName")
    if not isinstance(driver, str):
        return Check(id=_STORAGE, status="unknown", detail="podman does not say")
    if driver == "vfs":
        file = "~/.config/containers/storage.conf" if rootless else "/etc/containers/storage.conf"
        return Check(
            id=_STORAGE,
            status="warning",
            detail="vfs: every layer is copied whole",
            fix=(
                Cure(
                    text=f'write `[storage]` and `driver = "overlay"` to {file}, then begin anew (its images go)',
                    command="podman system reset",
                ),
            ),
        )
    return Check(id=_STORAGE, status="ok", detail=one_line(driver))


def _runtime(machine: Machine, info: Mapping[str, Any]) -> Check:
    runtime = as_mapping(as_mapping(info.get("host")).get("ociRuntime")).get("name") or _configured(machine)
    kinds = [mount.kind for mount in parse_mounts(machine.read("/proc/self/mountinfo"))]
    hybrid = "cgroup" in kinds and "cgroup2" in kinds
    groups = "of both versions" if hybrid else f"version {2 if 'cgroup2' in kinds else 1}"
    if not isinstance(runtime, str) or not runtime:
        cure = Cure(text="install one (as root)", command="apt-get install crun")
        detail = f"neither crun nor runc was found; control groups {groups}"
        return Check(id=_RUNTIME, status="warning", detail=detail, fix=(cure,))
    if runtime == "crun" and hybrid:
        other = machine.program("runc")
        return Check(
            id=_RUNTIME,
            status="warning",
            detail="crun, and control groups of both versions: crun refuses to start containers",
            fix=(
                Cure(
                    text='write `[engine]`, `runtime = "runc"` and `cgroup_manager = "cgroupfs"` to '
                    "/etc/containers/containers.conf" + ("" if other else "; runc must be installed"),
                    command="" if other else "apt-get install runc",
                ),
                Cure(
                    text="or boot with version 2 alone: kernel parameter systemd.unified_cgroup_hierarchy=1"
                ),
            ),
        )
    return Check(id=_RUNTIME, status="ok", detail=one_line(f"{runtime}, control groups {groups}"))


def _configured(machine: Machine) -> str:
    """The runtime that containers.conf names, else the one that podman takes by itself; empty for none."""
    for line in _configuration(machine):
        name, separator, value = line.partition("=")
        if separator and name.strip() == "runtime":
            return one_line(value.strip().strip("\"'"))
    return next((name for name in ("crun", "runc") if machine.program(name) is not None), "")


def _limits(machine: Machine, version: str) -> Check:
    known = data.quirks("podman", numbers(version)) if numbers(version) else ()
    detail = "; ".join(quirk.text for quirk in known) or "nothing is known against this version"
    hard = _hard_files(machine)
    if machine.host.uid == 0 and 0 < hard < _WANTED_FILES and not _may_raise(machine) and not _set(machine):
        return Check(
            id=_LIMITS,
            status="warning",
            detail=f"podman asks for {_WANTED_FILES} open files, and the limit of {hard} cannot be raised; {detail}",
            fix=(
                Cure(
                    text="write to /etc/containers/containers.conf, under [containers]: "
                    f'default_ulimits = ["nofile={hard}:{hard}", "nproc=32768:32768"]'
                ),
            ),
        )
    serious = [quirk for quirk in known if quirk.level == "warning"]
    return Check(
        id=_LIMITS,
        status="warning" if serious else "ok",
        detail=detail,
        fix=tuple(Cure(text=quirk.cure) for quirk in serious if quirk.cure),
    )


def _hard_files(machine: Machine) -> int:
    """The hard limit of open files; 0 when it is not known or there is none."""
    for line in machine.read("/proc/self/limits").splitlines():
        if line.startswith("Max open files"):
            fields = line.split()
            return int(fields[4]) if len(fields) > 4 and fields[4].isdecimal() else 0  # noqa: PLR2004 - proc(5)
    return 0


def _may_raise(machine: Machine) -> bool:
    for line in machine.read("/proc/self/status").splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            try:
                return bool(int(value, 16) >> _SYS_RESOURCE & 1)
            except ValueError:
                return True
    return True


def _set(machine: Machine) -> bool:
    """Whether somebody has set the limits; a comment does not."""
    return any(line.startswith("default_ulimits") for line in _configuration(machine))


def _configuration(machine: Machine) -> list[str]:
    """Lines of containers.conf, the strongest file first (containers.conf(5))."""
    own = machine.host.variables.get("CONTAINERS_CONF", "")
    files = [own] if own else [f"{machine.host.home}/.config/containers/containers.conf", *_CONFIGURATIONS]
    return [line.strip() for file in files for line in machine.read(file).splitlines()]
