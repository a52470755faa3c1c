"""What is run, from text people write; and the files that tell a program who it is."""

import itertools
from pathlib import Path

import pytest

from layerwright.core.errors import UsageError
from layerwright.engines.model import EngineVersion
from layerwright.engines.podman import Podman
from layerwright.host.environment import HostEnvironment
from layerwright.run.caches import CACHE_VARIABLES, cache_variables
from layerwright.run.command_line import engine_argv, resource_options
from layerwright.run.docker import docker_dialect
from layerwright.run.files import group_text, passwd_text
from layerwright.run.invocation import (
    Identity,
    Invocation,
    MountPoint,
    Resources,
    parse_cpu_set,
    parse_mount,
    parse_size,
    parse_variable,
    resolve_groups,
)
from layerwright.run.podman import lost_groups, podman_dialect

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


def test_the_caller_is_a_member_of_groups_that_the_image_has():
    text = group_text("root:x:0:\nvideo:x:44:bob\nours:x:1000:\n", CALLER, {})
    assert "video:x:44:bob,ann" in text.splitlines()
    assert "ours:x:1000:" in text.splitlines()


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
        "terminal": False,
        "passwd": "",
        "group": "",
    }
    return Invocation(**{**fields, **changes})


def test_dockers_command_line_holds_the_caller_and_no_values():
    mount = MountPoint(source=Path("/da,ta"), target="/data", read_only=True)
    argv = docker(invocation(resources=Resources(network="none", shm_size=1 << 30)), mounts=(mount,))
    assert argv[:5] == ["/usr/bin/docker", "run", "--rm", "--interactive", "--init"]
    assert "--tty" not in argv
    assert "--gpus" not in argv
    assert argv[argv.index("--user") + 1] == "1000:1000"
    assert values(argv, "--group-add") == ["44", "1234"]
    assert values(argv, "--network") == ["none"]
    assert values(argv, "--mount") == ['type=bind,"source=/da,ta",target=/data,readonly']
    assert "A" in argv
    assert "A=1" not in argv
    assert "HOME=/home/ann" in argv
    assert argv[-5:] == ["--entrypoint", "python", "x:1", "a b", ""]


def test_c14_resources_are_rendered_exactly():
    asked = Resources(
        network="host",
        shm_size=8 << 30,
        cpus="1.5",
        cpu_set="0-3,8",
        memory=1 << 30,
        ulimits={"memlock": "-1", "stack": "67108864:67108864"},
        privileged=True,
        stop_timeout=30,
    )
    assert resource_options(asked) == [
        "--network", "host", "--shm-size", "8589934592", "--cpus", "1.5", "--cpuset-cpus", "0-3,8",
        "--memory", "1073741824", "--ulimit", "memlock=-1", "--ulimit", "stack=67108864:67108864",
        "--privileged", "--stop-timeout", "30",
    ]  # fmt: skip
    assert resource_options(Resources()) == []
    assert resource_options(Resources(ipc="host", shm_size=1)) == ["--ipc", "host"]
    # A name of its own would be the machine's name to everybody on the machine's network.
    assert "--hostname" not in docker(invocation(resources=Resources(network="host")))


@pytest.mark.parametrize(
    ("text", "numbers"), [("0", {0}), ("0-3,8", {0, 1, 2, 3, 8}), ("2,2", {2}), ("1-1", {1})]
)
def test_sets_of_processors(text, numbers):
    assert parse_cpu_set(text) == numbers


@pytest.mark.parametrize("text", ["", "3-1", "a", "1-", "-1", "0-99999999", "1,,2", "²"])
def test_bad_sets_of_processors_are_refused(text):
    with pytest.raises(UsageError):
        parse_cpu_set(text)


def version(**changes):
    return EngineVersion(
        version="28", api="/v1.41", identity="", storage="overlay2", containerd_store=False,
        platform="linux/amd64", **changes,
    )  # fmt: skip


PLAIN_DOCKER = version()


def test_engines_that_map_ids_are_asked_for_the_callers():
    argv = docker(invocation(), version=version(rootless=True))
    assert (values(argv, "--user"), values(argv, "--group-add")) == (["0:0"], [])
    assert values(docker(invocation(), version=version(remapped=True)), "--userns") == ["host"]
    assert "--userns" not in docker(invocation())


def podman(rootless=True, runtime="", init=""):
    return Podman(program=Path("/usr/bin/podman"), host=host(), rootless=rootless, runtime=runtime, init=init)


def test_podman_without_root_maps_the_caller_to_itself():
    def options(found):
        return podman_argv(invocation(), found)

    argv = options(podman())
    assert values(argv, "--userns") == ["keep-id"]
    assert values(argv, "--user") == ["1000:1000"]
    # Numbers would be groups of the namespace, which have no rights outside.
    assert values(argv, "--group-add") == []
    assert lost_groups(podman(), CALLER) == (44, 1234)
    argv = options(podman(runtime="crun"))
    assert values(argv, "--group-add") == ["keep-groups"]
    assert lost_groups(podman(runtime="crun"), CALLER) == ()
    argv = options(podman(rootless=False, init="/usr/bin/tini-static"))
    assert values(argv, "--userns") == []
    assert values(argv, "--group-add") == ["44", "1234"]
    assert values(argv, "--init-path") == ["/usr/bin/tini-static"]
    assert lost_groups(podman(rootless=False), CALLER) == ()


def test_podman_hands_no_proxy_on_and_keeps_its_own_variables():
    argv = podman_argv(invocation(env={"XDG_CACHE_HOME": "/home/ann/.cache", "A": "1"}), podman())
    assert "--http-proxy=false" in argv
    assert values(argv, "--env") == ["A", "XDG_CACHE_HOME=/home/ann/.cache"]


def test_caches_are_below_home_unless_the_image_says_where():
    found = cache_variables("/home/ann", declared=("HF_HOME", "OWN_CACHE"), known={"HF_HOME", "TORCH_HOME"})
    assert found["HF_HOME"] == "/home/ann/.cache/hf_home"
    assert found["OWN_CACHE"] == "/home/ann/.cache/own_cache"
    assert found["XDG_CACHE_HOME"] == "/home/ann/.cache"
    assert "TORCH_HOME" not in found
    for name in ("MPLCONFIGDIR", "NUMBA_CACHE_DIR", "TRITON_CACHE_DIR", "CUDA_CACHE_PATH"):
        assert found[name] == f"/home/ann/.cache/{name.lower()}"


def test_every_cache_variable_has_its_source():
    assert all(source.startswith("https://") for source in CACHE_VARIABLES.values())


def values(argv, option):
    return [after for word, after in itertools.pairwise(argv) if word == option]


def docker(asked, *, mounts=(), version=PLAIN_DOCKER):
    return engine_argv(
        asked, "x:1", client=Path("/usr/bin/docker"), dialect=docker_dialect(version), mounts=mounts
    )


def podman_argv(asked, found):
    return engine_argv(
        asked,
        "x:1",
        client=found.program,
        dialect=podman_dialect(found, asked.identity),
        mounts=(),
    )
