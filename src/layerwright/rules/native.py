"""Which shared library comes from where: what the wheels' binaries need against what the image brings.

The loader's rules as far as they can be told before an image exists (ld.so(8)): RPATH and RUNPATH of the library with
``$ORIGIN``, then what is loaded already (a wheel's own libraries, and those of packages it imports first), then the
base's library folders. ``verify`` applies them exactly, to the finished image.
"""

import posixpath
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Final, Literal

from msgspec import Struct

from layerwright.facts.model import Library, Package, Subject
from layerwright.rules.cuda_names import base_brings
from layerwright.rules.debian_names import GLIBC, IN_EVERY_DEBIAN, installed_package, well_known

__all__ = ["NativeView", "Provision", "is_driver", "is_extension", "is_nvidia_library", "requirers"]

_SITE: Final = "/env/lib/python/site-packages"
"""Where wheels are put for the sake of ``$ORIGIN``; its depth is that of a real environment."""

_DATA: Final = re.compile(r"[^/]+\.data/(purelib|platlib|data|scripts|headers)/")
_SCHEMES: Final = {"data": "/env", "scripts": "/env/bin", "headers": "/env/include"}
_DRIVER: Final = re.compile(
    r"lib(cuda|cudadebugger|nvcuvid|nvoptix|nvidia-[a-z0-9-]+|GLX_nvidia|EGL_nvidia|vdpau_nvidia|musa|srv_um_MUSA|mtml)"
    r"\.so(\.[0-9.]+)?"
)
_CUDA_LIBRARY: Final = re.compile(
    r"lib(cudart|cublas|cublasLt|cufft|cufftw|curand|cusparse|cusolver|cusolverMg|cudnn\w*|nvrtc|nvJitLink|cupti|npp\w+"
    r"|nvjpeg|nvToolsExt|nccl|cusparseLt|cufile|nvblas|nvrtc-builtins|nvinfer\w*|nvonnxparser|cutensor\w*|nvshmem\w*)"
    r"\.so(\.[0-9.]+)?"
)


class Provision(Struct, frozen=True, kw_only=True):
    """Where a needed library comes from.

    Attributes:
        state: ``own`` the same wheel; ``wheel`` another one that is loaded before; ``elsewhere`` another one that
            nothing says is loaded before; ``base``, ``apt``, ``driver``; ``missing`` it is known not to be there;
            ``unknown``.
        package: the wheel's package.
        library: the file, when it is a wheel's.
    """

    state: Literal["own", "wheel", "elsewhere", "base", "apt", "driver", "missing", "unknown"]
    package: Package | None = None
    library: Library | None = None

    @property
    def there(self) -> bool:
        """The library is in the image, or comes with the driver."""
        return self.state not in {"missing", "unknown"}


def is_driver(name: str) -> bool:
    """Whether a library comes with the driver of the machine and never with an image."""
    return _DRIVER.fullmatch(name) is not None


def is_nvidia_library(name: str) -> bool:
    """Whether a library is of CUDA, cuDNN, TensorRT or their like, which Debian does not have."""
    return _CUDA_LIBRARY.fullmatch(name) is not None


def is_extension(path: str) -> bool:
    """Whether a file is a Python extension module, which ``import`` loads."""
    folder, _, name = path.rpartition("/")
    if ".cpython-" in name or ".abi3." in name or ".pypy" in name:
        return True
    return name.endswith(".so") and not name.startswith("lib") and not folder.endswith((".libs", "/lib"))


def requirers(subject: Subject, name: str) -> frozenset[str]:
    """Packages that require the package, themselves or through others."""
    found: set[str] = set()
    todo = [name]
    while todo:
        package = subject.packages.get(todo.pop())
        for above in package.required_by if package else ():
            if above not in found:
                found.add(above)
                todo.append(above)
    return frozenset(found)


