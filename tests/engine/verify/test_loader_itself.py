"""What is found where: our rules against the dynamic loader itself, in roots made at random."""

import os
import platform
import random
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from layerwright.verify.entries import Entry
from layerwright.verify.loader.process import Process
from layerwright.verify.loader.search import Search
from layerwright.verify.loader.system import find_system
from layerwright.verify.tree import Tree

pytestmark = pytest.mark.engine

FOLDERS = ("/opt/a", "/opt/b", "/opt/c", "/usr/lib/x86_64-linux-gnu", "/srv/configured", "/usr/app/lib")
PATHS = (
    *FOLDERS,
    "$ORIGIN",
    "$ORIGIN/../b",
    "${ORIGIN}/../../usr/app/lib",
    "/opt/$LIB",
    "/nowhere",
    "/opt/links",
)
LOADER = "/lib64/ld-linux-x86-64.so.2"


@pytest.fixture(scope="module")
def compiler() -> str:
    found = shutil.which("gcc")
    if found is None or os.getuid() != 0 or shutil.which("ldconfig") is None:
        message = "comparing with the loader needs gcc, ldconfig and root"
        if os.environ.get("LAYERWRIGHT_REQUIRE_ENGINES"):
            pytest.fail(message)
        pytest.skip(message)
    if platform.machine() != "x86_64":
        pytest.skip("this test is made for x86-64")
    return found


@pytest.fixture(scope="module")
def build(compiler: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:
    """Compile a library or program that needs libraries by name; equal ones are made once."""
    stubs = tmp_path_factory.mktemp("stubs")
    known: dict[tuple[object, ...], bytes] = {}
    source = stubs / "empty.c"
    source.write_text("int lw_answer(void) { return 42; }\n")
    start = stubs / "start.c"
    start.write_text("void _start(void) { for (;;) {} }\n")

    def stub(soname: str) -> Path:
        path = stubs / soname
        if not path.exists():
            subprocess.run(
                [compiler, "-shared", "-nostdlib", f"-Wl,-soname,{soname}", "-o", path, source], check=True
            )
        return path

    def make(
        soname: str, needed: tuple[str, ...], paths: tuple[str, ...], *, new_tags: bool, program: bool
    ) -> bytes:
        key = (soname, needed, paths, new_tags, program)
        if key not in known:
            out = stubs / "out"
            kind = ["-pie", start] if program else ["-shared", f"-Wl,-soname,{soname}", source]
            subprocess.run(
                [
                    compiler, "-nostdlib", "-fPIC", "-Wl,--no-as-needed",
                    "-Wl,--enable-new-dtags" if new_tags else "-Wl,--disable-new-dtags",
                    *([f"-Wl,-rpath,{':'.join(paths)}"] if paths else []),
                    *kind, *[stub(name) for name in needed], "-Wl,--allow-shlib-undefined", "-o", out,
                ],
                check=True,
            )  # fmt: skip
            known[key] = out.read_bytes()
        return known[key]

    return make


def tree_of(root: Path) -> Tree:
    """A folder as an image's tree."""
    from layerwright.facts.elf import read_library

    tree = Tree()
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder) / name
            place = str(path.relative_to(root))
            if path.is_symlink():
                tree._put(place, Entry(kind="link", target=str(path.readlink())))
            elif path.is_dir():
                tree._put(place, Entry(kind="folder"))
            else:
                data = path.read_bytes()
                tree._put(
                    place,
                    Entry(
                        kind="file",
                        mode=path.stat().st_mode & 0o7777,
                        library=read_library(data, path=f"/{place}", contents=False),
                        text=data if place.startswith("etc/") else None,
                    ),
                )
    return tree


