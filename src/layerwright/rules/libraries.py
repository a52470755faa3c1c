"""Every library that a wheel's binaries need comes from somewhere."""

from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Evidence, Finding, Fix, Kind, Level
from layerwright.facts.model import Library, Package
from layerwright.rules.case import Case
from layerwright.rules.cuda_names import is_cuda_library
from layerwright.rules.debian_names import debian_packages
from layerwright.rules.native import is_nvidia_library
from layerwright.rules.opencv_gui import GUI
from layerwright.rules.optional_libraries import feature_of
from layerwright.rules.repairs import apt_fix
from layerwright.rules.words import binary, named

__all__ = ["KINDS", "check"]

_EVIDENCE: Final = (
    "DT_NEEDED of every ELF file of the locked wheels, looked up as the loader does: RPATH and RUNPATH, the wheel's "
    "own libraries, those of wheels that it requires, the base (its own library list where the base is in the store, "
    "else its Debian packages by name), the driver."
)

MISSING = Kind(
    code="LW-LIBRARY-MISSING",
    title="A package needs a shared library that nothing brings",
    why="The import, or the first use, fails with `cannot open shared object file`. Manylinux wheels may rely on a few "
    "libraries of the system, and many rely on more than they should.",
    evidence=_EVIDENCE,
    repair="Add the Debian package that brings the library to `apt`; the finding names it.",
)
OPTIONAL = Kind(
    code="LW-LIBRARY-OPTIONAL",
    title="An optional part of a package cannot be loaded",
    why="The package works; one feature of it (a provider, a codec, a transport) does not, and says so only when it "
    "is used.",
    evidence=_EVIDENCE,
    repair="Nothing, unless you use the feature: then install what it needs.",
)
UNDECLARED = Kind(
    code="LW-LIBRARY-UNDECLARED",
    title="A package needs a library of another one that it does not require",
    why="It works when the other package happens to be imported first, and fails otherwise.",
    evidence=_EVIDENCE,
    repair="Import the other package first, or put both libraries' folders into LD_LIBRARY_PATH.",
)
UNKNOWN = Kind(
    code="LW-LIBRARY-UNKNOWN",
    title="Whether the base brings some libraries is not known",
    why="What is not in the wheels must come from the base. Of a base that was never pulled or built, only its tag is "
    "known, and that does not list its libraries.",
    evidence=_EVIDENCE,
    repair="Build the image once, so that the base is in the store, and check again; or add the Debian packages to "
    "`apt`, where they are not installed twice.",
)
KINDS = (MISSING, OPTIONAL, UNDECLARED, UNKNOWN)

_SHOWN: Final = 6
_CUDA_RULES: Final = frozenset({"onnxruntime-gpu", "torch"})
"""Packages with rules of their own on CUDA."""


def check(case: Case) -> Iterator[Finding]:
    """Look for everything."""
    doubtful: dict[str, list[tuple[Package, Library]]] = {}
    for package in case.with_facts():
        yield from _package(case, package, doubtful)
    if doubtful:
        yield _unknown(case, doubtful)


def _package(
    case: Case, package: Package, doubtful: dict[str, list[tuple[Package, Library]]]
) -> Iterator[Finding]:
    missing: dict[str, list[Library]] = {}
    features: dict[str, dict[str, list[Library]]] = {}
    elsewhere: dict[str, tuple[Library, Package]] = {}
    for name, library, feature in _needs(package):
        found = case.native.find(name, package, library)
        if found.state == "missing":
            place = features.setdefault(feature, {}) if feature else missing
            place.setdefault(name, []).append(library)
        elif found.state == "unknown" and not feature and package.name not in GUI:
            doubtful.setdefault(name, []).append((package, library))
        elif found.state == "elsewhere" and found.package is not None and not feature:
            elsewhere.setdefault(name, (library, found.package))
    if missing and package.name not in GUI:
        yield _missing(case, package, missing)
    if package.name in GUI and case.native.system("libGL.so.1").state == "missing":
        features = {}  # windows are the least of it: the import fails
    for feature, names in features.items():
        yield _optional(case, package, feature, names)
    if elsewhere:
        yield _undeclared(case, package, elsewhere)


