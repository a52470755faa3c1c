"""Each check finds its fault, and is silent on the healthy twin."""

import pytest

from layerwright.core.findings import Finding
from layerwright.verify import judge, kinds
from layerwright.verify.secrets import SecretScanner
from support.elf_file import Elf
from support.made_image import LIB, SITE, Folder, Link, Put, debian, dist, inspect_image

ROLE, ACCELERATOR = "dev.layerwright.role", "dev.layerwright.accelerator"
CV2 = "cv2/cv2.abi3.so"
PROVIDER = "onnxruntime/capi/libonnxruntime_providers_cuda.so"
STATE = "onnxruntime/capi/onnxruntime_pybind11_state.cpython-311-x86_64-linux-gnu.so"


@pytest.fixture
def found(tmp_path):
    number = 0

    def make(*layers, base=None, **options) -> dict[str, list[Finding]]:
        nonlocal number
        number += 1
        folder = tmp_path / str(number)
        folder.mkdir()
        image = inspect_image(folder, base if base is not None else debian(), *layers, **options)
        codes: dict[str, list[Finding]] = {}
        for finding in judge(image):
            assert finding.where.image == "made:1"
            codes.setdefault(finding.code, []).append(finding)
        return codes

    return make


def only(found, code):
    assert list(found) == [code], found
    (finding,) = found[code]
    return finding


def test_a_healthy_image(found):
    assert found(dist("demo"), dist("other", requires=("demo>=1",))) == {}


def test_every_kind_is_described():
    described = kinds()
    assert len({kind.code for kind in described}) == len(described)
    for kind in described:
        for text in (kind.title, kind.why, kind.evidence, kind.repair):
            assert text
            assert "  " not in text
        assert not kind.title.endswith(".")


# libraries


def opencv(name="opencv-python", needed=("libGL.so.1", "libc.so.6")):
    return dist(name, "4.10.0.84", files={"cv2/__init__.py": b"", CV2: Elf(needed=needed)})


def test_opencv_with_windows_on_a_slim_base(found):
    finding = only(found(opencv()), "LW-OPENCV-GL")
    assert finding.level == "error"
    assert finding.message.startswith("opencv-python 4.10.0.84 needs libGL.so.1 to import cv2/cv2.abi3.so")
    assert finding.where.path == f"/{SITE}/{CV2}"
    assert [fix.text for fix in finding.fix] == [
        "install libgl1",
        "take opencv-python-headless, which needs no graphics libraries",
    ]
    assert found(opencv(), {f"{LIB}/libGL.so.1": Elf(soname="libGL.so.1")}) == {}
    assert found(opencv("opencv-python-headless", needed=("libc.so.6",))) == {}


def test_a_library_that_a_later_layer_deletes(found):
    files = {
        "demo/_core.abi3.so": Elf(needed=("libblas-1234.so",), runpath="$ORIGIN/../demo.libs"),
        "demo.libs/libblas-1234.so": Elf(soname="libblas-1234.so"),
    }
    healthy = dist("demo", files=files)
    assert found(healthy) == {}
    broken = found(
        healthy,
        {f"{SITE}/demo.libs/.wh.libblas-1234.so": b""},
        history=["base", "pip", "RUN rm -rf demo.libs"],
    )
    assert set(broken) == {"LW-LIBRARY-MISSING", "LW-RECORD-MISSING"}
    (library,) = broken["LW-LIBRARY-MISSING"]
    assert library.level == "error"
    told = [one.text for one in library.evidence]
    assert f"layer 3 (RUN rm -rf demo.libs) deletes /{SITE}/demo.libs/libblas-1234.so" in told
    assert broken["LW-RECORD-MISSING"][0].level == "error"


