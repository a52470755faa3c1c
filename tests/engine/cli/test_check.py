"""``check`` from end to end: a real index, real wheels with libraries made to order, a base in the store."""

import json
from pathlib import Path

import pytest

from support.command import Project
from support.elf_file import Elf
from support.index import Index
from support.packages import make_wheel, project_text

pytestmark = pytest.mark.engine

TAG = "cp311-cp311-manylinux2014_x86_64"
CUDA_118 = "nvcr.io/nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04"


def extension(name: str, version: str = "1.0", *needed: str, requires=(), versions=None, path: str = ""):
    """A wheel with one extension module."""
    module = path or f"{name.replace('-', '_')}/_c.cpython-311-x86_64-linux-gnu.so"
    elf = bytes(Elf(needed=(*needed, "libc.so.6"), versions=versions or {}))
    return make_wheel(name, version, requires=requires, tag=TAG, files={module: elf})


def spec(project: Project, packages: str, *, base: str = "", more: str = "") -> None:
    source = f'from = "{base}"\n' if base else ""
    project.spec(f"[images.app]\n{source}packages = [{packages}]\n{more}")


def levels(done) -> dict[str, str]:
    return {one["code"]: one["level"] for one in done.json()["findings"]}


def test_a_missing_library_is_found_before_anything_is_built(project: Project, index: Index) -> None:
    index.add(extension("thing", "1.0", "libGL.so.1"), extension("fine", "1.0", "libm.so.6"))
    before = project("store", "info", "--json").json()["images"]
    spec(project, '"fine"')
    done = project("check")
    assert done.out == "nothing found in 1 image\n"
    spec(project, '"fine", "thing"')
    done = project("check", status=1)
    assert "the spec or its projects changed for app" in done.err
    first, *lines = done.out.splitlines()
    assert first.startswith("error[LW-LIBRARY-MISSING]: thing 1.0 loads libGL.so.1 on import")
    assert any(line.startswith("  --> layerwright.toml:") for line in lines)
    assert any('apt = [..., "libgl1"]' in line for line in lines)
    assert lines[-1] == "1 error in 1 image"
    assert project("store", "info", "--json").json()["images"] == before


