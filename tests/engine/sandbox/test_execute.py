"""Every way of running a program must look the same to it, and leave the same behind."""

import os
import socket
import time
from pathlib import Path

import pytest

from layerwright.core.errors import EngineError
from layerwright.host.process import ProcessError
from layerwright.sandbox.execute import execute
from layerwright.sandbox.model import Bind, Capabilities, Command, Secret
from layerwright.sandbox.rootfs import Rootfs, assemble

pytestmark = pytest.mark.engine

ENV = {"PATH": "/bin", "GREETING": "hello 世界"}


def shell(rootfs: Rootfs, capabilities: Capabilities, script: str, **fields: object) -> tuple[int, list[str]]:
    lines: list[str] = []
    command = Command(argv=("/bin/bash", "-c", script), env=ENV, **fields)  # type: ignore[arg-type]
    status = execute(rootfs, command, capabilities=capabilities, on_line=lines.append, timeout=60)
    return status, lines


def listed(rootfs: Rootfs) -> list[tuple[str, str]]:
    return [(change.kind, change.path) for change in rootfs.changes()]


def is_chroot(capabilities: Capabilities) -> bool:
    return capabilities.runners == ("chroot",)


def test_environment_and_working_folder(rootfs: Rootfs, capabilities: Capabilities) -> None:
    script = 'echo "$GREETING"; pwd; echo "${LC_ALL-unset}"; umask'
    status, lines = shell(rootfs, capabilities, script, cwd="/data/new")
    assert (status, lines) == (0, ["hello 世界", "/data/new", "unset", "0022"])
    assert listed(rootfs) == [("put", "data/new")]


def test_exit_codes_are_docker_s(rootfs: Rootfs, capabilities: Capabilities) -> None:
    wanted = {
        ("/bin/sh", "-c", "exit 7"): 7,
        ("true",): 0,
        ("nonesuch",): 127,
        ("/bin/nonesuch",): 127,
        ("/etc/passwd",): 126,
        ("/bin/sh", "-c", "kill -9 $$"): 137,
        ("/bin/sh", "-c", "kill -TERM $$"): 143,
    }
    given = {
        argv: execute(rootfs, Command(argv=argv, env=ENV), capabilities=capabilities, timeout=60)
        for argv in wanted
    }
    assert given == wanted


def test_changes_are_what_was_done(rootfs: Rootfs, capabilities: Capabilities) -> None:
    script = """
        echo new > /data/new; touch /data/kept; rm /data/gone; ln -s kept /data/link
        rm -r /old; mkdir /old; echo x > /old/fresh
        mkdir -p /deep/er; chmod 600 /etc/passwd
    """
    assert shell(rootfs, capabilities, script) == (0, [])
    changes = listed(rootfs)
    done = [
        ("put", "data/link"),
        ("put", "data/new"),
        ("put", "deep"),
        ("put", "deep/er"),
        ("put", "etc/passwd"),
        ("put", "old/fresh"),
        ("remove", "data/gone"),
    ]
    # A folder that was emptied by replacing it can be told in two ways.
    emptied = [("remove", "old/inside")] if is_chroot(capabilities) else [("replace", "old")]
    assert sorted(changes) == sorted(done + emptied)
    assert [path for _, path in changes] == sorted(
        (path for _, path in changes), key=lambda path: path.split("/")
    )


def test_running_alone_changes_nothing(rootfs: Rootfs, capabilities: Capabilities, tmp_path: Path) -> None:
    binds = (Bind(source=tmp_path, target="/mnt/a/b"), Bind(source=Path("/etc/passwd"), target="/etc/other"))
    status, _ = shell(
        rootfs, capabilities, "test -e /etc/other", binds=binds, secrets=(Secret(name="t", value=b"v"),)
    )
    assert status == 0
    assert listed(rootfs) == []


def test_commands_follow_one_another_in_one_root(rootfs: Rootfs, capabilities: Capabilities) -> None:
    for number in range(3):
        assert shell(rootfs, capabilities, f"echo {number} >> /data/log")[0] == 0
    assert shell(rootfs, capabilities, "cat /data/log") == (0, ["0", "1", "2"])


