"""Wheels nobody should install, and commands that fail in mid-build."""

from pathlib import Path

import pytest

from support.command import Project, leftovers
from support.index import Index
from support.packages import make_wheel as make_bytes
from support.wheels import Entry, link, make_wheel

pytestmark = pytest.mark.engine

OUTSIDE = "layerwright-was-here"


def lying_record(rows: list[list[str]]) -> list[list[str]]:
    return [
        [path, "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU" if digest else "", size]
        if path.endswith("__init__.py")
        else [path, digest, size]
        for path, digest, size in rows
    ]


EVIL = {
    "parent": ({"unlisted": [(f"../../../../../../../tmp/{OUTSIDE}", b"x")]}, "../"),
    "absolute": ({"unlisted": [(f"/tmp/{OUTSIDE}", b"x")]}, f"/tmp/{OUTSIDE}"),
    "link": ({"unlisted": [("evil/link", link("/tmp"))]}, "link"),
    "record": ({"change_record": lying_record}, "RECORD"),
    "unlisted": ({"unlisted": [("evil/extra.py", b"x = 1\n")]}, "evil/extra.py"),
    "missing": ({"without": ("evil/__init__.py",)}, "evil/__init__.py"),
    "data": ({"data": {f"data/../../../tmp/{OUTSIDE}": Entry(data=b"x")}}, ".."),
}


@pytest.mark.parametrize("kind", EVIL)
def test_evil_wheels_are_refused(project: Project, kind: str) -> None:
    changes, said = EVIL[kind]
    wheels = project.folder / "wheels"
    wheels.mkdir()
    make_wheel(wheels, "evil", **changes)
    project.spec('[images.app]\npackages = ["evil"]\n', index='url = "wheels"\nformat = "flat"')
    images = project("store", "info", "--json").json()["images"]
    done = project("build", status=7)
    lock = project.lock.read_bytes()
    assert "evil" in done.err
    assert said in done.err, done
    assert done.out == ""
    assert project("store", "info", "--json").json()["images"] == images
    # It is refused again: nothing of it was taken for good.
    assert project("build", status=7).err.splitlines()[-1] == done.err.splitlines()[-1]
    assert project.lock.read_bytes() == lock
    assert leftovers(project.command.store) == []
    assert not Path("/tmp", OUTSIDE).exists()


def test_no_wheel_at_all(project: Project) -> None:
    wheels = project.folder / "wheels"
    wheels.mkdir()
    (wheels / "evil-1.0-py3-none-any.whl").write_bytes(b"PK\x03\x04 this is no zip")
    project.spec('[images.app]\npackages = ["evil"]\n', index='url = "wheels"\nformat = "flat"')
    done = project("build", status=None)
    assert done.status in {3, 7}, done
    assert "evil" in done.err


@pytest.mark.parametrize("name", ["shared/data.py", "shared/data.bin"])
def test_two_wheels_with_one_path(project: Project, index: Index, name: str) -> None:
    index.add(
        make_bytes("one", files={name: b"a = 1\n"}),
        make_bytes("two", files={name: b"a = 2\n"}),
        make_bytes("three", files={name: b"a = 1\n"}),
    )
    project.spec('[images.app]\npackages = ["one", "two"]\n')
    done = project("build", status=None)
    assert done.status != 0, done
    for text in ("one", "two", name):
        assert text in done.err
    # The same bytes are nobody's loss.
    project.spec('[images.app]\npackages = ["one", "three"]\nentrypoint = ["python"]\n')
    program = f"import pathlib, shared; print(pathlib.Path([*shared.__path__][0], {name[7:]!r}).read_text())"
    assert project("run", "app", "-c", program).out == "a = 1\n\n"


@pytest.fixture
def good(project: Project, index: Index) -> Project:
    index.add(make_bytes("fine"))
    project.spec('[images.app]\npackages = ["fine"]\n')
    project("build")
    return project


