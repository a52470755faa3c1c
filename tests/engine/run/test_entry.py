"""The entry program in real containers: with much in them and with little, started as people start images."""

import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from layerwright.guest import ENTRY_PATH, WRITABLE, entry_program

pytestmark = pytest.mark.engine

SHOW = (
    'echo "$(id -u) $(id -g) $(id -G)|$HOME|${USER:-}|$PWD|$#"; for word; do echo "<$word>"; done; '
    'echo made > "$HOME/made"; touch "$HF_HOME/made" && echo "$HF_HOME"'
)


def busybox_image(docker: str, name: str, *, programs: dict[str, bytes] | None = None) -> None:
    """An image with busybox, its applets and nothing else: no bash, no Python, no useradd, no setpriv that works."""
    busybox = shutil.which("busybox")
    assert busybox is not None, "Debian's busybox-static"
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:

        def add(
            path: str,
            content: bytes = b"",
            *,
            kind: bytes = tarfile.REGTYPE,
            mode: int = 0o755,
            link: str = "",
        ):
            entry = tarfile.TarInfo(path)
            entry.type, entry.mode, entry.linkname, entry.size = kind, mode, link, len(content)
            tar.addfile(entry, io.BytesIO(content))

        for folder, mode in (
            ("bin", 0o755),
            ("etc", 0o755),
            ("tmp", 0o1777),
            ("code", 0o755),
            (".layerwright", 0o755),
        ):
            add(folder, kind=tarfile.DIRTYPE, mode=mode)
        add("bin/busybox", Path(busybox).read_bytes())
        for applet in applets:
            if applet not in {"busybox", "chroot", "setpriv"}:
                add(f"bin/{applet}", kind=tarfile.SYMTYPE, link="busybox")
        add(
            "etc/passwd",
            b"root:x:0:0:root:/root:/bin/sh\nubuntu:x:1000:1000::/home/ubuntu:/bin/sh\n",
            mode=0o644,
        )
        add("etc/group", b"root:x:0:\nubuntu:x:1000:\n", mode=0o644)
        add(ENTRY_PATH.strip("/"), entry_program().encode())
        for path, content in (programs or {}).items():
            add(path, content)
    changes = ["--change", "WORKDIR /code", "--change", f"ENV {WRITABLE}=HF_HOME=huggingface"]
    subprocess.run(
        [docker, "import", *changes, "-", name], input=buffer.getvalue(), check=True, capture_output=True
    )


@pytest.fixture(scope="module")
def debian_image(docker: str, tmp_path_factory: pytest.TempPathFactory, debian_layout: Path) -> Iterator[str]:
    """Debian as it is: GNU tools, setpriv, Python."""
    name = "layerwright-entry-test:debian"
    subprocess.run(
        ["skopeo", "copy", "--quiet", f"oci:{debian_layout}", f"docker-daemon:{name}-base"], check=True
    )
    folder = tmp_path_factory.mktemp("entry")
    (folder / "entry").write_text(entry_program())
    (folder / "entry").chmod(0o755)
    (folder / "Dockerfile").write_text(
        f"FROM {name}-base\nCOPY entry {ENTRY_PATH}\nENV {WRITABLE}=HF_HOME=huggingface\n"
        "RUN echo 'ubuntu:x:1000:1000::/home/ubuntu:/bin/sh' >> /etc/passwd && mkdir /code\nWORKDIR /code\n"
    )
    subprocess.run(
        [docker, "build", "--quiet", "--tag", name, str(folder)],
        check=True,
        capture_output=True,
        env={"DOCKER_BUILDKIT": "1", "PATH": "/usr/bin:/bin"},
    )
    yield name
    subprocess.run([docker, "rmi", "--force", name, f"{name}-base"], check=False, capture_output=True)


@pytest.fixture(scope="module")
def busybox(docker: str) -> Iterator[str]:
    name = "layerwright-entry-test:busybox"
    busybox_image(docker, name)
    yield name
    subprocess.run([docker, "rmi", "--force", name], check=False, capture_output=True)


