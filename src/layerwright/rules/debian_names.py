"""Which Debian package brings a shared library: by the naming rule of Debian Policy, and by table where names differ.

Sources: Debian Policy 8.1 (the package of a library is named after its soname); for the table, ``dpkg -S`` and
``apt-file search`` on Debian 12 and 13 and Ubuntu 22.04 and 24.04. Since the change of time_t to 64 bits (Debian 13,
Ubuntu 24.04) many of these names end in ``t64``.
"""

import re
from collections.abc import Collection
from typing import Final

__all__ = ["GLIBC", "IN_EVERY_DEBIAN", "debian_packages", "installed_package", "well_known"]

GLIBC: Final = frozenset(
    {
        "libc.so.6",
        "libm.so.6",
        "libdl.so.2",
        "libpthread.so.0",
        "librt.so.1",
        "libutil.so.1",
        "libresolv.so.2",
        "libanl.so.1",
        "libmvec.so.1",
        "libthread_db.so.1",
        "libnsl.so.1",
        "ld-linux-x86-64.so.2",
        "ld-linux-aarch64.so.1",
        "ld-linux.so.2",
    }
)
"""What glibc itself consists of: every base with glibc has them all."""

IN_EVERY_DEBIAN: Final = frozenset(
    {
        *("libgcc_s.so.1", "libstdc++.so.6", "libz.so.1", "liblzma.so.5", "libbz2.so.1.0", "libcrypt.so.1"),
        *("libtinfo.so.6", "libzstd.so.1", "libuuid.so.1", "libselinux.so.1", "libpcre2-8.so.0"),
    }
)
"""Libraries that every Debian or Ubuntu image has, because dpkg, apt and the essential packages need them."""

_EXCEPTIONS: Final[dict[str, tuple[str, ...]]] = {
    "libz.so.1": ("zlib1g",),
    "libglib-2.0.so.0": ("libglib2.0-0",),
    "libgthread-2.0.so.0": ("libglib2.0-0",),
    "libgobject-2.0.so.0": ("libglib2.0-0",),
    "libgio-2.0.so.0": ("libglib2.0-0",),
    "libgmodule-2.0.so.0": ("libglib2.0-0",),
    "libcrypto.so.3": ("libssl3",),
    "libcrypto.so.1.1": ("libssl1.1",),
    "libgcc_s.so.1": ("libgcc-s1",),
    "libGL.so.1": ("libgl1",),
    "libGLX.so.0": ("libglx0",),
    "libEGL.so.1": ("libegl1",),
    "libOpenGL.so.0": ("libopengl0",),
    "libcurl.so.4": ("libcurl4",),
    "libtinfo.so.6": ("libtinfo6",),
    "libncursesw.so.6": ("libncursesw6",),
    "libtcl8.6.so": ("libtcl8.6",),
    "libtk8.6.so": ("libtk8.6",),
    "libOpenCL.so.1": ("ocl-icd-libopencl1",),
    "libmpi.so.40": ("libopenmpi3",),
    "libmpi_cxx.so.40": ("libopenmpi3",),
    "librdmacm.so.1": ("librdmacm1",),
    "libmlx5.so.1": ("ibverbs-providers",),
    "libblas.so.3": ("libblas3", "libopenblas0-pthread", "libatlas3-base"),
    "liblapack.so.3": ("liblapack3", "libopenblas0-pthread", "libatlas3-base"),
    "libjpeg.so.62": ("libjpeg62-turbo",),
    "libjpeg.so.8": ("libjpeg-turbo8",),
    "libtiff.so.6": ("libtiff6",),
    "libgdk_pixbuf-2.0.so.0": ("libgdk-pixbuf-2.0-0",),
    "libpango-1.0.so.0": ("libpango-1.0-0",),
    "libpangocairo-1.0.so.0": ("libpangocairo-1.0-0",),
    "libgtk-3.so.0": ("libgtk-3-0",),
    "libgdk-3.so.0": ("libgtk-3-0",),
    "libgtk-x11-2.0.so.0": ("libgtk2.0-0",),
    "libatk-1.0.so.0": ("libatk1.0-0",),
    "libdbus-1.so.3": ("libdbus-1-3",),
    "libxkbcommon-x11.so.0": ("libxkbcommon-x11-0",),
    "libva-drm.so.2": ("libva-drm2",),
    "libodbc.so.2": ("libodbc2", "libodbc1"),
    "libusb-1.0.so.0": ("libusb-1.0-0",),
    "libspatialindex.so.6": ("libspatialindex6",),
    "libgeos_c.so.1": ("libgeos-c1v5",),
    "libpq.so.5": ("libpq5",),
}

