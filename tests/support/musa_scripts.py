"""Stand-ins for what the container scripts of torch_musa reach: Ubuntu's image and archive, PyPI, repositories.

The names are the real ones, what is behind them is small:

- ``ubuntu:20.04`` is a Debian root with a shell, ``git`` in name only, and a Python that answers as 3.8, 3.9 and 3.10;
- its archive is served by this machine and has a package of every name that the scripts install, each empty;
- ``pip`` is a program that installs a folder by its ``setup.py`` and notes what else it was asked for;
- the repositories have ``build.sh``, ``setup.py`` and the test scripts that the real ones have.
"""

import functools
import gzip
import hashlib
import io
import os
import re
import subprocess
import tarfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from layerwright.spec.musa.records import recorded
from support import musa
from support.command import Command
from support.index import Index, serve
from support.musa_sources import commit_all, git
from support.packages import make_wheel

__all__ = [
    "Sources",
    "StandIns",
    "in_container",
    "stand_ins",
]

PYTHONS = ("3.8", "3.9", "3.10")

# Debian's Python by another name: what asks for its version, and where packages are, hears of the one it is called by.
_SITE = """\
import os, sys

name = os.path.basename(os.path.realpath(sys.executable))
if name.startswith("python3.") and name != "python3.11":
    minor = int(name[8:])

    class Version(tuple):
        major, minor, micro, releaselevel, serial = 3, minor, 0, "final", 0

    sys.version_info = Version((3, minor, 0, "final", 0))
    sys.version = "3.%d.0 (stand-in, Oct 4 2021, 00:00:00) [GCC 9.4.0]" % minor
    sys.implementation.version = sys.version_info
    sys.implementation.cache_tag = "cpython-3%d" % minor
    import site

    site.addsitedir("%s/lib/python3.%d/site-packages" % (sys.prefix, minor))
"""
_PIP = '''\
"""Installs a folder by its setup.py, and notes what else it was asked for."""
import os, subprocess, sys


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    assert words[0] == "install", words
    for word in words[1:]:
        if os.path.isfile(os.path.join(word, "setup.py")):
            subprocess.run([sys.executable, "setup.py", "install"], cwd=word, check=True)
        else:
            with open("/var/log/pip", "a") as log:
                log.write(word + "\\n")
'''
# Knows `git apply --check`, which is what the images need it for.
_GIT = """\
#!/usr/bin/python3.11
import sys

assert sys.argv[1:3] == ["apply", "--check"], sys.argv
for patch in sys.argv[3:]:
    lines = open(patch).read().splitlines()
    target = next(line[6:] for line in lines if line.startswith("+++ b/"))
    wanted = [line[1:] for line in lines if line[:1] in {" ", "-"} and not line.startswith("---")]
    if "\\n".join(wanted) not in open(target).read():
        sys.exit("error: %s: patch does not apply" % target)
"""
_SETUP = '''\
"""Copies the package to where Python finds it: ``setup.py install``."""
import os, shutil, sys, sysconfig

assert sys.argv[1:] == ["install"], sys.argv
os.makedirs("build", exist_ok=True)
site = sysconfig.get_paths()["purelib"]
shutil.rmtree(os.path.join(site, "{name}"), ignore_errors=True)
shutil.copytree("{name}", os.path.join(site, "{name}"))
'''
_BUILD = """\
#!/bin/bash
set -e
here=$(cd "$(dirname "$0")" && pwd)
case $1 in
  -t) cd "$here/../pytorch" && cat "$here"/torch_patches/*.patch | sed -n 's/^+HOOK/HOOK/p' >> torch/__init__.py ;;
  -m)
    cd "$here"
    if [ ! -x "$MUSA_HOME/bin/mcc" ]; then echo "no compiler: mcc" >&2; exit 1; fi
    "$MUSA_HOME/bin/mcc" csrc/add.mu -o torch_musa/kernel
    echo "arch=$TORCH_MUSA_ARCH_LIST mccl=${USE_MCCL:-1}" > torch_musa/built
    ;;
  *) echo "build.sh: unrecognized option '$1'" >&2; exit 1 ;;
esac
python setup.py install
"""
_PATCH = (
    "--- a/torch/__init__.py\n+++ b/torch/__init__.py\n@@ -1 +1,2 @@\n VERSION = '2.0.0'\n+HOOK = 'musa'\n"
)
_UNIT = """\
#!/bin/bash
set -e
python - <<'END'
import torch, torch_musa, torchvision
assert torch.HOOK == "musa"
print("3 passed in 0.01s")
END
"""


