"""glibc's rules for finding libraries, one at a time. tests/engine/verify compares them with the loader itself."""

import pytest

from layerwright.verify.loader.process import Absent, Unversioned
from support.elf_file import Elf
from support.loader_cache import make_cache
from support.made_image import LIB, SITE, Folder, Link, debian, dist, inspect_image

PROGRAM = "usr/bin/app"


@pytest.fixture
def closure(tmp_path):
    number = 0

    def make(files, **options):
        nonlocal number
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        return inspect_image(folder, debian(), files, **options).closure

    return make


def provider(closure, user, name):
    (found,) = [edge for edge in closure.edges if (edge.user, edge.name) == (user, name)]
    return found.provider, found.how


def absent(closure):
    return {
        (problem.cause.user, problem.cause.name)
        for problem in closure.problems
        if isinstance(problem.cause, Absent)
    }


def test_default_folders(closure):
    found = closure({PROGRAM: Elf(needed=("libz.so.1", "libnone.so.1"))})
    assert provider(found, "/usr/bin/app", "libz.so.1") == (f"/{LIB}/libz.so.1.2.13", "default folder")
    assert absent(found) == {("/usr/bin/app", "libnone.so.1")}
    (problem,) = found.problems
    assert (problem.root.kind, problem.root.path) == ("program", "/usr/bin/app")


def test_runpath_is_for_the_library_itself_only(closure):
    files = {
        PROGRAM: Elf(needed=("liba.so.1",), runpath="/opt/a:/opt/b"),
        "opt/a/liba.so.1": Elf(soname="liba.so.1", needed=("libb.so.1",)),
        "opt/b/libb.so.1": Elf(soname="libb.so.1"),
    }
    assert absent(closure(files)) == {("/opt/a/liba.so.1", "libb.so.1")}


def test_rpath_passes_on_to_what_is_loaded(closure):
    files = {
        PROGRAM: Elf(needed=("liba.so.1",), rpath="/opt/a:/opt/b"),
        "opt/a/liba.so.1": Elf(soname="liba.so.1", needed=("libb.so.1",)),
        "opt/b/libb.so.1": Elf(soname="libb.so.1"),
    }
    found = closure(files)
    assert provider(found, "/opt/a/liba.so.1", "libb.so.1") == ("/opt/b/libb.so.1", "RPATH")


def test_a_runpath_stops_the_rpath_of_those_above(closure):
    files = {
        PROGRAM: Elf(needed=("liba.so.1",), rpath="/opt/a:/opt/b"),
        "opt/a/liba.so.1": Elf(soname="liba.so.1", needed=("libb.so.1",), runpath="/nowhere"),
        "opt/b/libb.so.1": Elf(soname="libb.so.1"),
    }
    assert absent(closure(files)) == {("/opt/a/liba.so.1", "libb.so.1")}


def test_an_rpath_beside_a_runpath_counts_for_nothing(closure):
    files = {
        PROGRAM: Elf(needed=("liba.so.1",), rpath="/opt/a", runpath="/nowhere"),
        "opt/a/liba.so.1": Elf(soname="liba.so.1"),
    }
    assert absent(closure(files)) == {("/usr/bin/app", "liba.so.1")}


def test_the_order_of_places(closure):
    libraries = {
        f"opt/{place}/liba.so.1": Elf(soname="liba.so.1") for place in ("rpath", "env", "runpath", "cached")
    }
    cache = make_cache([(0x0303, "liba.so.1", "/opt/cached/liba.so.1", -1)])
    system = {"etc/ld.so.cache": cache, f"{LIB}/liba.so.1": Elf(soname="liba.so.1"), **libraries}
    env = {"LD_LIBRARY_PATH": "/opt/env"}

    def how(program, **options):
        return provider(closure({PROGRAM: program, **system}, **options), "/usr/bin/app", "liba.so.1")

    need = ("liba.so.1",)
    assert how(Elf(needed=need, rpath="/opt/rpath"), env=env) == ("/opt/rpath/liba.so.1", "RPATH")
    assert how(Elf(needed=need, runpath="/opt/runpath"), env=env) == ("/opt/env/liba.so.1", "LD_LIBRARY_PATH")
    assert how(Elf(needed=need, runpath="/opt/runpath")) == ("/opt/runpath/liba.so.1", "RUNPATH")
    assert how(Elf(needed=need)) == ("/opt/cached/liba.so.1", "ld.so.cache")
    del system["opt/cached/liba.so.1"]
    assert how(Elf(needed=need)) == (f"/{LIB}/liba.so.1", "default folder")


