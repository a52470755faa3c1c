"""Components: which are installed, in which order, for which GPUs; tests/golden/spec shows what is refused."""

from pathlib import Path

import pytest

from layerwright.spec.fingerprint import cell_resolution_digest
from support.spec import problem_of, problems_of, spec_of

D = "0" * 64
ARCHIVES = f"""
[components.musa_math]
url = "https://example.org/musparse.tar.gz"
sha256 = "{D}"
[components.mccl]
url = "https://example.org/mccl.tar.gz"
sha256 = "{D}"
arch = ["qy2", "ph1"]
[components.mudnn]
url = "archives/mudnn.tar.gz"
sha256 = "{D}"
install = "./put"
[components.sdk]
kind = "musa_toolkit"
url = "https://example.org/toolkit.tar.gz"
sha256 = "{D}"
version = "rc4.0.1"
[components.newer]
kind = "musa_toolkit"
url = "https://example.org/newer.tar.gz"
sha256 = "{"1" * 64}"
[components.newer_mudnn]
kind = "mudnn"
url = "https://example.org/newer_mudnn.tar.gz"
sha256 = "{"2" * 64}"
[components.tools]
kind = "other"
url = "https://example.org/tools.tar.gz"
sha256 = "{D}"
"""


def images(text: str, *, accelerator: str = "mthreads") -> str:
    return f'{ARCHIVES}[defaults]\nfrom = "debian:bookworm"\naccelerator = "{accelerator}"\n{text}'


def names(cell) -> list[str]:
    return [one.name for one in cell.components]


@pytest.mark.parametrize(
    "written",
    [
        '["mccl", "tools", "musa_math", "sdk", "mudnn"]',
        '["sdk", "mudnn", "mccl", "musa_math", "tools"]',
        '["tools", "musa_math", "mccl", "mudnn", "sdk", "sdk"]',
    ],
)
def test_the_order_is_the_one_that_works_whatever_is_written(written: str) -> None:
    cell = spec_of(images(f"[images.a]\ncomponents = {written}")).cells["a"]
    assert names(cell) == ["sdk", "mudnn", "mccl", "musa_math", "tools"]
    assert [one.kind for one in cell.components] == ["musa_toolkit", "mudnn", "mccl", "musa_math", "other"]


def test_a_component_says_where_it_is_from_and_how_it_is_installed() -> None:
    sdk, mudnn = spec_of(images('[images.a]\ncomponents = ["mudnn", "sdk"]')).cells["a"].components
    assert (sdk.url, sdk.sha256, sdk.version, sdk.arch, sdk.install) == (
        "https://example.org/toolkit.tar.gz", D, "rc4.0.1", (), "",
    )  # fmt: skip
    assert (mudnn.install, mudnn.url, mudnn.location.key) == (
        "./put", "archives/mudnn.tar.gz", "components.mudnn",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("qy1", "qy1"), ("QY2", "qy2"), ("MP 22", "qy2"), ("mp_21", "qy1"), ("22", "qy2"), ("cc3.1", "ph1"),
        ("MP31", "ph1"), ("S80", "qy1"), ("MTT S3000", "qy1"), ("mtts4000", "qy2"), ("MTT S5000", "ph1"),
    ],
)  # fmt: skip
def test_an_architecture_has_many_names_and_one_of_its_own(written: str, name: str) -> None:
    spec = spec_of(images(f'[images.a]\ngpu_arch = "{written}"'))
    assert spec.cells["a"].gpu_arch == name


@pytest.mark.parametrize("unknown", ["qy3", "S2000", "MP 11", "sm_90", "MTT", "qy", "0"])
def test_an_unknown_architecture_is_refused_with_those_that_are_known(unknown: str) -> None:
    problem = problem_of(images(f'[images.a]\ngpu_arch = "{unknown}"'))
    assert problem.what == f"the GPU architecture {unknown!r} is not known"
    assert problem.where.key == "images.a.gpu_arch"
    assert "qy1 (MP 21: S80, S80ES, S3000), qy2 (MP 22: S90, S4000), ph1 (MP 31: S5000)" in problem.hint


def test_the_architecture_is_an_axis_by_its_own_name() -> None:
    spec = spec_of(
        images("""
        [images.base]
        components = ["sdk"]
        matrix = { gpu_arch = ["S80", "qy2"] }
        override = [
          { when = { gpu_arch = "qy2" }, components = ["mccl"] },
          { when = { gpu_arch = ["MP 21"] }, without = ["mccl"] },
        ]
        [images.app]
        from = "image:base"
        matrix = { gpu_arch = ["qy1", "qy2"] }
        """)
    )
    assert list(spec.cells) == ["base-qy1", "base-qy2", "app-qy1", "app-qy2"]
    assert {name: cell.gpu_arch for name, cell in spec.cells.items()} == {
        "base-qy1": "qy1", "base-qy2": "qy2", "app-qy1": "qy1", "app-qy2": "qy2",
    }  # fmt: skip
    assert [cell.base.source for cell in spec.cells.values()][2:] == ["base-qy1", "base-qy2"]
    assert names(spec.cells["base-qy2"]) == ["sdk", "mccl"]
    assert spec.cells["app-qy1"].without == ("mccl",)
    assert spec.cells["app-qy2"].references == ("demo-app:local-qy2",)


def test_an_axis_cannot_be_overridden() -> None:
    problem = problem_of(
        images("""
        [images.a]
        matrix = { gpu_arch = ["qy1", "qy2"] }
        override = [{ when = { gpu_arch = "qy1" }, gpu_arch = "qy2" }]
        """)
    )
    assert problem.what == "'gpu_arch' is an axis of the matrix: an override cannot set it"