def test_programs_and_system_libraries(found):
    broken = found(
        {"usr/bin/tool": Elf(needed=("libgone.so.2",)), f"{LIB}/gconv/ODD.so": Elf(needed=("libodd.so",))}
    )
    assert {finding.level for finding in broken["LW-LIBRARY-PROGRAM"]} == {"error", "note"}
    assert broken["LW-LIBRARY-PROGRAM"][1].message == (
        "1 file of the system that nothing here loads needs libraries that are not there: libodd.so"
    )
    assert broken["LW-LIBRARY-PROGRAM"][0].message == (
        "/usr/bin/tool needs libgone.so.2 to start, and nothing in the image brings it"
    )


def test_optional_parts_of_packages(found):
    files = {"onnxruntime/capi/libonnxruntime_providers_tensorrt.so": Elf(needed=("libnvinfer.so.10",))}
    finding = only(found(dist("onnxruntime-gpu", "1.20.1", files=files)), "LW-LIBRARY-OPTIONAL")
    assert finding.level == "note"
    assert "the TensorRT provider of onnxruntime-gpu 1.20.1" in finding.message


def test_a_library_that_ldconfig_has_not_seen(found):
    layer = {
        **dist("demo", files={"demo/_core.abi3.so": Elf(needed=("libcufft.so.11",))}),
        "etc/ld.so.conf": b"/usr/local/cuda/lib64\n",
        "usr/local/cuda/lib64/libcufft.so.11": Elf(soname="libcufft.so.11"),
    }
    assert only(found(layer), "LW-LIBRARY-UNCACHED").level == "error"
    nvidia = only(found(layer, env={"NVIDIA_VISIBLE_DEVICES": "all"}), "LW-LIBRARY-UNCACHED")
    assert nvidia.level == "note"


# versions


def test_a_wheel_for_a_newer_glibc(found):
    files = {"demo/_core.abi3.so": Elf(needed=("libc.so.6",), versions={"libc.so.6": ("GLIBC_2.38",)})}
    finding = only(found(dist("demo", "3.1", files=files)), "LW-GLIBC")
    assert finding.level == "error"
    assert "demo 3.1 wants GLIBC_2.38 of libc.so.6" in finding.message
    assert "ends at GLIBC_2.36" in finding.message


def nvjitlink(version, defines):
    return dist(
        "nvidia-nvjitlink-cu12",
        version,
        files={"nvidia/nvjitlink/lib/libnvJitLink.so.12": Elf(soname="libnvJitLink.so.12", defines=defines)},
    )


def test_an_nvjitlink_older_than_its_user_wants(found):
    user = dist(
        "torch",
        "2.5.1",
        files={
            "torch/_C.cpython-311-x86_64-linux-gnu.so": Elf(
                needed=("libcusparse.so.12",), runpath="$ORIGIN/../nvidia/cusparse/lib"
            ),
        },
        requires=("nvidia-nvjitlink-cu12",),
    ) | dist(
        "nvidia-cusparse-cu12",
        "12.3.1.170",
        files={
            "nvidia/cusparse/lib/libcusparse.so.12": Elf(
                soname="libcusparse.so.12",
                needed=("libnvJitLink.so.12",),
                runpath="$ORIGIN/../../nvjitlink/lib",
                versions={"libnvJitLink.so.12": ("libnvJitLink.so.12", "__nvJitLinkComplete_12_4")},
            )
        },
    )
    names = ("libnvJitLink.so.12", "__nvJitLinkComplete_12_1")
    broken = found(user, nvjitlink("12.1.105", names))
    finding = only(broken, "LW-SYMBOL-VERSION")
    assert finding.level == "error"
    assert "nvidia-cusparse-cu12 12.3.1.170 wants __nvJitLinkComplete_12_4" in finding.message
    assert "nvidia-nvjitlink-cu12 12.1.105 ends at __nvJitLinkComplete_12_1" in finding.message
    assert [member.name for member in finding.members] == ["nvidia-cusparse-cu12", "nvidia-nvjitlink-cu12"]
    assert found(user, nvjitlink("12.4.127", (*names, "__nvJitLinkComplete_12_4"))) == {}


# ONNX Runtime and CUDA