def _deb(name: str) -> bytes:
    """A package; all but git have nothing in them."""
    control = (
        f"Package: {name}\nVersion: 1.0\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n"
    )
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": _tar({"./control": control.encode()}),
        "data.tar.gz": _tar(
            {"./usr/bin/git": _GIT.encode()}
            if name == "git"
            else {f"./usr/share/doc/{name}/copyright": b"none\n"}
        ),
    }
    data = b"!<arch>\n"
    for part, content in parts.items():
        data += f"{part:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode() + content
        data += b"\n" * (len(content) % 2)
    return data


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for folder in sorted({str(parent) for path in files for parent in Path(path).parents} - {"."}):
            member = tarfile.TarInfo(f"./{folder}")
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(member)
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), 0o755 if "/bin/" in path else 0o644
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _flat_archive(names: Iterable[str]) -> dict[str, bytes]:
    """A flat archive of apt's with an empty package of each name: file name to bytes."""
    files = {f"{name}_1.0_all.deb": _deb(name) for name in names}
    stanzas = [
        f"Package: {file.partition('_')[0]}\nVersion: 1.0\nArchitecture: all\n"
        f"Maintainer: tests <tests@example.org>\nFilename: ./{file}\nSize: {len(data)}\n"
        f"SHA256: {hashlib.sha256(data).hexdigest()}\nDescription: x\n"
        for file, data in files.items()
    ]
    return {**files, "Packages": "\n".join(stanzas).encode()}


def publish_archive(folder: Path) -> None:
    """Write the archive of Ubuntu 20.04, as far as the scripts ask for it."""
    release = recorded().release("20.04")
    assert release is not None
    names = [*recorded().packages(release), "tzdata"]
    names += [f"python{version}{rest}" for version in release.python for rest in ("", "-dev")]
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in _flat_archive(names).items():
        (folder / name).write_bytes(data)


def import_ubuntu(command: Command, layout: Path, archive: str, folder: Path) -> None:
    """Give the local engine ``ubuntu:20.04``.

    Args:
        command: whose store is used.
        layout: a Debian base.
        archive: address of what ``publish_archive`` wrote.
        folder: an empty folder.
    """
    (folder / "sources.list").write_text(f"deb [trusted=yes] {archive} ./\n", encoding="utf-8")
    (folder / "sitecustomize.py").write_text(_SITE, encoding="utf-8")
    programs = " && ".join(f"cp /usr/bin/python3.11 /usr/bin/python{version}" for version in PYTHONS)
    (folder / "layerwright.toml").write_text(
        f"""
[project]
name = "ubuntu"
[images.ubuntu]
from = "oci:{layout}"
name = "ubuntu"
tags = ["20.04"]
workdir = "/"
entry_program = false
command = ["bash"]
copy = [
  {{ from = "sources.list", to = "/etc/apt/sources.list" }},
  {{ from = "sitecustomize.py", to = "/etc/python3.11/sitecustomize.py" }},
]
run = [{{ script = "rm -rf /etc/apt/sources.list.d/* && {programs}" }}]
""",
        encoding="utf-8",
    )
    command.changed(folder=folder)("build", "--output", "docker")


def add_python_packages(index: Index) -> None:
    """What the images' environments hold from the start, on the index that takes PyPI's place."""
    info = "pip-24.0.dist-info/entry_points.txt"
    index.add(
        make_wheel(
            "pip", "24.0", files={"pip.py": _PIP.encode(), info: b"[console_scripts]\npip = pip:main\n"}
        ),
        make_wheel("setuptools", "65.0.0"),
        make_wheel("wheel", "0.40.0"),
        make_wheel("protobuf", "3.19.0"),
        make_wheel("numpy", "1.23.1"),
    )


@dataclass(frozen=True)
class Sources:
    """Bare repositories, and git settings that have the real addresses lead to them."""

    folder: Path

    def settings(self, address: str) -> str:
        """For ``.gitconfig`` of a home; the address is that of the folder."""
        pairs = (
            ("pytorch", "https://github.com/pytorch/pytorch.git"),
            ("vision", "https://github.com/pytorch/vision.git"),
            ("torch_musa", "https://github.com/MooreThreads/torch_musa.git"),
        )
        lines = [f'[url "{address}/{name}.git"]\n  insteadOf = {url}\n' for name, url in pairs]
        return "".join(lines)

    def clone(self, name: str, tag: str, into: Path) -> Path:
        git(into.parent, "clone", "--quiet", "--branch", tag, str(self.folder / f"{name}.git"), into.name)
        return into


