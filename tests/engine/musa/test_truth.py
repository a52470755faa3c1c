"""Row F15: what is compiled in an image is compiled for real, and what its tests say decides.

The repositories are stand-ins for torch_musa's (support/musa_sources.py); the compiler, the tests and the engines are
real.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.command import Done
from support.layers import paths_of, tars_of
from support.musa_sources import Workplace, commit_all, git

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

ALL = 'without = ["musa_toolkit", "mudnn", "mccl"]\n'
"""Nothing here needs a GPU's libraries."""

DEV = f"""\
[images.dev]
from = "image:base"
role = "dev"
accelerator = "mthreads"
{ALL}sources = [
  {{ source = "pytorch", to = "/home/pytorch" }},
  {{ source = "vision", to = "/home/vision" }},
  {{ source = "torch_musa", to = "/home/torch_musa" }},
]
run = [
  {{ script = "/home/torch_musa/build.sh -t" }},
  {{ script = "cd /home/vision && python setup.py install" }},
  {{ script = "/home/torch_musa/build.sh -m && /home/torch_musa/build.sh -c" }},
]
"""
UNIT = "python -m unittest discover -s /home/torch_musa/tests/unittest"
INTEGRATION = "python -m unittest discover -s /home/torch_musa/tests/integration/vision"
TESTS = f"""\
tests = [
  {{ script = "{UNIT}", log = "/home/ut_output.txt", allow = ["test_conv3d"] }},
  {{ script = "{INTEGRATION}", log = "/home/integration_test_output.txt" }},
]
"""
PLAIN = '[images.dev]\nfrom = "image:base"\nbytecode = false\n'
REFERENCE = "layerwright-test-musa-dev:1.2.1"


def sources(place: Workplace) -> str:
    tags = {"pytorch": "v2.0.0", "vision": "v0.15.2", "torch_musa": "v1.2.1"}
    return "".join(place.source(name, tag) for name, tag in tags.items())


