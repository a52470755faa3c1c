"""Rows F06, F07 and F18: components of Moore Threads' SDK, installed in their order, for one GPU architecture.

The archives are stand-ins with the structure of the real ones (support/musa.py); the installers, the engines and the
layers are real.
"""

import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import musa
from support.command import Command, Project, leftovers, new_project
from support.index import Index, serve
from support.layers import environment_of, members_of, paths_of, tars_of, traces
from support.other_user import as_user, new_user
from support.podman import settings_file
from support.registry import make_certificate

pytestmark = pytest.mark.engine

Archives = dict[str, musa.Archive]
ALL = '["musparse", "mccl", "mudnn", "musa_toolkit"]'
LIBRARIES = "/usr/local/musa/lib"
INSTALLED = [
    "libmccl.bin", "libmccl.so.1", "libmublas.so", "libmudnn.bin", "libmudnn.so.1", "libmusart.so.4",
    "libmusparse.bin", "libmusparse.so.1", "libpayload.bin",
]  # fmt: skip
IMAGE = """\
[images.dev]
name = "layerwright-test-components"
accelerator = "mthreads"
gpu_arch = "qy2"
components = {components}
entrypoint = ["sh", "-c"]
"""


def make_archives() -> Archives:
    return {
        "musa_toolkit": musa.toolkit(arch="qy2"),
        "mudnn": musa.mudnn(arch="qy2"),
        "mccl": musa.mccl(arch="qy2"),
        "musparse": musa.math_library(arch="qy2"),
    }


@pytest.fixture
def archives() -> Archives:
    return make_archives()


def tables(archives: Archives, index: Index) -> str:
    """``[components]`` for all archives, from the loopback server."""
    return "".join(
        archive.table(
            name,
            archive.serve(index),
            arch=["qy2"],
            **({} if name in {"musa_toolkit", "mudnn", "mccl"} else {"kind": "musa_math"}),
        )
        for name, archive in archives.items()
    )


@pytest.fixture
def described(project: Project, index: Index, archives: Archives) -> Project:
    """All components, declared in the wrong order."""
    project.spec(tables(archives, index) + IMAGE.format(components=ALL))
    return project


@pytest.fixture
def fresh(fresh_project: Project, index: Index, archives: Archives) -> Project:
    """The same, with a store of its own."""
    fresh_project.spec(tables(archives, index) + IMAGE.format(components=ALL))
    return fresh_project


@pytest.fixture(scope="module")
def built(
    tmp_path_factory: pytest.TempPathFactory, shared_store: Path, small_base: str
) -> Iterator[tuple[Project, Archives]]:
    """All components in an image that several tests look at, with what it was made of."""
    root = tmp_path_factory.mktemp("built")
    with serve() as index:
        project = new_project(
            root / "project", home=root, store=shared_store, base=small_base, index=index.simple
        )
        archives = make_archives()
        project.spec(tables(archives, index) + IMAGE.format(components=ALL))
        yield project, archives


@pytest.fixture(scope="module")
def native(built: tuple[Project, Archives]) -> Path:
    """The image built natively, saved to a file."""
    project, _ = built
    file = project.folder.parent / "native.tar"
    project("build", "--output", f"docker-archive:{file}")
    return file


@pytest.fixture(scope="module", params=["native", "docker", "podman"])
def saved(request: pytest.FixtureRequest, built: tuple[Project, Archives], native: Path) -> Path:
    """The image built by each backend, saved to a file."""
    if request.param == "native":
        return native
    project, _ = built
    program = request.getfixturevalue("docker") if request.param == "docker" else shutil.which("podman")
    if program is None:
        pytest.skip("podman is not installed")
    settings = {"CONTAINERS_CONF": str(settings_file(native.parent))}
    variables = {**os.environ, **settings}
    file = native.with_name(f"{request.param}.tar")
    reference = "layerwright-test-components:1"
    project.command.with_variables(**settings)("build", "--backend", request.param)
    subprocess.run([program, "save", "-o", file, reference], check=True, env=variables, timeout=60)
    subprocess.run([program, "rmi", "-f", reference], check=True, env=variables, capture_output=True)
    return file


