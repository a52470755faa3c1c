"""What runs tests in images and judges them, by itself: real shells, real awks, real pytest and unittest."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import layerwright.guest

pytestmark = pytest.mark.engine

JUDGE = Path(layerwright.guest.__file__).with_name("run-tests.sh")
PYTHON = sys.executable
PYTEST = (
    PYTHON,
    "-m",
    "pytest",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:hypothesispytest",
    "--rootdir=.",
    "-c",
    os.devnull,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    status: int
    out: str
    log: str

    @property
    def verdict(self) -> list[str]:
        lines = self.log.splitlines()
        return lines[len(lines) - lines[::-1].index("--- layerwright: verdict ---") :]


Judge = Callable[..., Judged]


@pytest.fixture(params=["dash", "busybox"])
def judge(request: pytest.FixtureRequest, tmp_path: Path, tool: Callable[[str], str]) -> Judge:
    """Debian's shell with its awk, and busybox with its own."""
    shell, path = [tool("dash")], os.environ["PATH"]
    if request.param == "busybox":
        busybox = Path(tool("busybox"))
        programs = tmp_path / "bin"
        programs.mkdir()
        for name in ("awk", "tee", "mkdir", "rm", "chmod", "sh"):
            (programs / name).symlink_to(busybox)
        shell, path = [str(programs / "sh")], str(programs)

    def run(*command: str, allow: Sequence[str] = (), junit: str = "", log: str = "out.txt") -> Judged:
        file = tmp_path / log
        words = [str(file), str(tmp_path / junit) if junit else "", str(len(allow)), *allow, *command]
        done = subprocess.run(
            [*shell, str(JUDGE), *words],
            cwd=tmp_path,
            env={"PATH": path, "HOME": str(tmp_path)},
            capture_output=True,
            timeout=60,
            check=False,
        )
        text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
        return Judged(status=done.returncode, out=done.stdout.decode(errors="replace"), log=text)

    return run


def printing(tmp_path: Path, text: str, status: int) -> tuple[str, ...]:
    """A command that prints a text and ends so."""
    (tmp_path / "text").write_text(text, encoding="utf-8")
    return ("/bin/sh", "-c", f"/bin/cat {tmp_path}/text; exit {status}")


PYTEST_FILE = """\
import pytest

class TestAdd:
    @pytest.mark.parametrize("pair", ["a - b", "c] d"])
    def test_pair(self, pair):
        raise AssertionError("two - words")

def test_good():
    pass

@pytest.fixture
def broken():
    raise RuntimeError("no device")

def test_setup(broken):
    pass
"""


@pytest.mark.parametrize(
    ("allow", "good"),
    [
        (["test_pair", "test_setup"], True),
        (["TestAdd::test_pair", "test_all.py::test_setup"], True),
        (["TestAdd::test_pair[a - b]", "TestAdd::test_pair[c] d]", "test_setup"], True),
        (["test_pair[a - b]", "test_setup"], False),  # one parameter is not the other
        (["test_pair"], False),
        (["pair", "setup"], False),  # no part of a word
        (["TestAdd", "test_setup"], False),  # a class is not a test
        ([], False),
    ],
)
def test_f15_what_pytest_sums_up(
    judge: Judge, tmp_path: Path, said_by_pytest: str, allow: list[str], good: bool
) -> None:
    done = judge(*printing(tmp_path, said_by_pytest, 1), allow=allow)
    assert (done.status == 0) is good, done.log
    assert done.out.endswith("\n".join(done.verdict) + "\n")  # people see it, too
    assert "status: 1" in done.verdict
    if good:
        assert done.verdict[-1] == "verdict: passed, with 3 tests that may fail"
    else:
        assert "may not" in done.verdict[-1]
        assert any(line.startswith("failed: test_all.py::") for line in done.verdict)


