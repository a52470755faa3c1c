from layerwright.lock import (
    Deb,
    Lock,
    LockedBase,
    LockedCell,
    LockedComponent,
    LockedFile,
    LockedSource,
    LockedWheel,
    describe,
    diff,
)
from support.change import replace


def wheel(name, version, sha="a", **fields):
    return LockedWheel(
        name=name,
        version=version,
        file=f"{name}-{version}-py3-none-any.whl",
        sha256=sha * 64,
        size=1,
        **({"index": "pypi"} | fields),
    )


def deb(name, version, sha="a"):
    return Deb(
        name=name, version=version, architecture="amd64", sha256=sha * 64, size=1, path=f"pool/{name}.deb"
    )


BASE = LockedBase(kind="debian", source="bookworm", debs=(deb("libc6", "2.36-9"),))
CELL = LockedCell(name="infer", spec_digest="", base=BASE, python="3.11", platform="linux/amd64")


def lines(old, new):
    return [
        describe(change)
        for change in diff(old and Lock(cells={c.name: c for c in old}), Lock(cells={c.name: c for c in new}))
    ]


def test_equal_locks_do_not_differ_and_an_edited_spec_alone_is_no_change():
    assert lines([CELL], [replace(CELL, spec_digest="x")]) == []


def test_upgrades_additions_and_removals():
    old = replace(CELL, wheels=(wheel("numpy", "2.1.0"), wheel("six", "1.0")))
    new = replace(CELL, wheels=(wheel("numpy", "2.2.0"), wheel("torch", "2.5.0", index="internal")))
    assert lines([old], [new]) == [
        "infer: numpy 2.1.0 → 2.2.0 (pypi)",
        "infer: six 1.0 removed",
        "infer: torch 2.5.0 added (internal)",
    ]


def test_the_same_change_is_told_once_for_all_its_cells():
    old = [replace(CELL, name=name, wheels=(wheel("numpy", "2.1.0"),)) for name in ("a", "b", "c")]
    new = [replace(cell, wheels=(wheel("numpy", "2.2.0" if cell.name != "c" else "2.3.0"),)) for cell in old]
    assert lines(old, new) == ["a, b: numpy 2.1.0 → 2.2.0 (pypi)", "c: numpy 2.1.0 → 2.3.0 (pypi)"]


def test_rebuilt_files_and_moved_origins():
    old = replace(CELL, wheels=(wheel("a", "1"), wheel("b", "1"), wheel("c", "1")))
    new = replace(
        CELL,
        wheels=(wheel("a", "1", sha="b"), wheel("b", "1", index="internal"), wheel("c", "1", requested=True)),
    )
    assert lines([old], [new]) == [
        "infer: a 1, other bytes (pypi)",
        "infer: b 1, was from pypi (internal)",
        "infer: c 1, now asked for by the spec (pypi)",
    ]


def test_sources_tell_their_commits():
    old = replace(
        CELL,
        sources=(LockedSource(name="x", version="1", kind="git", source="https://h/x.git", commit="1" * 40),),
    )
    new = replace(
        CELL,
        sources=(LockedSource(name="x", version="1", kind="git", source="https://h/x.git", commit="2" * 40),),
    )
    assert lines([old], [new]) == ["infer: x 1, commit 111111111111 → 222222222222 (git https://h/x.git)"]
    assert lines([old], [replace(CELL, wheels=(wheel("x", "1"),))]) == [
        "infer: x 1, now a wheel, was from git https://h/x.git (pypi)"
    ]


def test_projects_without_a_fixed_version_come_and_go_by_name():
    project = LockedSource(name="matrix-checks", version="", kind="path", source="checks")
    with_it = replace(CELL, sources=(project,))
    assert lines([CELL], [with_it]) == ["infer: matrix-checks added (path checks)"]
    assert lines([with_it], [CELL]) == ["infer: matrix-checks removed"]
    fixed = replace(CELL, sources=(replace(project, version="1.0"),))
    assert lines([with_it], [fixed]) == ["infer: matrix-checks no fixed version → 1.0 (path checks)"]
    moved = replace(CELL, sources=(replace(project, source="tools"),))
    assert lines([with_it], [moved]) == ["infer: matrix-checks, was from path checks (path tools)"]


def test_bases_tell_digests_or_packages():
    registry = LockedBase(kind="registry", source="debian:12", digest="sha256:" + "1" * 64)
    moved = replace(registry, digest="sha256:" + "2" * 64)
    assert lines([replace(CELL, base=registry)], [replace(CELL, base=moved)]) == [
        "infer: base 111111111111 → 222222222222 (registry:debian:12)"
    ]
    newer = replace(BASE, debs=(deb("libc6", "2.36-10"), deb("zlib1g", "1.2")))
    assert lines([CELL], [replace(CELL, base=newer)]) == [
        "infer: base debian:bookworm, other packages:",
        "infer: deb libc6 2.36-9 → 2.36-10",
        "infer: deb zlib1g 1.2 added",
    ]
    assert lines([CELL], [replace(CELL, base=registry)]) == [
        "infer: base debian:bookworm → registry:debian:12"
    ]


def test_new_and_lost_cells():
    assert lines(None, [replace(CELL, apt=(deb("ffmpeg", "5"),))]) == [
        "infer: new",
        "infer: deb ffmpeg 5 added",
    ]
    assert lines([CELL, replace(CELL, name="gone")], [CELL]) == ["gone: removed"]


def test_a_python_that_was_not_there():
    assert lines([replace(CELL, python="")], [CELL]) == ["infer: python none → 3.11"]


def test_python_platform_and_files():
    old = replace(CELL, files=(LockedFile(url="https://h/m", sha256="1" * 64, size=0, to="/m"),))
    new = replace(
        CELL,
        python="3.12",
        platform="linux/arm64",
        files=(LockedFile(url="https://h/n", sha256="2" * 64, size=0, to="/m"),),
    )
    assert lines([old], [new]) == [
        "infer: platform linux/amd64 → linux/arm64",
        "infer: python 3.11 → 3.12",
        "infer: /m 111111111111 → 222222222222 (https://h/n)",
    ]


def test_components_that_came_went_or_have_other_bytes_are_told():
    def locked(name, sha, url="https://e.org/a.tar.gz"):
        return LockedComponent(name=name, url=url, sha256=sha * 64, size=1)

    old = replace(CELL, components=(locked("sdk", "a"), locked("mudnn", "b"), locked("mccl", "c")))
    new = replace(
        CELL, components=(locked("sdk", "d"), locked("mudnn", "b", "m.tar.gz"), locked("math", "e"))
    )
    assert lines([old], [new]) == [
        "infer: component math eeeeeeeeeeee added (https://e.org/a.tar.gz)",
        "infer: component mccl cccccccccccc removed",
        "infer: component mudnn bbbbbbbbbbbb, other address or size (m.tar.gz)",
        "infer: component sdk aaaaaaaaaaaa → dddddddddddd (https://e.org/a.tar.gz)",
    ]
