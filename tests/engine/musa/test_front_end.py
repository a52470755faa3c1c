"""Rows F01 to F05, F08, F11 to F14: the documented command lines of torch_musa's container scripts, as they stand.

What they reach are stand-ins with the real names (support/musa_scripts.py, support/musa.py); the engine, the layers and
the checks are real. Command lines are those of docker/README.md of MooreThreads/torch_musa at 21080ff.
"""

import hashlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import musa
from support.command import PROGRAM, Done
from support.musa_scripts import StandIns, in_container, stand_ins
from support.musa_sources import git

pytestmark = pytest.mark.engine

REGISTRY = "sh-harbor.mthreads.com/mt-ai"
BASE = "bash docker/build_base.sh -n pytorch2.0.0_py310 -s ubuntu:20.04 -v 3.10"
DEV = """\
bash docker/build.sh -n torch_musa_dev \\
                     -b sh-harbor.mthreads.com/mt-ai/musa-pytorch-dev-py39:base-pytorch2.0.0 \\
                     -f docker/ubuntu/dockerfile.dev \\
                     -m ${MUSA_TOOLKITS_URL} \\
                     --mudnn_url ${MUDNN_URL} \\
                     --mccl_url ${MCCL_URL} \\
                     --torch_musa_tag ${TORCH_MUSA_TAG}
"""
RELEASE = """\
cd docker
bash build.sh -n torch_musa_docker                       \\
              -b ubuntu:20.04                            \\
              -f ./ubuntu/dockerfile.release             \\
              -v 3.8                                     \\
              -m ${MUSA_TOOLKITS_URL}                    \\
              --mudnn_url ${MUDNN_URL}                   \\
              --mccl_url ${MCCL_URL}                     \\
              --torch_whl_url ${TORCH_WHL_URL}           \\
              --torch_musa_whl_url ${TORCH_MUSA_WHL_URL} \\
              --release
"""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Stand-ins, and a folder where the scripts are called."""

    there: StandIns
    docker: str

    @property
    def root(self) -> Path:
        return self.there.root

    @property
    def url(self) -> str:
        return self.there.url

    @property
    def work(self) -> Path:
        return self.there.command.folder

    def variables(self) -> dict[str, str]:
        """What a reader sets before pasting."""
        return {
            "MUSA_TOOLKITS_URL": f"{self.url}/musa_toolkits_rc4.0.1_qy1.tar.gz",
            "MUDNN_URL": f"{self.url}/mudnn_rc2.8.0_qy1.tar.gz",
            "MCCL_URL": f"{self.url}/mccl_rc1.8.0_qy1.tar.gz",
            "TORCH_MUSA_TAG": "v1.2.1",
            "TORCH_WHL_URL": f"{self.url}/torch-2.0.0-cp38-cp38-linux_x86_64.whl",
            "TORCH_MUSA_WHL_URL": f"{self.url}/torch_musa-1.1.0-cp38-cp38-linux_x86_64.whl",
        }

    def paste(self, text: str, *, status: int = 0, **more: str) -> Done:
        """Paste lines into a shell; the scripts are those that `layerwright musa scripts` writes."""
        environment = {**self.there.command.environment, **self.variables(), **more}
        environment["PATH"] = f"{PROGRAM.parent}:{environment['PATH']}"
        found = subprocess.run(
            ["bash", "-euc", text], cwd=self.work, env=environment, capture_output=True, text=True, timeout=300,
            check=False,
        )  # fmt: skip
        done = Done(argv=(text,), status=found.returncode, out=found.stdout, err=found.stderr)
        assert done.status == status, done
        return done

    def run(self, *words: str | Path, status: int = 0, **more: str) -> Done:
        """Call the front end itself."""
        command = self.there.command
        return command.with_variables(**more)("musa", *words, status=status, timeout=300)

    def inspect(self, image: str) -> Mapping[str, object]:
        done = subprocess.run(
            [self.docker, "image", "inspect", image], capture_output=True, timeout=20, check=True
        )
        return json.loads(done.stdout)[0]["Config"]


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory, debian_layout: Path, shared_store: Path, docker: str
) -> Iterator[Stage]:
    root = tmp_path_factory.mktemp("stage")
    with stand_ins(root, layout=debian_layout, store=shared_store, docker=docker) as there:
        there.command("musa", "scripts", "docker")
        yield Stage(there=there, docker=docker)


@pytest.fixture(scope="module")
def bases(stage: Stage) -> Stage:
    """The images that development images of build_all.sh start from, but for Python 3.8."""
    for python in ("3.9", "3.10"):
        name = f"{REGISTRY}/musa-pytorch-dev-py{python.replace('.', '')}"
        stage.run("build-base", "-n", name, "-t", "base-pytorch2.0.0", "-v", python, "--backend", "native")
    return stage


def test_f01_the_documented_base_image_is_made_under_its_name(stage: Stage) -> None:
    clones = stage.root / "clones"
    done = stage.paste(f"export DOCKER_BUILD_DIR={stage.root}/base PYTORCH_REPO_ROOT_PATH={clones}\n{BASE}\n")
    assert "docker pytorch2.0.0_py310:latest" in done.out
    assert git(clones / "pytorch", "describe", "--tags").strip() == "v2.0.0"
    there = "ls -d /home/pytorch/* /home/pytorch/.[!.]* 2>/dev/null; python --version; python -m pip install /none"
    out = in_container(stage.docker, "pytorch2.0.0_py310:latest", "bash", "-c", there)
    assert out.split("\n")[:2] == ["/home/pytorch/setup.py", "/home/pytorch/torch"]
    config = stage.inspect("pytorch2.0.0_py310:latest")
    assert config["Labels"]["dev.layerwright.role"] == "base"
    assert "/opt/venv/bin" in next(entry for entry in config["Env"] if entry.startswith("PATH="))
    assert not any(
        entry.startswith(("DEBIAN_FRONTEND=", "MTHREADS_VISIBLE_DEVICES=")) for entry in config["Env"]
    )


def test_f02_the_documented_development_image_is_made_under_its_name(bases: Stage) -> None:
    build = bases.root / "dev"
    done = bases.paste(
        f"export DOCKER_BUILD_DIR={build} TORCH_VISION_REPO_ROOT_PATH={bases.root}/clones\n{DEV}"
    )
    assert "docker torch_musa_dev:latest" in done.out
    look = (
        "cat /home/ut_output.txt /home/integration_test_output.txt; ls /home; cat /home/torch_musa/torch_musa/built; "
        "python -c 'import torch, torchvision, torch_musa; print(torch.HOOK)'; ls /usr/local/musa/lib; "
        "find / -xdev -name '*.tar.gz' -newer /etc/hostname"
    )
    out = in_container(bases.docker, "torch_musa_dev:latest", "bash", "-c", look)
    assert out.count("verdict: passed") == 2
    assert "3 passed" in out
    assert "integration_test_output.txt\npytorch\ntorch_musa\nut_output.txt\nvision\n" in out
    assert "arch=21 mccl=1\nmusa\n" in out
    assert "libmccl.so.1" in out
    assert ".tar.gz" not in out
    config = bases.inspect("torch_musa_dev:latest")
    assert config["Labels"]["dev.layerwright.role"] == "dev"
    assert config["Healthcheck"]
    # The command after the image's name is run, whatever the check of the device says.
    assert in_container(bases.docker, "torch_musa_dev:latest", "echo", "mine") == "mine\n"


def test_f08_the_documented_release_image_is_made_under_its_name(stage: Stage) -> None:
    done = stage.paste(f"export DOCKER_BUILD_DIR={stage.root}/release\n{RELEASE}")
    assert "docker torch_musa_docker:latest" in done.out
    look = "import importlib.metadata as m; print(m.version('torch'), m.version('torch_musa'), m.version('numpy'))"
    assert (
        in_container(stage.docker, "torch_musa_docker:latest", "python", "-c", look) == "2.0.0 1.1.0 1.23.1\n"
    )
    assert "musa" in in_container(
        stage.docker, "torch_musa_docker:latest", "bash", "-c", "echo $LD_LIBRARY_PATH"
    )


def test_f12_a_prepared_build_is_used_again_and_says_so(stage: Stage) -> None:
    build = {"DOCKER_BUILD_DIR": str(stage.root / "prepared")}
    words = _release(stage, "again")
    stage.run(*words, **build)
    stage.there.index.requests.clear()
    done = stage.run(*words, "--no_prepare", **build)
    assert "again.toml and its lock are used as they were prepared" in done.err
    assert not stage.there.index.requests
    assert "unchanged" in done.out
    other = stage.run(*words, "--no_prepare", "--gpu_arch", "S80", status=2, **build)
    assert "was prepared by another command line" in other.err
    nothing = stage.run(*words, "--no_prepare", status=2, DOCKER_BUILD_DIR=str(stage.root / "nothing"))
    assert "--no_prepare: nothing is prepared in" in nothing.err


def _release(stage: Stage, name: str) -> list[str]:
    said = stage.variables()
    return [
        "build", "-n", name, "-b", "ubuntu:20.04", "-f", "dockerfile.release", "-v", "3.8", "--release",
        "-m", said["MUSA_TOOLKITS_URL"], "--mudnn_url", said["MUDNN_URL"], "--mccl_url", said["MCCL_URL"],
        "--torch_whl_url", said["TORCH_WHL_URL"], "--torch_musa_whl_url", said["TORCH_MUSA_WHL_URL"],
        "--backend", "native", "--output", f"oci:{stage.root}/layouts",
    ]  # fmt: skip


def test_f05_what_a_user_has_in_the_build_folder_stays(stage: Stage) -> None:
    folder = stage.root / "users"
    (folder / "common").mkdir(parents=True)
    (folder / "common" / "mine.txt").write_text("mine", encoding="utf-8")
    (folder / "pytorch").symlink_to(stage.root / "git")
    stage.run(*_release(stage, "kept"), DOCKER_BUILD_DIR=str(folder))
    failing = [word.replace("/torch-2.0.0", "/gone/torch-2.0.0") for word in _release(stage, "kept")]
    stage.run(*failing, status=6, DOCKER_BUILD_DIR=str(folder))
    assert (folder / "common" / "mine.txt").read_text(encoding="utf-8") == "mine"
    assert (folder / "pytorch").readlink() == stage.root / "git"
    assert sorted(path.name for path in folder.iterdir()) == [
        "common", "kept.lock", "kept.toml", "layerwright-musa.lock", "pytorch",
    ]  # fmt: skip


@pytest.mark.parametrize("root", ["PYTORCH_REPO_ROOT_PATH", "TORCH_VISION_REPO_ROOT_PATH"])
def test_f03_f04_a_checkout_is_verified_and_never_changed(bases: Stage, tmp_path: Path, root: str) -> None:
    name, tag = ("pytorch", "v2.0.0") if root.startswith("PYTORCH") else ("vision", "v0.15.2")
    clone = bases.there.sources.clone(name, tag, tmp_path / name)
    said = bases.variables()
    words = ["build-base", "-n", "checked", "-v", "3.9"]
    if name == "vision":
        words = [
            "build", "-n", "checked", "-b", f"{REGISTRY}/musa-pytorch-dev-py39:base-pytorch2.0.0", "-f",
            "dockerfile.dev", "-m", said["MUSA_TOOLKITS_URL"], "--mudnn_url", said["MUDNN_URL"], "--mccl_url",
            said["MCCL_URL"], "--torch_musa_tag", "v1.2.1",
        ]  # fmt: skip
    words += ["--backend", "native", "--output", f"oci:{tmp_path}/layout"]
    variables = {root: str(tmp_path), "DOCKER_BUILD_DIR": str(tmp_path / "build")}
    before = _digest(clone)
    done = bases.run(*words, **variables)
    assert f"the checkout {clone} is at that commit and clean" in done.err
    assert _digest(clone) == before
    (clone / "setup.py").write_text("print('other')\n", encoding="utf-8")
    dirty = bases.run(*words, status=2, **variables)
    assert f"error: {root}: {clone} has changes: setup.py" in dirty.err
    git(clone, "commit", "--all", "--quiet", "--message", "other")
    moved = bases.run(*words, status=2, **variables)
    assert f"error: {root}: {clone} is at " in moved.err
    assert f"git -C {clone} checkout {tag}" in moved.err


def _digest(folder: Path) -> str:
    lines = [
        f"{path.relative_to(folder)} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    return "\n".join(lines)


def test_f13_six_variants_in_order_and_one_that_fails_hides_no_other(bases: Stage, tmp_path: Path) -> None:
    said = bases.variables()
    (bases.work / "docker" / "build_all.toml").write_text(
        f"""