def make_sources(folder: Path) -> Sources:
    """The repositories, at the tags that go together: v2.0.0, v0.15.2, v1.2.1."""
    tests = {
        f"scripts/run_{name}_test.sh".replace("unit_test", "unittest"): _UNIT.replace(
            "3 passed", f"{count} passed"
        )
        for name, count in (("unit", 3), ("integration", 1))
    }
    contents: dict[str, tuple[str, dict[str, str]]] = {
        "pytorch": (
            "v2.0.0",
            {"setup.py": _SETUP.format(name="torch"), "torch/__init__.py": "VERSION = '2.0.0'\n"},
        ),
        "vision": (
            "v0.15.2",
            {
                "setup.py": _SETUP.format(name="torchvision"),
                "torchvision/__init__.py": "VERSION = '0.15.2'\n",
            },
        ),
        "torch_musa": (
            "v1.2.1",
            {
                "setup.py": _SETUP.format(name="torch_musa"),
                "torch_musa/__init__.py": "import torch\n",
                "csrc/add.mu": "__global__ void add() {}\n",
                "torch_patches/hook.patch": _PATCH,
                "requirements.txt": "ninja==1.11.1\n",
                "build.sh": _BUILD,
                **tests,
            },
        ),
    }
    for name, (tag, files) in contents.items():
        place = folder / "work" / name
        for path, text in files.items():
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_text(text, encoding="utf-8")
        git(place, "init", "--quiet", "--initial-branch=main")
        commit_all(place, tag)
        git(place, "tag", tag)
        git(folder, "clone", "--quiet", "--bare", str(place), f"{name}.git")
    return Sources(folder)


class _Handler(SimpleHTTPRequestHandler):
    """A folder of files; below /git/, repositories, as git itself serves them."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path.startswith("/git/"):
            self._git(b"")
        else:
            super().do_GET()

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self._git(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)

    def _git(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            timeout=60,
            check=True,
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": self.directory,
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "GIT_CONFIG_COUNT": "2",
                "GIT_CONFIG_KEY_0": "safe.directory",
                "GIT_CONFIG_VALUE_0": "*",
                "GIT_CONFIG_KEY_1": "uploadpack.allowAnySHA1InWant",
                "GIT_CONFIG_VALUE_1": "true",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
            },
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200 OK").split()[0]))
        for name, value in {**fields, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def serve_folder(folder: Path) -> Iterator[str]:
    """Serve a folder's files, and the repositories in its ``git``; gives the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder)))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True, kw_only=True)
class StandIns:
    """All that the scripts reach, for a command whose home has it set up.

    Attributes:
        root: the folder that is served.
        url: its address.
        index: takes PyPI's place.
    """

    root: Path
    url: str
    index: Index
    sources: Sources
    command: Command


@contextmanager
def stand_ins(root: Path, *, layout: Path, store: Path, docker: str) -> Iterator[StandIns]:
    """Make all of it in an empty folder, ``ubuntu:20.04`` of the local engine with it; that is put back afterwards."""
    publish_archive(root / "archive")
    for archive in (musa.toolkit(arch="qy1"), musa.mudnn(arch="qy1"), musa.mccl(arch="qy1")):
        (root / archive.name).write_bytes(archive.data)
    for python in PYTHONS:
        for name, version in (("torch", "2.0.0"), ("torch_musa", "1.1.0")):
            file, data = musa.platform_wheel(name, version, python=python)
            (root / file).write_bytes(data)
    for folder in ("home", "ubuntu", "work"):
        (root / folder).mkdir()
    sources = make_sources(root / "git")
    with serve_folder(root) as url, serve() as index, _names_set_aside(docker):
        (root / "home" / ".gitconfig").write_text(sources.settings(f"{url}/git"), encoding="utf-8")
        add_python_packages(index)
        command = Command(
            folder=root / "work",
            store=store,
            home=root / "home",
            variables={"LAYERWRIGHT_INDEX_PYPI": index.simple},
        )
        import_ubuntu(command, layout, f"{url}/archive", root / "ubuntu")
        yield StandIns(root=root, url=url, index=index, sources=sources, command=command)


_NAMES = re.compile(
    r"ubuntu:20\.04|(sh-harbor\.mthreads\.com/mt-ai|registry\.example\.org/musa)/musa-pytorch-.*"
    r"|pytorch2\.0\.0_py\d+:.*|torch_musa_(dev|docker):.*"
)
"""What the documents call images; an engine may have some of them that are not ours."""


@contextmanager
def _names_set_aside(docker: str) -> Iterator[None]:
    """The engine has none of the names, and afterwards those that it had."""

    def ask(*words: str) -> str:
        done = subprocess.run([docker, *words], capture_output=True, text=True, timeout=120, check=False)
        return done.stdout

    def named() -> list[list[str]]:
        lines = ask("image", "ls", "--no-trunc", "--format={{.Repository}}:{{.Tag}} {{.ID}}").splitlines()
        return [line.split() for line in lines if _NAMES.fullmatch(line.split()[0])]

    def forget() -> None:
        for name, _ in named():
            ask("image", "rm", name)

    before = {
        name: (f"layerwright-set-aside:{number}", image) for number, (name, image) in enumerate(named())
    }
    for aside, image in before.values():
        ask("tag", image, aside)
    forget()
    try:
        yield
    finally:
        forget()
        for name, (aside, image) in before.items():
            ask("tag", image, name)
            ask("image", "rm", aside)


def in_container(docker: str, image: str, *words: str) -> str:
    """What a command prints in the image."""
    done = subprocess.run(
        [docker, "run", "--rm", "--network=none", image, *words], capture_output=True, text=True, timeout=60,
        check=False, env=dict(os.environ),
    )  # fmt: skip
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout
