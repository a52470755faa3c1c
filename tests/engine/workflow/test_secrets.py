"""The value of a secret is where its command runs, and nowhere else."""

import secrets
from pathlib import Path

import pytest

from support.command import Project, finish, processes_with, wait_for

pytestmark = pytest.mark.engine

STEPS = """\
[images.app]
workdir = "/work"
run = [
  { script = "test $(cat /run/secrets/token | wc -c) = 40; test -e /run/secrets/file; ls -l /run/secrets; \
cat /run/secrets/token; env; echo done > /made", secrets = ["token", "file"] },
  { script = "ls /run/secrets 2>/dev/null && exit 1; test ! -s /run/secrets/token" },
]
entrypoint = ["cat"]
[secrets.token]
env = "API_TOKEN"
[secrets.file]
file = "token.txt"
"""


def holding(folder: Path, value: str) -> list[str]:
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and value.encode() in path.read_bytes()
    ]


def test_a_secret_is_nowhere(fresh_project: Project, tmp_path: Path) -> None:
    value, other = secrets.token_hex(20), secrets.token_hex(20)
    fresh_project.write({"token.txt": other + "\n"})
    fresh_project.spec(STEPS)
    command = fresh_project.command.with_variables(API_TOKEN=value)
    layout, archive = tmp_path / "layout", tmp_path / "image.tar"
    done = command(
        "build", "--json", "--verbose", "--output", f"oci:{layout}", "--output", f"docker-archive:{archive}"
    )
    assert "***" in done.err  # the command printed it, and we saw
    said = done.out + done.err
    for text in (value, other):
        assert text not in said
        assert holding(fresh_project.command.store, text) == []
        assert holding(layout, text) == []
        assert text.encode() not in archive.read_bytes()
        assert holding(fresh_project.folder, text) in ([], [str(fresh_project.folder / "token.txt")])
    assert command("run", "app", "/made").out == "done\n"
    names = ("run/secrets/token", "run/secrets/file", "run/secrets")
    script = " || ".join(f"test -e /{name}" for name in names)
    assert command("run", "--entrypoint", "sh", "app", "-c", script, status=1).out == ""

    # Another value gives the same image: it is no input of the build.
    again = command.with_variables(API_TOKEN=secrets.token_hex(20)).changed(store=tmp_path / "second")
    assert again("build", "--json").image["digest"] == done.image["digest"]


def test_a_secret_is_not_in_errors_nor_among_processes(project: Project) -> None:
    value = secrets.token_hex(20)
    project.spec(
        '[images.app]\nrun = [{ script = "cat /run/secrets/token; sleep 1; cat /run/secrets/token; exit 3", '
        'secrets = ["token"] }]\n[secrets.token]\nenv = "API_TOKEN"\n'
    )
    command = project.command.with_variables(API_TOKEN=value)
    command("lock")
    process = command.start("build")
    wait_for(
        lambda: processes_with("sleep 1") != [] or process.poll() is not None, lambda: "it does not start"
    )
    assert processes_with(value) == []
    done = finish(process)
    assert done.status == 4
    assert "failed with status 3" in done.err
    assert "  | ***" in done.err
    assert value not in done.out + done.err
    assert holding(project.command.store / "records", value) == []


def test_no_line_of_a_longer_secret_is_told(project: Project) -> None:
    lines = [secrets.token_hex(20) for _ in range(3)]
    project.write({"token.txt": "\r\n".join(["-----BEGIN-----", *lines]) + "\n"})
    project.spec(
        '[images.app]\nrun = [{ script = "cat /run/secrets/key; head -n 2 /run/secrets/key >&2; false", '
        'secrets = ["key"] }]\n[secrets.key]\nfile = "token.txt"\n'
    )
    done = project("build", "--verbose", status=4)
    assert "***" in done.err
    for line in lines:
        assert line not in done.err


def test_a_secret_that_is_not_there(project: Project) -> None:
    project.spec(STEPS)
    done = project("build", status=2)
    assert "the secret 'token' needs the variable API_TOKEN, which is not set" in done.err
    assert "layerwright.toml:" in done.err
    done = project.command.with_variables(API_TOKEN="x" * 40)("build", status=2)
    assert "the secret 'file' cannot be read from" in done.err
