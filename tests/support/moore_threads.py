"""Stand-ins of what a container for Moore Threads' GPUs holds: the driver's tool, compiler, torch with torch_musa."""

from collections.abc import Mapping
from pathlib import Path

GMI = """\
---------------------------------------------------------------
    mthreads-gmi:1.14.0          Driver Version:2.7.0
---------------------------------------------------------------
ID   Name           |PCIe                |%GPU  Mem
     Device Type    |Pcie Lane Width     |Temp  MPC Capable
+-------------------------------------------------------------+
0    MTT S80        |00000000:04:00.0    |0%    2MiB(16384MiB)
     Physical       |4x(16x)             |49C   YES
1    MTT S80        |00000000:05:00.0    |0%    2MiB(16384MiB)
---------------------------------------------------------------
Processes:
ID   PID       Process name                         GPU Memory
0    1123      /usr/lib/xorg/Xorg                   660MiB
"""
RIGHT = "echo 'axpy: 2 4 6 8'"
"""What the program does that the stand-in for the compiler makes."""


def prints(text: str) -> str:
    """A program that prints a text."""
    return f"#!/bin/sh\ncat <<'END'\n{text}END\n"


def compiler(made: str = RIGHT, *, first: str = "") -> str:
    """A compiler whose programs do what is said, after ``first``."""
    return f"""\
#!/bin/sh
{first}
[ "$1" = axpy.mu ] && [ "$2" = -o ] && grep -q '<<<1, 4>>>' axpy.mu || exit 9
printf '#!/bin/sh\\n%s\\n' "{made}" >"$3"
chmod 755 "$3"
"""


REAL_COMPILER = """\
#!/bin/sh
# The program as it is, but for the one line that no other compiler reads.
set -e
sed 's/axpy<<<1, 4>>>(\\(.*\\));/for (threadIdx.x = 0; threadIdx.x < 4; ++threadIdx.x) axpy(\\1);/' axpy.mu >axpy.cpp
exec g++ -Wall -Werror -I"${0%/bin/*}/include" axpy.cpp -o axpy
"""
REAL_HEADER = """\
#include <cstdlib>
#include <cstring>
#define __global__ static
enum musaError_t { musaSuccess };
enum musaMemcpyKind { musaMemcpyHostToDevice, musaMemcpyDeviceToHost };
static struct { unsigned x; } threadIdx;
static musaError_t musaMalloc(void **p, size_t n) { *p = std::malloc(n); return musaSuccess; }
static musaError_t musaFree(void *p) { std::free(p); return musaSuccess; }
static musaError_t musaMemset(void *p, int v, size_t n) { std::memset(p, v, n); return musaSuccess; }
static musaError_t musaMemcpy(void *d, const void *s, size_t n, musaMemcpyKind) {
  std::memcpy(d, s, n);
  return musaSuccess;
}
static musaError_t musaGetLastError() { return musaSuccess; }
static musaError_t musaDeviceSynchronize() { return musaSuccess; }
static const char *musaGetErrorString(musaError_t) { return ""; }
"""

TORCH = """\
__version__ = "2.2.0"
class musa:
    @staticmethod
    def device_count():
        return 2
class numbers(list):
    def to(self, device):
        assert device == "musa"
        return self
    def __add__(self, other):
        return numbers(a + b for a, b in zip(self, other))
    def cpu(self):
        return self
    def tolist(self):
        return list(self)
def arange(start, end):
    return numbers([start + n for n in range(int(end - start))])
"""
MODULES = {"modules/torch/__init__.py": TORCH, "modules/torch_musa/__init__.py": ""}


def lay_out(folder: Path, files: Mapping[str, str]) -> Path:
    """Write the stand-ins below a folder; what is in a ``bin`` can be started by everybody."""
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(0o755 if "bin/" in name else 0o644)
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
    return folder