@pytest.fixture(scope="module")
def said_by_pytest(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What it prints of the file, in colours; a start of it takes half a second."""
    folder = tmp_path_factory.mktemp("said")
    (folder / "test_all.py").write_text(PYTEST_FILE, encoding="utf-8")
    done = subprocess.run(
        [*PYTEST, "--color=yes", "-q", "test_all.py"],
        cwd=folder,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    return done.stdout.decode()


UNITTEST_FILE = """\
import unittest

class TestOps(unittest.TestCase):
    def test_conv3d(self):
        "With a line of words."
        self.fail("no")

    def test_parts(self):
        for i in range(2):
            with self.subTest(i=i):
                self.assertEqual(i, 7)

    def test_good(self):
        pass

class TestDevice(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise OSError("no device")

    def test_any(self):
        pass
"""


@pytest.mark.parametrize(
    ("allow", "good"),
    [
        (["test_conv3d", "test_parts", "test_unit.TestDevice.setUpClass"], True),
        (["TestOps::test_conv3d", "TestOps.test_parts", "setUpClass"], True),
        (["test_conv3d", "test_parts"], False),
        (["TestDevice", "test_parts", "test_conv3d"], False),
    ],
)
def test_f15_lines_of_unittest(judge: Judge, tmp_path: Path, allow: list[str], good: bool) -> None:
    (tmp_path / "test_unit.py").write_text(UNITTEST_FILE, encoding="utf-8")
    done = judge(PYTHON, "-B", "-m", "unittest", "test_unit", allow=allow)
    assert (done.status == 0) is good, done.log


@pytest.mark.parametrize("allow", [["test_pair", "test_setup"], ["test_all.TestAdd.test_pair", "test_setup"]])
def test_f15_a_junit_file(judge: Judge, tmp_path: Path, allow: list[str]) -> None:
    (tmp_path / "test_all.py").write_text(PYTEST_FILE, encoding="utf-8")
    run = (*PYTEST, "-q", "--no-summary", f"--junitxml={tmp_path}/new/report.xml", "test_all.py")
    assert judge(*run, junit="new/report.xml", allow=allow).status == 0
    refused = judge(*run, junit="new/report.xml", allow=allow[:1])
    assert refused.status == 1
    assert "failed: test_all.test_setup" in refused.verdict


def test_f15_a_junit_file_of_an_earlier_run_is_no_result(judge: Judge, tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text('<testsuite><testcase name="a"/></testsuite>', encoding="utf-8")
    done = judge("/bin/sh", "-c", "exit 0", junit="report.xml")
    assert done.status == 1
    assert "no whole JUnit file" in done.verdict[-1]


@pytest.mark.parametrize(
    ("text", "good", "said"),
    [
        ('<testsuite tests="1"><testcase classname="a.B" name="x"/></testsuite>', True, "passed"),
        (
            '<testsuite><testcase classname="B" name="x &quot;1&quot; &lt;&amp;&gt;"><failure/></testcase></testsuite>',
            False,
            'failed: B.x "1" <&>',
        ),
        ("<testsuite><testcase name='x'><error/></testcase></testsuite>", False, "failed: x"),
        ("<testsuite><testcase name='x'><skipped/></testcase></testsuite>", True, "passed"),
        (
            '<testsuite><testcase name="x"><a><![CDATA[<testcase name="y"><failure/>]]></a></testcase></testsuite>',
            True,
            "passed",
        ),
        (
            '<testsuite><!-- <testcase name="y"><failure/></testcase> --><testcase name="x"/></testsuite>',
            True,
            "passed",
        ),
        ('<testsuite><testcase name="x"/>', False, "no whole JUnit file"),
        ("<testsuite></testsuite>", False, "has no test"),
        ("<testsuite/>", False, "has no test"),
        ("", False, "no whole JUnit file"),
        ("\0\xff nonsense >>>> <<<<", False, "no whole JUnit file"),
    ],
)
def test_f15_what_junit_files_hold(judge: Judge, tmp_path: Path, text: str, good: bool, said: str) -> None:
    (tmp_path / "made").write_text(text, encoding="latin-1")
    done = judge("/bin/sh", "-c", f"/bin/cp {tmp_path}/made {tmp_path}/report.xml", junit="report.xml")
    assert (done.status == 0) is good, done.log
    assert any(said in line for line in done.verdict)


NAMED = "=== short test summary info ===\nFAILED a.py::test_x - no\n=== 1 failed in 0.1s ===\n"


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        (NAMED, 0, "passed, with 1 test"),
        (NAMED, 1, "passed, with 1 test"),
        (NAMED, 2, "passed, with 1 test"),  # as `make test` ends
        (NAMED, 124, "time limit"),
        (NAMED, 126, "could not be started"),
        (NAMED, 134, "signal 6"),
        (NAMED, 139, "signal 11"),
        (NAMED + "Segmentation fault (core dumped)\n", 1, "crashed"),
        (NAMED + "bash: line 1:  7 Aborted                 ./test\n", 1, "crashed"),
        ("Fatal Python error: Segmentation fault\n" + NAMED, 1, "crashed"),
        ("INTERNALERROR> Traceback\n" + NAMED, 3, "crashed"),
        (NAMED.replace("=== 1 f", "!!! Interrupted: 1 error !!!\n=== 1 f"), 2, "not run to their end"),
        (NAMED.replace("1 failed", "2 failed"), 1, "tests that failed are 2, and named are 1"),
        (NAMED.replace("FAILED a", "SUBFAIL a"), 1, "tests that failed are 1, and named are 0"),
        ("FAILED a.py::test_x - no\n1 failed in 0.1s\n", 0, "tests that failed are 1, and named are 0"),
        ("FAILED a.py::test_x - no\n", 1, "do not say which"),
        ("everything is on fire\n", 1, "do not say which"),
        ("", 1, "do not say which"),
        ("", 0, "passed"),
        ("all good\n", 0, "passed"),
        ("=== no tests ran in 0.01s ===\n", 0, "no test ran"),
        ("=== no tests ran in 0.01s ===\n", 5, "do not say which"),
        ("Ran 0 tests in 0.000s\n\nOK\n", 0, "no test ran"),
        ("Ran 0 tests in 0.000s\n\nOK\nRan 3 tests in 1.000s\n\nOK\n", 0, "passed"),
        ("=" * 70 + "\nFAIL: test_x (m.C.test_x)\n\nRan 2 tests in 0s\n\nFAILED (failures=1)\n", 1, "passed, with 1"),
        ("=" * 70 + "\nFAIL: test_x (m.C)\n\nRan 2 tests in 0s\n\nFAILED (failures=1)\n", 1, "passed, with 1"),
        ("=" * 70 + "\nFAIL: test_x (m.C)\n\nFAILED (failures=1, errors=1)\n", 1, "failed are 2, and named are 1"),
        ("FAIL: test_x (m.C)\nFAILED (failures=1)\n", 1, "failed are 1, and named are 0"),
    ],
)  # fmt: skip
def test_f15_how_a_run_may_end(judge: Judge, tmp_path: Path, text: str, status: int, said: str) -> None:
    """``test_x`` may fail; that lets nothing pass but a test of that name, in a run that went to its end."""
    done = judge(*printing(tmp_path, text, status), allow=["test_x"])
    assert (done.status == 0) is said.startswith("passed"), done.log
    assert said in done.verdict[-1]
    assert f"status: {status}" in done.verdict


def test_f15_a_real_signal_is_never_allowed(judge: Judge) -> None:
    done = judge("/bin/sh", "-c", "kill -SEGV $$", allow=["test_x"])
    assert done.status == 1
    assert "signal 11" in done.verdict[-1]


def test_f15_a_chain_that_hides_its_status_hides_no_name(judge: Judge, tmp_path: Path) -> None:
    (tmp_path / "test_all.py").write_text("def test_x():\n    assert 0\n", encoding="utf-8")
    words = " ".join(PYTEST)
    done = judge("/bin/sh", "-c", f"{words} test_all.py || true && /bin/echo done")
    assert done.status == 1
    assert "failed: test_all.py::test_x" in done.verdict


def test_f15_output_arguments_and_unused_names_are_kept(judge: Judge) -> None:
    done = judge(
        "/bin/sh", "-c", 'echo "out $1"; echo "err $2" >&2', "x", "a  b", "中 文", allow=["never", "a b"]
    )
    assert done.status == 0
    assert done.log.splitlines()[:2] == ["out a  b", "err 中 文"]
    assert done.verdict == ["status: 0", "unused: never", "unused: a b", "verdict: passed"]


def test_f15_an_image_without_awk_is_told_so(tmp_path: Path, tool: Callable[[str], str]) -> None:
    done = subprocess.run(
        [tool("dash"), str(JUDGE), str(tmp_path / "log"), "", "0", "/bin/true"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1
    assert b"it has no awk" in done.stderr


def test_shellcheck_has_nothing_to_say(tool: Callable[[str], str]) -> None:
    subprocess.run([tool("shellcheck"), "--shell=sh", str(JUDGE)], check=True, timeout=60)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=400), junit=st.booleans(), status=st.integers(1, 255))
def test_f15_no_bytes_make_a_failed_run_pass(data: bytes, junit: bool, status: int) -> None:
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"layerwright-judge-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    try:
        (folder / "made").write_bytes(data)
        command = f"cat {folder}/made; cp {folder}/made {folder}/x.xml; exit {status}"
        done = subprocess.run(
            [
                "/bin/sh",
                str(JUDGE),
                str(folder / "log"),
                str(folder / "x.xml") if junit else "",
                "0",
                "sh",
                "-c",
                command,
            ],
            capture_output=True,
            timeout=20,
            check=False,
        )
        assert done.returncode == 1, done.stdout
        assert b"verdict: failed: " in done.stdout
    finally:
        shutil.rmtree(folder)
