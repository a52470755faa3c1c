"""What a spec says twice it says alike: names of wheels, tags of source trees, constraints."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.core.errors import SpecError
from layerwright.spec.parse import parse_spec
from support.spec import problem_of, problems_of, spec_of

SHA = "0" * 64
IMAGE = '[images.release]\nfrom = "ubuntu:22.04"\npython = "3.10"\naccelerator = "mthreads"\n'


def wheel(file: str) -> str:
    return f'{{ url = "https://example.org/qy2/{file}", sha256 = "{SHA}" }}'


def release(*files: str, more: str = "") -> str:
    return f"{IMAGE}{more}packages = [{', '.join(map(wheel, files))}]\n"


@pytest.mark.parametrize(
    "file",
    [
        "torch-2.2.0-cp310-cp310-linux_x86_64.whl",
        "torch_musa-1.3.0-cp310-cp310-linux_x86_64.whl",
        "torch-2.2.0%2Bmusa-cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "numpy-1.23.1-1-cp38.cp310-abi3-manylinux1_x86_64.whl",
        "tool-1.0-cp37-abi3-linux_x86_64.whl",
        "pure-1.0-py3-none-any.whl",
        "pure-1.0-py2.py3-none-any.whl",
        "pure-1.0-py38-none-any.whl",
        "other-1.0-pp310-pypy310_pp73-linux_x86_64.whl",
    ],
)
def test_f08_wheels_that_fit(file: str) -> None:
    assert spec_of(release(file)).cells["release"].packages


@pytest.mark.parametrize(
    ("file", "words", "hint"),
    [
        ("torch-2.2.0-cp38-cp38-linux_x86_64.whl", "is a wheel for cp38, and image 'release' has Python 3.10", "cp310"),
        ("torch-2.2.0-cp312-abi3-linux_x86_64.whl", "is a wheel for cp312", "cp310"),
        ("old-1.0-py2-none-any.whl", "is a wheel for py2", "cp310"),
        ("torch-2.2.0-cp310-cp310-linux_aarch64.whl", "is a wheel for linux_aarch64, and image", "linux_x86_64"),
        ("torch-2.2.0-cp310-cp310-win_amd64.whl", "is a wheel for win_amd64", "linux_x86_64"),
        ("2.2.0-cp310-cp310-linux_x86_64.whl", "is no name of a wheel", "NAME-VERSION-PYTHON"),
        ("torch.whl", "is no name of a wheel", "NAME-VERSION-PYTHON"),
    ],
)  # fmt: skip
def test_f08_wheels_that_do_not_fit_are_told_by_their_names(file: str, words: str, hint: str) -> None:
    problem = problem_of(release(file))
    assert words in problem.what
    assert hint in problem.hint
    assert problem.where.key == "images.release.packages[0].url"


def test_f08_each_python_of_a_matrix() -> None:
    text = (
        '[images.release]\nfrom = "ubuntu:22.04"\n'
        f"packages = [{wheel('torch-2.0.0-cp310-cp310-linux_x86_64.whl')}]\n"
        '[images.release.matrix]\npython = ["3.9", "3.10"]\n'
    )
    assert "has Python 3.9" in problem_of(text).what


def test_f08_a_wheel_beside_the_spec_too(tmp_path: Path) -> None:
    (tmp_path / "whls").mkdir()
    (tmp_path / "whls/torch-2.0.0-cp39-cp39-linux_x86_64.whl").touch()
    text = IMAGE + 'packages = [{ path = "whls/torch-2.0.0-cp39-cp39-linux_x86_64.whl" }]\n'
    problem = problem_of(text, tmp_path)
    assert problem.where.key == "images.release.packages[0].path"


def test_f08_the_declared_version() -> None:
    problem = problem_of(
        release("torch-2.0.0-cp310-cp310-linux_x86_64.whl", more='constraints = ["torch==2.2.0"]\n')
    )
    assert "does not meet the constraint 'torch==2.2.0'" in problem.what
    assert spec_of(
        release("torch-2.2.0-cp310-cp310-linux_x86_64.whl", more='constraints = ["torch==2.2.0"]\n')
    )


TREES = """\
[sources.pytorch]
git = "https://github.com/pytorch/pytorch"
rev = "v2.0.0"
[sources.newer]
git = "https://example.org/mirror/pytorch.git"
rev = "v2.2.0"
[images.base]
from = "ubuntu:22.04"
python = "3.10"
sources = [{ source = "pytorch", to = "/home/pytorch" }]
"""


def test_b05_one_tag_of_pytorch_in_base_and_dev() -> None:
    text = TREES + '[images.dev]\nfrom = "image:base"\nsources = [{ source = "newer", to = "/home/newer" }]\n'
    problem = problem_of(text)
    assert "'dev' names torch twice" in problem.what
    assert "source tree 'pytorch' at v2.0.0, and source tree 'newer' at v2.2.0" in problem.what
    # Images that do not stand on each other may differ.
    assert spec_of(text.replace('"image:base"', '"ubuntu:22.04"')).cells


def test_b05_the_tag_and_the_wheel() -> None:
    good = "torch-2.0.0a0+git1234-cp310-cp310-linux_x86_64.whl"
    child = '[images.dev]\nfrom = "image:base"\n'
    assert spec_of(f"{TREES}{child}packages = [{wheel(good)}]\n").cells
    problem = problem_of(f"{TREES}{child}packages = [{wheel(good.replace('2.0.0a0', '2.1.0a0'))}]\n")
    assert "at v2.0.0, and the wheel torch-2.1.0a0+git1234" in problem.what
    problem = problem_of(f'{TREES}{child}packages = ["torch==2.1.0"]\n')
    assert "at v2.0.0, and the requirement torch==2.1.0" in problem.what
    assert spec_of(f'{TREES}{child}packages = ["torch==2.0.0"]\n').cells


def test_b05_commits_are_compared_with_commits_only() -> None:
    first, second = "1" * 40, "2" * 40
    child = '[images.dev]\nfrom = "image:base"\nsources = [{ source = "newer", to = "/home/newer" }]\n'
    text = (TREES + child).replace("v2.2.0", first)
    assert spec_of(text).cells  # a tag and a commit may be one
    (problem,) = problems_of(text.replace("v2.0.0", second))
    assert first in problem.what
    assert second in problem.what


def test_pins_of_a_resolver_are_left_to_it() -> None:
    text = release("pure-1.0-py3-none-any.whl").replace(
        "packages = [", 'packages = ["numpy==1.23.1; python_version < \'3.9\'", "numpy==1.26.0", '
    )
    assert spec_of(text).cells


_TAIL = st.text(alphabet="abcpy3.019-_%[]:/@+ \\'x", max_size=30)


@given(_TAIL, _TAIL, st.text(max_size=20))
def test_any_names_and_tags(url: str, requirement: str, rev: str) -> None:
    text = (
        f"[sources.pytorch]\ngit = 'https://example.org/pytorch'\nrev = {json.dumps(rev)}\n{IMAGE}"
        f"constraints = [{json.dumps('torch' + requirement)}]\nsources = [{{ source = 'pytorch', to = '/x' }}]\n"
        f"packages = [{json.dumps('torch' + requirement)}, "
        f"{{ url = {json.dumps(f'https://{url}.whl')}, sha256 = '{SHA}' }}]\n"
    )
    with suppress(SpecError):
        parse_spec(
            ("[project]\nname = 'x'\n" + text).encode(errors="replace"), file="x.toml", root=Path("/x")
        )