def _needs(package: Package) -> Iterator[tuple[str, Library, str]]:
    """What each library needs, with the optional feature that it is for; less what the rules on CUDA look for."""
    by_rules = package.name in _CUDA_RULES
    for library in package.facts.libraries if package.facts else ():
        feature = feature_of(package.name, library.path)
        for name in library.needed:
            if not (by_rules and is_cuda_library(name)):
                yield name, library, feature


def _missing(case: Case, package: Package, missing: dict[str, list[Library]]) -> Finding:
    loaded = case.native.loaded_on_import(package)
    on_import = [name for name, users in missing.items() if any(library.path in loaded for library in users)]
    level: Level = "error" if on_import else "warning"
    when = "on import" if on_import else "when that part of it is used"
    names = on_import or list(missing)
    return case.finding(
        MISSING,
        level,
        f"{named(package)} loads {_list(names)} {when}, and nothing in the image brings "
        f"{'it' if len(names) == 1 else 'them'} ({case.base_name} does not)",
        evidence=[*_users(package, missing), *case.absence_evidence()],
        fix=_apt(missing),
        members=[case.wheel(package), case.base()],
    )


def _optional(case: Case, package: Package, feature: str, names: dict[str, list[Library]]) -> Finding:
    return case.finding(
        OPTIONAL,
        "note",
        f"{feature} of {named(package)} cannot be loaded: nothing brings {_list(list(names))}",
        evidence=_users(package, names),
        fix=_apt(names),
        members=[case.wheel(package)],
    )


def _undeclared(case: Case, package: Package, names: dict[str, tuple[Library, Package]]) -> Finding:
    holders = list({holder.name: holder for _, holder in names.values()}.values())
    return case.finding(
        UNDECLARED,
        "note",
        f"{named(package)} needs {_list(list(names))} of {_list([named(holder) for holder in holders])}, which it "
        "does not require: that must be imported first",
        evidence=[binary(package, library, f"needs {name}") for name, (library, _) in names.items()][:_SHOWN],
        members=[case.wheel(package), *(case.wheel(holder) for holder in holders)],
    )


def _unknown(case: Case, doubtful: dict[str, list[tuple[Package, Library]]]) -> Finding:
    packages = {user.name: user for users in doubtful.values() for user, _ in users}
    evidence = [binary(*users[0], f"needs {name}") for name, users in doubtful.items()]
    names = sorted(doubtful)
    return case.finding(
        UNKNOWN,
        "unknown",
        f"whether {case.base_name} has {_list(names)} is not known; "
        f"{_list([named(one) for one in packages.values()])} need{'s' if len(packages) == 1 else ''} "
        f"{'it' if len(names) == 1 else 'them'}",
        evidence=evidence[:_SHOWN],
        fix=[
            Fix(
                text="build the image, which brings the base into the store, and check again",
                command="layerwright build",
                cost=5,
            )
        ],
        members=[case.base()],
    )


def _users(package: Package, names: dict[str, list[Library]]) -> list[Evidence]:
    """One fact per file, with all that it lacks."""
    wanted: dict[str, tuple[Library, list[str]]] = {}
    for name, users in names.items():
        wanted.setdefault(users[0].path, (users[0], []))[1].append(name)
    return [binary(package, library, f"needs {_list(lacking)}") for library, lacking in wanted.values()][
        :_SHOWN
    ]


def _apt(names: dict[str, list[Library]]) -> list[Fix]:
    wanted = dict.fromkeys(
        found[0] for name in names if not is_nvidia_library(name) and (found := debian_packages(name))
    )
    return (
        [apt_fix(list(wanted), f"install the Debian package{'s' if len(wanted) > 1 else ''}")]
        if wanted
        else []
    )


def _list(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