def test_secrets_are_read_and_never_captured(rootfs: Rootfs, capabilities: Capabilities) -> None:
    secrets = (Secret(name="token", value=b"hunter2\n"), Secret(name="other", value=b"x"))
    script = "cat /run/secrets/token; ls -ln /run/secrets/token; cat /run/secrets/other > /dev/null"
    status, lines = shell(rootfs, capabilities, script, secrets=secrets)
    assert status == 0
    assert lines[0] == "hunter2"
    assert lines[1].startswith("-r--------")
    assert listed(rootfs) == []
    stored = [path for path in rootfs.work.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
    assert stored == []
    assert shell(rootfs, capabilities, "ls /run/secrets")[0] != 0


def test_writing_into_a_bind_reaches_the_caller(
    rootfs: Rootfs, capabilities: Capabilities, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    (folder / "sub").mkdir(parents=True)
    for name in ("in_place", "replaced", "left"):
        (folder / name).write_text("before\n")
    script = """
        echo after > in_place; echo after > tmp; mv tmp replaced
        mkdir new; echo x > new/file; echo y > sub/file; ln -s in_place link
    """
    status, _ = shell(rootfs, capabilities, script, cwd="/code", binds=(Bind(source=folder, target="/code"),))
    assert status == 0
    texts = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert texts == {
        "in_place": "after\n",
        "replaced": "after\n",
        "left": "before\n",
        "new/file": "x\n",
        "sub/file": "y\n",
        "link": "after\n",
    }
    assert listed(rootfs) == []


def test_read_only_binds_protect_the_caller(
    rootfs: Rootfs, capabilities: Capabilities, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "file").write_text("before\n")
    binds = (Bind(source=folder, target="/code", read_only=True),)
    shell(rootfs, capabilities, "echo after > /code/file; echo x > /code/new", binds=binds)
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("file", "before\n")]


def test_a_missing_source_is_told(rootfs: Rootfs, capabilities: Capabilities, tmp_path: Path) -> None:
    if capabilities.runners == ("runc",):
        pytest.skip("the runner tells it in its own words")
    with pytest.raises(EngineError, match="nonesuch"):
        shell(rootfs, capabilities, "true", binds=(Bind(source=tmp_path / "nonesuch", target="/nonesuch"),))


def test_the_network_is_off_unless_asked_for(rootfs: Rootfs, capabilities: Capabilities) -> None:
    if is_chroot(capabilities):
        pytest.skip("nothing can be cut off without a namespace; the caller says so")
    with socket.create_server(("127.0.0.1", 0)) as server:
        script = f"exec 3<>/dev/tcp/127.0.0.1/{server.getsockname()[1]}"
        assert shell(rootfs, capabilities, script, network=True)[0] == 0
        assert shell(rootfs, capabilities, script, network=False)[0] != 0


def test_rights_are_those_of_a_container(rootfs: Rootfs, capabilities: Capabilities) -> None:
    if is_chroot(capabilities):
        pytest.skip("there is no /proc to read")
    _, lines = shell(rootfs, capabilities, "cat /proc/self/status")
    fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert fields["NoNewPrivs"] == "1"
    assert int(fields["CapEff"], 16) & ~0xA80425FB == 0
    status, _ = shell(
        rootfs, capabilities, "value=$(cat /proc/sys/vm/swappiness); echo $value > /proc/sys/vm/swappiness"
    )
    assert status != 0


def test_other_ids(rootfs: Rootfs, capabilities: Capabilities) -> None:
    ids: dict[str, object] = {"uid": 1234, "gid": 1235, "groups": (44, 100)}
    status, lines = shell(rootfs, capabilities, "id -u; id -g; id -G; touch /etc/x 2> /dev/null", **ids)
    assert status != 0
    assert lines[:2] == ["1234", "1235"]
    assert sorted(map(int, lines[2].split())) == [44, 100, 1235]


def test_time_out_ends_daemons_too(rootfs: Rootfs, capabilities: Capabilities, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "beat").write_text("")
    # In place, so that a chroot's hard link shows it as well.
    script = "setsid /bin/bash -c 'while :; do date +%N >> /code/beat; sleep 0.1; done' & sleep 600"
    with pytest.raises(ProcessError) as caught:
        execute(
            rootfs,
            Command(argv=("/bin/bash", "-c", script), env=ENV, binds=(Bind(source=folder, target="/code"),)),
            capabilities=capabilities,
            timeout=1,
        )
    assert caught.value.timed_out
    last = (folder / "beat").read_text()
    assert last
    time.sleep(0.5)
    assert (folder / "beat").read_text() == last


def test_links_of_the_image_do_not_lead_to_the_host(
    lower: Path, capabilities: Capabilities, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    layer = tmp_path / "layer"
    (layer / "etc").mkdir(parents=True)
    (layer / "etc" / "hosts").symlink_to(victim / "hosts")
    (layer / "code").symlink_to(victim)
    (layer / "work").symlink_to(f"../../..{victim}")
    binds = (Bind(source=Path("/etc/passwd"), target="/code/passwd"),)
    with assemble([lower, layer], scratch=tmp_path, capabilities=capabilities) as rootfs:
        status, _ = shell(rootfs, capabilities, "ls /code/", binds=binds, cwd="/work/sub", network=True)
    assert status in (0, 1, 125, 126)
    assert list(victim.iterdir()) == []


def test_a_program_cannot_make_us_remove_the_host_s_files(
    rootfs: Rootfs, capabilities: Capabilities, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "hosts").write_text("")
    script = f"mv /etc /etc2 && ln -s {victim} /etc"
    shell(rootfs, capabilities, script)
    assert (victim / "hosts").exists()


def test_upper_layers_win_and_five_hundred_of_them_work(
    lower: Path, capabilities: Capabilities, tmp_path: Path
) -> None:
    layers = [lower]
    for number in range(499):
        layer = tmp_path / f"layer-{number}"
        (layer / "many").mkdir(parents=True)
        (layer / "many" / f"{number % 250}").write_text(f"{number}\n")
        layers.append(layer)
    with assemble(layers, scratch=tmp_path, capabilities=capabilities, linkable=layers[1:]) as rootfs:
        status, lines = shell(
            rootfs, capabilities, "set -- /many/*; echo $#; cat /many/0 /many/248 /many/249"
        )
    assert (status, lines) == (0, ["250", "250", "498", "249"])


def test_a_layer_may_come_twice(lower: Path, capabilities: Capabilities, tmp_path: Path) -> None:
    """As in an image on a base that layerwright built: both have the environment's first layer."""
    twice, between = tmp_path / "twice", tmp_path / "between"
    for layer in (twice, between):
        (layer / "both").mkdir(parents=True)
        (layer / "both" / "who").write_text(f"{layer.name}\n")
        (layer / "both" / layer.name).write_text("")
    layers = [lower, twice, between, twice]
    with assemble(layers, scratch=tmp_path, capabilities=capabilities, linkable=layers[1:]) as rootfs:
        status, lines = shell(rootfs, capabilities, "cd /both; echo *; cat who; touch new")
        assert (status, lines) == (0, ["between twice who", "twice"])
        assert listed(rootfs) == [("put", "both/new")]


def test_whiteouts_of_layers_hide(lower: Path, capabilities: Capabilities, tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    (layer / "data").mkdir(parents=True)
    os.mknod(layer / "data" / "gone", 0o020000, 0)
    (layer / "old").mkdir()
    os.setxattr(layer / "old", "trusted.overlay.opaque", b"y")
    with assemble([lower, layer], scratch=tmp_path, capabilities=capabilities) as rootfs:
        status, lines = shell(rootfs, capabilities, "cd /; echo data/* old/*")
    assert (status, lines) == (0, ["data/kept old/*"])


def test_nothing_is_mounted_on_the_host(rootfs: Rootfs, capabilities: Capabilities) -> None:
    assert shell(rootfs, capabilities, "true")[0] == 0
    assert str(rootfs.work) not in Path("/proc/self/mountinfo").read_text()


def test_an_unknown_runner_is_refused_with_reasons(rootfs: Rootfs, capabilities: Capabilities) -> None:
    with pytest.raises(EngineError, match="nonesuch"):
        execute(rootfs, Command(argv=("true",)), capabilities=capabilities, timeout=5, runner="nonesuch")
