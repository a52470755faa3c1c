"""What goes together, by the command line: source trees, wheels by address, components, and a machine's record."""

import hashlib
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from support.command import Project

pytestmark = pytest.mark.engine

SHA = "0" * 64


def repository(folder: Path, *tags: str) -> str:
    """A repository with one commit, which has the tags."""
    folder.mkdir()
    (folder / "setup.py").write_text("# sources\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"], *(["tag", tag] for tag in tags)):
        subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words], cwd=folder, check=True
        )
    return str(folder)


@pytest.fixture
def trees(project: Project, tmp_path: Path) -> Project:
    """The seed's own pair: vision v0.16.0 beside PyTorch v2.0.0."""
    pytorch, vision = (
        repository(tmp_path / "pytorch", "v2.0.0"),
        repository(tmp_path / "vision", "v0.16.0", "v0.15.1"),
    )
    project.spec(
        f'[sources.pytorch]\ngit = "{pytorch}"\nrev = "v2.0.0"\n[sources.vision]\ngit = "{vision}"\nrev = "v0.16.0"\n'
        '[images.base]\naccelerator = "mthreads"\nsources = [{ source = "pytorch", to = "/home/pytorch" }]\n'
        '[images.dev]\nfrom = "image:base"\nsources = [{ source = "vision", to = "/home/vision" }]\n'
    )
    return project


def errors(project: Project, *words: str, status: int = 1) -> dict[str, Any]:
    found = project("check", "--json", *words, status=status).json()["findings"]
    return {one["code"]: one for one in found if one["level"] == "error"}


def test_b04_the_pair_of_the_seed_is_an_error_that_names_both(trees: Project) -> None:
    found = errors(trees, "dev")
    message = found["LW-TORCH-VISION"]["message"]
    assert "torchvision 0.16.0 (from sources) goes with torch==2.1.0" in message
    assert "the image has torch 2.0.0 (from sources)" in message
    assert found["LW-TORCH-VISION"]["where"]["location"]["key"] == "sources.vision.rev"
    assert any(fix.get("edit") == 'rev = "v0.15.1"' for fix in found["LW-TORCH-VISION"]["fix"])
    # In words, with the line of the spec.
    done = trees("check", "dev", status=1)
    assert 'rev = "v0.16.0"' in done.out + done.err
    # The other pair is none.
    assert errors(trees, "--set", "sources.vision.rev=v0.15.1", "dev", status=0) == {}


def test_b05_one_tag_of_pytorch_or_nothing_begins(trees: Project, tmp_path: Path) -> None:
    spec = trees.folder / "layerwright.toml"
    text = spec.read_text()
    wheel = f'{{ url = "http://127.0.0.1:9/torch-2.1.0-cp311-cp311-linux_x86_64.whl", sha256 = "{SHA}" }}'
    spec.write_text(f"{text}packages = [{wheel}]\n")
    for verb in ("check", "lock", "build"):
        done = trees(verb, status=2)
        assert (
            "'dev' names torch twice: source tree 'pytorch' at v2.0.0, and the wheel torch-2.1.0-cp311"
            in done.err
        )
        assert "name one version in all places" in done.err
    assert not trees.lock.exists()


def test_f08_a_wheel_is_refused_by_its_name_before_anything_is_asked(project: Project) -> None:
    wheel = f'{{ url = "http://127.0.0.1:9/torch-2.0.0-cp38-cp38-linux_x86_64.whl", sha256 = "{SHA}" }}'
    project.spec(f'[images.release]\naccelerator = "mthreads"\npackages = [{wheel}]\n')
    done = project("build", status=2)
    assert (
        "torch-2.0.0-cp38-cp38-linux_x86_64.whl is a wheel for cp38, and image 'release' has Python 3.11"
        in done.err
    )
    assert "[images.release.packages[0].url]" in done.err
    assert "cp311" in done.err


def test_f20_a_machine_that_is_not_this_one(project: Project, tmp_path: Path) -> None:
    git = repository(tmp_path / "torch_musa", "v1.3.0")
    archive = project.folder / "musa_toolkits_rc4.0.1.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "torch_musa/setup.py", "toolkit/install.sh")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    project.spec(
        f'[sources.torch_musa]\ngit = "{git}"\nrev = "v1.3.0"\n'
        '[components.musa_toolkit]\nurl = "musa_toolkits_rc4.0.1.tar.gz"\n'
        f'sha256 = "{digest}"\n'
        '[images.dev]\naccelerator = "mthreads"\ngpu_arch = "qy2"\npython = "3.11"\n'
        'components = ["musa_toolkit"]\nwithout = ["mudnn", "mccl"]\n'
        'sources = [{ source = "torch_musa", to = "/home/torch_musa" }]\n'
    )
    record = project.folder / "host.json"
    record.write_text(
        json.dumps(
            {
                "schema": 1,
                "mthreads_driver_version": "2.6.0",
                "gpus": [{"name": "MTT S80", "vendor": "mthreads"}],
            }
        )
    )
    found = errors(project, "--host", "host.json")
    assert (
        "was made with driver 2.7.0-rc4-0822, and the machine has the older 2.6.0"
        in found["LW-MUSA-DRIVER"]["message"]
    )
    assert (
        "the image is for qy2, and the machine has MTT S80, which is qy1" in found["LW-MUSA-ARCH"]["message"]
    )
    message = found["LW-MUSA-SDK"]["message"]
    assert "torch-musa 1.3.0 (from sources) needs the MUSA SDK toolkit rc3.1.0" in message
    assert "the component musa_toolkit is rc4.0.1" in message
    assert (
        "are for Python 3.8, 3.9, 3.10, and the image has Python 3.11" in found["LW-MUSA-PYTHON"]["message"]
    )


def test_g01_what_an_image_says_of_its_toolkit_is_what_it_holds(project: Project) -> None:
    archive = project.folder / "musa_toolkits_rc3.1.0.tar.gz"
    copies = (
        'import os, shutil; os.makedirs("/usr/local/musa"); shutil.copy("version.json", "/usr/local/musa")'
    )
    install = f"python3 -c '{copies}'\n"
    with tarfile.open(archive, "w:gz") as tar:
        for name, text in (
            ("install.sh", install),
            ("version.json", '{"musa_toolkits": {"version": "4.0.1"}}'),
        ):
            file = project.folder / name
            file.write_text(text)
            tar.add(file, f"toolkit/{name}")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    project.spec(
        f'[components.musa_toolkit]\nurl = "{archive.name}"\nsha256 = "{digest}"\n'
        '[images.dev]\naccelerator = "mthreads"\ngpu_arch = "qy1"\ncomponents = ["musa_toolkit"]\n'
        'without = ["mudnn", "mccl"]\n'
    )
    project("build", "dev")
    done = project("verify", "--json", "dev", status=1)
    found = {one["code"]: one["message"] for one in done.json()["findings"] if one["level"] == "error"}
    assert "dev.layerwright.component.musa_toolkit says rc3.1.0" in found["LW-DECLARED-MUSA"]
    assert "the image holds the MUSA toolkit 4.0.1" in found["LW-DECLARED-MUSA"]
    # Said as it is, it is no fault.
    words = ("--set", "components.musa_toolkit.version=rc4.0.1")
    project("build", *words, "dev")
    found = {
        one["code"] for one in project("verify", "--json", *words, "dev", status=None).json()["findings"]
    }
    assert "LW-DECLARED-MUSA" not in found
