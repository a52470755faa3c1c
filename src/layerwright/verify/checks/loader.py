"""The image has the loader whose rules we know, and what its config says to the loader makes sense."""

from collections.abc import Iterator

from layerwright.core.findings import Evidence, Finding, Fix, Kind
from layerwright.verify.inspection import Inspection
from layerwright.verify.words import listed

__all__ = ["KINDS", "check"]

OTHER = Kind(
    code="LW-LOADER-OTHER",
    title="The image's dynamic loader is not glibc's",
    why="Wheels for manylinux, CUDA and most binaries are made for glibc. musl (Alpine) searches other folders, knows "
    "no ld.so.cache and no symbol versions, so nothing here says whether libraries will be found.",
    evidence="Which loader stands in the image: /lib64/ld-linux-x86-64.so.2 or /lib/ld-musl-x86_64.so.1.",
    repair="Start from Debian or Ubuntu for anything that uses wheels of PyTorch, ONNX Runtime or OpenCV.",
)
PRELOAD = Kind(
    code="LW-LOADER-PRELOAD",
    title="LD_PRELOAD names a library that is not there",
    why="Every program of the image starts with an error line, and what should be preloaded is not.",
    evidence="LD_PRELOAD of the image's config and /etc/ld.so.preload, looked up as the loader does.",
    repair="Install the library, or take the variable out of the image.",
)
CACHE = Kind(
    code="LW-LOADER-CACHE",
    title="ld.so.cache cannot be read",
    why="The loader finds libraries in other folders than its own by /etc/ld.so.cache alone.",
    evidence="The file in the image.",
    repair="Run `ldconfig` as the last step that installs libraries.",
)
DRIVER = Kind(
    code="LW-LOADER-DRIVER",
    title="Libraries come with the machine's driver",
    why="The image runs only where the NVIDIA container toolkit (or Moore Threads') brings the driver's libraries "
    "into the container; a machine without a driver gives `libcuda.so.1: cannot open shared object file`.",
    evidence="DT_NEEDED of files in the image; names that belong to the driver and never to an image.",
    repair="Nothing in the image: run it with `--gpus all` or CDI on a machine with a driver.",
)
KINDS = (OTHER, PRELOAD, CACHE, DRIVER)


def check(image: Inspection) -> Iterator[Finding]:
    """Look at the loader."""
    closure = image.closure
    system = closure.system
    if system.libc == "musl":
        yield image.finding(
            OTHER,
            "unknown",
            "the image uses musl, whose loader has other rules than glibc's: "
            "whether its libraries are found was not judged",
            path=f"/lib/ld-musl-{system.machine}.so.1",
            fix=[Fix(text="start from Debian or Ubuntu, which manylinux wheels are made for", cost=30)],
        )
    elif system.libc == "none" and closure.libraries:
        yield image.finding(
            OTHER,
            "unknown",
            f"the image has {len(closure.libraries)} ELF files and no dynamic loader of glibc: whether "
            "their libraries are "
            "found was not judged",
        )
    if system.cache_fault:
        yield image.finding(
            CACHE,
            "warning",
            f"{system.cache_fault}: libraries outside the loader's own folders are not found",
            path="/etc/ld.so.cache",
            fix=[Fix(text="write it anew", command="ldconfig", cost=2)],
        )
    if system.libc == "glibc":
        yield from _preload(image)
    if closure.driver:
        users = sorted({user for found in closure.driver.values() for user in found})
        owners = sorted({dist.label for user in users if (dist := image.owner(user)) is not None})
        yield image.finding(
            DRIVER,
            "note",
            f"{listed(list(closure.driver))} must come from the machine's driver, for "
            f"{listed(owners or users)}",
            evidence=[
                Evidence(text=f"{users[0]} needs {name}", source=users[0], confidence="binary")
                for name, users in list(closure.driver.items())[:4]
            ],
        )


def _preload(image: Inspection) -> Iterator[Finding]:
    from layerwright.facts.model import Library  # noqa: PLC0415 - start-up
    from layerwright.verify.loader.search import Loaded  # noqa: PLC0415 - start-up

    closure = image.closure
    anyone = Loaded(Library(path="/usr/bin/env", machine=closure.system.machine), "/usr/bin/env")
    for name in closure.system.preload:
        if closure.search.find(name, anyone, None) is None:
            by_config = name in image.settings.env.get("LD_PRELOAD", "")
            where = "LD_PRELOAD" if by_config else "/etc/ld.so.preload"
            yield image.finding(
                PRELOAD,
                "warning",
                f"{where} names {name}, which is not in the image",
                path="" if by_config else where,
                evidence=[
                    Evidence(
                        text=f"{where} names {name}",
                        source="the image's config" if by_config else where,
                        confidence="metadata",
                    )
                ],
                fix=[
                    Fix(
                        text="take LD_PRELOAD out of the image's environment"
                        if by_config
                        else f"take the line out of {where}",
                        cost=3,
                    )
                ],
            )
