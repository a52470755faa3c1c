"""Stand-ins for the repositories that a development image of torch_musa compiles: small, with the same interfaces.

``pytorch`` and ``vision`` have a ``setup.py`` that compiles an extension with the C compiler and installs the package;
pytorch has a submodule, and that one another. ``torch_musa`` has the ``build.sh`` of Moore Threads' repository
(``-t``/``-m``/``-c``/``-p``, ``PYTORCH_REPO_PATH``, ``MAX_JOBS``): it patches pytorch, builds it, then builds itself.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from support.command import Command, Done

__all__ = ["BARE", "BASE", "Repositories", "Workplace", "commit_all", "git", "make_repositories", "served"]

_DATE = "2023-07-11T00:00:00Z"

_SETUP = '''\
"""Compile the extension and install the package: ``setup.py install`` and ``setup.py clean``."""
import os, pathlib, shutil, subprocess, sys, sysconfig

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE / "build"


def run(*argv):
    print("+", *argv, flush=True)
    subprocess.run(argv, check=True)


def main():
    if sys.argv[1:] == ["clean"]:
        shutil.rmtree(BUILD, ignore_errors=True)
        return
    if sys.argv[1:] != ["install"]:
        sys.exit("usage: setup.py install | clean")
    BUILD.mkdir(exist_ok=True)
    site = pathlib.Path(sysconfig.get_paths()["purelib"])
    include = sysconfig.get_paths()["include"]
    target = BUILD / ("_C" + sysconfig.get_config_var("EXT_SUFFIX"))
    flags = [f"-I{HERE / folder}" for folder in INCLUDES] + [f"-I{site / folder}" for folder in SITE_INCLUDES]
    defines = [f'-DVERSION="{os.environ.get("PYTORCH_BUILD_VERSION", VERSION)}"']
    source = str(HERE / "csrc" / "module.c")
    run("cc", "-shared", "-fPIC", f"-I{include}", *flags, *defines, "-o", str(target), source)
    package = site / NAME
    shutil.rmtree(package, ignore_errors=True)
    shutil.copytree(HERE / NAME, package)
    shutil.copy2(target, package)
    if (HERE / "csrc" / "api.h").exists():
        (package / "include").mkdir()
        shutil.copy2(HERE / "csrc" / "api.h", package / "include" / f"{NAME}_api.h")


'''

_MODULE = """\
#include <Python.h>
{includes}
static PyObject *add(PyObject *self, PyObject *arguments) {{
  long a, b;
  if (!PyArg_ParseTuple(arguments, "ll", &a, &b)) return NULL;
  return PyLong_FromLong({sum});
}}
static PyMethodDef methods[] = {{{{"add", add, METH_VARARGS, ""}}, {{NULL, NULL, 0, NULL}}}};
static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, "_C", "", -1, methods}};
PyMODINIT_FUNC PyInit__C(void) {{
  PyObject *made = PyModule_Create(&module);
  PyModule_AddStringConstant(made, "version", VERSION);
  return made;
}}
"""

_BUILD_SH = """\
#!/bin/bash
# The interface of torch_musa's build.sh.
set -eu
HERE=$(cd "$(dirname "$0")" && pwd)
PYTORCH_REPO_PATH=${PYTORCH_REPO_PATH:-$(dirname "$HERE")/pytorch}
PYTORCH_TAG=v2.0.0
MAX_JOBS=${MAX_JOBS:-1}
BUILD_TORCH=0 BUILD_MUSA=0 ONLY_PATCH=0 CLEAN=0
while [ $# -gt 0 ]; do
  case $1 in
    -t | --torch) BUILD_TORCH=1 ;;
    -m | --musa) BUILD_MUSA=1 ;;
    -a | --all) BUILD_TORCH=1 BUILD_MUSA=1 ;;
    -p | --patch) ONLY_PATCH=1 ;;
    -c | --clean) CLEAN=1 ;;
    *) echo "build.sh: unrecognized option '$1'" >&2; exit 1 ;;
  esac
  shift
