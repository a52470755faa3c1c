import pytest

from layerwright.core.errors import SpecError
from layerwright.spec.musa.addresses import read_address
from layerwright.spec.musa.options import table_of
from layerwright.spec.musa.requests import Places, read_all, read_base, read_image
from layerwright.spec.musa.said import Given, Said
from layerwright.spec.musa.wheels import wheel_file
from layerwright.spec.musa.write import addresses_of, write_image

PLACES = Places(folder="/work")
WHERE = "https://example.org"
ARCHIVES = {
    "musa_toolkits_url": f"{WHERE}/musa_toolkits_qy2.tar.gz",
    "mudnn_url": f"{WHERE}/mudnn_qy2.tar.gz",
    "mccl_url": f"{WHERE}/mccl_qy2.tar.gz",
}
RELEASE = {
    "name": "image", "base_img": "ubuntu:22.04", "docker_file": "dockerfile.release", "release": True,
    "python_version": "3.10", **ARCHIVES,
}  # fmt: skip


def wheels(python: str = "3.10", **versions: str) -> dict[str, str]:
    return {
        f"{name}_whl_url": f"{WHERE}/{wheel_file(name, version, python)}"
        for name, version in versions.items()
    }


def faults(read, **options: object) -> list[str]:
    with pytest.raises(SpecError) as caught:
        read(Given(options=options), PLACES)
    return [problem.what for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "url", "sha256", "arch"),
    [
        (f"{WHERE}/a-qy1.tar.gz", f"{WHERE}/a-qy1.tar.gz", "", "qy1"),
        (f"{WHERE}/QY2/a.tar#sha256={'0' * 64}", f"{WHERE}/QY2/a.tar", "0" * 64, "qy2"),
        ("archives/a_ph1.tar", "/work/archives/a_ph1.tar", "", "ph1"),
        ("/elsewhere/a.tar", "/elsewhere/a.tar", "", ""),
        ("http://127.0.0.1:80/a.tar", "http://127.0.0.1:80/a.tar", "", ""),
        ("http://known.example.org/qy12/a.tar", "http://known.example.org/qy12/a.tar", "", ""),
    ],
)
def test_an_address_tells_what_is_in_it(text: str, url: str, sha256: str, arch: str) -> None:
    said = Said(table_of("build"), Given(options={"mccl_url": text}))
    address = read_address(said, "mccl_url", hosts=("known.example.org",), folder="/work")
    said.done()
    assert address is not None
    assert (address.url, address.sha256, address.arch) == (url, sha256, arch)


@pytest.mark.parametrize(
    "text", ["ftp://example.org/a.tar", "https://[::1/a.tar", "git@example.org:a/b.tar\n"]
)
def test_what_is_no_address_is_told(text: str) -> None:
    said = Said(table_of("build"), Given(options={"mccl_url": text}))
    assert read_address(said, "mccl_url", hosts=(), folder="/work") is None
    with pytest.raises(SpecError):
        said.done()


def test_a_release_of_later_torch_musa_takes_all_four_wheels() -> None:
    request = read_image(
        Given(
            options=RELEASE
            | wheels(torch="2.2.0", torchvision="0.17.2", torchaudio="2.2.2", torch_musa="1.3.2")
        ),
        PLACES,
    )
    assert [wheel.distribution for wheel in request.wheels] == [
        "torch",
        "torchvision",
        "torchaudio",
        "torch_musa",
    ]
    assert request.gpu_arch == "qy2"
    assert request.ubuntu == "22.04"


def test_torchvision_is_judged_by_what_it_asks_for() -> None:
    told = faults(read_image, **RELEASE, **wheels(torch="2.2.0", torchvision="0.16.0", torch_musa="1.3.2"))
    assert told == [
        "--torchvision_whl_url is torchvision 0.16.0, which needs torch 2.1.0, and --torch_whl_url is torch 2.2.0"
    ]


def test_a_release_for_other_pythons_is_refused_unless_it_is_said_to_be_ones_own() -> None:
    found = wheels("3.11", torch="2.0.0", torch_musa="1.1.0")
    options = {**RELEASE, "python_version": "3.11", **found}
    (told,) = faults(read_image, **options)
    assert told == (
        "--torch_musa_whl_url is torch_musa 1.1.0, which is published for Python 3.8, 3.9, 3.10, and the image has "
        "Python 3.11"
    )
    assert read_image(Given(options={**options, "unpaired": True}), PLACES).python == "3.11"


