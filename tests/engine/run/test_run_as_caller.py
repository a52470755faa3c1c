"""``run`` and ``shell`` with every engine: as root, as a user with a name, as one of whom only numbers are known."""

import fcntl
import json
import os
import pty
import signal
import subprocess
import termios
import time
from pathlib import Path

import pytest

from engine.run.conftest import Place, need
from support.command import PROGRAM, processes_with, wait_for

pytestmark = pytest.mark.engine

WORDS = (
    "two words",
    "",
    "$HOME",
    "`id`",
    "'single'",
    '"double"',
    "back\\slash",
    "*",
    "--json",
    "--",
    "new\nline",
    "你好",
)


def traces(folder: Path) -> dict[str, tuple[int, ...]]:
    """Owner, mode and times of everything below a folder."""
    found = {}
    for path in sorted([folder, *folder.rglob("*")]):
        status = path.lstat()
        # A folder in which something is made has another time; its owner and mode stay.
        times = () if path.is_dir() else (status.st_mtime_ns, status.st_ctime_ns)
        found[str(path.relative_to(folder))] = (status.st_uid, status.st_gid, status.st_mode, *times)
    return found


def test_c01_c06_c07_c08_the_caller_in_the_current_folder(place: Place) -> None:
    (place.folder / "theirs").mkdir()
    (place.folder / "theirs/file").write_text("untouched")
    (place.folder / "theirs/file").chmod(0o604)
    os.chown(place.folder / "theirs/file", 31337, 31337)
    (place.folder / "who.py").write_text(
        "import json, os, pwd, sys\n"
        "home = os.environ['HOME']\n"
        "open(os.path.join(home, 'x'), 'w').close()\n"
        "os.makedirs(os.environ['HF_HOME']); open(os.environ['HF_HOME'] + '/model', 'w').close()\n"
        "os.mkdir('made'); open('made/file', 'w').close()\n"
        "me = pwd.getpwuid(os.getuid())\n"
        "print(json.dumps([os.getuid(), os.getgid(), os.getcwd(), me.pw_dir == home == os.path.expanduser('~'),\n"
        "    me.pw_name == os.environ['USER'], os.stat(home).st_uid == os.getuid(), open('theirs/file').read()]))\n"
    )
    before = traces(place.folder)
    done = place.run("app", "who.py")
    assert done.json() == [place.uid, place.gid, "/code", True, True, True, "untouched"], done
    after = traces(place.folder)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"made", "made/file"}
    for name in ("made", "made/file"):
        assert after[name][:2] == (place.uid, place.gid)


def test_c02_arguments_and_exit_codes(place: Place) -> None:
    done = place.python("import sys, json; print(json.dumps(sys.argv[1:])); sys.exit(7)", *WORDS, status=7)
    assert tuple(done.json()) == WORDS
    assert place.run("--entrypoint", "nothing-like-it", "app", status=127).out == ""


def test_c04_no_terminal_in_a_pipe_and_data_goes_through(place: Place) -> None:
    text = "import os, sys; print([os.isatty(n) for n in range(3)]); print(len(sys.stdin.read()))"
    assert place.python(text, data=b"x" * 100_000).out == "[False, False, False]\n100000\n"


def test_c05_a_shell(place: Place) -> None:
    done = place(
        "shell", "--engine", place.engine, "app", data=b"pwd; id -u; echo hi > made; exit 4\n", status=4
    )
    assert done.out == f"/code\n{place.uid}\n"
    made = (place.folder / "made").stat()
    assert (made.st_uid, made.st_gid) == (place.uid, place.gid)


def test_c10_groups_are_kept(place: Place) -> None:
    """Their ids are seen where they exist, and their rights are had in any case."""
    shared = place.folder / "shared"
    shared.mkdir()
    shared.chmod(0o770)
    os.chown(shared, 31337, place.groups[0] if place.groups else 0)
    text = "import os; print(sorted(os.getgroups())); print(os.access('shared', os.W_OK))"
    done = place.python(text)
    found, access = set(json.loads(done.out.splitlines()[0])), done.out.splitlines()[1]
    if place.rootless:  # runc cannot, and that is said
        assert "does not have your groups" in done.err
        assert (found, access) == ({place.gid}, "False")
        return
    assert access == "True"
    if place.engine != "native" or place.uid == 0:
        assert found - {place.gid} == set(place.groups) - {place.gid}, done


def test_c10_podman_without_root_keeps_groups_with_crun(make_place, other_user: tuple[int, int]) -> None:
    need("podman")
    need("crun")
    uid, gid = other_user
    place = make_place("podman", "other", uid=uid, gid=gid, groups=[44], runtime="crun")
    shared = place.folder / "shared"
    shared.mkdir()
    shared.chmod(0o770)
    os.chown(shared, 0, 44)
    done = place.python("open('shared/made', 'w').close()")
    assert "groups" not in done.err
    assert (shared / "made").stat().st_uid == uid


def test_signals_end_the_program(place: Place) -> None:
    mark = f"41{os.getpid()}{ALL_MARKS.index(place.engine)}{place.uid % 1000}"
    text = (
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'clearing up\\n'), sys.exit(9)))\n"
        "print('up', flush=True)\n"
        f"while True: time.sleep(0.05)  # {mark}"
    )
    process = place.command.start("run", "--engine", place.engine, "app", "-c", text, before=place.before)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b"up\n"
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (9, b"clearing up\n"), err
    wait_for(lambda: processes_with(mark) == [], lambda: "the program is left")


