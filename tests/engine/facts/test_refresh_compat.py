"""tools/refresh_compat.py against an index on the loopback."""

import io
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from layerwright.core.errors import IntegrityError, NetworkError
from layerwright.facts.compat import cudnn, numpy, onnxruntime, records, torch, vision
from layerwright.host.http import HttpClient, HttpStatusError
from support.index import Index, serve

ROOT = Path(__file__).parents[3]
TOOL = ROOT / "tools" / "refresh_compat.py"
PACKAGES = (
    "torch",
    "torchvision",
    "torchaudio",
    "onnxruntime",
    "onnxruntime-gpu",
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "nvidia-cudnn-cu11",
    "nvidia-cudnn-cu12",
    "nvidia-cudnn-cu13",
    "numpy",
)
TORCH = "torch-2.16.0-cp312-cp312-manylinux_2_28_x86_64.whl"
TORCH_METADATA = b"""\
Metadata-Version: 2.4
Name: torch
Version: 2.16.0
Requires-Python: >=3.11
Requires-Dist: filelock
Requires-Dist: sympy>=1.13.3
Requires-Dist: cuda-toolkit[cublas,cudart]==13.4.1; platform_system == "Linux"
Requires-Dist: nvidia-cudnn-cu13==9.29.0.1; platform_system == "Linux"
Requires-Dist: nvidia-nccl-cu13==2.31.0; platform_system == "Linux"
Requires-Dist: triton~=3.10.0; platform_system == "Linux"
Requires-Dist: opt-einsum>=3.3; extra == "opt-einsum"

A body that says Requires-Dist: nothing
"""


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOL.parent))
    import refresh_compat

    return refresh_compat


@pytest.fixture
def data(tmp_path):
    shutil.copytree(records.DATA, tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def index():
    """Every package with a release that is older than all records, so that nothing is new."""
    with serve(Index()) as server:
        for name in PACKAGES:
            server.add((f"{name.replace('-', '_')}-0.0.1-py3-none-any.whl", b"old"))
        yield server


def offer(index, file, metadata, data=b"wheel"):
    index.add((file, data))
    index.metadata[file] = metadata


def asked(tool, index):
    return tool.Index(HttpClient(variables={}, attempts=1), index.simple)


def run(tool, index, data, *, write=False):
    return tool.run(data, asked(tool, index), write=write, day="2027-01-31")


@pytest.fixture
def reread(monkeypatch):
    """Ask the records of another folder."""

    def use(folder):
        monkeypatch.setattr(records, "DATA", folder)
        records._load.cache_clear()

    yield use
    records._load.cache_clear()


def header(requires="", name="x", version="1"):
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}\n".encode()


def test_nothing_new_is_no_change(tool, index, data):
    assert run(tool, index, data, write=True) == ([], [])
    assert {path.name: path.read_bytes() for path in data.iterdir()} == {
        path.name: path.read_bytes() for path in records.DATA.iterdir()
    }


def test_a_new_release_is_read_from_the_metadata_beside_it(tool, index, data):
    offer(index, TORCH, TORCH_METADATA)
    changes, written = run(tool, index, data)
    assert written == []
    release, pins = changes
    assert release.new == {
        "version": "2.16.0",
        "cuda": "13.4",
        "cudnn": "9.29.0.1",
        "cuda_libraries": "nvidia wheels",
        "cublas": "",
        "cuda_toolkit": "13.4.1",
        "nccl": "2.31.0",
        "triton": "~=3.10.0",
        "requires_python": ">=3.11",
        "python": ["3.12"],
        "python_free_threaded": [],
        "platform_tags": ["manylinux_2_28_x86_64"],
        "yanked": False,
        "arches": ["x86_64"],
        "size_mb": 0,
        "source": "PyPI wheel metadata",
        "confidence": "metadata",
    }
    assert pins.new["cuda_toolkit_extras"] == ["cublas", "cudart"]
    assert pins.new["pins"]["nvidia-cudnn-cu13"] == "9.29.0.1"
    assert str(release).startswith("+ torch.toml [[release]] torch 2.16.0\n")
    assert not any(method == "GET" and path.endswith(".whl") for method, path, _ in index.requests)


def test_what_was_not_read_stays_unknown(tool, index, data, reread):
    offer(index, TORCH, TORCH_METADATA)
    run(tool, index, data, write=True)
    reread(data)
    build = torch.build("2.16.0")
    assert (build.cuda, build.cudnn, build.cudnn_soname) == ("13.4", "9.29.0.1", "")
    assert (build.sm, build.ptx, build.numpy_api, build.glibc, build.sonames) == ((), (), 0, "", ())
    assert build.abi_evidence == build.gpu_evidence == ()
    assert torch.releases()[-1] == "2.16.0"
    assert numpy.built_against("torch", "2.16.0") is None


