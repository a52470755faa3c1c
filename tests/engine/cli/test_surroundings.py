"""Streams that are closed or full, folders that are gone or no folders, and mounts that would hide everything."""

import errno
import os
import subprocess
from collections.abc import Sequence

import pytest

from support.command import Project

pytestmark = pytest.mark.engine


@pytest.fixture
def app(project: Project) -> Project:
    project.spec('[images.app]\nentrypoint = ["python"]\nworkdir = "/work"\n')
    project("build")
    return project


def shell(project: Project, redirections: str, *words: str) -> "subprocess.CompletedProcess[bytes]":
    """The command with a shell's redirections."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", *project.command.argv(*words)],
        cwd=project.folder,
        env=project.command.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("redirections", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams(app: Project, redirections: str) -> None:
    for words in (("build",), ("plan", "--json"), ("run", "app", "-c", "print(1)")):
        done = shell(app, redirections, *words)
        assert done.returncode == 0, (words, done)
        assert b"Traceback" not in done.stderr
    text = (
        "import sys, os; os.write(1, b'out'); print(sys.stdin.read(), end=''); open('made', 'w').write('x')"
    )
    assert shell(app, redirections, "run", "app", "-c", text).returncode == 0
    assert (app.folder / "made").read_text() == "x"


def test_a_full_device(app: Project) -> None:
    done = shell(app, "> /dev/full", "plan")
    assert done.returncode == 2
    assert done.stderr == f"error: cannot write to standard output: {os.strerror(errno.ENOSPC)}\n".encode()


def test_a_reader_that_has_seen_enough(app: Project) -> None:
    done = subprocess.run(
        ["sh", "-c", '"$@" | head -n 1', "sh", *app.command.argv("plan")],
        cwd=app.folder,
        env=app.command.environment,
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith(b"app  demo-app:1")
    assert done.stderr == b""


def test_a_folder_that_is_gone(app: Project) -> None:
    gone = app.folder / "gone"
    gone.mkdir()
    done = subprocess.run(
        ["sh", "-c", 'rmdir ../gone && exec "$@"', "sh", *app.command.argv("build")],
        cwd=gone,
        env=app.command.environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        2,
        b"error: the current folder does not exist any more\nhint: cd to one that does\n",
    )


def test_a_store_that_cannot_be(app: Project) -> None:
    (app.folder / "file").write_text("x")
    for place in ("file", "file/below", "/proc/nowhere"):
        for words in (("build",), ("run", "app", "-c", "1")):
            done = app("--store", place, *words, status=None)
            assert done.status in {4, 125}, done
            assert "the store" in done.err
            assert place in done.err
    assert (app.folder / "file").read_text() == "x"


def test_a_lock_that_cannot_be_written(app: Project) -> None:
    before = app.lock.read_bytes()
    app.lock.unlink()
    app.lock.mkdir()
    done = app("lock", status=2)
    assert str(app.lock) in done.err
    app.lock.rmdir()
    app.lock.write_bytes(b"\xff\xfe")
    assert "is not UTF-8 text" in app("build", status=2).err
    app.lock.unlink()
    app("lock")
    assert app.lock.read_bytes() == before


def test_an_output_over_a_file(app: Project) -> None:
    (app.folder / "file").write_text("x")
    assert "is a file" in app("build", "--output", "oci:file", status=4).err
    assert (app.folder / "file").read_text() == "x"
    assert "neither empty nor an OCI layout" in app("build", "--output", "oci:.", status=4).err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--workdir", "relative"], 2, "'relative' is no absolute path"),
        (["--mount", "/tmp:/"], 2, "cannot be mounted on /"),
        (["--mount", "/tmp:/data/.."], 2, "cannot be mounted on /"),
        (["--mount", "/etc/hostname:/opt"], 125, "could not start"),
        (["--workdir", "/etc/passwd"], 125, "could not start"),
    ],
)
def test_mounts_that_cannot_be(app: Project, words: Sequence[str], status: int, said: str) -> None:
    done = app("run", *words, "app", "-c", "print('started')", status=status)
    assert said in done.err
    assert done.out == ""


def test_a_workdir_that_is_the_root(app: Project) -> None:
    done = app(
        "run", "--workdir", "/", "app", "-c", "import os; print(os.getcwd(), os.path.exists('/usr/bin'))"
    )
    assert done.out == "/ True\n"
    assert "does not see the current folder" in done.err


def test_words_and_values_that_are_no_text(app: Project) -> None:
    command = app.command.argv(
        "run",
        "-e",
        "VALUE=\udcff",
        "app",
        "-c",
        "import os, sys; print(os.fsencode(sys.argv[1]), os.environb[b'VALUE'])",
    )
    done = subprocess.run(
        [*map(os.fsencode, command), b"\xfe\xff"],
        cwd=app.folder,
        env=app.command.environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == b"b'\\xfe\\xff' b'\\xff'\n", done
