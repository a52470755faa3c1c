"""Stand-ins for Moore Threads' archives: their real structure, with small files, made in memory.

As the real ones are: a toolkit in a folder of its own whose ``install.sh`` clears /usr/local/musa* and puts compiler,
libraries and headers there; muDNN with ``install_mudnn.sh``; MCCL and math libraries with ``install.sh``. Each of the
others refuses to be installed without a toolkit, which is what shows that the order holds.
"""

import base64
import gzip
import hashlib
import io
import random
import tarfile
from dataclasses import dataclass

from support.elf_file import Elf
from support.index import Index
from support.packages import make_wheel

_TOOLKIT = """\
#!/bin/bash
set -e
here=$(dirname "$(readlink -f "$0")")
echo "installing MUSA toolkits {version} for {arch}"
rm -rf /usr/local/musa /usr/local/musa-*
mkdir -p /usr/local/musa-{version}
cp -r "$here"/musa/. /usr/local/musa-{version}/
ln -s musa-{version} /usr/local/musa
"""
_LIBRARY = """\
#!/bin/bash
set -e
here=$(dirname "$(readlink -f "$0")")
if [ ! -x /usr/local/musa/bin/mcc ]; then
  echo "{name}: there is no MUSA toolkit in /usr/local/musa" >&2
  exit 1
fi
cp -r "$here"/lib/. /usr/local/musa/lib/
cp -r "$here"/include/. /usr/local/musa/include/
echo "{name} {version} installed"
"""
# Stands for the compiler: the program that it makes says what it was made from.
_MCC = """\
#!/bin/sh
# mcc {version} for {arch}
case "$1" in --version) echo "mcc version {version}"; exit 0 ;; esac
out=a.out
source=
while [ $# -gt 0 ]; do
  case "$1" in
    -o) out=$2; shift ;;
    -*) ;;
    *) source=$1 ;;
  esac
  shift
done
if [ ! -f "$source" ]; then echo "mcc: no such file: $source" >&2; exit 1; fi
printf '#!/bin/sh\\necho made of %s\\n' "$source" > "$out"
chmod +x "$out"
"""


@dataclass(frozen=True)
class Archive:
    """An archive under its real name."""

    name: str
    data: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def serve(self, index: Index) -> str:
        """Have the loopback server offer it; returns its address."""
        index.files[self.name] = self.data
        return index.address(self.name)

    def table(self, name: str, address: str, **more: str | list[str]) -> str:
        """Its ``[components.NAME]``."""
        lines = [f"[components.{name}]", f'url = "{address}"', f'sha256 = "{self.sha256}"']
        lines += [f"{key} = {value!r}".replace("'", '"') for key, value in more.items()]
        return "\n".join(lines) + "\n"


def toolkit(version: str = "rc4.0.1", arch: str = "qy1", *, weight: int = 40_000) -> Archive:
    """The toolkit; ``weight`` bytes of it are noise, so that a copy of the archive in a layer would show."""
    files = {
        "install.sh": _TOOLKIT.format(version=version, arch=arch).encode(),
        "musa/bin/mcc": _MCC.format(version=version, arch=arch).encode(),
        "musa/bin/musify": b"#!/bin/sh\nexec cat\n",
        "musa/lib/libmusart.so.4": bytes(Elf(soname="libmusart.so.4", needed=("libc.so.6",))),
        "musa/lib/libmublas.so": bytes(Elf(soname="libmublas.so", needed=("libmusart.so.4",))),
        "musa/lib/libpayload.bin": _noise(f"{version} {arch}", weight),
        "musa/include/musa_runtime.h": b"#define MUSART_VERSION 40000\n",
        "musa/version.json": f'{{"musa_toolkits": {{"version": "{version}"}}}}\n'.encode(),
    }
    return _pack(f"musa_toolkits_{version}_{arch}.tar.gz", f"musa_toolkits_{version}", files)


def mudnn(version: str = "rc2.8.0", arch: str = "qy1") -> Archive:
    """muDNN, whose installer has a name of its own."""
    return _library("mudnn", version, arch, installer="install_mudnn.sh")


def mccl(version: str = "rc1.8.0", arch: str = "qy2") -> Archive:
    """MCCL, which exists for qy2 and later."""
    return _library("mccl", version, arch)


def math_library(name: str = "musparse", version: str = "1.12.1", arch: str = "qy1") -> Archive:
    """One of the math libraries."""
    return _library(name, version, arch)


def platform_wheel(
    name: str, version: str, *, python: str = "3.11", requires: tuple[str, ...] = ()
) -> tuple[str, bytes]:
    """A wheel under the name that Moore Threads gives it: ``torch_musa-2.0.1-cp311-cp311-linux_x86_64.whl``."""
    tag = "cp" + python.replace(".", "")
    return make_wheel(name, version, requires=requires, tag=f"{tag}-{tag}-linux_x86_64")


def _library(name: str, version: str, arch: str, *, installer: str = "install.sh") -> Archive:
    files = {
        installer: _LIBRARY.format(name=name, version=version).encode(),
        f"lib/lib{name}.so.1": bytes(Elf(soname=f"lib{name}.so.1", needed=("libmusart.so.4",))),
        f"lib/lib{name}.bin": _noise(f"{name} {version} {arch}", 20_000),
        f"include/{name}.h": f"/* {name} {version} for {arch} */\n".encode(),
    }
    return _pack(f"{name}_{version}_{arch}.tar.gz", name, files)


def _noise(seed: str, size: int) -> bytes:
    """Text that compression shrinks but a little, and leaves nothing of as it was."""
    return base64.b64encode(random.Random(seed).randbytes(size * 3 // 4))


def _pack(name: str, folder: str, files: dict[str, bytes]) -> Archive:
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for path, data in files.items():
            member = tarfile.TarInfo(f"{folder}/{path}")
            member.size = len(data)
            member.mtime = 1_700_000_000
            # As their packers left them: somebody's own ids, and scripts that may be run.
            member.uid = member.gid = 1000
            member.mode = 0o755 if path.endswith(".sh") or "/bin/" in path else 0o644
            archive.addfile(member, io.BytesIO(data))
    return Archive(name, buffer.getvalue())