def ort(*needed, name="onnxruntime-gpu", version="1.20.1"):
    files = {STATE: Elf(needed=("libc.so.6",)), PROVIDER: Elf(needed=(*needed, "libcuda.so.1"))}
    return dist(name, version, files=files)


def cudnn(major):
    return dist(
        "nvidia-cudnn-cu12",
        {"8": "8.9.2.26", "9": "9.5.1.17"}[major],
        files={f"nvidia/cudnn/lib/libcudnn.so.{major}": Elf(soname=f"libcudnn.so.{major}")},
    )


def test_cudnn_8_beside_a_user_of_cudnn_9(found):
    broken = found(ort("libcudnn.so.9"), cudnn("8"))
    (finding,) = broken["LW-ORT-CUDNN"]
    assert finding.level == "error"
    assert "the CUDA provider of onnxruntime-gpu 1.20.1 needs libcudnn.so.9" in finding.message
    assert "libcudnn.so.8 is there, of nvidia-cudnn-cu12 8.9.2.26" in finding.message
    (note,) = found(ort("libcudnn.so.9"), cudnn("8"), labels={ROLE: "training"})["LW-ORT-CUDNN"]
    assert note.level == "note"
    healthy = found(ort("libcudnn.so.9", version="1.21.0"), cudnn("9"))
    assert {code: finding.level for code, (finding,) in healthy.items()} == {
        "LW-ORT-PRELOAD": "note",
        "LW-LOADER-DRIVER": "note",
    }


def test_how_onnxruntime_finds_wheels_depends_on_its_release(found):
    (new,) = found(ort("libcudnn.so.9", version="1.21.0"), cudnn("9"))["LW-ORT-PRELOAD"]
    assert new.message == (
        "onnxruntime-gpu 1.21.0 finds libcudnn.so.9 of nvidia-cudnn-cu12 9.5.1.17 only when "
        "onnxruntime.preload_dlls() is called or LD_LIBRARY_PATH names their folders"
    )
    (old,) = found(ort("libcudnn.so.9"), cudnn("9"))["LW-ORT-PRELOAD"]
    assert old.level == "warning"
    assert "preload_dlls" not in old.message
    (absent,) = found(ort("libcudnn.so.9"))["LW-ORT-CUDNN"]
    assert not any("[cuda,cudnn]" in fix.command for fix in absent.fix)


def test_a_base_that_brings_cuda(found):
    system = {f"{LIB}/libcublas.so.12": Elf(soname="libcublas.so.12")}
    assert "LW-ORT-CUDA" in found(ort("libcublas.so.12"))
    assert set(found(ort("libcublas.so.12"), system)) == {"LW-LOADER-DRIVER"}


def test_an_image_for_gpus_with_the_cpu_package(found):
    cpu = dist("onnxruntime", "1.20.1", files={STATE: Elf(needed=("libc.so.6",))})
    labels = {ROLE: "inference", ACCELERATOR: "nvidia"}
    assert only(found(cpu, labels=labels), "LW-ORT-CPU").level == "error"
    assert only(found(cpu, labels={**labels, ROLE: "dev"}), "LW-ORT-CPU").level == "note"
    assert found(cpu, labels={**labels, ACCELERATOR: "cpu"}) == {}


def test_two_cudas_in_one_environment(found):
    def user(name, major):
        library = f"libcublas.so.{major}"
        return dist(
            name,
            files={f"{name}/_core.abi3.so": Elf(needed=(library,)), f"{name}/{library}": Elf(soname=library)},
        )

    finding = only(found(user("first", "11"), user("second", "12")), "LW-CUDA-MIXED")
    assert finding.message == "in one environment first 1.0 needs CUDA 11 and second 1.0 needs CUDA 12"
    assert found(user("first", "12"), user("second", "12")) == {}