def make_root(root: Path, chance: random.Random, build: Callable[..., bytes]) -> dict[str, str]:
    """A root with libraries at random places that need each other at random; gives the environment."""
    loader = Path(LOADER).resolve()
    (root / "lib64").mkdir(parents=True)
    shutil.copy(loader, root / LOADER.lstrip("/"))
    system = root / "usr/lib/x86_64-linux-gnu"
    system.mkdir(parents=True)
    (root / "lib").symlink_to("usr/lib")
    shutil.copy(
        next(
            path
            for path in (Path("/lib/x86_64-linux-gnu/libc.so.6"), Path("/lib64/libc.so.6"))
            if path.exists()
        ),
        system,
    )
    names = [f"lib{letter}.so.{chance.choice('12')}" for letter in "abcdefg"]
    for name in names:
        for folder in chance.sample(FOLDERS, chance.choice([0, 1, 1, 2, 2, 3])):
            place = root / folder.lstrip("/")
            place.mkdir(parents=True, exist_ok=True)
            needed = tuple(chance.sample(names, chance.choice([0, 1, 2])))
            paths = tuple(chance.sample(PATHS, chance.choice([0, 0, 1, 2, 3])))
            data = build(name, needed, paths, new_tags=chance.random() < 0.5, program=False)
            if chance.random() < 0.2:
                (place / f"{name}.real").write_bytes(data)
                (place / name).symlink_to(f"{name}.real")
            else:
                (place / name).write_bytes(data)
    links = root / "opt/links"
    links.mkdir(parents=True)
    for name in chance.sample(names, 3):
        (links / name).symlink_to(f"../{chance.choice('abc')}/{name}")
    # A program's own $ORIGIN comes from /proc/self/exe, and there is no /proc in the root.
    plain = [path for path in PATHS if "ORIGIN" not in path]
    program = root / "usr/bin/app"
    program.parent.mkdir(parents=True)
    program.write_bytes(
        build(
            "", tuple(chance.sample(names, 3)), tuple(chance.sample(plain, chance.choice([0, 2, 3]))),
            new_tags=chance.random() < 0.5, program=True,
        )
    )  # fmt: skip
    program.chmod(0o755)
    (root / "etc").mkdir()
    if chance.random() < 0.7:
        (root / "etc/ld.so.conf").write_text(
            "/srv/configured\n/usr/app/lib\n" if chance.random() < 0.7 else "/opt/c\n"
        )
        subprocess.run(["ldconfig", "-r", root], check=True, capture_output=True)
        if chance.random() < 0.3:  # something in the cache goes away afterwards
            for path in (root / "srv/configured").glob("*.so.*"):
                path.unlink()
                break
    if chance.random() < 0.5:
        return {"LD_LIBRARY_PATH": ":".join(chance.sample(FOLDERS[:3], 2))}
    return {}


def by_the_loader(root: Path, env: dict[str, str]) -> dict[str, str]:
    """Name to path of everything that the loader maps; "" for what it does not find."""
    # As ldd does it: what is missing is listed, too.
    done = subprocess.run(
        ["/usr/bin/app"],
        env={"LD_TRACE_LOADED_OBJECTS": "1", **env},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: (os.chroot(root), os.chdir("/"))[1],
    )
    found = {}
    for line in done.stdout.splitlines():
        match = re.match(r"\s*(\S+) => (not found|\S+)", line)
        if match:
            found[match[1]] = "" if match[2] == "not found" else match[2]
    return found


@pytest.mark.parametrize("seed", [*range(24), 136])
def test_our_rules_find_what_the_loader_finds(seed: int, tmp_path: Path, build: Callable[..., bytes]) -> None:
    root = tmp_path / "root"
    env = make_root(root, random.Random(seed), build)
    tree = tree_of(root)
    system = find_system(tree, machine="x86_64", env=env)
    search = Search(tree, system)
    process = Process(search)
    library = tree.find("/usr/bin/app").entry.library
    process.start(library, "/usr/bin/app")
    ours = {name: "" if provider is None else provider.path for _, name, provider in process.edges}
    theirs = by_the_loader(root, env)
    assert theirs, "the loader lists nothing"
    assert {name: os.path.normpath(path) if path else "" for name, path in ours.items()} == {
        name: os.path.normpath(path) if path else "" for name, path in theirs.items()
    }
