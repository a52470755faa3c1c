"""Faults of the user's files and of the command line: a clear error, the right exit code, nothing lost."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.command import Project
from support.index import Index
from support.packages import make_heavy_wheel, make_wheel

pytestmark = pytest.mark.engine

GOOD = '[images.app]\npackages = ["fine"]\nentrypoint = ["python"]\n'


@pytest.fixture
def good(project: Project, index: Index) -> Project:
    """A project that was built once."""
    index.add(make_wheel("fine"), make_wheel("fine", "2.0"), make_wheel("needy", requires=["fine>=2"]))
    project.spec(GOOD)
    project("build")
    return project


@contextmanager
def nothing_lost(project: Project) -> Iterator[None]:
    """Lock and store are as before, and what worked still does."""
    lock = project.lock.read_bytes()
    images = project("store", "info", "--json").json()["images"]
    yield
    assert project.lock.read_bytes() == lock
    assert project("store", "info", "--json").json()["images"] == images
    project.spec(GOOD)
    again = project("build", "--json").image
    assert (again["bytes_written"], [layer["cached"] for layer in again["layers"]][-1]) == (0, True)


def test_faults_of_the_spec_are_told_all_at_once(good: Project) -> None:
    with nothing_lost(good):
        good.spec(
            '[images.app]\npackages = "numpy"\nentrypiont = ["python"]\nworkdir = "relative"\n'
            '[images.other]\nenv = { "1" = "a" }\n'
        )
        done = good("build", status=2)
        assert done.out == ""
        lines = done.err.splitlines()
        assert "error: unknown key 'entrypiont'" in lines
        assert "hint: did you mean 'entrypoint'?" in lines
        places = [line for line in lines if line.startswith("  --> ")]
        assert [place.partition(".toml:")[2] for place in places] == [
            "11:12 [images.app.packages]",
            "12:1 [images.app.entrypiont]",
            "13:11 [images.app.workdir]",
            "15:9 [images.other.env.1]",
        ], done.err
        # The same as JSON, for programs.
        problems = good("build", "--json", status=2).json()["error"]["problems"]
        assert [problem["where"]["line"] for problem in problems] == sorted(
            problem["where"]["line"] for problem in problems
        )
        assert len(problems) == len(places)
        for command in (("lock",), ("plan",), ("run", "app"), ("push",), ("render", "dockerfile")):
            assert good(*command, status=2).err.count("error: ") == len(places)


def test_no_toml_at_all(good: Project) -> None:
    with nothing_lost(good):
        path = good.folder / "layerwright.toml"
        path.write_text("[images.app\nx =", encoding="utf-8")
        assert "layerwright.toml:1" in good("build", status=2).err
        path.write_bytes(b"\xff\xfe[images]")
        assert "UTF-8" in good("build", status=2).err
        path.unlink()
        assert "no layerwright.toml" in good("build", status=2).err


def test_a_cycle_of_parents(good: Project) -> None:
    with nothing_lost(good):
        good.spec(
            '[images.a]\nfrom = "image:b"\n[images.b]\nfrom = "image:c"\n[images.c]\nfrom = "image:a"\n'
        )
        done = good("build", status=2)
        assert "a" in done.err
        assert "→" in done.err or "->" in done.err, done.err


def test_packages_that_cannot_be(good: Project) -> None:
    with nothing_lost(good):
        good.spec('[images.app]\npackages = ["fine==3.0"]\n')
        done = good("build", status=3)
        assert "there is no version of fine==3.0" in done.err, done.err
        good.spec('[images.app]\npackages = ["needy", "fine<2"]\n')
        done = good("lock", status=3)
        reason = " ".join(done.err.split())
        assert "all versions of needy depend on fine>=2" in reason, done.err
        assert "layerwright.toml:" in done.err
        good.spec('[images.app]\npackages = ["never-heard-of-it"]\n')
        done = good("lock", status=3)
        assert "never-heard-of-it" in done.err
        good.spec('[images.app]\npackages = ["not a requirement!"]\n')
        assert good("lock", status=2).err.startswith("error: ")


def test_a_wheel_for_another_platform(good: Project, index: Index) -> None:
    index.add(make_wheel("foreign", tag="cp311-cp311-win_amd64"))
    with nothing_lost(good):
        good.spec('[images.app]\npackages = ["foreign"]\n')
        done = good("build", status=3)
        assert "foreign" in done.err


def test_files_that_are_missing(good: Project) -> None:
    with nothing_lost(good):
        good.spec(GOOD + 'copy = [{ from = "nowhere", to = "/x" }]\n')
        done = good("build", status=2)
        assert "nowhere" in done.err
        assert "layerwright.toml:" in done.err
        good.spec(GOOD + f'models = [{{ url = "no.onnx", sha256 = "{"0" * 64}", to = "/m" }}]\n')
        assert "no.onnx" in good("build", status=None).err
        good.spec(GOOD.replace("[images.app]", '[images.app]\nfrom = "oci:nowhere"'))
        done = good("build", status=None)
        assert done.status in {2, 4}, done
        assert "nowhere" in done.err


def test_models_with_other_bytes(good: Project, index: Index) -> None:
    index.add(("model.bin", b"the model"))
    right = hashlib.sha256(b"the model").hexdigest()
    with nothing_lost(good):
        for address in ("model.bin", index.address("model.bin")):
            good.write({"model.bin": "another model"})
            digest = right if address == "model.bin" else "1" * 64
            good.spec(GOOD + f'models = [{{ url = "{address}", sha256 = "{digest}", to = "/m" }}]\n')
            done = good("build", status=7)
            assert digest in done.err
            assert "model.bin" in done.err
            assert "layerwright.toml:" in done.err
        good.spec(GOOD)
        good("lock")


def test_an_index_that_serves_other_bytes(fresh_project: Project, index: Index) -> None:
    index.add(make_heavy_wheel("fine"), make_wheel("small"))
    fresh_project.spec('[images.app]\npackages = ["fine", "small"]\n')
    fresh_project("lock")
    lock = fresh_project.lock.read_bytes()
    index.wrong.add("fine-1.0-py3-none-any.whl")
    done = fresh_project("build", status=7)
    assert "fine-1.0-py3-none-any.whl" in done.err
    assert index.sha256("fine-1.0-py3-none-any.whl") in done.err
    assert "loopback" in done.err
    assert done.out == ""
    assert fresh_project("store", "info", "--json").json()["images"] == {}
    fresh_project("store", "verify")
    index.wrong.clear()
    fresh_project("build")
    assert fresh_project.lock.read_bytes() == lock


def test_offline_names_everything_that_is_missing(fresh_project: Project, index: Index) -> None:
    index.add(*(make_wheel(name) for name in ("one", "two", "three")))
    fresh_project.spec('[images.app]\npackages = ["one", "two", "three"]\n')
    fresh_project("lock")
    done = fresh_project("--offline", "build", status=6)
    for name in ("one", "two", "three"):
        assert f"{name} 1.0" in done.err
    assert "3 files are missing from the store" in done.err
    seen = len(index.requests)
    assert fresh_project.command.with_variables(LAYERWRIGHT_OFFLINE="1")("build", status=6).err == done.err
    assert len(index.requests) == seen
    fresh_project("build")
    index.requests.clear()
    assert fresh_project("build", "--offline", "--json").image["bytes_written"] == 0
    fresh_project("--offline", "run", "--entrypoint", "python", "app", "-c", "import one, two, three")
    assert index.requests == []
    # What is not locked cannot be resolved.
    fresh_project.spec('[images.app]\npackages = ["one", "two"]\n[images.more]\npackages = ["four"]\n')
    done = fresh_project("--offline", "build", status=None)
    assert done.status in {3, 6}, done
    assert "offline" in done.err


def test_an_index_that_does_not_answer(good: Project) -> None:
    with nothing_lost(good):
        good.spec('[images.app]\npackages = ["another"]\n', index='url = "http://127.0.0.1:9/simple"')
        done = good.command.with_variables(UV_HTTP_RETRIES="0")("lock", status=6)
        assert "127.0.0.1:9" in done.err


@pytest.mark.parametrize(
    ("base", "status", "said"),
    [
        ("oci:nowhere", 4, "it has no index.json"),
        ("archive:layerwright.toml", 7, "is not a tar archive"),
        ("archive:nowhere.tar", 4, "nowhere.tar"),
        ("127.0.0.1:9/some/image:1", 6, "127.0.0.1:9 cannot be reached: "),
    ],
)
def test_bases_that_are_not_there(good: Project, base: str, status: int, said: str) -> None:
    with nothing_lost(good):
        good.spec(GOOD.replace("[images.app]", f'[images.app]\nfrom = "{base}"'))
        done = good("build", status=status)
        assert said in done.err
        assert "  --> layerwright.toml:10:9 [images.app]" in done.err
        assert "Connection(" not in done.err


def test_a_lock_that_is_damaged_or_of_another_time(good: Project) -> None:
    text = good.lock.read_text(encoding="utf-8")
    for damaged in (
        text[: len(text) // 2],
        "version = 99\n" + text.replace("version = 1\n", "", 1),
        "",
        "<<<<<<<\n" + text,
    ):
        good.lock.write_text(damaged, encoding="utf-8")
        done = good("build", status=2)
        assert "layerwright.lock" in done.err
        assert good.lock.read_text(encoding="utf-8") == damaged
    good.lock.write_text(text, encoding="utf-8")
    good("build")


def test_g05_chinese_everywhere_in_the_c_locale(project: Project, index: Index) -> None:
    index.add(make_wheel("fine"))
    project.write({"資料/說明 一.txt": "內容", "模型.bin": "模型"})
    digest = hashlib.sha256("模型".encode()).hexdigest()
    project.spec(
        f'[images."影像"]\nname = "yingxiang"\npackages = ["fine"]\n'
        f'copy = [{{ from = "資料", to = "/資料" }}]\n'
        f'models = [{{ url = "模型.bin", sha256 = "{digest}", to = "/models/模型.bin" }}]\n'
        'env = { "GREETING" = "你好　世界" }\nlabels = { "說明" = "中文" }\n'
        'run = [{ script = "echo 建置 > /建置; cat /建置" }]\n'
        'entrypoint = ["python", "-c", "import os, sys; print(os.environ[\'GREETING\'], sys.argv[1], '
        "open('/資料/說明 一.txt').read(), os.listdir('/models'), open('/建置').read().strip())\"]\n",
        head="# 註解 這是一個測試\n",
    )
    for variables in ({"LC_ALL": "C"}, {"LC_ALL": "", "LANG": "POSIX"}):
        command = project.command.with_variables(**variables)
        project.lock.unlink(missing_ok=True)
        done = command("build", "--verbose", "影像")
        assert "影像  yingxiang:1  sha256:" in done.out
        assert command("run", "影像", "參數").out == "你好　世界 參數 內容 ['模型.bin'] 建置\n"
        assert "影像" in project.lock.read_text(encoding="utf-8")
        assert command("plan").out.startswith("影像  ")
    path = project.folder / "layerwright.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("labels", '"標籤"'), encoding="utf-8")
    done = project.command.with_variables(LC_ALL="C")("build", status=2)
    assert "unknown key '標籤'" in done.err


def test_command_lines_that_make_no_sense(good: Project) -> None:
    with nothing_lost(good):
        for words, said in (
            (("build", "ap"), "did you mean 'app'?"),
            (("build", "--output", "zip:x"), "'zip:x' is no output"),
            (("build", "--output", "oci:"), "'oci:' is no output"),
            (("--file", "absent.toml", "build"), "absent.toml"),
            (("store", "prune", "--keep-size", "lots"), "'lots' is no size"),
            (("lock", "--upgrade", "fin"), "did you mean 'fine'?"),
            (("run", "--env", "=x", "app"), "'=x' sets no variable"),
            (("nonsense",), "invalid choice: 'nonsense'"),
            (("build", "--nonsense"), "--nonsense"),
            ((), "usage: layerwright"),
        ):
            done = good(*words, status=2)
            assert said in done.err, done
            assert done.out == ""