def test_f06_the_order_is_the_one_that_works_whatever_is_declared(fresh: Project) -> None:
    done = fresh("build", "--verbose")
    said = [
        line.strip(" |") for line in done.err.splitlines() if " installed" in line or "installing" in line
    ]
    assert said == [
        "installing MUSA toolkits rc4.0.1 for qy2",
        "mudnn rc2.8.0 installed",
        "mccl rc1.8.0 installed",
        "musparse 1.12.1 installed",
    ]
    planned = [step["title"] for step in fresh("plan", "--json").json()["images"][0]["steps"]]
    assert [title for title in planned if title.startswith("component ")] == [
        "component musa_toolkit", "component mudnn", "component mccl", "component musparse",
    ]  # fmt: skip
    assert fresh("run", "dev", f"ls {LIBRARIES}").out.split() == INSTALLED


@pytest.mark.parametrize("backend", ["native", "docker"])
def test_f06_another_toolkit_brings_the_others_again(
    backend: str, project: Project, index: Index, archives: Archives, request: pytest.FixtureRequest
) -> None:
    newer = musa.toolkit("rc4.2.0", arch="qy2")
    more = newer.table("newer", newer.serve(index), kind="musa_toolkit")
    child = '[images.next]\nfrom = "image:dev"\ncomponents = ["newer"]\nentrypoint = ["sh", "-c"]\n'
    project.spec(tables(archives, index) + more + IMAGE.format(components=ALL) + child)
    look = f"ls {LIBRARIES}; ls -d /usr/local/musa-*; cat /usr/local/musa/version.json"
    if backend == "docker":
        docker = request.getfixturevalue("docker")
        project("build", "--backend", "docker", "next")
        start = [docker, "run", "--rm", "--network", "none", "demo-next:1", look]
        found = subprocess.run(start, check=True, capture_output=True, text=True, timeout=60).stdout
        subprocess.run([docker, "rmi", "-f", "demo-next:1"], check=True, capture_output=True)
    else:
        found = project("run", "next", look).out
    *libraries, folder, version = found.splitlines()
    assert libraries == INSTALLED
    assert folder == "/usr/local/musa-rc4.2.0"
    assert "rc4.2.0" in version


def test_f06_a_change_makes_anew_what_stands_on_it_and_nothing_else(
    fresh_project: Project, index: Index, archives: Archives
) -> None:
    def cached(changed: Archives) -> dict[str, bool]:
        fresh_project.spec(tables(changed, index) + IMAGE.format(components=ALL))
        layers = fresh_project("build", "--json").image["layers"]
        words = [(layer["created_by"].split(), layer["cached"]) for layer in layers]
        return {word[4]: known for word, known in words if "component" in word}

    assert set(cached(archives).values()) == {False}
    assert set(cached(archives).values()) == {True}
    changed = {**archives, "mccl": musa.mccl("rc1.9.0", "qy2")}
    assert cached(changed) == {"musa_toolkit": True, "mudnn": True, "mccl": False, "musparse": False}
    changed["musa_toolkit"] = musa.toolkit("rc4.2.0", "qy2")
    assert set(cached(changed).values()) == {False}


def test_f07_no_byte_of_an_archive_is_left(saved: Path, built: tuple[Project, Archives]) -> None:
    _, archives = built
    tars = tars_of(saved)
    paths = paths_of(tars)
    assert len(tars) > len(archives)
    for archive in archives.values():
        assert traces(tars, archive.data) == [], archive.name
        assert not [path for path in paths if path.endswith(archive.name)]
    assert not [path for path in paths if path.startswith(("dev/layerwright", "tmp/", "run/layerwright"))]
    # The search finds what is there: the same bytes as they were packed, in the layer of what they install.
    payload = next(content for name, content in contents(archives["musa_toolkit"]) if name.endswith(".bin"))
    assert traces(tars, payload) == list(range(0, len(payload) - 32, 4096 - 32))
    assert sum(path == "usr/local/musa-rc4.0.1/lib/libmudnn.so.1" for path in paths) == 1
    owners = {(member.uid, member.gid) for member in members_of(tars) if "usr/local/musa" in member.name}
    assert owners == {(0, 0)}


def test_f07_every_backend_leaves_the_same_files(saved: Path, native: Path) -> None:
    ours, theirs = (files_of(tars_of(file)) for file in (native, saved))
    # the link, the toolkit's folder with bin, lib and include, and what stands in them
    assert len(ours) > 15
    assert theirs == ours