@pytest.fixture(params=["debian", "busybox"])
def image(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("debian_image" if request.param == "debian" else "busybox")


def start(
    docker: str, image: str, *options: str, argv: tuple[str, ...] = ("/bin/sh", "-c", SHOW, "sh"), **more
):
    return subprocess.run(
        [docker, "run", "--rm", "--network", "none", *options, "--entrypoint", ENTRY_PATH, image, *argv],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **more,
    )


def ids(uid: int, gid: int) -> tuple[str, ...]:
    return ("--env", f"USER_ID={uid}", "--env", f"GROUP_ID={gid}")


def test_c06_ids_by_variable(docker: str, image: str, tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("untouched")
    (tmp_path / "theirs").chmod(0o640)
    tmp_path.chmod(0o777)
    before = [(path.name, path.stat()) for path in sorted(tmp_path.iterdir())]
    done = start(
        docker, image, *ids(1234, 2345), "--volume", f"{tmp_path}:/code",
        argv=("/bin/sh", "-c", SHOW + "; touch /code/made", "sh", "a b", "$x", "", "it's"),
    )  # fmt: skip
    assert done.returncode == 0, done
    assert done.stdout.splitlines() == [
        "1234 2345 2345|/home/user|user|/code|4",
        "<a b>",
        "<$x>",
        "<>",
        "<it's>",
        "/home/user/.cache/huggingface",
    ]
    assert done.stderr == ""
    made = (tmp_path / "made").stat()
    assert (made.st_uid, made.st_gid) == (1234, 2345)
    for name, status in before:  # C08
        now = (tmp_path / name).stat()
        for field in ("st_uid", "st_gid", "st_mode", "st_mtime_ns", "st_ctime_ns"):
            assert getattr(now, field) == getattr(status, field)


def test_c07_home_of_a_uid_that_the_image_knows(docker: str, image: str) -> None:
    done = start(
        docker,
        image,
        *ids(1000, 1000),
        argv=("/bin/sh", "-c", "echo $HOME ~; id -un; grep :1000: /etc/passwd"),
    )
    assert done.returncode == 0, done
    assert done.stdout.splitlines() == [
        "/home/user /home/user",
        "ubuntu",
        "ubuntu:x:1000:1000:ubuntu:/home/user:/bin/sh",
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--env", "USER_ID=1234"], "GROUP_ID is not"),
        (["--env", "GROUP_ID=1234"], "USER_ID is not"),
        ([*ids(1234, 1)[:2], "--env", "GROUP_ID=staff"], "GROUP_ID is 'staff'"),
        (["--env", "USER_ID=", "--env", "GROUP_ID="], "no number"),
        (["--env", "USER_ID=-1", "--env", "GROUP_ID=1"], "no number"),
        (["--env", "USER_ID=1 2", "--env", "GROUP_ID=1"], "no number"),
        (["--env", "USER_ID=4294967295", "--env", "GROUP_ID=1"], "more than any id"),
        (["--user", "5:5", *ids(1234, 2345)], "cannot become"),
    ],
)
def test_c09_bad_ids_are_refused_and_nothing_runs(
    docker: str, image: str, options: list[str], said: str
) -> None:
    done = start(docker, image, *options, argv=("/bin/sh", "-c", "echo ran"))
    assert (done.returncode, done.stdout) == (125, "")
    assert said in done.stderr


def test_c10_groups_are_kept(docker: str, debian_image: str) -> None:
    done = start(
        docker, debian_image, *ids(1234, 2345), "--group-add", "44", "--group-add", "109",
        argv=("/bin/sh", "-c", "id -G; id -Gn"),
    )  # fmt: skip
    assert done.stdout.splitlines() == ["2345 44 109", "usergroup video usergroup109"]


def test_c10_groups_that_nothing_can_give_are_told(docker: str, busybox: str) -> None:
    done = start(docker, busybox, *ids(1234, 2345), "--group-add", "44", argv=("id",))
    assert done.returncode == 125
    assert "setpriv" in done.stderr


def test_c11_the_same_container_again(docker: str, image: str) -> None:
    name = "layerwright-entry-again"
    subprocess.run([docker, "rm", "--force", name], check=False, capture_output=True)
    create = [
        docker,
        "create",
        "--name",
        name,
        *ids(1234, 2345),
        "--entrypoint",
        ENTRY_PATH,
        image,
        "/bin/sh",
        "-c",
    ]
    subprocess.run([*create, "id -u; echo $HOME; grep -c 1234 /etc/passwd"], check=True, capture_output=True)
    try:
        first, second = (
            subprocess.run([docker, "start", "--attach", name], check=True, capture_output=True, text=True)
            for _ in range(2)
        )
    finally:
        subprocess.run([docker, "rm", "--force", name], check=False, capture_output=True)
    assert first.stdout.splitlines() == ["1234", "/home/user", "1"]
    assert second.stdout == first.stdout
    assert second.stderr == first.stderr == ""


@pytest.mark.parametrize("more", [(), ids(1234, 2345), ("--read-only", "--tmpfs", "/tmp")])
def test_c12_plain_user(docker: str, image: str, more: tuple[str, ...]) -> None:
    done = start(docker, image, "--user", "1234:2345", *more)
    assert done.returncode == 0, done
    assert done.stdout.splitlines() == [
        "1234 2345 2345|/tmp/home-1234|user1234|/code|0",
        "/tmp/home-1234/.cache/huggingface",
    ]


def test_a_root_that_is_read_only(docker: str, debian_image: str) -> None:
    done = start(docker, debian_image, "--read-only", "--tmpfs", "/tmp", *ids(1234, 2345))
    assert done.stdout.startswith("1234 2345 2345|/tmp/home-1234|user1234|/code|0\n")


def test_a_home_that_is_mounted_is_used_and_left_as_it_is(
    docker: str, debian_image: str, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir(mode=0o700)
    shutil.chown(mine, 1234, 2345)
    before = mine.stat()
    done = start(docker, debian_image, *ids(1234, 2345), "--volume", f"{mine}:/home/user")
    assert done.stdout.startswith("1234 2345 2345|/home/user|")
    assert (mine / "made").stat().st_uid == 1234
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o755)
    done = start(docker, debian_image, *ids(1234, 2345), "--volume", f"{theirs}:/home/user")
    assert done.stdout.startswith("1234 2345 2345|/tmp/home-1234|")
    assert list(theirs.iterdir()) == []
    assert (mine.stat().st_uid, mine.stat().st_mode) == (before.st_uid, before.st_mode)


def test_nothing_given_changes_nothing(docker: str, image: str) -> None:
    done = start(docker, image, argv=("/bin/sh", "-c", "id -u; echo $HOME"))
    assert done.stdout.splitlines() == ["0", "/root"]


def test_a14_no_arguments_are_a_shell(docker: str, image: str) -> None:
    for argv in ((), ("python",)):
        done = start(docker, image, "--interactive", *ids(1234, 2345), argv=argv, input="id -u; echo $0\n")
        assert done.returncode == 0
        assert done.stdout.splitlines()[0] == "1234"


def test_c02_exit_codes_and_what_cannot_be_found(docker: str, image: str) -> None:
    assert start(docker, image, *ids(1234, 2345), argv=("/bin/sh", "-c", "exit 7")).returncode == 7
    assert start(docker, image, *ids(1234, 2345), argv=("nothing-like-it",)).returncode == 127


def test_signals_reach_the_program_itself(docker: str, image: str) -> None:
    """It is no child of the entry program: there is nobody to pass signals on."""
    done = start(
        docker, image, *ids(1234, 2345), argv=("/bin/sh", "-c", 'cat "/proc/$$/cmdline" | tr "\\0" " "')
    )
    assert done.stdout.startswith("/bin/sh -c cat")


def test_each_way_to_change_ids(docker: str, debian_image: str) -> None:
    """Take the best one away, and the next one serves as well."""
    for gone in ("", "setpriv", "setpriv chroot"):
        remove = f"cd /usr/bin; rm -f {gone}; cd /usr/sbin; rm -f {gone};" if gone else ""
        script = f"{remove} cd /code; exec {ENTRY_PATH} /bin/sh -c 'id -u; id -g; id -G; pwd; echo $HOME'"
        done = subprocess.run(
            [docker, "run", "--rm", *ids(1234, 2345), "--group-add", "44", "--entrypoint", "/bin/sh", debian_image,
             "-c", script],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.stdout.split() == ["1234", "2345", "2345", "44", "/code", "/home/user"], (gone, done)


def test_the_script_is_clean(tool) -> None:
    script = Path(__file__).parents[3] / "src" / "layerwright" / "guest" / "entry.sh"
    subprocess.run([tool("shellcheck"), script], check=True)