_WELL_KNOWN: Final = frozenset(
    {
        *_EXCEPTIONS,
        *("libX11.so.6", "libX11-xcb.so.1", "libXext.so.6", "libXrender.so.1", "libXi.so.6", "libXtst.so.6"),
        *("libXrandr.so.2", "libXcursor.so.1", "libXinerama.so.1", "libXfixes.so.3", "libXdamage.so.1"),
        *("libXcomposite.so.1", "libXss.so.1", "libXft.so.2", "libXau.so.6", "libXdmcp.so.6", "libXt.so.6"),
        *(
            "libSM.so.6",
            "libICE.so.6",
            "libxcb.so.1",
            "libxcb-shm.so.0",
            "libxcb-render.so.0",
            "libxcb-xfixes.so.0",
        ),
        *("libxkbcommon.so.0", "libfontconfig.so.1", "libfreetype.so.6", "libstdc++.so.6", "libgomp.so.1"),
        *(
            "libgfortran.so.5",
            "libquadmath.so.0",
            "libatomic.so.1",
            "libexpat.so.1",
            "libffi.so.8",
            "libffi.so.7",
        ),
        *("libbz2.so.1.0", "liblzma.so.5", "libzstd.so.1", "libuuid.so.1", "libssl.so.3", "libssl.so.1.1"),
        *("libcrypt.so.1", "libreadline.so.8", "libsqlite3.so.0", "libsndfile.so.1", "libportaudio.so.2"),
        *("libasound.so.2", "libpulse.so.0", "libturbojpeg.so.0", "libnuma.so.1", "libibverbs.so.1"),
        *("libgdal.so.32", "libavcodec.so.59", "libavformat.so.59", "libavutil.so.57", "libswscale.so.6"),
        *("libdrm.so.2", "libgbm.so.1", "libasound.so.2", "libnss3.so", "libnspr4.so", "libcups.so.2"),
        *("libsox.so.3", "libzbar.so.0", "libmagic.so.1", "libgomp.so.1", "libtbb.so.12", "libtbb.so.2"),
        *(
            "libhwloc.so.15",
            "libcairo.so.2",
            "libpng16.so.16",
            "libwebp.so.7",
            "libopenblas.so.0",
            "libudev.so.1",
        ),
    }
)

_SONAME: Final = re.compile(r"(?P<stem>.+?)\.so(?:\.(?P<version>[0-9.]+))?", re.ASCII)
_T64: Final = "t64"


def debian_packages(soname: str) -> tuple[str, ...]:
    """Packages that bring a library, the likeliest first; their names without ``t64``. Empty for no soname."""
    if known := _EXCEPTIONS.get(soname):
        return known
    match = _SONAME.fullmatch(soname)
    if not match:
        return ()
    stem, version = match["stem"].lower().replace("_", "-"), match["version"] or ""
    return (f"{stem}-{version}" if version and stem[-1:].isdigit() else f"{stem}{version}",)


def installed_package(soname: str, packages: Collection[str]) -> str:
    """Which of the installed packages brings the library; empty when none is named so."""
    for name in debian_packages(soname):
        for spelled in (name, name + _T64):
            if spelled in packages:
                return spelled
    return ""


def well_known(soname: str) -> bool:
    """Whether the library's package was looked up: then a base without that package lacks the library."""
    return soname in _WELL_KNOWN