@pytest.mark.parametrize("place", ["as an ordinary user", "in an ordinary container"])
def test_f07_without_rights_the_image_is_the_same(
    place: str, fresh_project: Project, index: Index, archives: Archives, tool: Callable[[str], str]
) -> None:
    text = tables(archives, index) + IMAGE.format(components='["mudnn", "musa_toolkit"]')
    fresh_project.spec(text)
    digest = fresh_project("build", "--json").image["digest"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)  # not pytest's, which is closed to others
        base = shutil.copytree(fresh_project.base.removeprefix("oci:"), folder / "base")
        project = new_project(
            folder / "project", home=folder, store=folder / "store", base=f"oci:{base}", index=index.simple
        )
        project.spec(text)
        if place == "in an ordinary container":
            before = (tool("setpriv"), "--bounding-set=-sys_admin", "--inh-caps=-sys_admin")
            done = project("build", "--json", before=before)
        else:
            with new_user("layerwright-components", folder) as (uid, gid):
                for path in (folder, *folder.rglob("*")):
                    os.chown(path, uid, gid)
                done = project("build", "--json", before=as_user(uid, gid, (), folder))
    assert done.image["digest"] == digest
    assert ("nothing can be mounted here" in done.err) == (place == "in an ordinary container")


def files_of(tars: list[bytes]) -> dict[str, tuple[object, ...]]:
    """What stands at the places that components write to, the upper layers over the lower ones."""
    found: dict[str, tuple[object, ...]] = {}
    for data in tars:
        with tarfile.open(fileobj=io.BytesIO(data)) as layer:
            for member in layer:
                path = member.name.removeprefix("./")
                if path.startswith("usr/local/musa") or path in {"etc/group", "etc/gshadow"}:
                    file = layer.extractfile(member) if member.isfile() else None
                    content = file.read() if file else b""
                    found[path] = (
                        member.type, member.mode & 0o7777, member.uid, member.gid, member.linkname, content,
                    )  # fmt: skip
    return found


def contents(archive: musa.Archive) -> list[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(archive.data)) as packed:
        return [(member.name, packed.extractfile(member).read()) for member in packed]  # type: ignore[union-attr]


def test_f07_programs_find_musa_and_members_of_render_the_gpu(described: Project) -> None:
    image = described("build", "--json").image
    ran = described("run", "dev", "env; cat /etc/group; touch /tmp/a.mu; mcc /tmp/a.mu -o /tmp/a; /tmp/a").out
    lines = ran.splitlines()
    assert {
        "MUSA_HOME=/usr/local/musa",
        "LD_LIBRARY_PATH=/usr/local/musa/lib",
        "TORCH_MUSA_ARCH_LIST=22",
    } <= {*lines}
    path = next(line.removeprefix("PATH=") for line in lines if line.startswith("PATH="))
    assert path.split(":")[:2] == ["/opt/venv/bin", "/usr/local/musa/bin"]
    assert "" not in path.split(":")
    assert "render:x:109:" in lines
    assert "made of /tmp/a.mu" in lines
    assert image["reference"].startswith("layerwright-test-components")


def test_f18_every_backend_tells_the_architecture_and_where_musa_is(saved: Path) -> None:
    env = environment_of(saved)
    assert env["TORCH_MUSA_ARCH_LIST"] == "22"
    assert (env["MUSA_HOME"], env["LD_LIBRARY_PATH"]) == ("/usr/local/musa", "/usr/local/musa/lib")
    assert env["PATH"].startswith("/opt/venv/bin:/usr/local/musa/bin:/")
    assert "MTHREADS_VISIBLE_DEVICES" not in env  # row F16


def test_f16_no_device_is_chosen_in_the_image_unless_it_says_so(described: Project) -> None:
    assert "MTHREADS_VISIBLE_DEVICES" not in described("run", "dev", "env").out
    text = (described.folder / "layerwright.toml").read_text(encoding="utf-8")
    (described.folder / "layerwright.toml").write_text(
        text + 'env = { MTHREADS_VISIBLE_DEVICES = "all" }\n', encoding="utf-8"
    )
    assert "MTHREADS_VISIBLE_DEVICES=all" in described("run", "dev", "env").out


def test_f07_other_bytes_are_refused_and_not_kept(fresh: Project, index: Index, archives: Archives) -> None:
    fresh("lock")
    name = archives["mudnn"].name
    index.wrong.add(name)
    failed = fresh("build", status=7)
    assert f"{name} from " in failed.err
    assert "is not what the spec says" in failed.err
    assert "[components.mudnn]" in failed.err
    assert not list(fresh.command.store.glob(f"**/{archives['mudnn'].sha256}"))
    index.wrong.clear()
    fresh("build")