def test_companions_of_torch(found):
    torch = dist("torch", "2.0.0", files={"torch/__init__.py": b""})
    broken = found(
        torch,
        dist("torchvision", "0.16.0", files={"torchvision/__init__.py": b""}, requires=("torch==2.1.0",)),
    )
    assert "LW-REQUIREMENT-VERSION" in broken
    assert [finding for findings in broken.values() for finding in findings if "LW-TORCH" in finding.code]


# packages


def test_requirements(found):
    broken = found(
        dist(
            "demo",
            requires=(
                "gone>=2",
                "other<1",
                "old; python_version < '3.9'",
                "windows; sys_platform == 'win32'",
                "extra-thing; extra == 'all'",
                "exact; python_full_version >= '3.11.3'",
                "not a requirement at all",
            ),
        ),
        dist("other", "1.0"),
    )
    assert set(broken) == {"LW-REQUIREMENT-ABSENT", "LW-REQUIREMENT-VERSION"}
    (absent,), (version,) = broken["LW-REQUIREMENT-ABSENT"], broken["LW-REQUIREMENT-VERSION"]
    assert absent.message == "demo 1.0 requires gone>=2, which is not installed"
    assert version.message == "demo 1.0 requires other<1, and other 1.0 is installed"
    assert only(found(dist("new", requires_python=">=3.12")), "LW-REQUIREMENT-PYTHON").level == "error"
    assert found(dist("fine", requires_python=">=3.8,<4")) == {}


def test_files_that_are_missing(found):
    files = {"demo/__init__.py": b"", "demo/tests/test_a.py": b"1", "demo/part.py": b"2"}
    healthy = dist("demo", files=files)
    code = only(found(healthy, {f"{SITE}/demo/.wh.part.py": b""}), "LW-RECORD-MISSING")
    assert code.level == "error"
    assert "1 file of demo 1.0 is not there: demo/part.py" in code.message
    assert only(found(healthy, {f"{SITE}/demo/.wh.tests": b""}), "LW-RECORD-MISSING").level == "note"


def test_files_that_were_changed(found):
    healthy = dist("demo", files={"demo/__init__.py": b"VALUE = 1\n"})
    finding = only(
        found(healthy, {f"{SITE}/demo/__init__.py": b"VALUE = 2\n"}, history=["", "", "RUN sed -i"]),
        "LW-RECORD-CHANGED",
    )
    assert finding.level == "warning"
    assert "layer 3 (RUN sed -i)" in finding.evidence[0].text


def test_bytecode_and_generated_files_do_not_count(found):
    record = "demo/__init__.py,,\ndemo/__pycache__/__init__.cpython-311.pyc,,\n"
    assert found(dist("demo", record=record)) == {}


def test_two_packages_with_one_file(found):
    first, second = (
        dist(name, files={"shared/thing.py": text}) for name, text in (("first", b"1"), ("second", b"2"))
    )
    finding = only(found(first, second), "LW-RECORD-SHARED")
    assert finding.level == "warning"
    same = dist("second", files={"shared/thing.py": b"1"})
    assert found(first, same) == {}


def test_two_opencvs(found):
    first = opencv("opencv-python-headless", needed=("libc.so.6",))
    second = opencv("opencv-contrib-python-headless", needed=("libm.so.6",))
    finding = only(found(first, second), "LW-OPENCV-TWO")
    assert finding.level == "error"


OURS = ["layerwright: debian bookworm", "layerwright: wheels torch 2.4.1", "RUN pip install torch==2.5.0"]


def torch(version, **options):
    return dist("torch", version, files={"torch/version.py": version.encode()}, **options)


def swapped(version):
    stem = f"{SITE}/torch-{version}.dist-info"
    path, _, name = stem.rpartition("/")
    return {f"{path}/.wh.{name}": b""}


