"""``run`` and ``shell``: what the program gets, and what is left of it."""

import errno
import fcntl
import hashlib
import os
import pty
import select
import shutil
import signal
import socket
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.command import (
    Command,
    Project,
    finish,
    leftovers,
    mounts_below,
    new_project,
    processes_with,
    wait_for,
)

pytestmark = pytest.mark.engine

SPEC = """\
[images.app]
entrypoint = ["python"]
command = ["-c", "print('the command')"]
env = { FROM_SPEC = "a b", GREETING = "你好" }
workdir = "/work"
writable = ["HF_HOME"]
[images.bare]
env = { A = "1" }
workdir = "/work"
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, shared_store: Path, small_base: str) -> Project:
    """One project for all starts, which change nothing in it."""
    root = tmp_path_factory.mktemp("run")
    (root / "home").mkdir()
    project = new_project(root / "project", home=root / "home", store=shared_store, base=small_base)
    project.spec(SPEC)
    project("build")
    return project


@pytest.fixture
def app(built: Project, tmp_path: Path) -> Command:
    """The command in an empty folder of the project."""
    work = built.folder / tmp_path.name
    work.mkdir()
    return built.command.changed(folder=work)


def python(text: str) -> tuple[str, str, str, str]:
    return ("run", "app", "-c", text)


def test_arguments_reach_the_program_untouched(app: Command) -> None:
    words = [
        "two words", "", "$HOME", "`id`", "'single'", '"double"', "back\\slash", "*", "--json", "-q", "--", "-",
        "--env", "A=B", "new\nline", "你好", "; exit 3", "--help", "\t",
    ]  # fmt: skip
    done = app(*python("import sys, json; print(json.dumps(sys.argv[1:]))"), *words)
    assert done.json() == words
    done = app("run", "app", "--", "-c", "import sys; print(sys.argv)", "--", "x")
    assert done.out == "['-c', '--', 'x']\n"
    assert (
        app.with_variables(LC_ALL="C")(*python("import sys; print(ascii(sys.argv[1]))"), "你").out
        == "'\\u4f60'\n"
    )


def test_nothing_but_the_programs_output_is_on_stdout(app: Command) -> None:
    done = app(*python("import sys; print('out'); print('err', file=sys.stderr)"))
    assert (done.out, done.err) == ("out\n", "err\n")
    assert app("run", "app").out == "the command\n"


def test_the_first_run_builds_and_says_so_elsewhere(fresh_project: Project) -> None:
    fresh_project.spec(SPEC)
    done = fresh_project("run", "app")
    assert done.out == "the command\n"
    assert "there is no lock yet" in done.err


def test_a_start_with_nothing_to_build_still_sees_every_change(fresh_project: Project) -> None:
    program = '[images.app]\nentrypoint = ["python", "/code/src/a.py"]\ncopy = [{ from = "src", to = "/code/src" }]\n'
    source = "import os; print(%d, os.environ.get('NAME'), sorted(os.listdir('/code/src')))\n"
    fresh_project.write({"src/a.py": source % 1})
    fresh_project.spec(program)
    run = ("run", "app")
    assert fresh_project(*run).out == "1 None ['a.py']\n"
    assert fresh_project(*run).out == "1 None ['a.py']\n"

    fresh_project.write({"src/a.py": source % 2, "src/b.py": ""})
    assert fresh_project(*run).out == "2 None ['a.py', 'b.py']\n"
    fresh_project.spec(program + 'env = { NAME = "x" }\n')
    assert fresh_project(*run).out == "2 x ['a.py', 'b.py']\n"

    for tree in (fresh_project.command.store / "trees").iterdir():
        shutil.rmtree(tree)
    assert fresh_project(*run).out == "2 x ['a.py', 'b.py']\n"
    # What `build` remembers is enough, too.
    fresh_project("build", "app")
    assert fresh_project(*run).out == "2 x ['a.py', 'b.py']\n"


@pytest.mark.parametrize("status", [0, 1, 7, 70, 125, 255])
def test_exit_codes(app: Command, status: int) -> None:
    process = app.start(*python(f"raise SystemExit({status})"))
    assert finish(process).status == status


def test_a_program_that_is_not_there_or_cannot_be_run(app: Command) -> None:
    (app.folder / "plain").write_text("text")
    assert app("run", "bare", "nothing-of-this-name", status=127).out == ""
    assert app("run", "bare", "/work/plain", status=126).out == ""
    done = app("run", "bare", status=2)
    assert "has no entrypoint" in done.err
    assert "layerwright.toml:" in done.err


def test_a_signal_that_ends_the_program_is_told(app: Command) -> None:
    assert app("run", "bare", "sh", "-c", "kill -KILL $$", status=137)
    assert app("run", "bare", "sh", "-c", "kill -SEGV $$", status=139)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_end_the_program(app: Command, number: signal.Signals) -> None:
    mark = f"32{os.getpid()}{int(number)}"
    process = app.start("run", "bare", "sh", "-c", f"echo up; exec sleep {mark}")
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    wait_for(lambda: processes_with(f"sleep {mark}") != [], lambda: "the program does not start")
    process.send_signal(number)
    done = finish(process, timeout=20)
    assert done.status == 128 + number, done
    wait_for(lambda: processes_with(f"sleep {mark}") == [], lambda: "the program is left")
    assert leftovers(app.store) == []
    assert mounts_below(app.store) == []


def test_a_program_may_handle_signals(app: Command) -> None:
    text = (
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'clearing up\\n'), sys.exit(9)))\n"
        "signal.signal(signal.SIGUSR1, lambda *_: os.write(1, b'one\\n'))\n"
        "print('up', flush=True)\n"
        "while True: time.sleep(0.1)"
    )
    process = app.start(*python(text))
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    process.send_signal(signal.SIGUSR1)
    assert process.stdout.readline() == b"one\n"
    process.terminate()
    done = finish(process, timeout=20)
    assert (done.status, done.out) == (9, "clearing up\n")


def test_children_do_not_outlive_the_program(app: Command) -> None:
    mark = f"33{os.getpid()}"
    assert app("run", "bare", "sh", "-c", f"sleep {mark} & echo done").out == "done\n"
    wait_for(lambda: processes_with(f"sleep {mark}") == [], lambda: "a child is left")


def test_killing_layerwright_ends_the_program(app: Command) -> None:
    mark = f"34{os.getpid()}"
    process = app.start("run", "bare", "sh", "-c", f"echo up; exec sleep {mark}")
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    process.kill()
    finish(process)
    wait_for(lambda: processes_with(f"sleep {mark}") == [], lambda: "the program is left")
    app("run", "bare", "true")
    assert leftovers(app.store) == []


def test_standard_input_is_piped(app: Command) -> None:
    data = os.urandom(300_000)
    done = app(
        *python("import sys, hashlib; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"), data=data
    )
    assert done.out.strip() == hashlib.sha256(data).hexdigest()


def test_a_reader_that_goes_away_ends_the_program(app: Command) -> None:
    process = app.start("run", "bare", "sh", "-c", "while echo y; do :; done 2>/dev/null; exit 5")
    assert process.stdout is not None
    assert process.stdout.readline() == b"y\n"
    process.stdout.close()
    assert process.wait(20) in {5, 128 + signal.SIGPIPE}
    assert process.stderr is not None
    process.stderr.close()


def test_there_is_no_terminal_in_a_pipe(app: Command) -> None:
    done = app(*python("import os; print([os.isatty(n) for n in range(3)])"))
    assert done.out == "[False, False, False]\n"


def _own_terminal() -> None:
    """Lead a session whose terminal is standard input."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """A command under a terminal of its own."""

    def __init__(self, command: Command, *arguments: str) -> None:
        self.master, slave = pty.openpty()
        self.process = command.with_variables(TERM="xterm").start(
            *arguments,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=False,
            preexec_fn=_own_terminal,
        )
        os.close(slave)
        self.seen = ""

    def expect(self, text: str, *, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < end, self.seen
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    data = os.read(self.master, 4096)
                except OSError:
                    data = b""
                assert data, self.seen
                self.seen += data.decode(errors="replace")
        self.seen = self.seen.partition(text)[2]

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def end(self) -> int:
        end = time.monotonic() + 30
        while self.process.poll() is None:
            assert time.monotonic() < end, self.seen
            if select.select([self.master], [], [], 0.05)[0]:
                try:
                    self.seen += os.read(self.master, 4096).decode(errors="replace")
                except OSError:
                    break
        status = self.process.wait(30)
        os.close(self.master)
        return status


@pytest.fixture
def terminal(app: Command) -> Iterator[list[Terminal]]:
    opened = list[Terminal]()
    yield opened
    for one in opened:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def test_there_is_a_terminal_under_a_terminal(app: Command, terminal: list[Terminal]) -> None:
    one = Terminal(
        app,
        *python(
            "import os; print([os.isatty(n) for n in range(3)], os.environ['TERM']); print('said', input())"
        ),
    )
    terminal.append(one)
    one.expect("[True, True, True] xterm")
    one.type("hello\n")
    one.expect("said hello")
    assert one.end() == 0


def test_ctrl_c_on_a_terminal_reaches_the_program_once(app: Command, terminal: list[Terminal]) -> None:
    text = (
        "import os, signal, time\n"
        "seen = []\n"
        "signal.signal(signal.SIGINT, lambda *_: (seen.append(1), os.write(1, b'interrupted;')))\n"
        "print('up', flush=True)\n"
        # Not in input() yet: a signal just before its read would be seen when the read ends.
        "while not seen: time.sleep(0.01)\n"
        "input(); print('went on', len(seen))"
    )
    one = Terminal(app, *python(text))
    terminal.append(one)
    one.expect("up")
    one.type("\x03")
    one.expect("interrupted;")
    time.sleep(0.2)
    one.type("\n")
    one.expect("went on 1")
    assert "interrupted" not in one.seen
    assert one.end() == 0


def test_a_shell_in_an_image(app: Command, terminal: list[Terminal]) -> None:
    one = Terminal(app, "shell", "app")
    terminal.append(one)
    time.sleep(0.1)
    one.type(
        "stty -echo; echo re''ady; tty; pwd; echo $GREETING; python -c 'import sys; print(sys.prefix)'\n"
    )
    one.expect("ready")
    one.expect("/dev/")
    one.expect("/work")
    one.expect("你好")
    one.expect("/opt/venv")
    one.type("exit 3\n")
    assert one.end() == 3


def test_a_shell_of_a_pipe(app: Command) -> None:
    done = app("shell", "app", data=b"echo $((6 * 7))\nexit 4\n", status=4)
    assert done.out == "42\n"


def test_files_belong_to_the_caller(app: Command) -> None:
    (app.folder / "in.txt").write_text("in")
    text = (
        "import os, pathlib; print(os.getcwd()); p = pathlib.Path('new'); p.mkdir(); (p / 'ü').write_text('x'); "
        "print(open('in.txt').read())"
    )
    assert app(*python(text)).out == "/work\nin\n"
    made = app.folder / "new/ü"
    assert made.read_text() == "x"
    assert (made.stat().st_uid, made.stat().st_gid) == (os.getuid(), os.getgid())
    assert (app.folder / "new").stat().st_uid == os.getuid()


def test_the_program_runs_as_the_caller(app: Command) -> None:
    text = (
        "import os, pwd, grp, json, pathlib; p = pwd.getpwuid(os.getuid()); home = os.environ['HOME'];"
        "pathlib.Path(home, 'x').write_text('x'); cache = pathlib.Path(os.environ['HF_HOME']);"
        "cache.mkdir(parents=True); "
        "print(json.dumps([os.getuid(), os.getgid(), sorted(os.getgroups()), p.pw_name, p.pw_dir == home, "
        "grp.getgrgid(os.getgid()).gr_gid]))"
    )
    uid, gid, groups, name, same_home, known_gid = app(*python(text)).json()
    assert (uid, gid, known_gid) == (os.getuid(), os.getgid(), os.getgid())
    assert set(groups) == set(os.getgroups())
    assert same_home
    assert name
    # What was written at home is gone.
    assert app(*python("import os; print(os.listdir(os.environ['HOME']))")).out == "[]\n"


def test_what_is_written_elsewhere_is_thrown_away(app: Command) -> None:
    app("run", "bare", "sh", "-c", "echo x > /etc/x; rm -r /opt/venv/bin; echo y > /opt/venv/y")
    assert app(
        "run", "bare", "sh", "-c", "test ! -e /etc/x && test ! -e /opt/venv/y && test -e /opt/venv/bin/python"
    )


def test_variables(app: Command) -> None:
    show = python("import os, json; print(json.dumps(dict(os.environ)))")
    seen = app.with_variables(HOST_ONLY="secret", PASSED="on")(
        show[0], "-e", "PASSED", "--env", "SET=a=b c", "-e", "EMPTY=", "-e", "NOT_SET", *show[1:]
    ).json()
    assert seen["PASSED"] == "on"
    assert seen["SET"] == "a=b c"
    assert seen["EMPTY"] == ""
    assert seen["FROM_SPEC"] == "a b"
    assert seen["GREETING"] == "你好"
    assert "NOT_SET" not in seen
    assert "HOST_ONLY" not in seen
    assert not any(name.startswith("LAYERWRIGHT") for name in seen)
    assert seen["PATH"].startswith("/opt/venv/bin:")
    over = app(show[0], "--env", "FROM_SPEC=other", *show[1:]).json()
    assert over["FROM_SPEC"] == "other"


def test_mounts(app: Command, tmp_path: Path) -> None:
    data = tmp_path / "da ta"
    data.mkdir()
    (data / "x").write_text("x")
    text = (
        "import pathlib\n"
        "print(pathlib.Path('/data/x').read_text())\n"
        "for act in (lambda: pathlib.Path('/data/y').write_text('y'), lambda: pathlib.Path('/data/x').unlink(),\n"
        "            lambda: pathlib.Path('/data/x').open('a').write('z')):\n"
        "    try:\n        act(); print('written')\n"
        "    except OSError as error:\n        print(error.errno)\n"
    )
    done = app("run", "--mount", f"{data}:/data:ro", *python(text)[1:])
    assert done.out == f"x\n{errno.EROFS}\n{errno.EROFS}\n{errno.EROFS}\n"
    assert sorted(path.name for path in data.iterdir()) == ["x"]
    # Not even root of the container makes it writable.
    assert (
        app("run", "--mount", f"{data}:/data:ro", "bare", "sh", "-c", "echo z >> /data/x", status=None).status
        != 0
    )
    assert (data / "x").read_text() == "x"
    app("run", "--mount", f"{data}:/data", *python("open('/data/y', 'w').write('y')")[1:])
    assert (data / "y").read_text() == "y"
    app("run", "--mount", f"{data}/x:/etc/one", *python("assert open('/etc/one').read() == 'x'")[1:])
    done = app("run", "--mount", f"{tmp_path}/absent:/data", "app", status=2)
    assert "does not exist" in done.err
    assert not (tmp_path / "absent").exists()
    assert app("run", "--mount", "nonsense", "app", status=2).err.startswith("error: cannot read the mount")


def test_mounts_of_the_spec(project: Project) -> None:
    project.write({"data/x": "x"})
    project.spec(
        '[images.app]\nentrypoint = ["sh", "-c"]\n'
        'run = { mounts = [{ from = "data", to = "/data", read_only = true }], network = false }\n'
    )
    done = project("run", "app", "cat /data/x; echo y 2>/dev/null > /data/y || echo no; cat /proc/net/dev")
    assert done.out.startswith("xno\n")
    assert [line.split(":")[0].strip() for line in done.out.splitlines() if ":" in line] == ["lo"]
    assert not (project.folder / "data/y").exists()


def test_workdir_entrypoint_and_network(app: Command) -> None:
    (app.folder / "here.txt").write_text("x")
    done = app("run", "--workdir", "/other/place", *python("import os; print(os.getcwd(), os.listdir())")[1:])
    assert done.out == "/other/place ['here.txt']\n"
    assert app("run", "--entrypoint", "echo", "app", "a b", "c").out == "a b c\n"
    assert app("run", "--entrypoint", "", "app", "echo", "x").out == "x\n"
    interfaces = python("import socket; print(sorted(name for _, name in socket.if_nameindex()))")
    assert app("run", "--no-network", *interfaces[1:]).out == "['lo']\n"
    assert app(*interfaces).out == f"{sorted(name for _, name in socket.if_nameindex())}\n"
    assert (
        app("run", "--no-network", *python("import socket; print(socket.gethostname())")[1:]).out == "app\n"
    )


def test_umask_does_not_close_the_root(app: Command) -> None:
    done = app(
        *python("import os; print([oct(os.stat(p).st_mode & 0o7777) for p in ('/', '/tmp', '/opt/venv')])"),
        umask=0o077,
    )
    assert done.out == "['0o755', '0o1777', '0o755']\n"


def test_images_that_are_not_there(app: Command) -> None:
    done = app("run", "ap", status=2)
    assert "describes no image 'ap'" in done.err
    assert "hint: did you mean 'app'?" in done.err
    assert app("run", "completely-other", status=2).err.endswith("hint: it describes app, bare\n")
    assert app("build", "bar", status=2).out == ""
    assert app("shell", status=2).err.startswith("error: the spec stands for 2 images")