def test_tokens(closure):
    files = {
        "opt/app/bin/app": Elf(needed=("liba.so.1", "libb.so.1", "libc1.so")),
        PROGRAM: Elf(
            needed=("liba.so.1", "libb.so.1", "libc1.so"),
            runpath="$ORIGIN/../own:/opt/${LIB}:/opt/$PLATFORM:/opt/$ORIGINAL",
        ),
        "usr/own/liba.so.1": Elf(soname="liba.so.1"),
        "opt/lib/x86_64-linux-gnu/libb.so.1": Elf(soname="libb.so.1"),
        "opt/x86_64/libc1.so": Elf(soname="libc1.so"),
    }
    found = closure(files)
    assert provider(found, "/usr/bin/app", "liba.so.1")[0] == "/usr/own/liba.so.1"
    assert provider(found, "/usr/bin/app", "libb.so.1")[0] == "/opt/lib/x86_64-linux-gnu/libb.so.1"
    assert provider(found, "/usr/bin/app", "libc1.so")[0] == "/opt/x86_64/libc1.so"


def test_the_origin_of_a_library_is_where_it_was_opened(closure):
    """glibc takes $ORIGIN from the path that it opened, links and all."""
    files = {
        PROGRAM: Elf(needed=("liba.so.1",), rpath="/opt/links"),
        "opt/links/liba.so.1": Link(target="../real/liba.so.1.0"),
        "opt/real/liba.so.1.0": Elf(soname="liba.so.1", needed=("libb.so.1", "libd.so.1"), runpath="$ORIGIN"),
        "opt/links/libb.so.1": Elf(soname="libb.so.1"),
        "opt/real/libd.so.1": Elf(soname="libd.so.1"),
    }
    found = closure(files)
    assert provider(found, "/opt/real/liba.so.1.0", "libb.so.1")[0] == "/opt/links/libb.so.1"
    assert absent(found) == {("/opt/real/liba.so.1.0", "libd.so.1")}


def test_what_is_loaded_already_counts_by_name(closure):
    files = {
        PROGRAM: Elf(needed=("liba.so.1", "libuser.so.1"), runpath="/opt/a:/opt/u"),
        "opt/a/liba.so.1": Elf(soname="liba.so.1"),
        "opt/u/libuser.so.1": Elf(soname="libuser.so.1", needed=("liba.so.1",)),
    }
    assert absent(closure(files)) == set()


def test_libraries_of_other_machines_are_passed_over(closure):
    files = {
        PROGRAM: Elf(needed=("liba.so.1",), runpath="/opt/arm:/opt/x86"),
        "opt/arm/liba.so.1": Elf(soname="liba.so.1", machine=183),
        "opt/x86/liba.so.1": Elf(soname="liba.so.1"),
    }
    assert provider(closure(files), "/usr/bin/app", "liba.so.1")[0] == "/opt/x86/liba.so.1"


def test_set_uid_programs_take_no_variables(closure):
    from support.made_image import Put

    elf = bytes(Elf(needed=("liba.so.1",)))
    files = {PROGRAM: Put(data=elf, mode=0o4755), "opt/env/liba.so.1": Elf(soname="liba.so.1")}
    found = closure(files, env={"LD_LIBRARY_PATH": "/opt/env"})
    assert ("/usr/bin/app", "liba.so.1") in absent(found)


def test_preloaded_libraries(closure):
    files = {
        PROGRAM: Elf(needed=("liba.so.1",)),
        "opt/liba-preloaded.so": Elf(soname="liba.so.1"),
    }
    assert absent(closure(files, env={"LD_PRELOAD": "/opt/liba-preloaded.so"})) == set()
    assert absent(closure(files)) == {("/usr/bin/app", "liba.so.1")}


def test_folders_of_ld_so_conf_are_read_by_ldconfig_alone(closure):
    files = {
        PROGRAM: Elf(needed=("liba.so.1",)),
        "etc/ld.so.conf": b"include /etc/ld.so.conf.d/*.conf\n",
        "etc/ld.so.conf.d/cuda.conf": b"# CUDA\n/usr/local/cuda/lib64\n",
        "usr/local/cuda/lib64/liba.so.1": Elf(soname="liba.so.1"),
    }
    found = closure(files)
    assert absent(found) == {("/usr/bin/app", "liba.so.1")}
    assert found.search.configured("liba.so.1") == "/usr/local/cuda/lib64/liba.so.1"