def test_a_torch_that_pip_replaced_after_the_build(found):
    layers = (torch("2.4.1", installer="layerwright"), {**swapped("2.4.1"), **torch("2.5.0")})
    finding = only(found(*layers, history=OURS, labels={ROLE: "training"}), "LW-PACKAGE-REPLACED")
    assert finding.level == "error"
    assert finding.message == (
        "torch 2.4.1 of layer 2 (layerwright: wheels torch 2.4.1) was replaced by 2.5.0 in layer 3 (RUN "
        "pip install torch==2.5.0)"
    )
    assert only(found(*layers), "LW-PACKAGE-REPLACED").level == "warning"
    custom = only(
        found(
            torch("2.4.0a0+f70bd71a48.nv24.06"), {**swapped("2.4.0a0+f70bd71a48.nv24.06"), **torch("2.4.1")}
        ),
        "LW-PACKAGE-REPLACED",
    )
    assert custom.level == "error"
    assert found(torch("2.4.1"), {f"{SITE}/torch-2.4.1.dist-info/INSTALLER": b"pip\n"}) == {}


def test_two_versions_at_one_place(found):
    broken = found(torch("2.4.1"), torch("2.5.0"))
    assert broken["LW-PACKAGE-TWICE"][0].level == "error"


def test_the_lock_and_what_is_installed(found):
    layer = dist("numpy", "2.1.0") | dist("demo", "1.0+local")
    assert found(layer, declared={"numpy": "2.1", "demo": "1.0+local"}) == {}
    broken = found(layer, declared={"numpy": "2.0.0", "gone": "1"})["LW-DECLARED-LOCK"]
    assert sorted(finding.message for finding in broken) == [
        "the lock has gone 1, which is not installed",
        "the lock has numpy 2.0.0, and numpy 2.1.0 is installed (layer 2 (step 1))",
    ]


def locked(text: str) -> dict[str, bytes]:
    return {"opt/venv/share/layerwright/locked.json": text.encode()}


def test_b06_what_was_swapped_is_named_without_the_lock(found):
    layer = torch("2.1.0") | dist("vision", "0.16")
    text = """{"schema": 1, "packages": {
        "own": {"version": "", "sha256": ""}, "torch": {"version": "2.1.0+musa", "sha256": "aa"},
        "vision": {"version": "0.16", "sha256": "bb"}}}"""
    broken = found(layer | locked(text) | dist("own", "1"))["LW-DECLARED-LOCK"]
    assert [(finding.level, finding.message) for finding in broken] == [
        ("error", "torch 2.1.0+musa was locked, and torch 2.1.0 is installed (layer 2 (step 1))")
    ]
    assert (
        found(layer | locked(text))["LW-DECLARED-LOCK"][0].message == "own was locked, and is not installed"
    )
    again = found(layer | locked(text.replace("+musa", "")) | dist("own", "1"), dist("vision", "0.16"))
    assert [(one.level, one.message) for one in again["LW-DECLARED-LOCK"]] == [
        ("warning", "vision 0.16 was installed once more after the locked one (layer 3 (step 2))")
    ]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2, "packages": {"x": {}}}', "[" * 100_000])
def test_b06_notes_of_another_kind_say_nothing(found, text):
    assert found(dist("demo") | locked(text)) == {}


def test_variables_that_state_versions(found):
    layer = {
        "usr/local/cuda-12.4/lib64/libcudart.so.12.4.127": Elf(soname="libcudart.so.12"),
        f"{LIB}/libcudnn.so.9.1.0": Elf(soname="libcudnn.so.9"),
    }
    right = {"CUDA_VERSION": "12.4.1", "NV_CUDNN_VERSION": "9.1.0.70-1"}
    assert found(layer, env=right) == {}
    finding = only(found(layer, env={**right, "NV_CUDNN_VERSION": "8.9.7.29-1"}), "LW-DECLARED-LABEL")
    assert (finding.level, finding.message) == (
        "error",
        "NV_CUDNN_VERSION says 8.9.7.29-1, and the image holds cuDNN 9.1.0",
    )
    broken = found(torch("2.5.0"), env={"PYTORCH_VERSION": "2.4.0a0+f70bd71a48"})
    assert only(broken, "LW-DECLARED-LABEL").level == "warning"


