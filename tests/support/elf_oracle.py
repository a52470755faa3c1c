"""What pyelftools makes of an ELF file."""

from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerDefSection, GNUVerNeedSection


def oracle(path):
    """What pyelftools makes of a file, in the form of ``Library``."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        tags = {}
        for segment in elf.iter_segments():
            if isinstance(segment, DynamicSegment):
                for tag in segment.iter_tags():
                    tags.setdefault(tag.entry.d_tag, []).append(tag)
        needs, defines = {}, []
        for section in elf.iter_sections():
            if isinstance(section, GNUVerNeedSection):
                for library, rows in section.iter_versions():
                    names = [row.name for row in rows if not row.entry.vna_flags & 2]
                    needs[library.name] = (*needs.get(library.name, ()), *names)
            elif isinstance(section, GNUVerDefSection):
                for version, rows in section.iter_versions():
                    first = next(rows)
                    if not version.entry.vd_flags & 1:
                        defines.append(first.name)
        rpath = [tag.rpath for tag in tags.get("DT_RPATH", [])]
        runpath = [tag.runpath for tag in tags.get("DT_RUNPATH", [])]
        return {
            "needed": tuple(tag.needed for tag in tags.get("DT_NEEDED", [])),
            "soname": next((tag.soname for tag in tags.get("DT_SONAME", [])), ""),
            "rpath": tuple(rpath[0].split(":")) if rpath and rpath[0] else (),
            "runpath": tuple(runpath[0].split(":")) if runpath and runpath[0] else (),
            "versions_needed": {name: tuple(dict.fromkeys(found)) for name, found in needs.items()},
            "versions_defined": tuple(dict.fromkeys(defines)),
        }