def _own_terminal() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


ALL_MARKS = ["native", "docker", "podman"]


def test_c04_a_terminal_where_there_is_one(engine_place: Place) -> None:
    master, slave = pty.openpty()
    text = "import os; print([os.isatty(n) for n in range(3)], os.environ['TERM'], os.getpid() == 1)"
    process = subprocess.Popen(
        [*engine_place.before, PROGRAM, "run", "--engine", engine_place.engine, "app", "-c", text],
        cwd=engine_place.folder,
        env={**engine_place.command.environment, "TERM": "xterm"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        preexec_fn=_own_terminal,  # noqa: PLW1509 - there are no threads here
    )
    os.close(slave)
    seen = b""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        seen += data
        if not data:
            break
    os.close(master)
    assert process.wait(30) == 0, seen
    # An init is PID 1, not the program.
    assert b"[True, True, True] xterm False" in seen


def test_what_is_left(engine_place: Place) -> None:
    """The container is removed, and so are HOME and the files that named the caller."""
    engine_place.run("app")
    listed = engine_place.other(engine_place.engine, "ps", "--all", "--format", "{{.Image}}")
    assert "demo-app" not in listed.stdout
    assert list((engine_place.command.store / "sessions").glob("*")) == []


def test_an_image_that_was_removed_from_the_engine(engine_place: Place) -> None:
    """It is brought in again, also where it was there a moment ago and so is not asked for."""
    engine_place.run("app", "-c", "")
    names = engine_place.other(
        engine_place.engine,
        "images",
        "--format",
        "{{.Repository}}:{{.Tag}}",
        "--filter",
        "reference=*demo-app*",
    )
    for name in names.stdout.split():
        engine_place.other(engine_place.engine, "rmi", "--force", name)
    assert engine_place.run("app", "-c", "print('here')").out == "here\n"
    # a program's own 125 is no sign of a missing image
    assert engine_place.python("raise SystemExit(125)", status=125).status == 125


def test_e01_kept_home(place: Place) -> None:
    """What is downloaded once is there the next time, for whoever it belongs to."""
    keep = (
        "import os; cache = os.environ['TORCH_HOME']; os.makedirs(cache, exist_ok=True); "
        "open(cache + '/m', 'a').close()"
    )
    show = "import os; print(os.listdir(os.environ['TORCH_HOME']))"
    place.python(keep, image="kept")
    assert place.python(show, image="kept").out == "['m']\n"
    (home,) = (place.command.home / ".local/share/layerwright/homes/demo-kept").iterdir()
    assert home.name == "kept"
    assert (home.stat().st_uid, home.stat().st_mode & 0o777) == (place.uid, 0o700)
    made = home / ".cache/torch_home/m"
    assert (made.stat().st_uid, made.stat().st_gid) == (place.uid, place.gid)
    assert place.run("--keep-home", "app").out == "the command\n"
    assert (place.command.home / ".local/share/layerwright/homes/demo-app/app").is_dir()


def test_c15_a_file_and_a_data_set_that_cannot_be_written(place: Place) -> None:
    text = (
        "print(open('/data/x').read(), open('/etc/one.txt').read())\n"
        "for path in ('/data/x', '/data/new', '/etc/one.txt'):\n"
        "    try: open(path, 'a').write('z'); print('written')\n"
        "    except OSError as error: print(error.errno)\n"
    )
    project = place.folder.parent
    before = traces(project / "set of, data")
    assert place.python(text, image="mounts").out == "data one\n30\n30\n30\n"
    assert traces(project / "set of, data") == before
    assert (project / "one.txt").read_text() == "one"


def test_c14_resources_hold(place: Place) -> None:
    text = (
        "import json, os, resource, socket\n"
        "shm = os.statvfs('/dev/shm')\n"
        "print(json.dumps([shm.f_blocks * shm.f_frsize, resource.getrlimit(resource.RLIMIT_NOFILE),\n"
        "    sorted(os.sched_getaffinity(0)), sorted(name for _, name in socket.if_nameindex())]))\n"
    )
    shm, files, cpus, interfaces = place.python(text, image="limits").json()
    assert shm == 33 << 20
    assert files == [1000, 2000]
    if not place.rootless:  # control groups of version 1 are root's alone, and podman says so
        assert cpus == [0]
    # One end of each container's cable comes and goes with the containers of others.
    mine = {path.name for path in Path("/sys/class/net").iterdir() if path.is_dir()}
    assert {name for name in interfaces if "veth" not in name} == {
        name for name in mine if "veth" not in name
    }


def test_g07_a_job_without_a_terminal(place: Place) -> None:
    """As CI does it: the lock stands, nobody watches, standard input is closed."""
    done = place.run(
        "--locked", "app", "-c", "import os; open('report.xml', 'w').close(); print(os.getuid())"
    )
    assert done.out == f"{place.uid}\n"
    assert (place.folder / "report.xml").stat().st_uid == place.uid


def test_values_of_variables_stay_out_of_the_list_of_processes(engine_place: Place) -> None:
    mark = "value-nobody-sees"
    process = engine_place.command.with_variables(TOKEN=mark).start(
        "run", "--engine", engine_place.engine, "--env", "TOKEN", "app", "-c",
        "import os, time; print(os.environ['TOKEN'], flush=True); time.sleep(0.4)",
        before=engine_place.before,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().decode().strip() == mark
    assert processes_with(mark) == []
    process.communicate(timeout=30)
