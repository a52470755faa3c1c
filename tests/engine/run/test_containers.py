"""``up``, ``exec`` and ``stop``, and the wrapper script, with every engine."""

import json
import shlex
import subprocess
import time
from collections.abc import Iterator

import pytest

from engine.run.conftest import Place

pytestmark = pytest.mark.engine


@pytest.fixture
def stays(engine_place: Place) -> Iterator[Place]:
    yield engine_place
    engine_place("stop", "--engine", engine_place.engine, "--remove", "--time", "0")


def words(place: Place, verb: str, *more: str) -> tuple[str, ...]:
    return (verb, "--engine", place.engine, *more)


def test_c11_c16_up_exec_stop_and_up_again(stays: Place) -> None:
    shown = stays(*words(stays, "up", "--name", "lw-test-app", "--json", "app")).json()
    assert shown == {"schema": 1, "container": {"name": "lw-test-app", "cell": "app", "state": "started"}}
    assert stays(*words(stays, "up", "--name", "lw-test-app", "app")).out == "lw-test-app  runs already\n"
    look = "id -u; id -g; pwd; echo $USER; echo $HOME; echo kept >> ~/kept; cat ~/kept; touch made; exit 3"
    first = stays(*words(stays, "exec", "app", "sh", "-c", look), status=3).out.split()
    assert first[:3] == [str(stays.uid), str(stays.gid), "/code"]
    assert first[5:] == ["kept"]
    made = (stays.folder / "made").stat()
    assert (made.st_uid, made.st_gid) == (stays.uid, stays.gid)
    groups = json.loads(
        stays(*words(stays, "exec", "lw-test-app", "python", "-c", "import os; print(os.getgroups())")).out
    )
    if not stays.rootless:
        assert set(groups) - {stays.gid} == set(stays.groups) - {stays.gid}
    # No command is a shell, with or without a terminal; variables may be passed on.
    said = stays(*words(stays, "exec", "--env", "A=b c", "app"), data=b'echo "$A"; exit 4\n', status=4)
    assert said.out == "b c\n"
    begun = time.monotonic()
    assert stays(*words(stays, "stop", "app")).out == "lw-test-app  stopped\n"
    assert time.monotonic() - begun < 4, "what waits in it ends when it is asked to"
    assert stays(*words(stays, "stop", "app")).out == "lw-test-app  had ended\n"
    assert "has ended" in stays(*words(stays, "exec", "app", "true"), status=2).err
    assert stays(*words(stays, "up", "--name", "lw-test-app", "app")).out == "lw-test-app  started again\n"
    second = stays(*words(stays, "exec", "app", "sh", "-c", look), status=3).out.split()
    assert second == [*first, "kept"]
    assert stays(*words(stays, "stop", "--remove")).out == "lw-test-app  removed\n"
    assert not (stays.command.home / ".local/share/layerwright/containers/lw-test-app").exists()
    done = stays(*words(stays, "stop"))
    assert (done.out, done.status) == ("", 0)
    assert "no container of yours" in stays(*words(stays, "exec", "app", "true"), status=2).err


def test_c16_a_command_is_honoured_and_one_that_ends_is_told(stays: Place) -> None:
    stays(*words(stays, "up", "app", "-c", "import time; open('up', 'w').close(); time.sleep(600)"))
    assert (stays.folder / "up").stat().st_uid == stays.uid
    # A container with other words is another one; that which runs is left alone.
    done = stays(*words(stays, "up", "app"))
    assert "runs already" in done.out
    assert "changed since" in done.err
    stays(*words(stays, "stop", "--remove", "--time", "0"))
    done = stays(*words(stays, "up", "app", "-c", "raise SystemExit('no good')"), status=5)
    assert "ended at once with status 1" in done.err
    assert "no good" in done.err


def test_natively_nothing_stays(places) -> None:
    done = places("native-root")("up", "--engine", "native", "app", status=2)
    assert "--engine docker" in done.err


def test_c13_the_wrapper_script(engine_place: Place, tool) -> None:
    place = engine_place
    script = place.folder.parent / "run it.sh"
    script.unlink(missing_ok=True)
    place("render", "script", "mounts", "--out", str(script))
    subprocess.run(["sh", "-n", script], check=True)
    subprocess.run([tool("shellcheck"), script], check=True)
    place.run("mounts", "-c", "")  # the image is in the engine
    (place.folder / "theirs").write_text("untouched")
    before = (place.folder / "theirs").stat()
    text = (
        "import json, os, sys; h = os.environ['HOME']; open(h + '/x', 'w').close(); open('made', 'w').close(); "
        "os.makedirs(os.environ['HF_HOME'], exist_ok=True); "
        "print(json.dumps([os.getuid(), os.getgid(), os.getcwd(), sorted(os.getgroups()), open('/data/x').read(), "
        "sys.argv[1:]])); sys.exit(7)"
    )
    done = place.other(
        "env", f"CONTAINER_ENGINE={place.engine}", str(script), "-c", text, "a b", "", "$HOME", "it's"
    )
    assert done.returncode == 7, done
    uid, gid, cwd, groups, data, argv = json.loads(done.stdout)
    assert (uid, gid, cwd, data, argv) == (
        place.uid,
        place.gid,
        "/code",
        "data",
        ["a b", "", "$HOME", "it's"],
    )
    if not place.rootless:
        assert set(groups) - {gid} == set(place.groups) - {gid}
    made, after = (place.folder / "made").stat(), (place.folder / "theirs").stat()
    assert (made.st_uid, made.st_gid) == (place.uid, place.gid)
    assert (after.st_uid, after.st_mode, after.st_ctime_ns) == (
        before.st_uid,
        before.st_mode,
        before.st_ctime_ns,
    )
    # Through a link, and from another folder.
    link = place.folder / "link"
    link.symlink_to(script)
    again = place.other(
        "env", f"CONTAINER_ENGINE={place.engine}", str(link), "-c", "print(open('/data/x').read())"
    )
    assert again.stdout == "data\n", again


def test_c13_a_missing_mount_is_refused_by_the_script(places, tmp_path) -> None:
    place = places("docker-root")
    script = tmp_path / "run.sh"
    place("render", "script", "mounts", "--out", str(script))
    text = script.read_text()
    assert shlex.quote("set of, data") in text
    # The way to the project was written for where the script is; elsewhere there is no data.
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    target = moved / "run.sh"
    script.rename(target)
    done = subprocess.run([target], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stdout == ""