def test_f07_a_broken_download_goes_on_where_it_stopped(fresh_project: Project, index: Index) -> None:
    large = musa.toolkit(arch="qy2", weight=3_000_000)
    text = tables({"musa_toolkit": large}, index) + IMAGE.format(components='["musa_toolkit"]')
    fresh_project.spec(text)
    index.cut[large.name] = [1_500_000]
    fresh_project("build")
    asked = [given for method, path, given in index.requests if method == "GET" and "/files/" in path]
    first, again = asked
    assert first == ""
    assert 0 < int(again.removeprefix("bytes=").rstrip("-")) <= 1_500_000
    # What is there is not asked for again: another image takes it without the network.
    fresh_project.spec(
        text + text[text.index("[images.dev]") :].replace("dev", "more").replace("-components", "-m")
    )
    fresh_project("build", "--offline", "more")
    assert len(index.downloads()) == 2


def test_f07_a_certificate_is_always_checked(
    fresh_project: Project, archives: Archives, tmp_path: Path
) -> None:
    with serve(certificate=make_certificate(tmp_path / "authority")) as index:
        text = tables({"musa_toolkit": archives["musa_toolkit"]}, index)
        fresh_project.spec(text + IMAGE.format(components='["musa_toolkit"]'))
        failed = fresh_project("build", status=6)
        assert "certificate" in failed.err
        assert index.downloads() == []
        fresh_project.spec(
            text.replace("sha256 =", 'insecure = "certificate"\nsha256 =')
            + IMAGE.format(components='["musa_toolkit"]')
        )
        assert "'certificate' is not one of http" in fresh_project("build", status=2).err


def test_f07_plain_http_is_taken_by_name_alone_and_every_report_repeats_it(
    fresh_project: Project, index: Index, archives: Archives
) -> None:
    text = tables({"mudnn": archives["mudnn"]}, index).replace(
        "http://127.0.0.1", "http://mirror.example.org"
    )
    image = IMAGE.format(components='["mudnn"]')
    fresh_project.spec(text + image)
    failed = fresh_project("lock", "--offline", status=2)
    assert "plain http is refused, except on this machine" in failed.err
    assert "[components.mudnn.url]" in failed.err
    fresh_project.spec(text + 'insecure = "http"\n' + image)
    for command in ("lock", "build"):
        failed = fresh_project(command, "--offline", status=6)
        assert "component mudnn is fetched without encryption, as the spec allows" in failed.err


def test_f07_an_empty_address_is_refused_by_its_name(
    described: Project, index: Index, archives: Archives
) -> None:
    text = (described.folder / "layerwright.toml").read_text(encoding="utf-8")
    empty = text.replace(f'"{index.address(archives["mccl"].name)}"', '""')
    assert empty != text
    (described.folder / "layerwright.toml").write_text(empty, encoding="utf-8")
    failed = described("build", "--backend", "docker", status=2)
    assert "error: 'url' must not be empty" in failed.err
    assert "[components.mccl.url]" in failed.err
    assert index.requests == []


def test_f07_an_installer_that_fails_fails_the_build(
    project: Project, index: Index, archives: Archives
) -> None:
    only = {"mudnn": archives["mudnn"]}
    project.spec(tables(only, index) + IMAGE.format(components='["mudnn"]'))
    failed = project("build", status=4)
    assert "install component mudnn (mudnn_rc2.8.0_qy2.tar.gz)" in failed.err
    assert "mudnn: there is no MUSA toolkit in /usr/local/musa" in failed.err
    project.spec(
        tables(only, index)
        .replace('kind = "mudnn"', "")
        .replace("sha256 =", 'kind = "musa_toolkit"\nsha256 =')
        + IMAGE.format(components='["mudnn"]')
    )
    failed = project("build", status=4)
    assert "mudnn_rc2.8.0_qy2.tar.gz has no install.sh" in failed.err
    assert "components.mudnn.install" in failed.err
    assert "install_mudnn.sh" in failed.err  # what it holds
    assert leftovers(project.command.store) == []


def test_f07_the_spec_says_how_a_component_is_installed(
    project: Project, index: Index, archives: Archives
) -> None:
    script = (
        """mkdir -p /usr/local/musa/bin; cp musa/bin/mcc /usr/local/musa/bin; echo "it's $PWD" > /where"""
    )
    table = archives["musa_toolkit"].table("own", archives["musa_toolkit"].serve(index), kind="musa_toolkit")
    project.spec(
        f"{table}install = '''{script}'''\n" + IMAGE.format(components='["own"]').replace("qy2", "ph1")
    )
    ran = project("run", "dev", "cat /where; ls /usr/local/musa")
    where, left = ran.out.splitlines()
    assert where.startswith("it's /tmp/component.")
    assert where.endswith("/musa_toolkits_rc4.0.1")
    assert left == "bin"