def told(text: str) -> str:
    """What the command said, in one line without colours."""
    return re.sub(r"\s+", " ", re.sub(r"\x1b\[[0-9;]*m", "", text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A development image that a backend has built."""

    done: Done
    archive: Path
    again: Done

    def config(self) -> dict[str, object]:
        """The image's config, from the saved image."""
        import tarfile

        with tarfile.open(self.archive) as saved:
            manifest = json.load(saved.extractfile("manifest.json"))  # type: ignore[arg-type]
            config: dict[str, object] = json.load(saved.extractfile(manifest[0]["Config"]))  # type: ignore[arg-type]
        return config

    def file(self, path: str) -> str:
        """A file of the image; the topmost layer that has it counts."""
        import io
        import tarfile

        for tar in reversed(tars_of(self.archive)):
            with tarfile.open(fileobj=io.BytesIO(tar)) as layer:
                for member in layer:
                    if member.name == path:
                        return layer.extractfile(member).read().decode()  # type: ignore[union-attr]
        raise AssertionError(path)


@pytest.fixture(params=["native", "docker"])  # Podman's part is in the oracle's test
def made(request: pytest.FixtureRequest, compiling: Workplace, docker: str, tmp_path: Path) -> Iterator[Made]:
    """Everything from source: PyTorch with its patch, vision, torch_musa; then both suites."""
    compiling.write(sources(compiling) + DEV + TESTS)
    archive = tmp_path / "image.tar"
    command, backend = compiling.command, request.param
    words = () if backend == "native" else ("--backend", backend)
    try:
        done = command("build", "dev", "--json", *words, timeout=400)
        again = command("build", "dev", *words, timeout=400)
        if backend == "native":
            command("build", "dev", "--output", f"docker-archive:{archive}")
        else:
            subprocess.run([docker, "save", "-o", archive, REFERENCE], check=True, timeout=60)
        yield Made(done=done, archive=archive, again=again)
    finally:
        if backend != "native":
            subprocess.run([docker, "rmi", "-f", REFERENCE], check=False, capture_output=True)


def test_f15_a_development_image_keeps_its_logs_and_says_what_failed(made: Made) -> None:
    unit = made.file("home/ut_output.txt")
    assert "AssertionError: not on this GPU" in unit
    assert unit.endswith(
        "--- layerwright: verdict ---\nstatus: 1\nallowed: test_operators.TestOperators.test_conv3d\n"
        "verdict: passed, with 1 test that may fail\n"
    )
    assert made.file("home/integration_test_output.txt").endswith("status: 0\nverdict: passed\n")
    # In JSON, in words even when nothing was done anew, and on the image.
    assert made.done.image["tests"] == [
        {
            "log": "/home/ut_output.txt",
            "failed": ["test_operators.TestOperators.test_conv3d"],
            "unused": [],
        },
        {"log": "/home/integration_test_output.txt", "failed": [], "unused": []},
    ]
    said = "1 failed in /home/ut_output.txt, as allowed: test_operators.TestOperators.test_conv3d"
    assert said in told(made.again.out)
    labels = made.config()["config"]["Labels"]  # type: ignore[index]
    assert json.loads(labels["dev.layerwright.tests.allowed"]) == ["test_conv3d"]
    # Sources stay where the documents say, what was compiled where Python finds it, and no build folder.
    paths = set(paths_of(tars_of(made.archive)))
    site = "opt/venv/lib/python3.11/site-packages"
    assert {"home/pytorch/setup.py", "home/vision/setup.py", "home/torch_musa/build.sh"} <= paths
    assert {f"{site}/{name}" for name in ("torch", "torchvision", "torch_musa")} <= paths
    assert 'HOOKS.append("privateuseone")' in made.file(f"{site}/torch/__init__.py")  # the patch
    assert not [path for path in paths if path.endswith("/.git") or "/.git/" in path]


@pytest.mark.parametrize("backend", ["native", "docker"])
@pytest.mark.parametrize(
    ("spoil", "text", "said"),
    [
        ("csrc/module.c", "int broken = ;\n", "error: expected expression before"),  # what the compiler says
        (
            "torch_patches/init.patch",
            "--- a/setup.py\n+++ b/setup.py\n@@ -1 +1 @@\n-no such line\n+x\n",
            "init.patch does not apply",
        ),
    ],
)
def test_f15_a_failed_compile_fails_the_build(
    compiling: Workplace, tmp_path: Path, docker: str, backend: str, spoil: str, text: str, said: str
) -> None:
    """The seed's chain of "and" and "or true" went on; here the step's status counts."""
    copy = compiling.repositories.clone("torch_musa", tmp_path / "copy")
    (copy / spoil).write_text(text, encoding="utf-8")
    commit_all(copy, "broken")
    git(copy, "tag", "--force", "v1.2.1")
    git(copy, "push", "--quiet", "--force", "origin", "v1.2.1")
    compiling.write(sources(compiling) + DEV + TESTS)
    words = () if backend == "native" else ("--backend", backend)
    done = compiling("build", "dev", *words, status=None)
    assert done.status == (4 if backend == "native" else 5)
    assert said in told(done.err)
    assert "images.dev.run[" in done.err
    seen = subprocess.run([docker, "image", "inspect", REFERENCE], capture_output=True, check=False)
    assert seen.returncode != 0


@pytest.mark.parametrize("backend", ["native", "docker"])
def test_f15_a_failing_test_that_is_not_named_fails_the_build(
    compiling: Workplace, docker: str, backend: str
) -> None:
    compiling.write(sources(compiling) + DEV + TESTS.replace('"test_conv3d"', '"test_resnet50"'))
    words = () if backend == "native" else ("--backend", backend)
    done = compiling("build", "dev", *words, status=None)
    assert done.status == (4 if backend == "native" else 5)
    assert "failed: test_operators.TestOperators.test_conv3d" in told(done.err)
    assert "unused: test_resnet50" in told(done.err)
    assert "verdict: failed: 1 test failed and may not" in told(done.err)
    assert "images.dev.tests[0]" in done.err
    seen = subprocess.run([docker, "image", "inspect", REFERENCE], capture_output=True, check=False)
    assert seen.returncode != 0


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("kill -SEGV $$", "ended by signal 11"),
        ("timeout 0.2 sleep 9", "ended by a time limit"),
        ("echo ok; exit 3", "ended with status 3 and do not say which tests failed"),
        ("no-such-runner", "could not be started (status 127)"),
        ("python -m unittest no_such_file || python -c 'import os; os.abort()'", "ended by signal 6"),
    ],
)
def test_f15_what_no_name_allows(compiling: Workplace, script: str, said: str) -> None:
    compiling.write(
        PLAIN
        + f'tests = [{{ script = "{script}", log = "/home/log", allow = ["test_x", "no_such_file"] }}]\n'
    )
    done = compiling("build", "dev", status=4)
    assert f"verdict: failed: they were {said}" in told(done.err) or said in told(done.err)


