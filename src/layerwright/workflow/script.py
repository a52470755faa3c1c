"""A shell script that runs an image as ``layerwright run`` does, for people who have no layerwright."""

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from layerwright.core.errors import UsageError
from layerwright.run.accelerators import device_numbers, docker_gpus
from layerwright.run.command_line import resource_options
from layerwright.run.invocation import Resources, parse_size
from layerwright.spec.model import Cell, Mount, Spec
from layerwright.workflow.homes import home_name
from layerwright.workflow.session import Session, read_spec, select_cells

__all__ = ["render_script", "resources_of", "script_text"]

_HEAD: Final = """\
#!/bin/sh
# Runs {image} as whoever starts this script, with docker or podman and nothing else.
#
#   {name} ARGS...                        ARGS reach the program as they are
#   CONTAINER_ENGINE=podman {name} ARGS   another engine than the first of docker and podman
#
# The current folder is at {workdir}. Written by layerwright from the image {cell!r}; change the spec, not this file.
set -eu

refuse() {{
  echo "$0: $1" >&2
  exit 125
}}

# bind FROM TO [,readonly]: prints a value of --mount, whose fields are CSV.
bind() {{
  case $1 in
    *\\"*) refuse "$1 has a quotation mark in its name, which the engines cannot mount" ;;
  esac
  [ -e "$1" ] || refuse "$1 does not exist; make it first, so that it belongs to you"
  printf 'type=bind,"source=%s","target=%s"%s' "$1" "$2" "${{3:-}}"
}}

engine=${{CONTAINER_ENGINE:-}}
for candidate in docker podman; do
  if [ -z "$engine" ] && command -v "$candidate" >/dev/null 2>&1; then engine=$candidate; fi
done
[ -n "$engine" ] || refuse "neither docker nor podman is on PATH"
uid=$(id -u)
gid=$(id -g)
rootless=
case ${{engine##*/}} in
  podman) if [ "$uid" != 0 ]; then rootless=yes; fi ;;
esac
"""
_PROJECT: Final = """\
# The project, from where this file is; through a link, from where it really is.
self=$0
if [ -L "$self" ]; then self=$(readlink -f -- "$self"); fi
project=$(CDPATH='' cd -- "$(dirname -- "$self")"/{way} && pwd)
"""
_BEGIN: Final = """\
# From here on the engine's command line is put together from its end.
set -- {image} "$@"
"""
_ENTRY: Final = """\
# The image's entry program becomes the caller: it knows these variables, makes a HOME, and touches no mount.
if [ -n "$rootless" ]; then
  # Podman would take the workdir, which is a mount, for HOME.
  set -- --userns keep-id --user "$uid:$gid" --http-proxy=false --env HOME=/home/user "$@"
else
  set -- --env "USER_ID=$uid" --env "GROUP_ID=$gid" "$@"
fi
"""
_INIT: Final = """\
# Podman's own init is a package of its own on some systems, and hides that a program is missing; these do not.
case ${engine##*/} in
  podman)
    for candidate in tini-static docker-init; do
      if init=$(command -v "$candidate"); then
        set -- --init-path "$init" "$@"
        break
      fi
    done
    ;;
esac
"""
_NO_ENTRY: Final = """\
# The image has no entry program that could become the caller.
if [ -n "$rootless" ]; then set -- --userns keep-id --http-proxy=false "$@"; fi
set -- --user "$uid:$gid" --env HOME=/tmp --env "USER=$(id -un 2>/dev/null || echo "user$uid")" "$@"
"""
_GROUPS: Final = """\
# The caller's groups, which devices such as /dev/dri want. Podman without root can keep them with crun alone.
if [ -z "$rootless" ]; then
  for group in $(id -G){more}; do
    [ -n "$group" ] || refuse "this machine lacks a group that the spec names"
    if [ "$group" != "$gid" ]; then set -- --group-add "$group" "$@"; fi
  done
elif [ "$("$engine" info --format '{{{{.Host.OCIRuntime.Name}}}}')" = crun ]; then
  set -- --group-add keep-groups "$@"
fi
"""
_HOME: Final = """\
home={folder}
mkdir -p -- "$home"
if [ "$uid" = 0 ]; then one=$(bind "$home" /root); else one=$(bind "$home" /home/user); fi
set -- --mount "$one" "$@"
"""
_END: Final = """\
if [ -t 0 ] && [ -t 1 ]; then set -- --tty --env TERM "$@"; fi
exec "$engine" run --rm --init --interactive "$@"
"""


def render_script(session: Session, image: str, out: Path | None) -> str:
    """The wrapper script of an image, from the spec alone.

    Args:
        session: surroundings; neither network nor engine is used.
        image: an image or cell; empty when the spec has only one.
        out: where the script is going to be, which its way to the project depends on; None for beside the spec.

    Raises:
        UsageError: not exactly one cell is meant.
    """
    spec = read_spec(session)
    names = select_cells(spec, [image] if image else [])
    if len(names) != 1:
        raise UsageError(
            f"{image or 'the spec'} stands for {len(names)} images, and a script is for one",
            hint=f"name one of {', '.join(names)}",
        )
    folder = spec.root if out is None else (session.start / out).resolve().parent
    return script_text(
        spec, spec.cells[names[0]], way=os.path.relpath(spec.root, folder), name=out.name if out else "SCRIPT"
    )