done
apply_patches() {
  for file in "$HERE"/torch_patches/*.patch; do
    if ! patch --forward --strip=1 --directory="$PYTORCH_REPO_PATH" < "$file"; then
      echo "the patch $file does not apply" >&2
      exit 1
    fi
  done
}
if [ "$CLEAN" = 1 ]; then
  python "$PYTORCH_REPO_PATH/setup.py" clean
  python "$HERE/setup.py" clean
fi
if [ "$BUILD_TORCH" = 1 ] || [ "$ONLY_PATCH" = 1 ]; then apply_patches; fi
if [ "$BUILD_TORCH" = 1 ]; then
  PYTORCH_BUILD_VERSION=${PYTORCH_TAG#v} python "$PYTORCH_REPO_PATH/setup.py" install
fi
if [ "$BUILD_MUSA" = 1 ]; then python "$HERE/setup.py" install; fi
"""

_PATCH = """\
--- a/torch/__init__.py
+++ b/torch/__init__.py
@@ -1,3 +1,4 @@
 from torch._C import add, version as __version__

 HOOKS = []
+HOOKS.append("privateuseone")
"""

_UNIT_TESTS = """\
import unittest

import torch
import torch_musa


class TestOperators(unittest.TestCase):
    def test_add(self):
        self.assertEqual(torch_musa.add(2, 3), 5)

    def test_hook(self):
        self.assertIn("privateuseone", torch.HOOKS)

    def test_conv3d(self):
        self.fail("not on this GPU")


if __name__ == "__main__":
    unittest.main()
"""

_INTEGRATION_TESTS = """\
import unittest

import torchvision


class TestVision(unittest.TestCase):
    def test_resnet50(self):
        self.assertEqual(torchvision.add(20, 30), 50)


if __name__ == "__main__":
    unittest.main()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repositories:
    """Bare repositories, as a server has them; ``commits`` are those of the tags that images want."""

    folder: Path
    commits: Mapping[str, str]

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.git"

    def clone(self, name: str, into: Path, *, at: str = "") -> Path:
        """A working copy with its submodules, as a user has one."""
        options = ["--branch", at] if at else []
        git(
            into.parent, "clone", "--quiet", "--recurse-submodules", *options, str(self.path(name)), into.name
        )
        return into


BARE = """\
[project]
name = "layerwright-test-sources"
version = "1"
[defaults]
from = "debian:bookworm"
python = "3.11"
"""
"""For images that only hold sources; the one image is ``dev``."""

BASE = """\
[project]
name = "layerwright-test-musa"
version = "1.2.1"
[images.base]
from = "debian:bookworm"
role = "base"
python = "3.11"
apt = ["gcc", "libc6-dev", "libpython3.11-dev", "patch"]
workdir = "/home"
bytecode = false
"""
"""What Moore Threads' base images have of a toolchain, as far as the stand-ins need it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """A project beside the repositories.

    Attributes:
        head: how its specs begin.
        head_lock: the lock of that.
    """

    command: Command
    repositories: Repositories
    head: str
    head_lock: str

    @property
    def folder(self) -> Path:
        return self.command.folder

    @property
    def lock(self) -> Path:
        return self.folder / "layerwright.lock"

    def write(self, images: str) -> None:
        """The spec: what all share, then the text as given. What all share is locked already."""
        (self.folder / "layerwright.toml").write_text(self.head + images, encoding="utf-8")
        if not self.lock.exists():
            self.lock.write_text(self.head_lock, encoding="utf-8")

    def source(self, name: str, rev: str, *more: str) -> str:
        """A table of ``[sources]``."""
        lines = [f"[sources.{name}]", f'git = "{self.repositories.path(name)}"', f'rev = "{rev}"', *more]
        return "\n".join(lines) + "\n"

    def __call__(self, *words: str | Path, status: int | None = 0) -> Done:
        return self.command(*words, status=status, timeout=300)


@contextmanager
def served(repositories: Path) -> Iterator[str]:
    """A server of repositories on this machine; gives its address, below which they stand."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    argv = [
        "git",
        "daemon",
        "--reuseaddr",
        "--export-all",
        f"--base-path={repositories}",
        "--listen=127.0.0.1",
    ]
    process = subprocess.Popen([*argv, f"--port={port}", str(repositories)], start_new_session=True)
    try:
        for _ in range(200):
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield f"git://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=20)


def git(folder: Path, *words: str) -> str:
    """Run git as somebody, whoever runs the tests."""
    program = shutil.which("git")
    assert program is not None, "git is not installed"
    who = {"NAME": "somebody", "EMAIL": "somebody@example.org", "DATE": _DATE}
    names = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()}
    done = subprocess.run(
        [program, "-c", "protocol.file.allow=always", "-c", "advice.detachedHead=false", *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", **names},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"git {' '.join(words)}: {done.stderr}"
    return done.stdout


def commit_all(folder: Path, message: str) -> str:
    """Commit what stands in a working copy; returns the commit."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD").strip()


def make_repositories(folder: Path) -> Repositories:
    """Make all of them in an empty folder; made twice, they have the same commits."""
    work = folder / "work"
    work.mkdir(parents=True)
    commits = {}
    inner = _begin(
        work, "sleef", {"include/sleef.h": "static long sleef_add(long a, long b) { return a + b; }\n"}
    )
    commits["sleef"] = _publish(folder, inner, "3.6")
    outer = _begin(work, "kineto", {"include/kineto.h": '#include "sleef.h"\n#define KINETO_ADD sleef_add\n'})
    git(outer, "submodule", "--quiet", "add", "../sleef.git", "third_party/sleef")
    commits["kineto"] = _publish(folder, outer, "v0.4.0")
    torch = _begin(
        work,
        "pytorch",
        {
            "setup.py": _SETUP
            + dedent("""\
                NAME, VERSION = "torch", "2.0.0a0"
                INCLUDES = ["third_party/kineto/include", "third_party/kineto/third_party/sleef/include"]
                SITE_INCLUDES = []
                main()
                """),
            "csrc/module.c": _MODULE.format(includes='#include "kineto.h"', sum="KINETO_ADD(a, b)"),
            "csrc/api.h": "#define TORCH_API 2\n",
            "torch/__init__.py": "from torch._C import add, version as __version__\n\nHOOKS = []\n",
            ".gitignore": "build/\n",
        },
    )
    git(torch, "submodule", "--quiet", "add", "../kineto.git", "third_party/kineto")
    git(torch, "submodule", "--quiet", "update", "--init", "--recursive")
    commits["pytorch"] = _publish(folder, torch, "v2.0.0", more="2.1.0a0")
    vision = _begin(
        work,
        "vision",
        {
            "setup.py": _SETUP
            + 'NAME, VERSION = "torchvision", "0.15.2"\nINCLUDES = []\nSITE_INCLUDES = ["torch/include"]\nmain()\n',
            "csrc/module.c": _MODULE.format(includes='#include "torch_api.h"', sum="a + b + 0 * TORCH_API"),
            "torchvision/__init__.py": "import torch\nfrom torchvision._C import add, version as __version__\n",
        },
    )
    commits["vision"] = _publish(folder, vision, "v0.15.2", more="0.16.0a0")
    audio = _begin(
        work,
        "audio",
        {
            "setup.py": _SETUP
            + 'NAME, VERSION = "torchaudio", "2.0.1"\nINCLUDES = []\nSITE_INCLUDES = ["torch/include"]\nmain()\n',
            "csrc/module.c": _MODULE.format(includes='#include "torch_api.h"', sum="a + b + 0 * TORCH_API"),
            "torchaudio/__init__.py": "import torch\nfrom torchaudio._C import add, version as __version__\n",
        },
    )
    commits["audio"] = _publish(folder, audio, "v2.0.1")
    musa = _begin(
        work,
        "torch_musa",
        {
            "build.sh": _BUILD_SH,
            "torch_patches/init.patch": _PATCH,
            "setup.py": _SETUP
            + 'NAME, VERSION = "torch_musa", "1.2.1"\nINCLUDES = []\nSITE_INCLUDES = ["torch/include"]\nmain()\n',
            "csrc/module.c": _MODULE.format(includes='#include "torch_api.h"', sum="a + b + 0 * TORCH_API"),
            "torch_musa/__init__.py": "import torch\nfrom torch_musa._C import add, version as __version__\n",
            "scripts/run_unittest.sh": "cd tests/unittest && python -m unittest\n",
            "scripts/run_integration_test.sh": "cd tests/integration/vision && python -m unittest\n",
            "tests/unittest/test_operators.py": _UNIT_TESTS,
            "tests/integration/vision/test_resnet.py": _INTEGRATION_TESTS,
        },
    )
    (musa / "build.sh").chmod(0o755)
    commits["torch_musa"] = _publish(folder, musa, "v1.2.1")
    return Repositories(folder=folder, commits=commits)


def _begin(work: Path, name: str, files: Mapping[str, str]) -> Path:
    place = work / name
    place.mkdir()
    git(place, "init", "--quiet", "--initial-branch=main")
    for path, text in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(text, encoding="utf-8")
    # Submodules with relative addresses are looked for beside it.
    git(place, "remote", "add", "origin", str(work.parent / f"{name}.git"))
    return place


def _publish(folder: Path, place: Path, tag: str, *, more: str = "") -> str:
    """Commit, tag, and put a bare clone where a server would have it; ``more`` is what the branch says by now."""
    commit = commit_all(place, tag)
    git(place, "tag", "--annotate", "--message", tag, tag)
    if more:
        (place / "setup.py").write_text(
            (place / "setup.py").read_text(encoding="utf-8") + f"# {more}\n", encoding="utf-8"
        )
        commit_all(place, more)
    git(folder, "clone", "--quiet", "--bare", str(place), f"{place.name}.git")
    return commit