def test_a_child_has_what_its_parent_installed() -> None:
    spec = spec_of(
        images("""
        [images.base]
        gpu_arch = "qy2"
        components = ["mudnn", "sdk"]
        [images.app]
        from = "image:base"
        components = ["mccl", "sdk"]
        """)
    )
    app = spec.cells["app"]
    assert (names(app), [one.name for one in app.inherited_components]) == (["mccl"], ["sdk", "mudnn"])
    assert app.gpu_arch == "qy2"


def test_another_toolkit_brings_the_others_again() -> None:
    spec = spec_of(
        images("""
        [images.base]
        components = ["sdk", "mudnn", "mccl", "musa_math", "tools"]
        [images.app]
        from = "image:base"
        components = ["newer"]
        [images.both]
        from = "image:base"
        components = ["newer_mudnn", "newer"]
        """)
    )
    app, both = spec.cells["app"], spec.cells["both"]
    assert (names(app), app.inherited_components) == (["newer", "mudnn", "mccl", "musa_math", "tools"], ())
    assert names(both) == ["newer", "newer_mudnn", "mccl", "musa_math", "tools"]


def test_only_components_of_the_image_count_in_its_lock() -> None:
    text = images('[images.a]\ncomponents = ["sdk"]\n[images.b]\n')
    spec, other = spec_of(text), spec_of(text.replace("toolkit.tar.gz", "moved.tar.gz"))

    def digests(spec):
        return [cell_resolution_digest(cell, spec) for cell in spec.cells.values()]

    assert digests(spec)[0] != digests(other)[0]
    assert digests(spec)[1] == digests(other)[1]


TORCH_MUSA = [
    'packages = ["torch_musa==2.0.1"]',
    'packages = ["Torch.Musa"]',
    f'packages = [{{ url = "https://e.org/w/torch_musa-2.0.1-cp311-cp311-linux_x86_64.whl", sha256 = "{D}" }}]',
    'packages = [{ git = "https://github.com/MooreThreads/torch_musa.git", rev = "v2.0.1" }]',
    'sources = [{ source = "musa", to = "/home/torch_musa" }]',
]
SOURCE = '[sources.musa]\ngit = "https://github.com/MooreThreads/torch_musa"\nrev = "v2.0.1"\n'


@pytest.mark.parametrize("brought", TORCH_MUSA)
def test_torch_musa_needs_its_components(brought: str) -> None:
    text = images(f'{SOURCE}[images.a]\npython = "3.11"\ngpu_arch = "S80"\ncomponents = ["sdk"]\n{brought}\n')
    problem = problem_of(text)
    assert problem.what == "'a' has torch_musa, which needs muDNN, MCCL"
    assert 'without = ["mudnn", "mccl"]' in problem.hint
    spec_of(text.replace('["sdk"]', '["sdk", "mudnn"]\nwithout = ["mccl"]'))


def test_torch_musa_may_be_a_folder_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "torch_musa").mkdir()
    text = images('[images.a]\npython = "3.11"\npackages = [{ path = "torch_musa/" }]')
    assert "'a' has torch_musa" in problem_of(text, tmp_path).what


def test_torch_musa_over_what_is_not_known_may_have_all_it_needs() -> None:
    for base in ("registry.example.org/musa:1", "docker:musa:1"):
        spec_of(images(f'[images.a]\nfrom = "{base}"\npython = "3.11"\npackages = ["torch_musa"]'))
    problem = problem_of(images('[images.a]\npython = "3.11"\npackages = ["torch_musa"]'))
    assert problem.what == "'a' has torch_musa, which needs the MUSA toolkit, muDNN, MCCL"


def test_torch_musa_on_a_cpu_needs_nothing() -> None:
    spec_of(images('[images.a]\npython = "3.11"\npackages = ["torch_musa"]', accelerator="cpu"))


def test_the_defaults_architecture_is_for_those_that_have_one() -> None:
    spec = spec_of("""
        [defaults]
        from = "debian:bookworm"
        gpu_arch = "qy2"
        [images.a]
        matrix = { accelerator = ["cpu", "mthreads"] }
        """)
    assert [cell.gpu_arch for cell in spec.cells.values()] == ["", "qy2"]


def test_an_address_may_be_unencrypted_by_name_or_on_this_machine() -> None:
    def archive(url: str, more: str = "") -> str:
        return f'[components.mudnn]\nurl = "{url}"\nsha256 = "{D}"\n{more}\n[images.a]\nfrom = "debian:bookworm"\n'

    for url in (
        "http://127.0.0.1:8000/a.tar.gz",
        "http://localhost/a.tar.gz",
        "file:///srv/a.tar.gz",
        "a.tar",
    ):
        spec_of(archive(url))
    assert spec_of(archive("http://e.org/a.tgz", 'insecure = "http"')).components["mudnn"].insecure
    assert "plain http is refused" in problem_of(archive("http://e.org/a.tgz")).what
    for url in ("ftp://e.org/a.tgz", "https://", "http:///a.tgz"):
        assert len(problems_of(archive(url))) == 1


def test_a_child_cannot_do_without_what_its_parent_installed() -> None:
    problem = problem_of(
        images("""
        [images.base]
        components = ["sdk", "mccl"]
        [images.app]
        from = "image:base"
        without = ["mccl"]
        """)
    )
    assert problem.what == "'app' is to be without MCCL, and has 'mccl'"
    assert problem.where.key == "images.app.without"