def test_json_and_sarif_are_what_they_promise(project: Project, index: Index) -> None:
    index.add(extension("thing", "1.0", "libGL.so.1"))
    spec(project, '"thing"')
    done = project("check", "--json", "--sarif", "check.sarif", status=1)
    document = done.json()
    assert document["schema"] == 1
    assert document["summary"] == {"error": 1, "warning": 0, "note": 0, "unknown": 0}
    (found,) = document["findings"]
    assert found["where"]["location"]["line"] > 0
    assert {member["kind"] for member in found["members"]} == {"wheel", "base"}
    sarif = json.loads((project.folder / "check.sarif").read_text(encoding="utf-8"))
    (run,) = sarif["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["LW-LIBRARY-MISSING"]
    (rule,) = (one for one in run["tool"]["driver"]["rules"] if one["id"] == "LW-LIBRARY-MISSING")
    assert rule["fullDescription"]["text"]


def test_a_second_check_asks_the_index_nothing(project: Project, index: Index) -> None:
    index.add(extension("thing"), make_wheel("pure"))
    spec(project, '"thing", "pure"')
    project("check")
    before = len(index.requests)
    project("check")
    done = project("check", "--offline", "--locked", "--strict")
    assert done.out == "nothing found in 1 image\n"
    assert len(index.requests) == before


def test_without_the_network_what_was_not_read_is_unknown(fresh_project: Project, index: Index) -> None:
    index.add(extension("thing"))
    spec(fresh_project, '"thing"')
    fresh_project("lock")
    done = fresh_project("check", "--offline", "--json")
    (found,) = done.json()["findings"]
    assert (found["code"], found["level"]) == ("LW-WHEEL-UNREAD", "unknown")
    assert "thing 1.0" in found["message"]
    assert "offline" in found["message"]
    fresh_project("check", "--offline", "--strict", status=1)


def test_a_lock_that_does_not_fit_is_brought_up_to_date_unless_locked(project: Project, index: Index) -> None:
    index.add(make_wheel("one"), make_wheel("two"))
    spec(project, '"one"')
    done = project("check", "--locked", status=2)
    assert "layerwright.lock is missing" in done.err
    assert not project.lock.exists()
    project("check")
    before = project.lock.read_bytes()
    spec(project, '"one", "two"')
    done = project("check", "--locked", status=2)
    assert "out of date for app" in done.err
    assert project.lock.read_bytes() == before
    project("check")
    assert b"two" in project.lock.read_bytes()


def test_b08_projects_that_exclude_each_other_are_refused_with_both_constraints(
    project: Project, index: Index
) -> None:
    index.add(
        make_wheel("capybara-docsaid", "0.12.0"),
        make_wheel("capybara-docsaid", "1.0.1"),
        make_wheel("docaligner-docsaid", "1.1.1", requires=["capybara-docsaid>=0.5.1,<1.0.0"]),
    )
    project.write(
        {
            "mrz/pyproject.toml": project_text("mrzscanner", requires=["capybara-docsaid>=1.0.0,<2.0.0"]),
            "mrz/mrzscanner/__init__.py": "",
        }
    )
    spec(project, '"docaligner-docsaid", { path = "mrz" }')
    done = project("check", status=3)
    for text in ("docaligner-docsaid", ">=0.5.1,<1.0.0", "mrzscanner", ">=1.0.0,<2.0.0"):
        assert text in done.err
    assert not project.lock.exists()


def test_a_known_base_is_judged_by_its_name_before_it_is_pulled(project: Project, index: Index) -> None:
    provider = "onnxruntime/capi/libonnxruntime_providers_cuda.so"
    needed = ("libcublasLt.so.12", "libcudart.so.12", "libcudnn.so.9")
    index.add(extension("onnxruntime-gpu", "1.20.0", *needed, path=provider))
    gpu = 'role = "inference"\naccelerator = "nvidia"\n'
    spec(project, '"onnxruntime-gpu"', base=CUDA_118, more=gpu + 'apt = ["python3.11"]\n')
    done = project("check", status=1)
    assert "error[LW-ORT-CUDA]: onnxruntime-gpu 1.20.0 needs CUDA 12 and cuDNN 9" in done.out
    assert f"with {CUDA_118} as its name says" in done.err
    assert not project.lock.exists()
    right = "nvcr.io/nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04"
    spec(project, '"onnxruntime-gpu"', base=right, more=gpu + 'apt = ["python3.11"]\n')
    assert set(levels(project("check", "--json")).values()) <= {"note"}


def test_a_registry_that_cannot_be_reached_leaves_its_base_unknown(project: Project, index: Index) -> None:
    index.add(extension("thing", "1.0", "libGL.so.1"))
    spec(project, '"thing"', base="127.0.0.1:9/team/base:3")
    done = project("check", "--json", "--strict", status=1)
    assert levels(done) == {"LW-BASE-UNKNOWN": "unknown", "LW-LIBRARY-UNKNOWN": "unknown"}
    assert "cannot be reached" in done.err
    assert not project.lock.exists()


@pytest.mark.parametrize(
    ("driver", "cuda", "status", "expected"),
    [
        ("525.147.05", "12.0", 0, {"LW-DRIVER-MINOR": "note", "LW-DRIVER-REQUIRE": "warning"}),
        ("450.36.06", "11.0", 1, {"LW-DRIVER": "error"}),
        ("570.124.06", "12.8", 0, {}),
    ],
)
def test_a_recorded_machine_is_judged(
    project: Project, tmp_path: Path, driver: str, cuda: str, status: int, expected: dict[str, str]
) -> None:
    record = tmp_path / "box.json"
    record.write_text(
        json.dumps({"schema": 1, "name": "box", "driver_version": driver, "driver_cuda": cuda, "gpus": []})
    )
    base = "nvcr.io/nvidia/cuda:12.8.1-cudnn-runtime-ubuntu22.04"
    project.spec(f'[images.app]\nfrom = "{base}"\npython = "3.10"\naccelerator = "nvidia"\n')
    done = project("check", "--host", record, "--json", status=status)
    assert levels(done) == expected


def test_a_damaged_record_of_a_machine_is_a_usage_error(project: Project, tmp_path: Path) -> None:
    record = tmp_path / "box.json"
    record.write_text("{")
    spec(project, "")
    done = project("check", "--host", record, status=2)
    assert str(record) in done.err


def test_images_can_be_named(project: Project, index: Index) -> None:
    index.add(extension("thing", "1.0", "libGL.so.1"), make_wheel("pure"))
    project.spec('[images.bad]\npackages = ["thing"]\n[images.good]\npackages = ["pure"]\n')
    assert project("check", "good").out == "nothing found in 1 image\n"
    project("check", "bad", status=1)
    assert "2 images" in project("check", status=1).out
    assert "did you mean 'good'" in project("check", "goood", status=2).err


def test_what_a_parent_installs_is_there_for_its_children(project: Project, index: Index) -> None:
    index.add(
        make_wheel("numpy", "2.1.0"),
        extension("old", "1.0", versions={"libc.so.6": ("GLIBC_2.99",)}),
        make_wheel("opencv-python", "4.10.0.84"),
        make_wheel("opencv-python-headless", "4.10.0.84"),
    )
    project.spec(
        '[images.base]\npackages = ["opencv-python-headless"]\n'
        '[images.app]\nfrom = "image:base"\npackages = ["opencv-python", "old"]\n'
    )
    done = project("check", "app", "--json", status=1)
    found = levels(done)
    assert found["LW-OPENCV-TWO"] == "error"
    assert found["LW-GLIBC"] == "error"
    (two,) = (one for one in done.json()["findings"] if one["code"] == "LW-OPENCV-TWO")
    keys = {member["location"]["key"] for member in two["members"]}
    assert keys == {"images.base.packages[0]", "images.app.packages[0]"}


def test_transitive_packages_name_who_needs_them(project: Project, index: Index) -> None:
    index.add(extension("deep", "1.0", "libGL.so.1"), make_wheel("top", requires=["deep"]))
    spec(project, '"top"')
    done = project("check", "--json", status=1)
    (found,) = done.json()["findings"]
    (wheel,) = (member for member in found["members"] if member["kind"] == "wheel")
    assert wheel["origin"] == "needed by top 1.0"
    assert wheel["location"]["key"] == "images.app.packages[0]"
