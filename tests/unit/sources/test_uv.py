import shutil
import subprocess

import pytest

from layerwright.core.errors import NetworkError, ResolveError, UsageError
from layerwright.core.events import Warned
from layerwright.core.source import Location
from layerwright.host.http import HttpClient
from layerwright.oci.platform import Platform
from layerwright.resolve import PackageRequest
from layerwright.sources.uv import UvResolver
from layerwright.spec.model import GitPackage, IndexPackage, PathPackage, UrlPackage
from layerwright.spec.model import Index as SpecIndex
from support.change import replace
from support.index import Index, serve
from support.packages import make_sdist, make_wheel, project_text


def at(line):
    return Location(file="layerwright.toml", line=line)


def wanted(*texts):
    return tuple(
        IndexPackage(requirement=text, location=at(number)) for number, text in enumerate(texts, start=1)
    )


@pytest.fixture
def request_for(index, tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    pypi = SpecIndex(name="main", url=index.simple, default=True, location=at(9))

    def make(*packages, indexes=(), **fields):
        packages = tuple(wanted(item)[0] if isinstance(item, str) else item for item in packages)
        chosen = {found.name: found for found in (*indexes, pypi)}
        fields = {"python": "3.11", "glibc": "2.36", "platform": Platform(), "indexes": chosen} | fields
        return PackageRequest(cell="infer", packages=packages, root=root, **fields)

    return make


@pytest.fixture
def uv(host, http):
    return UvResolver(host=host, http=http)


def versions(found):
    return {package.name: package.version for package in (*found.wheels, *found.sources)}


def test_wheels_are_chosen_with_size_digest_and_index(index, uv, request_for):
    index.add(make_wheel("alpha", requires=["beta>=1"]), make_wheel("beta", "1.5"), make_wheel("beta", "0.5"))
    found = uv.resolve_packages(request_for("alpha"))
    alpha, beta = found.wheels
    assert (alpha.name, alpha.version, alpha.requested, alpha.index) == ("alpha", "1.0", True, "main")
    assert (beta.version, beta.requested) == ("1.5", False)
    assert beta.size == len(index.files[beta.file])
    assert beta.sha256 == index.sha256(beta.file)
    assert beta.url == ""


@pytest.mark.parametrize("json", [True, False])
def test_sizes_that_the_page_lacks_are_asked_for(index, uv, request_for, json):
    index.json, index.sizes = json, False
    index.add(make_wheel("alpha"), make_wheel("beta"))
    found = uv.resolve_packages(request_for("alpha", "beta"))
    assert [wheel.size for wheel in found.wheels] == [len(index.files[wheel.file]) for wheel in found.wheels]


def test_sizes_that_were_locked_before_are_not_asked_for(index, uv, request_for):
    index.sizes = False
    index.add(make_wheel("alpha"))
    [alpha] = uv.resolve_packages(
        request_for("alpha", sizes={index.sha256("alpha-1.0-py3-none-any.whl"): 77})
    ).wheels
    assert alpha.size == 77


def test_digests_that_the_page_lacks_are_computed(index, uv, request_for):
    index.hashes = False
    index.add(make_wheel("alpha"))
    [alpha] = uv.resolve_packages(request_for("alpha")).wheels
    assert alpha.sha256 == index.sha256(alpha.file)


@pytest.mark.parametrize(
    ("python", "machine", "glibc", "file"),
    [
        ("3.11", "amd64", "2.36", "cp311-cp311-manylinux_2_28_x86_64"),
        ("3.11", "amd64", "2.40", "cp311-cp311-manylinux_2_39_x86_64"),
        ("3.11", "amd64", "2.17", "cp311-cp311-manylinux2014_x86_64"),
        ("3.11", "amd64", "", "cp311-cp311-manylinux2014_x86_64"),
        ("3.12", "amd64", "2.36", "cp38-abi3-manylinux_2_17_x86_64"),
        ("3.11", "arm64", "2.36", "cp311-cp311-manylinux_2_28_aarch64"),
        ("3.9", "arm64", "2.36", "py3-none-any"),
    ],
)
def test_the_wheel_fits_python_machine_and_glibc(index, uv, request_for, python, machine, glibc, file):
    tags = [
        "cp311-cp311-manylinux_2_28_x86_64",
        "cp311-cp311-manylinux_2_39_x86_64",
        "cp311-cp311-manylinux2014_x86_64",
        "cp38-abi3-manylinux_2_17_x86_64",
        "cp311-cp311-manylinux_2_28_aarch64",
        "cp311-cp311-win_amd64",
        "py3-none-any",
    ]
    index.add(*(make_wheel("native", tag=tag) for tag in tags))
    asked = request_for("native", python=python, glibc=glibc, platform=Platform(architecture=machine))
    [wheel] = uv.resolve_packages(asked).wheels
    assert wheel.file == f"native-1.0-{file}.whl"


def test_an_sdist_is_taken_only_when_no_wheel_fits(index, uv, request_for):
    index.add(
        make_sdist("alpha"),
        make_wheel("alpha", tag="cp39-cp39-win_amd64"),
        make_sdist("beta"),
        make_wheel("beta"),
    )
    found = uv.resolve_packages(request_for("alpha", "beta"))
    [alpha] = found.sources
    assert (alpha.kind, alpha.source, alpha.index) == ("sdist", "alpha-1.0.tar.gz", "main")
    assert alpha.sha256 == index.sha256("alpha-1.0.tar.gz")
    assert alpha.size == len(index.files["alpha-1.0.tar.gz"])
    assert [wheel.name for wheel in found.wheels] == ["beta"]


def test_pins_bind_and_preferences_lean(index, uv, request_for):
    index.add(*(make_wheel("alpha", version) for version in ("1.0", "2.0", "3.0")))
    assert versions(uv.resolve_packages(request_for("alpha", preferences={"alpha": "2.0"}))) == {
        "alpha": "2.0"
    }
    assert versions(uv.resolve_packages(request_for("alpha>2", preferences={"alpha": "2.0"}))) == {
        "alpha": "3.0"
    }
    assert versions(uv.resolve_packages(request_for("alpha", pins={"alpha": "1.0"}))) == {"alpha": "1.0"}
    assert versions(uv.resolve_packages(request_for("alpha", constraints=("alpha<3",)))) == {"alpha": "2.0"}
    with pytest.raises(ResolveError):
        uv.resolve_packages(request_for("alpha>2", pins={"alpha": "1.0"}))


def test_the_full_python_version_decides_when_it_is_known(index, uv, request_for):
    file, data = make_wheel("alpha", requires_python=">=3.11.2")
    index.add((file, data))
    index.requires_python[file] = ">=3.11.2"
    assert versions(uv.resolve_packages(request_for("alpha", full_python="3.11.2"))) == {"alpha": "1.0"}
    with pytest.raises(ResolveError, match=r"3\.11\.2"):
        uv.resolve_packages(request_for("alpha"))


@pytest.mark.parametrize(
    ("packages", "says", "line"),
    [
        (("six", "alpha==9"), "there is no version of alpha==9", 2),
        (("six", "nowhere"), "nowhere was not found in the package registry", 2),
        (("six", "yanked"), "yanked==1.0 was yanked (reason: it deletes files)", 2),
        (("six", "newer"), "does not satisfy Python>=3.13", 2),
        (("six", "windows"), "win_amd64", 2),
        (("needs-old", "alpha>1"), "alpha<2", 0),
    ],
)
def test_what_cannot_be_is_explained_in_uvs_words_at_the_line_of_the_spec(
    index, uv, request_for, packages, says, line
):
    index.add(make_wheel("six"), make_wheel("alpha", "1.0"), make_wheel("alpha", "2.0"), make_wheel("yanked"))
    index.add(make_wheel("newer"), make_wheel("windows", tag="cp311-cp311-win_amd64"))
    index.add(make_wheel("needs-old", requires=["alpha<2"]))
    index.yanked["yanked-1.0-py3-none-any.whl"] = "it deletes files"
    index.requires_python["newer-1.0-py3-none-any.whl"] = ">=3.13"
    with pytest.raises(ResolveError) as raised:
        uv.resolve_packages(request_for(*wanted(*packages)))
    error = raised.value
    headline, _, explanation = error.what.partition("\n")
    assert (
        headline
        == "infer: no set of packages meets the requirements for Python 3.11 on linux/amd64 with glibc 2.36"
    )
    assert says in explanation + error.hint
    assert "--python-version" not in str(error) + error.hint
    assert (error.where.line if error.where else 0) == line


def test_prereleases_are_taken_as_the_user_sets_them(index, uv, request_for):
    index.add(make_wheel("alpha", "1.0"), make_wheel("alpha", "2.0rc1"))
    assert versions(uv.resolve_packages(request_for("alpha"))) == {"alpha": "1.0"}
    assert versions(uv.resolve_packages(request_for("alpha", prereleases="allow"))) == {"alpha": "2.0rc1"}
    with pytest.raises(ResolveError) as raised:
        uv.resolve_packages(request_for("alpha>1", prereleases="disallow"))
    assert "prereleases" in raised.value.hint


def test_a_yanked_version_that_is_pinned_is_taken_with_a_warning(index, host, http, request_for):
    index.add(make_wheel("alpha"))
    index.yanked["alpha-1.0-py3-none-any.whl"] = "broken"
    events = []
    UvResolver(host=host, http=http, reporter=events.append).resolve_packages(request_for("alpha==1.0"))
    assert [event.message for event in events if isinstance(event, Warned)] == [
        'infer: `alpha==1.0` is yanked (reason: "broken")'
    ]


def test_an_extra_that_does_not_exist_is_warned_of(index, host, http, request_for):
    index.add(make_wheel("alpha"))
    events = []
    UvResolver(host=host, http=http, reporter=events.append).resolve_packages(request_for("alpha[nope]"))
    [warning] = [event.message for event in events if isinstance(event, Warned)]
    assert "nope" in warning


def test_credentials_reach_the_index_and_nothing_else(index, host, http, request_for):
    index.credentials = "me:s3cret"
    index.add(make_wheel("alpha"))
    asked = request_for("alpha")
    main = asked.indexes["main"]
    with pytest.raises(NetworkError) as raised:
        UvResolver(host=host, http=http).resolve_packages(asked)
    assert "credentials" in raised.value.hint
    asked = replace(asked, indexes={"main": replace(main, credentials="env:TOKEN")})
    known = replace(host, variables={"TOKEN": "me:s3cret"})
    assert versions(UvResolver(host=known, http=http).resolve_packages(asked)) == {"alpha": "1.0"}
    wrong = replace(host, variables={"TOKEN": "me:wr0ngsecret"})
    with pytest.raises(NetworkError) as raised:
        UvResolver(host=wrong, http=http).resolve_packages(asked)
    assert "wr0ngsecret" not in raised.value.what + raised.value.hint
    with pytest.raises(UsageError):
        UvResolver(host=host, http=http).resolve_packages(asked)


def test_an_index_that_does_not_answer_is_a_network_error(host, http, request_for):
    uv = UvResolver(host=replace(host, variables={"UV_HTTP_RETRIES": "0"}), http=http)
    asked = request_for("alpha")
    dead = replace(asked.indexes["main"], url="http://127.0.0.1:9/simple")
    with pytest.raises(NetworkError, match="a package index cannot be asked"):
        uv.resolve_packages(replace(asked, indexes={"main": dead}))


def test_offline_says_what_is_missing_and_uses_what_is_there(index, host, request_for):
    index.add(make_wheel("alpha"))
    offline = HttpClient(variables={}, offline=True)
    with pytest.raises(NetworkError, match="alpha was not found in the cache"):
        UvResolver(host=host, http=offline).resolve_packages(request_for("alpha"))
    UvResolver(host=host, http=HttpClient(variables={})).resolve_packages(request_for("alpha"))
    again = UvResolver(host=host, http=offline).resolve_packages(request_for("alpha"))
    assert versions(again) == {"alpha": "1.0"}


def test_a_bound_package_comes_from_its_index_even_when_another_brings_it(index, uv, request_for):
    index.add(make_wheel("alpha", requires=["torch"]), make_wheel("torch", "1.0"), make_wheel("numpy", "1.0"))
    with serve(Index()) as special:
        special.add(make_wheel("torch", "2.0+cpu"), make_wheel("numpy", "9.0"), make_wheel("hidden", "1.0"))
        bound = SpecIndex(
            name="cpu", url=special.simple, explicit=True, packages=("torch", "hidden"), location=at(7)
        )
        found = uv.resolve_packages(request_for("alpha", "numpy", indexes=[bound]))
        assert {wheel.name: (wheel.version, wheel.index) for wheel in found.wheels} == {
            "alpha": ("1.0", "main"),
            "numpy": ("1.0", "main"),
            "torch": ("2.0+cpu", "cpu"),
        }
        assert not {wheel.name: wheel.requested for wheel in found.wheels}["torch"]
        # one that only the bound index has, brought by a package of the main one
        index.add(make_wheel("brings", requires=["hidden"]))
        assert versions(uv.resolve_packages(request_for("brings", indexes=[bound])))["hidden"] == "1.0"


def test_the_first_index_that_knows_a_package_serves_it(index, uv, request_for):
    index.add(make_wheel("alpha", "2.0"), make_wheel("beta"))
    with serve(Index()) as special:
        special.add(make_wheel("alpha", "1.0"))
        found = uv.resolve_packages(
            request_for("alpha", "beta", indexes=[SpecIndex(name="own", url=special.simple, location=at(7))])
        )
    assert [(wheel.name, wheel.version, wheel.index) for wheel in found.wheels] == [
        ("alpha", "1.0", "own"),
        ("beta", "1.0", "main"),
    ]


def test_flat_indexes_may_be_folders_or_pages(index, uv, request_for, tmp_path):
    file, data = make_wheel("alpha")
    (tmp_path / "project" / "wheels").mkdir()
    (tmp_path / "project" / "wheels" / file).write_bytes(data)
    index.add(make_wheel("beta"))
    flat = [
        SpecIndex(name="here", url="wheels", format="flat", location=at(7)),
        SpecIndex(name="page", url=f"{index.url}/flat/", format="flat", location=at(8)),
    ]
    found = uv.resolve_packages(request_for("alpha", "beta", indexes=flat))
    assert [(w.name, w.index, w.size > 0) for w in found.wheels] == [
        ("alpha", "here", True),
        ("beta", "page", True),
    ]


def test_a_variable_puts_a_mirror_in_an_indexs_place_and_the_lock_keeps_the_name(
    index, host, http, request_for
):
    index.add(make_wheel("alpha"))
    asked = request_for("alpha")
    asked = replace(
        asked,
        indexes={"in-ternal": replace(asked.indexes["main"], name="in-ternal", url="http://127.0.0.1:9/")},
    )
    mirrored = replace(host, variables={"LAYERWRIGHT_INDEX_IN_TERNAL": index.simple})
    [alpha] = UvResolver(host=mirrored, http=http).resolve_packages(asked).wheels
    assert (alpha.index, alpha.url) == ("in-ternal", "")


def test_pypi_may_be_a_folder_on_this_machine(host, http, request_for, tmp_path):
    file, data = make_wheel("alpha")
    (tmp_path / file).write_bytes(data)
    mirrored = replace(host, variables={"LAYERWRIGHT_INDEX_PYPI": str(tmp_path)})
    asked = replace(request_for("alpha"), indexes={})
    [alpha] = UvResolver(host=mirrored, http=http).resolve_packages(asked).wheels
    assert (alpha.index, alpha.size) == ("pypi", len(data))


def test_local_projects_files_and_addresses_take_part(index, uv, request_for, tmp_path):
    index.add(
        make_wheel("gamma"),
        make_wheel("delta"),
        make_wheel("remote", "3.0", requires=["gamma"]),
        make_sdist("packed"),
    )
    root = tmp_path / "project"
    (root / "專案 一").mkdir()
    text = project_text("my_proj", "0.3", requires=["gamma"], extras={"more": ["delta"]})
    (root / "專案 一" / "pyproject.toml").write_text(text)
    wheel, data = make_wheel("local-one", "1.5")
    (root / wheel).write_bytes(data)
    remote = "remote-3.0-py3-none-any.whl"
    packed = "packed-1.0.tar.gz"
    found = uv.resolve_packages(
        request_for(
            PathPackage(path="專案 一", extras=("more",), location=at(1)),
            PathPackage(path=wheel, location=at(2)),
            UrlPackage(url=index.address(remote), sha256=index.sha256(remote), location=at(3)),
            UrlPackage(url=index.address(packed), sha256=index.sha256(packed), location=at(4)),
        )
    )
    wheels = {item.name: item for item in found.wheels}
    assert set(wheels) == {"gamma", "delta", "local-one", "remote"}
    assert (wheels["local-one"].url, wheels["local-one"].size, wheels["local-one"].requested) == (
        wheel,
        len(data),
        True,
    )
    assert wheels["remote"].url == index.address(remote)
    assert wheels["remote"].sha256 == index.sha256(remote)
    assert wheels["remote"].size == len(index.files[remote])
    assert not wheels["gamma"].requested
    sources = {item.name: item for item in found.sources}
    assert (sources["my-proj"].kind, sources["my-proj"].source) == ("path", "專案 一")
    assert (sources["packed"].kind, sources["packed"].url) == ("sdist", index.address(packed))
    assert all(item.requested for item in found.sources)


def test_a_missing_project_is_told_at_its_line(uv, request_for):
    with pytest.raises(ResolveError, match="no file or folder 'gone'") as raised:
        uv.resolve_packages(request_for(PathPackage(path="gone", location=at(5))))
    assert raised.value.where.line == 5


def test_a_wheel_named_by_path_must_fit(uv, request_for, tmp_path):
    file, data = make_wheel("native", tag="cp39-cp39-win_amd64")
    (tmp_path / "project" / file).write_bytes(data)
    with pytest.raises(ResolveError):
        uv.resolve_packages(request_for(PathPackage(path=file, location=at(5))))


@pytest.fixture
def repository(tmp_path):
    git = shutil.which("git")
    assert git, "git makes the test's repository"

    def run(*argv, cwd):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always"]
        return subprocess.run(
            [git, *identity, *argv], cwd=cwd, check=True, capture_output=True, text=True
        ).stdout.strip()

    folder = tmp_path / "repository"
    (folder / "py").mkdir(parents=True)
    run("init", "-q", "-b", "main", cwd=folder)
    text = project_text("git_proj", "0.4", requires=["gamma"], extras={"more": ["delta"]})
    (folder / "py" / "pyproject.toml").write_text(text)
    run("add", ".", cwd=folder)
    run("commit", "-qm", "first", cwd=folder)
    return folder, run("rev-parse", "HEAD", cwd=folder)


def test_a_repository_is_locked_by_its_commit_with_its_extras(index, uv, request_for, repository):
    folder, commit = repository
    index.add(make_wheel("gamma"), make_wheel("delta"))
    package = GitPackage(git=folder.as_uri(), rev="main", subdirectory="py", extras=("more",), location=at(1))
    found = uv.resolve_packages(request_for(package))
    [source] = found.sources
    assert (source.name, source.version, source.kind) == ("git-proj", "0.4", "git")
    assert (source.source, source.commit, source.subdirectory) == (folder.as_uri(), commit, "py")
    assert source.requested
    assert {wheel.name for wheel in found.wheels} == {"gamma", "delta"}