tag = "dev1.5.1-qy1"
versions = ["38", "39", "310"]
torch_musa_tag = "v1.2.1"
musa_toolkits_url = "{said["MUSA_TOOLKITS_URL"]}"
mudnn_url = "{said["MUDNN_URL"]}"
mccl_url = "{said["MCCL_URL"]}"
whl_url = "{bases.url}"
torch_musa_version = "1.1.0"
""",
        encoding="utf-8",
    )
    base = f"{REGISTRY}/musa-pytorch-dev-py38"
    # A base that is none: it has no sources of PyTorch.
    subprocess.run([bases.docker, "tag", "ubuntu:20.04", f"{base}:base-pytorch2.0.0"], check=True, timeout=20)
    wheel = bases.root / "torch_musa-1.1.0-cp39-cp39-linux_x86_64.whl"
    held = wheel.rename(tmp_path / wheel.name)
    all_of_it = (
        f"export DOCKER_BUILD_DIR={tmp_path}/build\n"
        f"cd docker && bash build_all.sh --backend native --output oci:{tmp_path}/layout"
    )
    done = bases.paste(all_of_it, status=4)
    names = [f"{role}-py{short}" for role in ("dev", "release") for short in ("38", "39", "310")]
    rows = [line.split() for line in done.out.splitlines()]
    assert [row[0] for row in rows[1:7]] == names
    assert [row[1] for row in rows[1:7]] == [f"{REGISTRY}/musa-pytorch-{name}:dev1.5.1-qy1" for name in names]
    failed = {row[0] for row in rows[1:7] if row[2] == "-"}
    assert failed == {"dev-py38", "release-py39"}
    assert done.out.count("sha256:") == 4
    assert ", 2 failed" in done.out
    assert f"--whl_url: {bases.url}/{wheel.name} answers with status 404" in done.err
    held.rename(wheel)
    # A base with the sources: which Python it has does not matter to the stand-ins.
    good = f"{REGISTRY}/musa-pytorch-dev-py39:base-pytorch2.0.0"
    subprocess.run([bases.docker, "tag", good, f"{base}:base-pytorch2.0.0"], check=True, timeout=20)
    again = bases.paste(all_of_it)
    assert " unchanged, 0 failed" in again.out
    done_before = [line for line in again.out.splitlines() if line.startswith(("dev-", "release-"))]
    assert sum("unchanged" in line for line in done_before) >= 4
    assert f"{base}:base-pytorch2.0.0 is another image than before: dev-py38 is locked anew" in again.err


def test_f14_values_are_changed_without_editing_anything(bases: Stage) -> None:
    said = bases.variables()
    words = [
        "build-all", "--versions", "3.9", "--tag", "test", "--registry", "registry.example.org/team", "--emit-toml",
        "-m", said["MUSA_TOOLKITS_URL"], "--mudnn_url", said["MUDNN_URL"], "--without", "mccl", "--whl_url", bases.url,
        "--torch_musa_version", "1.1.0", "--torch_musa_tag", "v1.2.1", "--release_base", "ubuntu:22.04",
    ]  # fmt: skip
    text = bases.run(*words).out
    assert 'name = "registry.example.org/team/musa-pytorch-dev-py39"' in text
    assert 'from = "registry.example.org/team/musa-pytorch-dev-py39:base-pytorch2.0.0"' in text
    assert text.count('tags = ["test"]') == 2
    assert 'from = "ubuntu:22.04"' in text
    assert 'without = ["mccl"]' in text
    assert 'USE_MCCL = "0"' in text


def test_a_file_that_was_changed_is_refused(stage: Stage, tmp_path: Path) -> None:
    place = stage.root / "changing"
    place.mkdir()
    archive = place / "mccl_rc1.8.0_qy1.tar.gz"
    archive.write_bytes(musa.mccl(arch="qy1").data)
    words = [word.replace(stage.variables()["MCCL_URL"], f"{stage.url}/changing/{archive.name}") for word in
             _release(stage, "changed")]  # fmt: skip
    variables = {"DOCKER_BUILD_DIR": str(tmp_path / "build")}
    words.append("--emit-toml")
    first = stage.run(*words, **variables)
    assert "digests of 5 files recorded" in first.err
    archive.write_bytes(musa.mccl(version="rc1.8.1", arch="qy1").data)
    # The store has what was taken first: that is what is built, whatever the server says by now.
    assert stage.run(*words, **variables).out == first.out
    empty = stage.run(*words, "--store", tmp_path / "empty", status=7, **variables)
    assert f"--mccl_url: {stage.url}/changing/{archive.name} is not what it was" in empty.err
    assert "layerwright-musa.lock" in empty.err
    stated = [word.replace(archive.name, f"{archive.name}#sha256={'0' * 64}") for word in words]
    assert "write its digest into the address" in stage.run(*stated, status=7, **variables).err
    assert [path.name for path in (tmp_path / "build").iterdir()] == ["layerwright-musa.lock"]