def test_writing_adds_and_leaves_the_rest_as_it_stands(tool, index, data):
    offer(index, TORCH, TORCH_METADATA)
    before = (data / "torch.toml").read_text()
    _, written = run(tool, index, data, write=True)
    assert written == ["torch.toml", "cuda_wheels.toml"]
    after = (data / "torch.toml").read_text()
    assert 'as_of = "2027-01-31"' in after
    start = after.index('[[release]]\nversion = "2.16.0"')
    end = after.index("[[variant]]")
    assert after[:start] + after[end:] == before.replace('as_of = "2026-11-22"', 'as_of = "2027-01-31"')
    assert run(tool, index, data, write=True) == ([], []), "a second run finds nothing"


def test_a_release_between_others_gets_its_place(tool, index, data):
    offer(index, TORCH.replace("2.16.0", "2.14.2"), TORCH_METADATA.replace(b"2.16.0", b"2.14.2"))
    run(tool, index, data, write=True)
    versions = [one["version"] for one in tomli.loads((data / "torch.toml").read_text())["release"]]
    assert versions[-3:] == ["2.14.1", "2.14.2", "2.15.0"]


def test_metadata_inside_the_wheel_is_read_in_pieces(tool, index, data):
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr(
            zipfile.ZipInfo("torch/lib/libtorch_cuda.so"), bytes(range(256)) * 20000, zipfile.ZIP_STORED
        )
        wheel.writestr("torch-2.16.0.dist-info/METADATA", TORCH_METADATA)
        wheel.writestr("torch-2.16.0.dist-info/RECORD", "")
    index.add((TORCH, whole.getvalue()))
    changes, _ = run(tool, index, data)
    assert changes[0].new["cudnn"] == "9.29.0.1"
    pieces = [piece for method, path, piece in index.requests if path.endswith(TORCH)]
    assert pieces
    assert all(piece.startswith("bytes=") for piece in pieces)


def recorded(data):
    """What stands of torchaudio 2.10.0."""
    audio = tomli.loads((data / "torchvision_torchaudio.toml").read_text())["torchaudio"]
    return next(one for one in audio if one["version"] == "2.10.0")


def test_known_releases_are_compared_by_their_files(tool, index, data):
    known = recorded(data)
    for python in [*known["python"], "3.15"]:
        tag = "cp" + python.replace(".", "")
        file = f"torchaudio-2.10.0-{tag}-{tag}-{known['platform_tags'][0]}.whl"
        index.add((file, b"x"))
        index.yanked[file] = "broken"
    changes, _ = run(tool, index, data, write=True)
    told = {change.key: (change.old, change.value) for change in changes}
    assert told["python"] == (known["python"], [*known["python"], "3.15"])
    assert told["yanked"] == (False, True)
    assert "torchaudio 2.10.0: yanked false -> true" in "\n".join(map(str, changes))
    after = recorded(data)
    del known["python_free_threaded"]  # of which the index lists none now
    assert after == {**known, "python": [*known["python"], "3.15"], "yanked": True}


def test_other_packages(tool, index, data, reread):
    tag = "cp312-cp312-manylinux_2_28_x86_64"
    offer(
        index, f"torchvision-0.30.0-{tag}.whl", header("Requires-Dist: torch==2.16.0\nRequires-Dist: numpy")
    )
    gpu = (
        'Requires-Dist: numpy>=1.21.6\nRequires-Dist: nvidia-cudnn-cu13~=9.0; extra == "cudnn"\n'
        'Requires-Dist: nvidia-cuda-runtime~=13.0; extra == "cuda"\nRequires-Python: >=3.11'
    )
    offer(index, f"onnxruntime_gpu-1.33.0-{tag}.whl", header(gpu))
    offer(
        index,
        "opencv_python-5.2.0.99-cp37-abi3-manylinux_2_28_x86_64.whl",
        header('Requires-Dist: numpy>=2; python_version >= "3.9"'),
    )
    offer(
        index,
        "nvidia_cudnn_cu12-9.30.0.1-py3-none-manylinux_2_27_x86_64.whl",
        header("Requires-Dist: nvidia-cublas-cu12"),
    )
    offer(
        index,
        "nvidia_cudnn_cu13-9.30.0.1-py3-none-manylinux_2_27_x86_64.whl",
        header("Requires-Dist: nvidia-cublas"),
    )
    offer(index, f"numpy-9.1.2-{tag}.whl", header())
    run(tool, index, data, write=True)
    reread(data)
    assert vision.build("torchvision", "0.30.0").requires_torch == "==2.16.0"
    assert vision.fits("torchvision", "0.30.0", "2.15.0").fits is False
    build = onnxruntime.gpu_build("1.33.0")
    assert build.extras_cudnn == ("nvidia-cudnn-cu13~=9.0",)
    assert (build.cuda_needed, build.sm, build.numpy_api) == ((), (), 0)
    assert build.cuda_major == "13", "the documentation speaks of 1.27 and later"
    assert {one.confidence for one in build.evidence} <= {"docs", "community"}
    found = cudnn.release("9.30.0.1")
    assert (found.cuda_majors, found.soname, found.sonames) == (("12", "13"), "", ())
    assert numpy.pythons("9.1").value == ("3.12",)


