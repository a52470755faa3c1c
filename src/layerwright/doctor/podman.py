"""Podman: whether it can run here, which control groups, limits and storage decide."""

import json
from collections.abc import Mapping
from typing import Any, Final

from layerwright.core.findings import Kind
from layerwright.doctor import data
from layerwright.doctor.docker import numbers
from layerwright.doctor.machine import Machine, as_mapping, one_line
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

KINDS: Final = (
    Kind(
        code=_PODMAN,
        title="podman",
        why="Rendered Dockerfiles and images work with podman too; it needs no daemon and no root.",
        evidence="`podman --version` and `podman info`; no container is started.",
        repair="Install podman.",
    ),
    Kind(
        code=_STORAGE,
        title="how podman keeps images",
        why="Without a configuration, rootless podman of older versions falls back to `vfs`, which copies every layer "
        "whole.",
        evidence="`store.graphDriverName` of `podman info`.",
        repair='Write `driver = "overlay"` to storage.conf.',
    ),
    Kind(
        code=_RUNTIME,
        title="podman's runtime and the control groups",
        why="crun refuses machines whose control groups are of both versions (`cgroups in hybrid mode not supported`).",
        evidence="`host.ociRuntime` of `podman info`, and the mounted control groups.",
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
    """Look at podman."""
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
    version = one_line(shown.out).rpartition(" ")[2]
    info, why = _info(machine, str(program))
    rootless = as_mapping(as_mapping(info.get("host")).get("security")).get("rootless") is True
    if info:
        how = "rootless" if rootless else "as root"
        first = Check(id=_PODMAN, status="ok", detail=f"{version or 'of unknown version'}, {how} ({program})")
    else:
        first = broken(
            _PODMAN,
            f"{version or 'podman'} ({program}) cannot tell about itself: {why}",
            (Cure(text="look at what it says", command="podman info"),),
            needed=needed,
        )
    return Outcome(
        checks=(
            first,
            _storage(info, rootless=rootless),
            _runtime(machine, info),
            _limits(machine, version),
        ),
        facts=HostFacts(engines={"podman": version}) if version else HostFacts(),
    )


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
    return {}, one_line(done.error) or f"status {done.status}, and no JSON"


def _storage(info: Mapping[str, Any], *, rootless: bool) -> Check:
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
    runtime = as_mapping(as_mapping(info.get("host")).get("ociRuntime")).get("name")
    kinds = [mount.kind for mount in parse_mounts(machine.read("/proc/self/mountinfo"))]
    hybrid = "cgroup" in kinds and "cgroup2" in kinds
    groups = "of both versions" if hybrid else f"version {2 if 'cgroup2' in kinds else 1}"
    if not isinstance(runtime, str):
        return Check(id=_RUNTIME, status="unknown", detail=f"podman does not say; control groups {groups}")
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


def _limits(machine: Machine, version: str) -> Check:
    known = data.quirks("podman", numbers(version)) if numbers(version) else ()
    detail = "; ".join(quirk.text for quirk in known) or "nothing is known against this version"
    hard = _hard_files(machine)
    if machine.host.uid == 0 and 0 < hard < _WANTED_FILES and not _may_raise(machine) and not _set(machine):
        return Check(
            id=_LIMITS,
            status="warning",
            detail=f"podman asks for {_WANTED_FILES} open files, and the limit of {hard} here cannot be raised; {detail}",
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
    files = [*_CONFIGURATIONS, machine.host.variables.get("CONTAINERS_CONF", "")]
    return any(
        line.strip().startswith("default_ulimits")
        for file in files
        if file
        for line in machine.read(file).splitlines()
    )