def test_a_smoke_test_that_fails(good: Project) -> None:
    before = good("store", "info", "--json").json()["images"]
    good.spec(
        '[images.app]\npackages = ["fine"]\n'
        "smoke = [\n  \"python -c 'import fine'\",\n"
        '  ["python", "-c", "for n in range(40): print(n, flush=True)\\nimport nothing_like_it"],\n]\n'
    )
    done = good("build", status=4)
    assert "the smoke test failed with status 1" in done.err
    assert "  | ModuleNotFoundError: No module named 'nothing_like_it'" in done.err
    assert "layerwright.toml:14:3 [images.app.smoke[1]]" in done.err
    assert "  | 39\n" in done.err
    assert "  | 1\n" not in done.err
    assert good("store", "info", "--json").json()["images"] == before
    good.spec('[images.app]\npackages = ["fine"]\nsmoke = ["python -c \'import fine\'"]\n')
    good("build")


def test_a_smoke_test_leaves_nothing_in_the_image(good: Project) -> None:
    plain = good("build", "--json").image["digest"]
    good.spec('[images.app]\npackages = ["fine"]\nsmoke = [["sh", "-c", "echo x > /opt/x"]]\n')
    assert good("build", "--json").image["digest"] == plain


def test_a_build_command_that_fails(good: Project) -> None:
    before = good("store", "info", "--json").json()["images"]
    good.spec(
        '[images.app]\npackages = ["fine"]\nrun = [\n  { script = "echo made > /made" },\n'
        '  { script = "echo to be seen; echo and this >&2; false; echo never" },\n]\n'
    )
    done = good("build", status=4)
    assert "the build command failed with status 1" in done.err
    assert "  | to be seen\n" in done.err
    assert "  | and this\n" in done.err
    assert "never\n" not in done.err.replace("; echo never\n", "")
    assert "layerwright.toml:14:3 [images.app.run[1]]" in done.err
    assert good("store", "info", "--json").json()["images"] == before
    failures = good("build", "--json", status=4).json()["error"]
    assert (failures["exit_code"], failures["problems"][0]["where"]["line"]) == (4, 14)
    for argv, status in ((["no-such-program"], 127), (["/etc/passwd"], 126)):
        good.spec(f"[images.app]\nrun = [{{ argv = {argv} }}]\n".replace("'", '"'))
        assert f"failed with status {status}" in good("build", status=4).err


def test_the_network_is_off_unless_it_is_asked_for(good: Project, index: Index) -> None:
    ask = (
        "python3 -c 'import urllib.request, sys; "
        f'print(len(urllib.request.urlopen(\\"{index.simple}/fine/\\", timeout=5).read()))\''
    )
    spec = '[images.app]\nrun = [{{ script = "{ask}"{more} }}]\n'
    good.spec(spec.format(ask=ask, more=""))
    done = good("build", status=4)
    assert "Connection refused" in done.err or "unreachable" in done.err
    good.spec(spec.format(ask=ask, more=", network = true"))
    good("build")
    good.spec(
        "[images.app]\nrun = [{ script = \"python3 -c 'import socket; "
        'socket.getaddrinfo(chr(97) + str() + \\".example.org\\", 80)\'" }]\n'
    )
    done = good("build", status=4)
    assert "hint: commands have no network unless they ask for it: network = true" in done.err


def test_one_cell_of_a_matrix_that_fails(project: Project, index: Index) -> None:
    index.add(make_bytes("fine"))
    project.spec(
        '[images.app]\npackages = ["fine"]\nsmoke = [["sh", "-c", "test $KIND != bad"]]\nenv = { KIND = "good" }\n'
        'entrypoint = ["sh", "-c", "echo $KIND"]\n'
        '[images.app.matrix]\nvariant = ["one", "bad", "two"]\n'
        '[[images.app.override]]\nwhen = { variant = "bad" }\nenv = { KIND = "bad" }\n'
    )
    done = project("build", "--json", status=4)
    document = done.json()
    assert [image["cell"] for image in document["images"]] == ["app-one", "app-two"]
    assert [(one["cell"], one["exit_code"]) for one in document["failures"]] == [("app-bad", 4)]
    assert "app-bad: failed" in done.err
    assert "the smoke test failed with status 1" in done.err
    said = project("build", status=4)
    rows = [line.split() for line in said.out.splitlines()]
    assert [(row[0], row[2][:6]) for row in rows[1:-1]] == [
        ("app-one", "sha256"),
        ("app-bad", "-"),
        ("app-two", "sha256"),
    ]
    assert project("run", "app-two").out == "good\n"
    project("run", "app-bad", status=4)