def test_f15_the_seeds_chain_hides_no_failure(compiling: Workplace) -> None:
    """Its shape: A && B || true && C. The status is good; the name in the log is not."""
    chain = f"true && {UNIT} || true && echo removed the build folder"
    compiling.write(
        sources(compiling)
        + DEV
        + f'tests = [{{ argv = ["/bin/sh", "-c", "{chain}"], log = "/home/ut_output.txt" }}]\n'
    )
    done = compiling("build", "dev", status=4)
    assert "status: 0" in told(done.err)
    assert "failed: test_operators.TestOperators.test_conv3d" in told(done.err)


def test_f15_tests_leave_their_log_and_report_alone(compiling: Workplace, tmp_path: Path) -> None:
    """And run in the image as it is: with its user's files, its variables, its secrets."""
    report = "/var/reports/all.xml"
    text = "<testsuite><testcase classname='a' name='x'><failure/></testcase></testsuite>"
    script = f"""
    test "$GREETING" = hello
    test "$(wc -c < /run/secrets/token)" -eq 5
    test "$PWD" = /home
    touch /home/left /opt/venv/left
    mkdir -p /home/cache
    rm /etc/debian_version
    echo "{text}" > {report}
    exit 1
    """
    compiling.write(
        '[secrets.token]\nenv = "LAYERWRIGHT_TEST_TOKEN"\n'
        + PLAIN
        + f"tests = [{{ script = '''{script}''', secrets = [\"token\"], env = {{ GREETING = \"hello\" }}, "
        f'log = "/var/logs/deep/unit.log", junit = "{report}", allow = ["a::x"] }}]\n'
        + 'smoke = ["test -f /etc/debian_version"]\n'
    )
    archive = tmp_path / "image.tar"
    command = compiling.command.with_variables(LAYERWRIGHT_TEST_TOKEN="abcde")
    done = command("build", "dev", "--json", "--output", f"docker-archive:{archive}")
    assert done.image["tests"] == [{"log": "/var/logs/deep/unit.log", "failed": ["a.x"], "unused": []}]
    names = paths_of(tars_of(archive))
    assert {"var/logs/deep/unit.log", "var/reports/all.xml"} <= set(names)
    assert not [name for name in names if name.endswith(("/left", "home/cache", ".wh.debian_version"))]


def test_f15_an_image_without_python_is_judged_too(workplace: Workplace) -> None:
    """Debian alone; the tests are a program that prints what pytest prints."""
    summary = "== short test summary info ==\\nFAILED t/add.sh::carry - off by one\\n== 1 failed in 0.1s =="
    script = f"printf '{summary}\\n'; exit 1"
    command = f'[\'/bin/sh\', \'-c\', """{script}"""]'
    workplace.write(f"[images.dev]\ntests = [{{ argv = {command}, log = '/log', allow = ['carry'] }}]\n")
    assert workplace("build", "--json").image["tests"][0]["failed"] == ["t/add.sh::carry"]


def test_f15_allowances_of_a_parent_stand_on_its_children(compiling: Workplace) -> None:
    shutil.rmtree(compiling.repositories.folder)
    fail = "printf '=== short test summary info ===\\nFAILED a::x\\n=== 1 failed in 0.1s ===\\n'; exit 1"
    compiling.write(
        PLAIN.replace("images.dev", "images.middle")
        + f'tests = [{{ argv = ["/bin/sh", "-c", """{fail}"""], log = "/home/log", allow = ["a::x", "b"] }}]\n'
        + '[images.dev]\nfrom = "image:middle"\nbytecode = false\n'
    )
    done = compiling("build", "--json")
    found = {image["cell"]: image for image in done.json()["images"]}
    assert found["dev"]["tests"] == [{"log": "/home/log", "failed": ["a::x"], "unused": ["b"]}]
    assert found["base"]["tests"] == []
    planned = {image["cell"]: image for image in compiling("plan", "--json").json()["images"]}
    labels = planned["dev"]["steps"][-1]["labels"]
    assert json.loads(labels["dev.layerwright.tests.allowed"]) == ["a::x", "b"]