TORCH_MUSA = """\
[images.release]
role = "release"
accelerator = "mthreads"
gpu_arch = "{arch}"
components = ["mudnn", "musa_toolkit"]
packages = [{{ url = "{url}", sha256 = "{digest}" }}]
entrypoint = ["sh", "-c"]
"""


def test_f07_s80_has_no_mccl_and_says_so(project: Project, index: Index) -> None:
    wheel, data = musa.platform_wheel("torch_musa", "2.0.1")
    index.add((wheel, data))
    own = {"musa_toolkit": musa.toolkit(arch="qy1"), "mudnn": musa.mudnn(arch="qy1")}
    text = tables(own, index).replace("qy2", "S80").replace("_S80.tar", "_qy1.tar")
    image = TORCH_MUSA.format(arch="S80", url=index.address(wheel), digest=index.sha256(wheel))
    project.spec(text + image)
    failed = project("build", status=2)
    assert "'release' has torch_musa, which needs MCCL" in failed.err
    assert 'without = ["mccl"] (S80 and S3000 have no MCCL)' in failed.err
    assert index.requests == []
    project.spec(text + image + 'without = ["mccl"]\n')
    ran = project("run", "release", "ls /usr/local/musa/lib; python -c 'import torch_musa'; env").out
    assert "mccl" not in ran
    assert "TORCH_MUSA_ARCH_LIST=21" in ran


def test_f18_an_archive_for_another_gpu_is_refused_before_anything_is_fetched(
    described: Project, index: Index
) -> None:
    text = (described.folder / "layerwright.toml").read_text(encoding="utf-8")
    (described.folder / "layerwright.toml").write_text(
        text.replace('gpu_arch = "qy2"', 'gpu_arch = "MTT S5000"'), encoding="utf-8"
    )
    failed = described("build", "--backend", "docker", status=2)
    assert "'musa_toolkit' serves qy2, and 'dev' is for ph1" in failed.err
    (described.folder / "layerwright.toml").write_text(
        text.replace('gpu_arch = "qy2"', 'gpu_arch = "S9000"'), encoding="utf-8"
    )
    failed = described("build", status=2)
    assert "the GPU architecture 'S9000' is not known" in failed.err
    assert "qy1 (MP 21: S80, S80ES, S3000), qy2 (MP 22: S90, S4000), ph1 (MP 31: S5000)" in failed.err
    assert index.requests == []


def test_f18_the_architecture_is_an_axis_of_the_matrix(project: Project, index: Index) -> None:
    text = ""
    for arch in ("qy1", "qy2"):
        toolkit = musa.toolkit(arch=arch)
        text += toolkit.table(f"toolkit_{arch}", toolkit.serve(index), kind="musa_toolkit", arch=[arch])
    project.spec(
        text + '[images.dev]\naccelerator = "mthreads"\nentrypoint = ["sh", "-c"]\n'
        "matrix = { gpu_arch = ['S80', 'qy2'] }\n"
        "[[images.dev.override]]\nwhen = { gpu_arch = 'qy1' }\ncomponents = ['toolkit_qy1']\n"
        "[[images.dev.override]]\nwhen = { gpu_arch = 'qy2' }\ncomponents = ['toolkit_qy2']\n"
    )
    project("build")
    for cell, number in (("dev-qy1", "21"), ("dev-qy2", "22")):
        ran = project("run", cell, "sed -n 2p /usr/local/musa/bin/mcc; env").out
        assert ran.splitlines()[0] == f"# mcc rc4.0.1 for {cell.removeprefix('dev-')}"
        assert f"TORCH_MUSA_ARCH_LIST={number}" in ran


GMI = """\
#!/bin/sh
cat <<END
mthreads-gmi:2.4.1           Driver Version:3.3.1-server
ID   Name                 |PCIe                |%GPU  Mem
0    MTT S4000            |00000000:18:00.0    |0%    0MiB(49152MiB)
END
"""


def test_f18_the_architecture_of_a_machine_is_told_from_its_products(
    described: Project, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "mthreads-gmi"
    program.parent.mkdir()
    program.write_text(GMI)
    program.chmod(0o755)
    command: Command = described.command.with_variables(PATH=f"{program.parent}:{os.environ['PATH']}")
    checks = json.loads(command("doctor", "--json", status=None).out)["checks"]
    (told,) = [check["detail"] for check in checks if check["id"] == "mthreads-gpus"]
    assert "MTT S4000 (architecture qy2, MUSA 22" in told
