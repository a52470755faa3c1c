"""How a component is installed: one command with its archive mounted, which leaves what the installer made and no more.

The environment of an image with MUSA is here as well. Pure text.
"""

import re
import shlex
from typing import Final

from layerwright.facts.components import MUSA_HOME, PYTHON_HOME, RENDER_GROUP, kind_of
from layerwright.facts.gpu_architectures import parse_architecture
from layerwright.plan.steps import FILES_MOUNT, MountedFile, RunCommand
from layerwright.spec.model import Cell, Component

__all__ = ["archive_name", "component_command", "musa_env"]

# The folder of work is no layer's: it goes before the command ends. Archives are packed by others, so the owners
# they name mean nothing here.
_UNPACK: Final = """\
umask 022
work=$(mktemp -d /tmp/component.XXXXXX)
trap 'cd / && rm -rf "$work"' EXIT
tar -xof {archive} -C "$work"
cd "$work"
set -- *
if [ $# -eq 1 ] && [ -d "./$1" ]; then cd "./$1"; fi
"""

_FIND_INSTALLER: Final = """\
installer=
for one in {installers}; do
  if [ -z "$installer" ] && [ -f "$one" ]; then installer=$one; fi
done
if [ -z "$installer" ]; then
  echo {complaint} >&2
  ls >&2
  exit 1
fi
chmod +x "$installer"
"./$installer"
"""

_TOOLKIT_STANDS: Final = f"""\
if [ ! -d {MUSA_HOME} ]; then
  echo 'the installer ended well, and there is no {MUSA_HOME}' >&2
  exit 1
fi
if ! grep -q '^render:' /etc/group && ! grep -q '^[^:]*:[^:]*:{RENDER_GROUP}:' /etc/group; then
  echo 'render:x:{RENDER_GROUP}:' >> /etc/group
  if [ -f /etc/gshadow ]; then echo 'render:!::' >> /etc/gshadow; fi
fi
"""


# As the archives of python-build-standalone are: all that a Python needs, wherever it is put.
_PLACE_PYTHON: Final = f"""\
if [ ! -x bin/python3 ]; then
  echo {{complaint}} >&2
  ls >&2
  exit 1
fi
mkdir -p {PYTHON_HOME}
cp -a ./. {PYTHON_HOME}/
chmod 755 {PYTHON_HOME}
"""


def archive_name(component: Component) -> str:
    """The archive's file name, free of what a shell or a Dockerfile could mistake."""
    last = re.split(r"[?#]", component.url)[0].rstrip("/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9._+-]", "_", last).lstrip(".-") or "archive"


def component_command(component: Component, *, size: int = 0) -> RunCommand:
    """The step that installs a component.

    Its environment is not the image's: the same archive over the same layers is the same layer in every image.

    Args:
        component: what to install.
        size: bytes of the archive, 0 when unknown.
    """
    name = archive_name(component)
    archive = f"{FILES_MOUNT}/{name}"
    text = _UNPACK.format(archive=shlex.quote(archive)) + _install(component, name)
    if component.kind == "musa_toolkit":
        text += _TOOLKIT_STANDS
    return RunCommand(
        argv=("/bin/sh", "-euc", text),
        script=f"install component {component.name} ({name})",
        files=(MountedFile(name=name, url=component.url, sha256=component.sha256, size=size),),
        env={"LANG": "C.UTF-8", "MUSA_HOME": MUSA_HOME},
        location=component.location,
    )


def _install(component: Component, name: str) -> str:
    if component.install:
        return f"/bin/sh -euc {shlex.quote(component.install)}\n"
    kind = kind_of(component.kind)
    if component.kind == "python":
        complaint = f"{name} has no bin/python3 in it, so it is no Python that can be put anywhere. It holds:"
        return _PLACE_PYTHON.format(complaint=shlex.quote(complaint))
    installers = kind.installers if kind else ()
    complaint = (
        f"{name} has no {' or '.join(installers)}; say in the spec how it is installed: "
        f"components.{component.name}.install. It holds:"
    )
    return _FIND_INSTALLER.format(installers=" ".join(installers), complaint=shlex.quote(complaint))


def musa_env(cell: Cell) -> dict[str, str]:
    """What programs find MUSA by; ``PATH`` holds what goes before the base's own. Empty for other images.

    ``LD_LIBRARY_PATH`` has no empty entry, which would mean the current folder, and which devices a container sees is
    for whoever starts it: ``MTHREADS_VISIBLE_DEVICES`` is not here.
    """
    env = dict[str, str]()
    if any(one.kind == "musa_toolkit" for one in (*cell.inherited_components, *cell.components)):
        env |= {"MUSA_HOME": MUSA_HOME, "LD_LIBRARY_PATH": f"{MUSA_HOME}/lib", "PATH": f"{MUSA_HOME}/bin"}
    architecture = parse_architecture(cell.gpu_arch) if cell.gpu_arch else None
    if architecture is not None:
        env["TORCH_MUSA_ARCH_LIST"] = architecture.number
    return env