def test_roles(found):
    layer = torch("2.4.1") | dist("tensorboard", "2.17")
    broken = found(layer, labels={ROLE: "inference"})
    assert {code: finding.level for code, (finding,) in broken.items()} == {
        "LW-ROLE-FRAMEWORK": "error",
        "LW-ROLE-TOOL": "warning",
    }
    assert found(layer, labels={ROLE: "training"}) == {}
    assert "LW-ROLE-FRAMEWORK" in found(layer, role="inference")


# rights


def test_programs_with_their_owners_rights(found):
    usual = {"usr/bin/su": Put(mode=0o4755), "usr/bin/wall": Put(mode=0o2755, gid=5)}
    assert found(usual) == {}
    finding = only(found({"opt/tool": Put(mode=0o4755)}), "LW-SETUID")
    assert (finding.level, finding.where.path) == ("warning", "/opt/tool")
    assert finding.fix[0].command == "chmod ug-s /opt/tool"
    assert found({"usr/bin/su": Put(mode=0o4777)})["LW-SETUID"][0].level == "error"
    assert found({"usr/bin/data": Put(mode=0o4644)}) == {}


def test_places_that_everybody_can_write_to(found):
    cache = only(
        found({"app/cache": Folder(mode=0o777), "app/cache/a": Put(mode=0o666)}), "LW-WORLD-WRITABLE"
    )
    assert cache.level == "warning"
    assert cache.message == "everybody can write to 1 folder and 1 file below /app/cache"
    assert cache.fix[0].command == "chmod -R o-w /app/cache"
    code = only(found({f"{SITE}": Folder(mode=0o777)}), "LW-WORLD-WRITABLE")
    assert code.level == "error"
    assert (
        found({"tmp": Folder(mode=0o1777), "var/tmp": Folder(mode=0o1777), "dev/shm": Folder(mode=0o1777)})
        == {}
    )
    assert found({"link": Link(target="tmp")}) == {}


# loader and secrets


def test_musl_is_said(found):
    base = {"lib/ld-musl-x86_64.so.1": Elf(soname="libc.musl-x86_64.so.1")}
    assert only(found(base=base), "LW-LOADER-OTHER").level == "unknown"


def test_a_preload_that_is_not_there(found):
    by_config = only(found(env={"LD_PRELOAD": "/usr/lib/libgone.so"}), "LW-LOADER-PRELOAD")
    assert by_config.level == "warning"
    assert by_config.message == "LD_PRELOAD names /usr/lib/libgone.so, which is not in the image"
    by_file = only(found({"etc/ld.so.preload": b"/usr/lib/libgone.so\n"}), "LW-LOADER-PRELOAD")
    assert by_file.message == "/etc/ld.so.preload names /usr/lib/libgone.so, which is not in the image"
    assert by_file.where.path == "/etc/ld.so.preload"


def test_a_damaged_cache(found):
    assert only(found({"etc/ld.so.cache": b"nothing"}), "LW-LOADER-CACHE").level == "warning"


def test_a_password_in_a_deleted_file(found):
    scanner = SecretScanner({"password": b"correct-horse-battery"})
    layers = ({"root/.pip.conf": b"url = https://me:correct-horse-battery@x/"}, {"root/.wh..pip.conf": b""})
    finding = only(found(*layers, scanner=scanner), "LW-SECRET-KNOWN")
    assert finding.level == "error"
    assert "deletes or replaces the file" in finding.message
    assert "correct-horse" not in str(finding)


def test_a_password_in_a_label(found):
    labels = {"com.example.db-password": "q8Kd2mwpl1", "com.example.title": "q8Kd2mwpl1"}
    findings = found(labels=labels, scanner=SecretScanner({}))["LW-SECRET-RULE"]
    assert {finding.level for finding in findings} == {"error"}
    assert [finding.message.rpartition(" in ")[2] for finding in findings] == [
        "label com.example.db-password",
        "history 3 created_by",
    ]
    assert "q8Kd2mwpl1" not in str(findings)
