"""The guides' images are built for real, on images of this machine's engine that have their bases' names.

Debian stands in for Ubuntu and for what NVIDIA puts over it, so the names of Debian packages are Debian's; CUDA itself
is not there.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.command import Command

pytestmark = [pytest.mark.engine, pytest.mark.network, pytest.mark.timeout(900)]

SEEDS = Path(__file__).parents[3] / "examples" / "seeds"
CUDA = "nvcr.io/nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04"
PYTORCH = "nvcr.io/nvidia/pytorch:24.05-py3"
CPU_INDEX = """
[indexes.pytorch-cpu]
url = "https://download.pytorch.org/whl/cpu"
explicit = true
packages = ["torch"]
"""


@pytest.fixture(scope="module")
def bases(debian: Command, docker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    archive = tmp_path_factory.mktemp("bases") / "debian.tar"
    debian("build", "--output", f"docker-archive:{archive}", timeout=300)
    names = (CUDA, PYTORCH)
    subprocess.run([docker, "load", "--quiet", "--input", archive], check=True, capture_output=True)
    for name in names:
        subprocess.run([docker, "tag", "debian:bookworm", name], check=True)
    archive.unlink()
    yield
    subprocess.run([docker, "image", "rm", *names, "debian:bookworm"], capture_output=True, check=False)


@pytest.fixture(scope="module")
def seed(
    bases: None, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, Callable[[str], str]], Command]:
    """The command line in a copy of a seed whose spec was fitted to what stands in for its base."""
    store = tmp_path_factory.mktemp("seeds") / "store"
    home = tmp_path_factory.mktemp("home")

    def copy(name: str, fit: Callable[[str], str]) -> Command:
        folder = tmp_path_factory.mktemp(name) / name
        shutil.copytree(SEEDS / name, folder, ignore=shutil.ignore_patterns("layerwright.lock"))
        spec = folder / "layerwright.toml"
        text = fit(spec.read_text(encoding="utf-8"))
        text = text.replace(
            "[defaults]\n", "[defaults]\nbytecode = false\n"
        )  # a minute that proves nothing here
        text = text.replace('from = "nvcr.io', 'from = "docker:nvcr.io').replace(
            'python = "3.10"', 'python = "3.11"'
        )
        spec.write_text(text, encoding="utf-8")
        # A copy of PyTorch's index that this machine may have.
        passed = {key: value for key, value in os.environ.items() if key.startswith("LAYERWRIGHT_INDEX_")}
        return Command(folder=folder, store=store, home=home, variables=passed)

    return copy


def with_apt(text: str, names: str) -> str:
    """The spec with these Debian packages in place of its own."""
    found, count = re.subn(r"^apt = \[.*?^\]", f"apt = [{names}]", text, flags=re.MULTILINE | re.DOTALL)
    assert count == 1
    return found


def test_a01_the_inference_image_with_what_stands_on_it(
    seed: Callable[[str, Callable[[str], str]], Command],
) -> None:
    """One command: Capybara with its system libraries, DocAligner on it, the reader's own project on that."""

    def fit(text: str) -> str:
        noto, dejavu = "opentype/noto/NotoSansCJK-Regular.ttc", "truetype/dejavu/DejaVuSans.ttf"
        assert noto in text
        text = text.replace(noto, dejavu).replace("python3.10/", "python3.11/")
        return with_apt(text, '"tzdata", "libturbojpeg0", "libgl1", "libglib2.0-0", "fonts-dejavu-core"')

    command = seed("capybara", fit)
    images = command("build", "--json", timeout=600).json()["images"]
    assert [image["reference"] for image in images] == [
        "capybara_infer_image:0.12.0",
        "docaligner:1.1.1",
        "capybara-guide-reader:0.1.0",
    ]
    lock = (command.folder / "layerwright.lock").read_text(encoding="utf-8")
    assert f'source = "{CUDA}"\ndigest = "sha256:' in lock
    look = (
        "import capybara, docaligner, reader, os, time, importlib.metadata as m;"
        "print(m.version('capybara-docsaid'), m.version('docaligner-docsaid'), m.version('reader'),"
        " m.version('onnxruntime-gpu'), time.tzname[0], os.getcwd(), os.getuid())"
    )
    said = command("run", "--gpus", "none", "reader", "-c", look, timeout=120).out.splitlines()[-1]
    assert said == f"0.12.0 1.1.1 0.1.0 1.22.0 CST /code {os.getuid()}"


def test_a02_the_training_image_is_built(seed: Callable[[str, Callable[[str], str]], Command]) -> None:
    """With everything the guide installs, but for what only an index of CUDA builds has: torchvision and timm on it."""

    def fit(text: str) -> str:
        text = re.sub(
            r'\n  "torch==2.4.1", "torchvision==0.19.1",\n  "timm>=0.5.4", ', '\n  "torch==2.13.0", ', text
        )
        text = text.replace("torch, torchvision, lightning", "torch, lightning, torchmetrics, albumentations")
        text = text.replace("[defaults]\n", f"{CPU_INDEX}\n[defaults]\n", 1)
        text = text[: text.index("# 推論")]
        return with_apt(text, '"tzdata", "libturbojpeg0", "libgl1", "libglib2.0-0"')

    command = seed("docsaidkit", fit)
    command("build", "train", timeout=600)
    look = (
        "import lightning, os, sklearn, torch, transformers; from turbojpeg import TurboJPEG; TurboJPEG(); "
        "print(torch.__version__, torch.ones(2, 2).sum().item(), os.getcwd())"
    )
    assert command("run", "--gpus", "none", "train", "-c", look).out == "2.13.0+cpu 4.0 /code\n"