def test_wheels_for_any_python_and_for_the_stable_interface_serve() -> None:
    options = RELEASE | {
        "torch_whl_url": f"{WHERE}/torch-2.0.0-py3-none-any.whl",
        "torch_musa_whl_url": f"{WHERE}/torch_musa-1.1.0-cp38-abi3-linux_x86_64.whl",
    }
    assert len(read_image(Given(options=options), PLACES).wheels) == 2


def test_a_base_of_ones_own_says_nothing_of_its_system() -> None:
    request = read_image(
        Given(
            options={
                **RELEASE,
                "base_img": "registry.example.org/a/b:1",
                **wheels(torch="2.0.0", torch_musa="1.1.0"),
            }
        ),
        PLACES,
    )
    assert request.ubuntu == ""


@pytest.mark.parametrize(
    ("tag", "vision"), [("v2.0.0", "v0.15.2"), ("v2.2.0", "v0.17.2"), ("v2.5.0", "v0.20.0")]
)
def test_the_torchvision_of_a_pytorch_is_the_one_that_moore_threads_pairs_with_it(
    tag: str, vision: str
) -> None:
    options = {
        "name": "image", "base_img": "base:1", "docker_file": "dockerfile.dev", "pytorch_tag": tag,
        "torch_musa_tag": "main", **ARCHIVES,
    }  # fmt: skip
    assert read_image(Given(options=options), PLACES).vision_tag == vision


def test_options_go_before_the_definition_and_faults_stand_where_they_are() -> None:
    definition = {
        "tag": "one",
        "whl_url": WHERE,
        "torch_musa_version": "1.1.0",
        "versions": ("310",),
        **ARCHIVES,
    }
    given = Given(options={"tag": "two"}, definition=definition, file="build_all.toml")
    whole = read_all(given, PLACES)
    assert {variant.tag for variant in whole.variants} == {"two"}
    assert [variant.name for variant in whole.variants] == [
        "sh-harbor.mthreads.com/mt-ai/musa-pytorch-dev-py310",
        "sh-harbor.mthreads.com/mt-ai/musa-pytorch-release-py310",
    ]
    with pytest.raises(SpecError) as caught:
        read_all(Given(definition=definition | {"mccl_url": ""}, file="build_all.toml"), PLACES)
    (problem,) = caught.value.problems
    assert (problem.where.file, problem.where.key, problem.what) == (
        "build_all.toml",
        "mccl_url",
        "mccl_url is empty",
    )


def test_the_base_is_for_the_pythons_of_its_pytorch() -> None:
    assert read_base(Given(options={"name": "base"}), PLACES).python == "3.8"
    assert read_base(Given(options={"name": "base", "python_version": "3.11"}), PLACES).python == "3.11"
    assert faults(read_base, name="base", python_version="3.12") == [
        "-v/--python_version is 3.12, and PyTorch v2.0.0 is for Python 3.8, 3.9, 3.10, 3.11"
    ]


ARCHIVE = "cpython-{version}+20240107-x86_64-unknown-linux-gnu-install_only.tar.gz"


def test_an_archive_of_a_python_takes_the_place_of_the_systems() -> None:
    url = f"{WHERE}/{ARCHIVE.format(version='3.13.1')}"
    options = RELEASE | wheels("3.13", torch="2.9.1", torch_musa="2.9.1") | {"python_version": "3.13"}
    assert "is 3.13, and a release image is for Python 3.8" in faults(read_image, **options)[0]
    request = read_image(Given(options={**options, "python_url": (url,)}), PLACES)
    assert request.interpreter is not None
    assert request.interpreter.url == url
    text = write_image(
        request, command="x", digests=dict.fromkeys((one.url for one in addresses_of([request])), "0" * 64)
    )
    assert 'kind = "python"' in text
    assert 'version = "3.13.1"' in text
    assert "apt" not in text


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (f"{WHERE}/python.tar.gz", "names python.tar.gz, which does not say which Python it is"),
        (f"{WHERE}/cpython-3.10.tar.gz", "names cpython-3.10.tar.gz, which does not say which Python it is"),
        (f"{WHERE}/{ARCHIVE.format(version='3.9.1')}", "and no image has Python 3.9"),
    ],
)
def test_an_archive_that_is_not_the_python_is_told(url: str, told: str) -> None:
    assert told in faults(read_base, name="base", python_version="3.10", python_url=(url,))[0]


def test_a_base_of_ones_own_may_have_any_python() -> None:
    options = RELEASE | wheels("3.13", torch="2.9.1", torch_musa="2.9.1")
    options |= {"python_version": "3.13", "base_img": "oci:base"}
    request = read_image(Given(options=options), PLACES)
    assert (request.base, request.ubuntu) == ("oci:/work/base", "")
