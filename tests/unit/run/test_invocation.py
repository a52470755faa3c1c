"""What is run, from text people write; and the files that tell a program who it is."""

from pathlib import Path

import pytest

from layerwright.core.errors import UsageError
from layerwright.host.environment import HostEnvironment
from layerwright.run.docker import docker_argv
from layerwright.run.files import group_text, passwd_text
from layerwright.run.invocation import (
    Identity,
    Invocation,
    MountPoint,
    parse_mount,
    parse_size,
    parse_variable,
    resolve_groups,
)

PASSWD = "root:x:0:0:root:/root:/bin/bash\nubuntu:x:1000:1000::/home/ubuntu:/bin/bash\n"
CALLER = Identity(uid=1000, gid=1000, groups=(44, 1234), name="ann", home="/home/ann")


def test_mount_is_read_with_its_mode(tmp_path):
    (tmp_path / "data").mkdir()
    mount = parse_mount("data:/data:ro", tmp_path)
    assert (mount.source, mount.target, mount.read_only) == (tmp_path / "data", "/data", True)
    assert not parse_mount("data:/data", tmp_path).read_only


@pytest.mark.parametrize("text", ["data", "data:relative", ":/x", "a:/b:rw:x", "a:/b:rx"])
def test_bad_mounts_are_refused(tmp_path, text):
    with pytest.raises(UsageError):
        parse_mount(text, tmp_path)


def test_missing_mount_source_is_refused_rather_than_made(tmp_path):
    with pytest.raises(UsageError) as caught:
        parse_mount("absent:/data", tmp_path)
    assert "does not exist" in caught.value.what
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", 0),
        ("8g", 8 << 30),
        ("512m", 512 << 20),
        ("64K", 64 << 10),
        ("100", 100),
        ("1gb", 1 << 30),
        ("7b", 7),
    ],
)
def test_sizes_as_docker_writes_them(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["g", "1.5g", "-1", "1t", "8 g"])
def test_bad_sizes_are_refused(text):
    with pytest.raises(UsageError):
        parse_size(text)


def test_variables_are_set_or_passed_on():
    assert parse_variable("A=b=c", {}) == ("A", "b=c")
    assert parse_variable("A=", {"A": "host"}) == ("A", "")
    assert parse_variable("A", {"A": "host"}) == ("A", "host")
    assert parse_variable("A", {}) is None
    with pytest.raises(UsageError):
        parse_variable("=x", {})


def test_caller_takes_the_place_of_the_images_user_with_the_same_uid():
    lines = passwd_text(PASSWD, CALLER).splitlines()
    assert "ann:x:1000:1000:ann:/home/ann:/bin/sh" in lines
    assert not [line for line in lines if line.startswith("ubuntu:")]
    assert lines[0].startswith("root:")


def test_groups_get_the_hosts_names_and_never_one_name_twice():
    text = group_text("root:x:0:\nvideo:x:99:\n", CALLER, {1000: "ann", 44: "video"})
    names = [line.split(":")[0] for line in text.splitlines()]
    assert len(names) == len(set(names))
    assert {line.split(":")[2] for line in text.splitlines()} == {"0", "99", "1000", "44", "1234"}
    assert "group44:x:44:ann" in text


def host(*, uid=1000, groups=(44,)):
    return HostEnvironment(
        variables={}, uid=uid, gid=uid, groups=groups, home=Path("/"), cpu_count=1, path="", python=Path("/")
    )


def test_groups_of_the_spec_are_found_by_name_and_number():
    assert resolve_groups(("video", "44"), host(), {"video": 44}) == (44, 44)
    assert Identity.of_caller(host(), "ann", (44, 50)).groups == (44, 50)


def test_a_group_the_caller_is_not_in_is_refused_but_for_root():
    with pytest.raises(UsageError, match="not in the group 'render'"):
        resolve_groups(("render",), host(), {"render": 105})
    assert resolve_groups(("render",), host(uid=0), {"render": 105}) == (105,)
    with pytest.raises(UsageError, match="no group 'nosuch'"):
        resolve_groups(("nosuch",), host(uid=0), {})


def invocation(**changes):
    fields = {
        "argv": ("python", "a b", ""),
        "env": {"A": "1", "HOME": "/home/ann"},
        "workdir": "/work",
        "mounts": (),
        "identity": CALLER,
        "network": True,
        "terminal": False,
        "passwd": "",
        "group": "",
    }
    return Invocation(**{**fields, **changes})


@pytest.mark.parametrize(
    ("gpus", "flag"), [("all", "all"), ("2", "2"), ("device=0", "device=0"), ("device=0,1", '"device=0,1"')]
)
def test_gpus_reach_docker_as_it_reads_them(gpus, flag):
    argv = docker_argv(invocation(gpus=gpus), "x:1", client=Path("/usr/bin/docker"), mounts=())
    assert argv[argv.index("--gpus") + 1] == flag


def test_dockers_command_line_holds_the_caller_and_no_values():
    mount = MountPoint(source=Path("/da,ta"), target="/data", read_only=True)
    argv = docker_argv(
        invocation(network=False, shm_size=1 << 30), "x:1", client=Path("/usr/bin/docker"), mounts=(mount,)
    )
    assert argv[:5] == ["/usr/bin/docker", "run", "--rm", "--init", "--interactive"]
    assert "--tty" not in argv
    assert "--gpus" not in argv
    assert argv[argv.index("--user") + 1] == "1000:1000"
    assert [argv[i + 1] for i, word in enumerate(argv) if word == "--group-add"] == ["44", "1234"]
    assert argv[argv.index("--network") + 1] == "none"
    assert argv[argv.index("--mount") + 1] == 'type=bind,"source=/da,ta",target=/data,readonly'
    assert "A" in argv
    assert "A=1" not in argv
    assert argv[-5:] == ["--entrypoint", "python", "x:1", "a b", ""]