class NativeView:
    """Answers for one subject."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._by_path: dict[str, tuple[Package, Library]] = {}
        self._by_name: dict[str, list[tuple[Package, Library]]] = {}
        self._found: dict[tuple[str, str, str], Provision] = {}
        for package in subject.packages.values():
            for library in package.facts.libraries if package.facts else ():
                self._by_path[_installed(library.path)] = (package, library)
                for name in {posixpath.basename(library.path), library.soname} - {""}:
                    self._by_name.setdefault(name, []).append((package, library))

    def wheels_with(self, name: str) -> tuple[tuple[Package, Library], ...]:
        """Wheels that hold a library, by file name or soname."""
        return tuple(self._by_name.get(name, ()))

    @cached_property
    def paths(self) -> Mapping[str, tuple[Package, Library]]:
        """Wheels' libraries by where they are installed."""
        return self._by_path

    def find(self, name: str, package: Package, library: Library) -> Provision:
        """Where a library of a package gets a needed one from."""
        key = (name, package.name, library.path)
        if key not in self._found:
            self._found[key] = self._find(name, package, library)
        return self._found[key]

    def system(self, name: str) -> Provision:
        """Whether the base, Debian packages or the driver bring a library."""
        subject = self._subject
        base = subject.base
        if is_driver(name):
            return Provision(state="driver")
        if name in GLIBC and (base.glibc or not base.known or base.os.startswith(("debian", "ubuntu"))):
            return Provision(state="base")
        if name in base.sonames:
            return Provision(state="base")
        brought = installed_package(name, subject.system)
        if brought:
            return Provision(state="apt" if subject.system[brought].location else "base")
        if is_nvidia_library(name):
            return Provision(state=base_brings(base, name))
        if name in IN_EVERY_DEBIAN and not subject.system_known and base.os.startswith(("debian", "ubuntu")):
            return Provision(state="base")
        added = any(one.location for one in subject.system.values())
        if (base.closed and (not added or well_known(name))) or (subject.system_known and well_known(name)):
            return Provision(state="missing")
        return Provision(state="unknown")

    def _find(self, name: str, package: Package, library: Library) -> Provision:
        folder = posixpath.dirname(_installed(library.path))
        for entry in library.runpath or library.rpath:
            found = self._by_path.get(_expand(entry, folder, name))
            if found:
                return _from(found, package)
        holders = self._by_name.get(name, ())
        for found in holders:
            if found[0].name == package.name:
                return _from(found, package)
        above = [found for found in holders if package.name in requirers(self._subject, found[0].name)]
        if above:
            return _from(above[0], package)
        system = self.system(name)
        if system.there or not holders:
            return system
        return Provision(state="elsewhere", package=holders[0][0], library=holders[0][1])

    def loaded_on_import(self, package: Package) -> frozenset[str]:
        """Paths of a wheel's libraries that importing its extension modules loads: the modules, and what they need.

        Where only the front of a module was read, what it needs may not be known. A tool such as auditwheel put into
        ``*.libs`` only what something in the wheel needs: what nothing else there needs, the module must.
        """
        libraries = package.facts.libraries if package.facts else ()
        todo = [library for library in libraries if is_extension(library.path)]
        if any("needed" in library.unread for library in todo):
            needed = {name for library in libraries for name in library.needed}
            todo += [
                library
                for library in libraries
                if posixpath.dirname(library.path).endswith(".libs")
                and not {posixpath.basename(library.path), library.soname} & needed
            ]
        seen = {library.path for library in todo}
        while todo:
            library = todo.pop()
            for name in library.needed:
                found = self.find(name, package, library)
                if found.state == "own" and found.library is not None and found.library.path not in seen:
                    seen.add(found.library.path)
                    todo.append(found.library)
        return frozenset(seen)


def _from(found: tuple[Package, Library], package: Package) -> Provision:
    return Provision(
        state="own" if found[0].name == package.name else "wheel", package=found[0], library=found[1]
    )


def _installed(path: str) -> str:
    """Where a member of a wheel is put."""
    match = _DATA.match(path)
    if not match:
        return f"{_SITE}/{path}"
    return f"{_SCHEMES.get(match[1], _SITE)}/{path[match.end() :]}"


def _expand(entry: str, folder: str, name: str) -> str:
    entry = entry.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", folder)
    return posixpath.normpath(f"{entry}/{name}")