def test_a_cudnn_for_another_major_joins_its_release(tool, index, data, reread):
    offer(index, "nvidia_cudnn_cu13-9.1.0.70-py3-none-manylinux_2_27_x86_64.whl", header())
    changes, _ = run(tool, index, data, write=True)
    assert [change.key for change in changes] == ["cuda_majors", "size_mb"]
    reread(data)
    assert cudnn.release("9.1.0.70").cuda_majors == ("11", "12", "13")


def test_pre_releases_sdists_and_other_systems_do_not_count(tool, index, data):
    for file in (
        "torch-2.17.0rc1-cp312-cp312-manylinux_2_28_x86_64.whl",
        "torch-2.17.0-cp312-cp312-win_amd64.whl",
        "torch-2.17.0-cp312-cp312-musllinux_1_2_x86_64.whl",
        "torch-2.17.0.tar.gz",
        "torch-nonsense.whl",
    ):
        index.add((file, b"x"))
    assert run(tool, index, data) == ([], [])


def test_metadata_that_is_not_as_promised(tool, index, data):
    offer(index, TORCH, TORCH_METADATA)
    index.metadata_sha256 = lambda _: "0" * 64
    with pytest.raises(IntegrityError, match="is not what the index promises"):
        run(tool, index, data)


def test_an_index_without_a_package(tool, index, data):
    del index.files["numpy-0.0.1-py3-none-any.whl"]
    with pytest.raises(HttpStatusError):
        run(tool, index, data)


@given(
    st.binary(max_size=200)
    | st.sampled_from(
        [
            b"{}",
            b"[]",
            b'{"files": 1}',
            b'{"files": [{"filename": 1}]}',
            b'{"files": [{"filename": "a", "url": "b"}]}',
        ]
    )
)
def test_any_page_is_read_or_refused(page):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOOL.parent))
        from compat_index import releases
    try:
        found = releases(page)
    except NetworkError as error:
        found, told = {}, error.what
        assert "PEP 691" in told
    assert found == {}


def command(*words):
    return subprocess.run(
        [sys.executable, TOOL, *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_command_line(index, data):
    offer(index, TORCH, TORCH_METADATA)
    arguments = ("--index", index.simple, "--data", str(data))
    shown = command(*arguments)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "+ torch.toml [[release]] torch 2.16.0" in shown.stdout
    assert "2 releases are not recorded" in shown.stdout
    assert command(*arguments, "--check").returncode == 1
    assert command(*arguments, "--write").stdout.endswith("wrote torch.toml\nwrote cuda_wheels.toml\n")
    assert command(*arguments, "--check").returncode == 0
    broken = command("--index", f"{index.url}/nowhere", "--data", str(data))
    assert broken.returncode == 2
    assert broken.stderr.startswith("error: ")


class TestText:
    """Changing a record file as text gives what changing its data gives."""

    @pytest.fixture(params=sorted(path.name for path in records.DATA.glob("*.toml")))
    def text(self, request):
        return (records.DATA / request.param).read_text(encoding="utf-8")

    def test_unchanged_text_comes_back(self, tool, text):
        assert str(tool.RecordText(text)) == text

    def test_every_table_is_found(self, tool, text):
        plain = tomli.loads(text)
        read = tool.RecordText(text)
        for table, value in plain.items():
            if isinstance(value, list) and table != "notes":
                assert read.records(table) == value

    def test_a_changed_key(self, tool):
        text = tool.RecordText((records.DATA / "torch.toml").read_text())
        place = text.positions("release")[3]
        text.change(place, "python", ["3.9", 'a "quoted" one', "ü"])
        text.change(place, "yanked", True)
        text.change(place, "cuda_aarch64", "")
        changed = tomli.loads(str(text))["release"]
        plain = tomli.loads((records.DATA / "torch.toml").read_text())["release"]
        plain[3].pop("cuda_aarch64", None)
        plain[3] |= {"python": ["3.9", 'a "quoted" one', "ü"], "yanked": True}
        assert changed == plain
