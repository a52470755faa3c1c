"""verify against what the machine can do at all, and the reading of ELF files against pyelftools and LIEF.

    python benchmarks/verify.py [--repeat N] LAYOUT

LAYOUT is an OCI layout, such as ``sets/verify`` builds. Its files should be in the page cache: read it once before.

Reading the image: the limit is the work that no tool can leave out, done by a bare loop in the same process: read every
blob, inflate it, sha256 over what was inflated; one layer after the other. verify does more: it takes the tar apart, a
second sha256 of every file that a RECORD may list, ELF headers (large files by way of a file on disk), the search for
secrets; several layers at a time.

ELF: the layers' ELF files are unpacked into a temporary folder first; every reader gives DT_NEEDED, SONAME, RPATH,
RUNPATH and symbol versions of each. LIEF is measured when it is installed. ``closure`` is every program and Python
module loaded by the loader's rules, from facts already read.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from layerwright.facts.elf import MAGIC, read_library
from layerwright.layers import extract_layer
from layerwright.oci.image import Image
from layerwright.oci.layout import LayoutBlobs, read_layout
from layerwright.verify import Inspection, judge, read_contents
from layerwright.verify.secrets import SecretScanner


def timed(action: Callable[[], object], repeat: int) -> dict[str, float]:
    """Median, least and most of some turns, in seconds."""
    seconds = []
    for _ in range(repeat):
        begin = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - begin)
    return {
        "median": round(statistics.median(seconds), 3),
        "least": round(min(seconds), 3),
        "most": round(max(seconds), 3),
    }


def limit(image: Image, blobs: LayoutBlobs) -> None:
    """Read, inflate, hash."""
    for layer in image.layers:
        for _ in blobs.open_tar(layer):
            pass


def whole(image: Image, blobs: LayoutBlobs, *, secrets: bool) -> Inspection:
    """Read the image and judge it."""
    scanner = SecretScanner({"benchmark": b"no-such-value-in-any-image-1"}) if secrets else None
    with tempfile.TemporaryDirectory(dir="/var/tmp") as scratch:
        contents = read_contents(image, blobs, scratch=Path(scratch), scanner=scanner)
    inspection = Inspection(name="benchmark", contents=contents)
    judge(inspection)
    return inspection


def memory_of(layout: Path) -> int:
    """Most memory of a process that does nothing else, in bytes."""
    code = (
        "import resource, sys; sys.path.insert(0, sys.argv[1]); import verify; from pathlib import Path; "
        "image, blobs = verify.read_layout(Path(sys.argv[2])); verify.whole(image, blobs, secrets=True); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", code, here, str(layout)], check=True, capture_output=True, text=True
    )
    return int(done.stdout) * 1024


def elf_files(image: Image, blobs: LayoutBlobs, folder: Path) -> list[Path]:
    """Unpack the layers and give their ELF files."""
    found = []
    for number, layer in enumerate(image.layers):
        into = folder / str(number)
        into.mkdir()
        extract_layer(blobs.open_tar(layer), into, as_root=False)
        for path in into.rglob("*"):
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as file:
                    if file.read(4) == MAGIC:
                        found.append(path)
    return found


def by_ours(paths: Sequence[Path]) -> None:
    """Layerwright's reader."""
    for path in paths:
        with path.open("rb") as file:
            read_library(file, contents=False)


def by_pyelftools(paths: Sequence[Path]) -> None:
    """pyelftools, by way of the section headers, as its examples do."""
    from elftools.elf.dynamic import DynamicSection  # noqa: PLC0415 - a peer
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415 - a peer
    from elftools.elf.gnuversions import GNUVerDefSection, GNUVerNeedSection  # noqa: PLC0415 - a peer

    for path in paths:
        with path.open("rb") as file:
            for section in ELFFile(file).iter_sections():
                if isinstance(section, DynamicSection):
                    list(section.iter_tags())
                elif isinstance(section, GNUVerNeedSection | GNUVerDefSection):
                    [[one.name for one in versions] for _, versions in section.iter_versions()]


def by_lief(paths: Sequence[Path]) -> None:
    """LIEF, told to leave out what is not asked for."""
    import lief  # noqa: PLC0415 - a peer

    config = lief.ELF.ParserConfig()
    config.parse_relocations = config.parse_dyn_symbols = config.parse_symtab_symbols = False
    config.parse_notes = config.parse_overlay = False
    for path in paths:
        binary = lief.ELF.parse(str(path), config)
        if binary is not None:
            list(binary.dynamic_entries)
            list(binary.symbols_version_requirement)
            list(binary.symbols_version_definition)


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("layout", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    # First: the kernel counts what a process had before it started another program as that program's.
    memory = memory_of(options.layout)
    image, blobs = read_layout(options.layout)
    repeat = options.repeat
    inspection = whole(image, blobs, secrets=False)
    result: dict[str, object] = {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "processors": len(os.sched_getaffinity(0)),
            "python": platform.python_version(),
            "load": round(os.getloadavg()[0], 2),
        },
        "image": {
            "layers": len(image.layers),
            "blob_bytes": sum(layer.size for layer in image.layers),
            "tar_bytes": sum(sum(map(len, blobs.open_tar(layer))) for layer in image.layers),
            "entries": sum(len(index.entries) for index in inspection.contents.layers),
            "elf_files": len(inspection.closure.libraries),
        },
        "limit": timed(lambda: limit(image, blobs), repeat),
        "verify_without_secrets": timed(lambda: whole(image, blobs, secrets=False), repeat),
        "verify": timed(lambda: whole(image, blobs, secrets=True), repeat),
        "memory_bytes": memory,
    }

    def closure() -> None:
        fresh = Inspection(name="benchmark", contents=inspection.contents)
        assert fresh.closure.libraries

    result["closure"] = timed(closure, repeat)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        paths = elf_files(image, blobs, Path(folder))
        readers = {"layerwright": by_ours, "pyelftools": by_pyelftools}
        try:
            import lief  # noqa: F401, PLC0415 - a peer

            readers["lief"] = by_lief
        except ImportError:
            pass
        result["elf"] = {"files": len(paths)} | {
            name: timed(lambda read=read: read(paths), repeat)  # type: ignore[misc]
            for name, read in readers.items()
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
