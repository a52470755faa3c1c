"""The guides' images as they stand in examples/seeds: with no engine, no network and nothing in the store."""

import json
import shutil
from pathlib import Path

import pytest

from layerwright.cli.main import main
from layerwright.core.errors import SpecError, UsageError
from layerwright.core.events import SilentReporter
from layerwright.host.environment import HostEnvironment
from layerwright.lock import read_lock
from layerwright.workflow.build import BuildRequest, prepare
from layerwright.workflow.lock import check_lock
from layerwright.workflow.session import Session

SEEDS = Path(__file__).parents[3] / "examples" / "seeds"
CELLS = {
    "capybara": ("capybara", "docaligner", "reader"),
    "capybara-today": ("capybara-cpu", "capybara-nvidia"),
    "docsaidkit": ("train", "infer"),
}
TRAINING = (
    "tqdm", "colored", "ipython", "tabulate", "tensorboard", "scikit-learn", "fire", "albumentations", "pillow",
    "timm", "transformers", "torch", "torchvision", "torchmetrics", "ptflops", "calflops", "lightning", "rich",
)  # fmt: skip


@pytest.fixture(params=CELLS)
def seed(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / request.param
    shutil.copytree(SEEDS / request.param, folder)
    monkeypatch.chdir(folder)
    for name, value in {"HOME": tmp_path, "LAYERWRIGHT_STORE": tmp_path / "store", "PATH": ""}.items():
        monkeypatch.setenv(name, str(value))
    return folder


def said(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    assert main([*arguments, "--offline"]) == status, capsys.readouterr().err
    return capsys.readouterr().out


def test_every_seed_is_here() -> None:
    assert {folder.name for folder in SEEDS.iterdir() if folder.is_dir()} == set(CELLS)


def test_g08_plan_check_and_render_need_no_engine_and_no_network(
    seed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = CELLS[seed.name]
    images = json.loads(said(capsys, "plan", "--json"))["images"]
    assert tuple(image["cell"] for image in images) == cells
    findings = json.loads(said(capsys, "check", "--json"))["findings"]
    assert [one["message"] for one in findings if one["level"] == "error"] == []
    # What only the wheels themselves would tell is not known, and said to be so.
    assert {one["code"] for one in findings if one["level"] == "unknown"} >= {"LW-WHEEL-UNREAD"}
    for cell in cells:
        text = said(capsys, "render", "dockerfile", cell)
        (base,) = [line for line in text.splitlines() if line.endswith(" AS system")]
        assert base.split()[2].startswith("nvcr.io/nvidia/")
        assert "@sha256" not in base
        assert "# The base, by its name: the lock has no digest of it" in text
    bake = said(capsys, "render", "bake")
    assert bake.count("\n  dockerfile-inline = ") == len(cells)
    assert (seed / "layerwright.lock").read_bytes() == (SEEDS / seed.name / "layerwright.lock").read_bytes()


@pytest.mark.parametrize("seed", ["docsaidkit"], indirect=True)
def test_a02_the_training_image_has_the_guides_contents(
    seed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(capsys, "render", "dockerfile", "train")
    assert "FROM --platform=linux/amd64 nvcr.io/nvidia/pytorch:24.05-py3 AS system" in text
    for name in TRAINING:
        assert f"'{name}==" in text, name
    for name in ("libturbojpeg", "exiftool", "ffmpeg", "poppler-utils", "libfftw3-dev"):
        assert f"\n      {name}" in text
    assert 'ENV TZ="Asia/Taipei"' in text
    assert "chmod 777" not in text


@pytest.mark.parametrize("seed", ["docsaidkit"], indirect=True)
def test_an_inference_image_has_no_training_tools(seed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the guide's own inference image had; its ONNX Runtime fits CUDA 11.8 with cuDNN 8."""
    text = said(capsys, "render", "dockerfile", "infer")
    for name in ("torch", "tensorboard", "scikit-learn", "albumentations", "lightning"):
        assert f"'{name}==" not in text
    assert "'onnxruntime-gpu==1.17.1 --hash" in text


@pytest.mark.parametrize("seed", ["capybara"], indirect=True)
def test_a_lock_by_name_is_not_enough_to_build(seed: Path, tmp_path: Path) -> None:
    session = Session(
        host=HostEnvironment.gather({"HOME": str(tmp_path), "PATH": ""}),
        reporter=SilentReporter(),
        start=seed,
        spec_file=None,
        store_root=tmp_path / "store",
        offline=True,
    )
    with pytest.raises(
        UsageError, match="has the base of capybara, docaligner, reader by its name alone"
    ) as caught:
        prepare(session, BuildRequest(locked=True))
    assert "where its registry can be reached" in caught.value.hint
    assert check_lock(session)[1] == ("capybara", "docaligner", "reader")


@pytest.mark.parametrize("seed", ["capybara"], indirect=True)
def test_a_package_without_digest_is_refused_where_the_base_is_known(seed: Path) -> None:
    text = (seed / "layerwright.lock").read_text(encoding="utf-8")
    read_lock(text)
    pinned = text.replace('kind = "registry"\n', 'kind = "registry"\ndigest = "sha256:' + "0" * 64 + '"\n')
    with pytest.raises(SpecError) as caught:
        read_lock(pinned)
    assert caught.value.problems[0].what == "'exiftool' has no 'sha256'"
    assert caught.value.problems[0].where.text.strip().startswith('{ name = "exiftool"')