def test_subfolders_for_better_processors(tmp_path):
    files = {
        PROGRAM: Elf(needed=("liba.so.1",), runpath="/opt"),
        "opt/glibc-hwcaps/x86-64-v3/liba.so.1": Elf(soname="liba.so.1"),
    }
    from msgspec.structs import replace

    image = inspect_image(tmp_path, debian(), files)
    assert absent(image.closure) == {("/usr/bin/app", "liba.so.1")}
    better = replace(image, hwcaps=("x86-64-v4", "x86-64-v3"))
    assert provider(better.closure, "/usr/bin/app", "liba.so.1")[0] == "/opt/glibc-hwcaps/x86-64-v3/liba.so.1"


def test_symbol_versions(closure):
    found = closure(
        {
            PROGRAM: Elf(
                needed=("libc.so.6",), versions={"libc.so.6": ("GLIBC_2.38", "GLIBC_2.34", "GLIBC_2.99!")}
            )
        }
    )
    (problem,) = found.problems
    assert problem.cause == Unversioned(
        name="libc.so.6",
        user="/usr/bin/app",
        provider=f"/{LIB}/libc.so.6",
        versions=("GLIBC_2.38",),
        newest="GLIBC_2.36",
    )


def test_a_provider_without_versions_is_only_warned_of_by_the_loader(closure):
    assert (
        closure({PROGRAM: Elf(needed=("libz.so.1",), versions={"libz.so.1": ("ZLIB_1.2.9",)})}).problems == ()
    )


def test_extension_modules_find_what_their_distributions_bring(closure):
    module = "demo/_core.cpython-311-x86_64-linux-gnu.so"
    other = "demo/_core.cpython-39-x86_64-linux-gnu.so"
    files = {
        **dist("lib-wheel", files={"nvidia/cublas/lib/libcublas.so.12": Elf(soname="libcublas.so.12")}),
        **dist(
            "demo",
            files={
                module: Elf(needed=("libcublas.so.12", "libown.so.1", "libstranger.so.1")),
                other: Elf(needed=("libnever.so.1",)),
                "demo/lib/libown.so.1": Elf(soname="libown.so.1"),
            },
            requires=("lib_wheel>=1",),
        ),
        **dist("stranger", files={"stranger/libstranger.so.1": Elf(soname="libstranger.so.1")}),
    }
    found = closure(files)
    user = f"/{SITE}/{module}"
    assert provider(found, user, "libcublas.so.12") == (
        f"/{SITE}/nvidia/cublas/lib/libcublas.so.12",
        "opened by lib-wheel",
    )
    assert provider(found, user, "libown.so.1")[0] == f"/{SITE}/demo/lib/libown.so.1"
    problems = {problem.cause.name: problem.root.kind for problem in found.problems}
    assert problems == {"libstranger.so.1": "extension", "libnever.so.1": "library"}


def test_the_interpreter_brings_its_libraries(closure):
    module = "demo/_core.abi3.so"
    files = {
        "usr/lib/special/libspecial.so.1": Elf(soname="libspecial.so.1"),
        "usr/bin/python3.11": Elf(needed=("libspecial.so.1",), runpath="/usr/lib/special"),
        **dist("demo", files={module: Elf(needed=("libspecial.so.1",))}),
    }
    assert absent(closure(files)) == set()


def test_driver_libraries_come_from_the_machine(closure):
    found = closure(
        dist("demo", files={"demo/_core.abi3.so": Elf(needed=("libcuda.so.1", "libnvidia-ml.so.1"))})
    )
    assert found.problems == ()
    assert set(found.driver) == {"libcuda.so.1", "libnvidia-ml.so.1"}


def test_musl_is_not_judged(tmp_path):
    image = inspect_image(
        tmp_path,
        {
            "lib/ld-musl-x86_64.so.1": Elf(soname="libc.musl-x86_64.so.1"),
            PROGRAM: Elf(needed=("libgone.so",)),
            "tmp": Folder(),
        },
    )
    assert image.closure.system.libc == "musl"
    assert image.closure.problems == ()