def script_text(spec: Spec, cell: Cell, *, way: str, name: str) -> str:
    """The script.

    Args:
        spec: the spec.
        cell: which image.
        way: from the script's folder to the spec's.
        name: of the script, for its own comment.
    """
    parts = [
        _HEAD.format(
            image=_comment(cell.references[0]),
            name=_comment(name),
            workdir=_comment(cell.workdir),
            cell=_comment(cell.name),
        )
    ]
    options = cell.run_options
    if any(_relative(mount.source) for mount in options.mounts) or _relative(options.keep_home):
        parts.append(_PROJECT.format(way=_quote(way)))
    parts.append(_BEGIN.format(image=_quote(cell.references[0])))
    # Each line puts its words before those that are there, so what is to come last is written first.
    parts += [_mount_lines(mount) for mount in reversed(options.mounts)]
    if posixpath.normpath(cell.workdir) == "/":
        parts.append("# The image's workdir is /, so the program does not see the current folder.\n")
    else:
        parts.append(_bind(f'"$(pwd -P)" {_quote(cell.workdir)}'))
        parts.append(_prepend(f"--workdir {_quote(cell.workdir)}"))
    parts += _home_lines(cell)
    parts += _device_lines(cell)
    resources = resource_options(resources_of(cell))
    if resources:
        parts.append(_prepend(" ".join(_quote(word) for word in resources)))
    if options.network != "host":
        parts.append(_prepend(f"--hostname {_quote(cell.name[:63])}"))
    parts.append(_ENTRY if _has_entry(spec, cell) else _NO_ENTRY)
    parts.append(_GROUPS.format(more="".join(_group_words(options.groups))))
    parts += [_INIT, _END]
    return "".join(parts)


def _has_entry(spec: Spec, cell: Cell) -> bool:
    """Whether the image starts by the entry program: as ``plan`` decides it, but for what only the base could tell."""
    return cell.entry_program and (bool(cell.entrypoint) or _is_debian(spec, cell))


def _is_debian(spec: Spec, cell: Cell) -> bool:
    while cell.base.kind == "image":
        cell = spec.cells[cell.base.source]
        if cell.entrypoint and cell.entry_program:
            return True
    return cell.base.kind == "debian"


def resources_of(cell: Cell) -> Resources:
    """What the spec says of the container's limits and rights."""
    options = cell.run_options
    return Resources(
        network="host" if options.network == "host" else "default" if options.network else "none",
        ipc=options.ipc,
        shm_size=parse_size(options.shm_size),
        cpus=options.cpus,
        cpu_set=options.cpu_set,
        memory=parse_size(options.memory),
        ulimits=options.ulimits,
        privileged=options.privileged,
        stop_timeout=options.stop_timeout,
    )


def _relative(source: bool | str) -> bool:
    return isinstance(source, str) and source != "" and not source.startswith(("/", "~"))


def _place(source: str) -> str:
    """A path of the spec as one word of the shell."""
    if source.startswith("~/"):
        return '"$HOME"/' + _quote(source[2:])
    if _relative(source):
        return '"$project"/' + _quote(source)
    return _quote(str(Path(source).expanduser()))


def _mount_lines(mount: Mount) -> str:
    return _bind(f"{_place(mount.source)} {_quote(mount.to)}{' ,readonly' if mount.read_only else ''}")


def _bind(words: str) -> str:
    """A mount; by a variable, since a refusal inside of an argument would be lost."""
    return f'one=$(bind {words})\nset -- --mount "$one" "$@"\n'


def _home_lines(cell: Cell) -> Iterator[str]:
    keep = cell.run_options.keep_home
    if keep is True:
        inside = _quote(f"layerwright/homes/{home_name(cell.references[0], cell.name)}")
        yield _HOME.format(folder='"${XDG_DATA_HOME:-$HOME/.local/share}"/' + inside)
    elif keep:
        yield _HOME.format(folder=_place(keep))


def _device_lines(cell: Cell) -> Iterator[str]:
    gpus = cell.run_options.gpus or "none"
    if gpus == "none":
        return
    if cell.accelerator == "mthreads":
        numbers = ",".join(device_numbers(gpus))
        yield (
            "runtime=mthreads\n"
            'case ${engine##*/} in podman) runtime=$(command -v mthreads-container-runtime) || refuse "there is no '
            'mthreads-container-runtime on PATH: install mt-container-toolkit" ;; esac\n'
        )
        yield _prepend(f'--runtime "$runtime" --env MTHREADS_VISIBLE_DEVICES={_quote(numbers)}')
        return
    names = device_numbers(gpus)
    devices = " ".join(f"--device {_quote(f'nvidia.com/gpu={name}')}" for name in names)
    value = _quote(docker_gpus(gpus))
    yield (
        "case ${engine##*/} in\n"
        f'  podman) set -- {devices} "$@" ;;\n'
        f'  *) set -- --gpus {value} "$@" ;;\n'
        "esac\n"
    )


def _group_words(groups: tuple[str, ...]) -> Iterator[str]:
    for group in groups:
        if group.isdecimal():
            yield f" {group}"
        else:
            yield f' "$(getent group {_quote(group)} | cut -d: -f3)"'


def _prepend(words: str) -> str:
    return f'set -- {words} "$@"\n'


def _quote(word: str) -> str:
    import shlex  # noqa: PLC0415 - start-up

    return shlex.quote(word)


def _comment(text: str) -> str:
    """Text that cannot leave its comment."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
