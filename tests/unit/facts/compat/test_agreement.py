"""Documents against binaries: the numbers of docs/explanation/evidence.md are those of the records."""

import re
from pathlib import Path

import pytest

from layerwright.facts.compat import elf, torch, vision
from layerwright.facts.compat.records import DATA, load
from layerwright.facts.compat.versions import first_parts

DOCS = Path(__file__).parents[4] / "docs"
PAGE = (DOCS / "explanation" / "evidence.md").read_text(encoding="utf-8")
DISAGREEMENTS = PAGE[PAGE.index("Each disagreement:") :]


def stated(row):
    """Numbers of a row of the page's tables: how many of how many agree."""
    match = re.search(rf"^\| {re.escape(row)}[^|]*\| (\d+) of (\d+) \|", PAGE, re.MULTILINE)
    assert match, f"the page has no row {row!r}"
    return int(match[1]), int(match[2])


def counted(values):
    values = list(values)
    return sum(values), len(values)


def test_majors_of_cuda():
    assert counted(check.agrees_major for check in elf.checks()) == stated("CUDA major")
    for check in elf.checks():
        assert first_parts(check.documented_cuda, 1) == check.elf_cuda_major


def test_majors_of_cudnn():
    pairs = [
        first_parts(check.documented_cudnn, 1) == check.elf_cudnn_major
        for check in elf.checks()
        if check.documented_cudnn
    ]
    assert counted(pairs) == stated("cuDNN major, where one is documented")


def test_minor_releases():
    told = [check for check in elf.checks() if check.agrees_cuda_minor is not None]
    assert counted(check.agrees_cuda_minor for check in told) == stated("CUDA minor release")
    for check in told:
        row = f"| {check.package} {check.version} | CUDA {check.documented_cuda} | CUDA {check.build_cuda} |"
        assert (row in DISAGREEMENTS) is not check.agrees_cuda_minor


def test_platform_tags():
    assert counted(check.tag_covers_glibc for check in elf.checks()) == stated("platform tag covers")
    for check in elf.checks():
        if not check.tag_covers_glibc:
            assert check.package == "torch"
            assert check.glibc_needed in {"2.15", "2.16", "2.17"}
            assert check.platform_tags == ("manylinux1_x86_64",)


def test_cudnn_of_torch():
    told = [check for check in elf.checks() if check.pinned_cudnn and check.documented_cudnn]
    assert counted(check.pinned_cudnn == check.documented_cudnn for check in told) == stated(
        "cuDNN version of torch"
    )
    for check in told:
        if check.pinned_cudnn != check.documented_cudnn:
            assert (
                f"| torch {check.version} | cuDNN {check.documented_cudnn} | cuDNN {check.pinned_cudnn} |"
                in PAGE
            )


@pytest.fixture(scope="module")
def cog():
    return [record for record in load(torch.TorchFile).variant if "cog" in record.source]


def test_pairs_of_cog(cog):
    told = []
    for record in cog:
        for name, version in (("torchvision", record.torchvision), ("torchaudio", record.torchaudio)):
            build = vision.build(name, version)
            if build is None or not build.requires_torch:
                assert (name, version) == ("torchaudio", "2.11.0")
                continue
            told.append(vision.fits(name, version, record.torch).fits)
    assert counted(told) == stated("torchvision and torchaudio of a torch")


def test_builds_of_cog(cog):
    assert counted(
        f"cu{torch.build(record.torch).cuda.replace('.', '')}" in record.tags for record in cog
    ) == stated("CUDA of the build on PyPI")
    assert f"({len(cog)} releases from {cog[0].torch} to {cog[-1].torch})" in PAGE


def test_architectures_of_cog():
    told = []
    for measured in load(torch.TorchFile).arch:
        if "cog" in measured.source:
            told += [
                (read.sm, read.ptx) == (measured.sm, measured.ptx)
                for read in load(torch.TorchFile).arch
                if read.confidence == "metadata"
                and (read.torch, read.cuda) == (measured.torch, measured.cuda)
            ]
    assert counted(told) == stated("GPU architectures")


def test_the_reference_names_every_file_and_table():
    page = (DOCS / "reference" / "compatibility-data.md").read_text(encoding="utf-8")
    for path in DATA.glob("*.toml"):
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{path.name}` |")]
        for table in set(re.findall(r"^\[\[(\w+)\]\]$", path.read_text(encoding="utf-8"), re.MULTILINE)):
            assert f"`{table}`" in row, f"{path.name}: {table}"


def test_the_example_of_the_reference_is_true():
    page = (DOCS / "reference" / "compatibility-data.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)[1]
    names = {}
    for line in code.splitlines():
        if line.startswith("from "):
            exec(line, names)  # the page's own import
        elif "  # " in line:
            expression, _, said = line.partition("  # ")
            value = repr(eval(expression, names))  # the page's own examples
            assert said.replace('"', "'").startswith(value), line
