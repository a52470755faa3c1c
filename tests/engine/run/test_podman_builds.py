"""Podman builds what the native backend builds, and gets what that has built: as root and as an ordinary user."""

import io
import os
import signal
import uuid
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.run.conftest import Place, in_empty_folder
from support.command import finish, processes_with, wait_for
from support.trees import Tree, differences, tree_of_tar

pytestmark = pytest.mark.engine

SPEC = """\
[project]
name = "NAME"

[defaults]
from = "BASE"

[images.app]
name = "NAME"
tags = ["1"]
copy = [{ from = "src", to = "/code" }]
run = [
  { script = '''
    echo "$GREETING" > /code/made
    mkdir -p /opt/extra
    chown 33:44 /opt/extra
    ln -s made /code/link
    rm /etc/motd
    ''' },
  { script = '''
    test "$(cat /run/secrets/token)" = "$(printf 'very-%s' secret)"
    umask 077
    id -u > /opt/extra/uid
    ! getent hosts deb.debian.org
    ''', secrets = ["token"] },
]
smoke = ["test -f /code/a.txt"]
workdir = "/code"
command = ["cat", "made"]
env = { GREETING = "a \\"b\\" $HOME 中文" }
labels = { "org.example/a b" = "x $y" }

[images.failing]
run = [{ script = "echo before; echo the very reason >&2; exit 3" }]

[images.slow]
run = [{ script = "sleep SECONDS" }]

[images.leaking]
run = [{ script = "cat /run/secrets/token > /opt/kept", secrets = ["token"] }]
smoke = ["test -f /opt/kept"]

[secrets.token]
env = "LAYERWRIGHT_TEST_TOKEN"
"""


def seconds(folder: Path) -> str:
    """A time that no other process on this machine sleeps."""
    return str(1000 + zlib.crc32(str(folder).encode()) % 1_000_000)


@pytest.fixture(params=["podman-root", "podman-user"])
def builder(
    request: pytest.FixtureRequest, places: Callable[[str], Place], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    person = places(request.param)
    place = in_empty_folder(person, f"building-{uuid.uuid4().hex[:8]}")
    base = f"oci:{person.folder.parents[1] / 'base'}"
    name = f"layerwright-test-{place.folder.name}"
    text = SPEC.replace("NAME", name).replace("BASE", base).replace("SECONDS", seconds(place.folder))
    (place.folder / "layerwright.toml").write_text(text, encoding="utf-8")
    (place.folder / "src").mkdir()
    (place.folder / "src/a.txt").write_text("a")
    for path in (place.folder, *place.folder.rglob("*")):
        os.chown(path, place.uid, place.gid)
    yield Place(
        engine="podman",
        command=place.command.with_variables(LAYERWRIGHT_TEST_TOKEN="very-secret"),
        uid=place.uid,
        gid=place.gid,
        before=place.before,
    )
    names = place.other("podman", "images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()
    place.other("podman", "rmi", "--force", *(one for one in names if name in one))


def tree_of(place: Place, reference: str) -> Tree:
    container = place.other("podman", "create", reference, "none").stdout.strip()
    file = place.folder / "tree.tar"
    done = place.other("podman", "export", "--output", str(file), container)
    assert done.returncode == 0, done.stderr
    place.other("podman", "rm", "--force", container)
    return tree_of_tar(io.BytesIO(file.read_bytes()))


def test_both_ways_give_the_same_files(builder: Place) -> None:
    native = builder("build", "app", "--output", "podman", "--json", timeout=300).json()
    reference = native["images"][0]["reference"]
    assert native["outputs"] == [f"podman {reference}"]
    ours = tree_of(builder, reference)

    made = builder("build", "app", "--backend", "podman", "--json", timeout=300).json()
    assert made["outputs"] == [f"podman {reference}"]
    assert made["images"][0]["digest"] != native["images"][0]["config_digest"]
    theirs = tree_of(builder, reference)

    assert differences(ours, theirs, allowed=lambda path: path == "run/secrets") == []
    assert (theirs["opt/extra"].uid, theirs["opt/extra"].gid) == (33, 44)
    assert theirs["opt/extra/uid"].mode == 0o600
    assert not any(b"very-secret" in entry.data for entry in theirs.values())
    shown = builder.other("podman", "run", "--rm", "--network=none", reference)
    assert shown.stdout == 'a "b" $HOME 中文\n', shown.stderr


def test_an_interrupt_ends_the_command_of_a_step(builder: Place) -> None:
    command = f"sleep {seconds(builder.folder)}"
    process = builder.command.start("build", "slow", "--backend", "podman", before=builder.before)
    wait_for(lambda: processes_with(command) != [], lambda: "the step has not begun", seconds=120)
    process.send_signal(signal.SIGINT)
    done = finish(process, timeout=60)
    assert done.status == 130, done
    wait_for(lambda: processes_with(command) == [], lambda: "the step goes on")


def test_an_error_of_a_step_is_told(builder: Place) -> None:
    text = (builder.folder / "layerwright.toml").read_text(encoding="utf-8")
    line = text[: text.index("echo before")].count("\n") + 1
    done = builder("build", "failing", "--backend", "podman", status=None, timeout=300)
    assert done.status != 0
    assert "the very reason" in done.err
    assert f"--> layerwright.toml:{line}:" in done.err


def test_a_leak_is_no_image_and_leaves_no_step(builder: Place) -> None:
    before = images_of(builder)
    done = builder("build", "leaking", "--backend", "podman", status=4, timeout=300)
    assert "/opt/kept" in done.err
    assert {name for _, name in images_of(builder) - before} <= {"localhost/layerwright-base"}


def images_of(place: Place) -> set[tuple[str, str]]:
    """Id and name of all, those that only the build cache knows too."""
    rows = place.other("podman", "images", "--all", "--format", "{{.ID}} {{.Repository}}").stdout.splitlines()
    return {(identifier, name) for identifier, _, name in (row.partition(" ") for row in rows)}
