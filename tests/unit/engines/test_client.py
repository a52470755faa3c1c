"""Which docker client can build, and how it is called."""

from pathlib import Path

import pytest

from layerwright.core.errors import EngineError
from layerwright.engines.client import Build, Client, build, find_builder, find_clients
from layerwright.engines.endpoint import Endpoint
from layerwright.host.environment import HostEnvironment
from layerwright.host.process import Completed, ProcessError
from support.change import replace

UNIX = Endpoint(address="unix:///run/test.sock")


class Recorder:
    """Stands for ``host.process.run``: each program says its version; a build writes its image id."""

    def __init__(self, said: dict[str, str] | None = None, *, fail: bool = False) -> None:
        self.said = said or {}
        self.fail = fail
        self.calls: list[tuple[list[str], dict[str, str]]] = []

    def __call__(self, argv: list[str], **options: object) -> Completed:
        self.calls.append((argv, dict(options["env"])))
        if argv[1:] == ["--version"]:
            return Completed(argv=tuple(argv), status=0, stdout=self.said[argv[0]].encode(), stderr=b"")
        if self.fail:
            raise ProcessError(
                "command failed with status 1", argv=tuple(argv), status=1, output="no such file"
            )
        for argument in argv:
            if argument.startswith("--iidfile="):
                Path(argument.partition("=")[2]).write_text("sha256:" + "1" * 64)
        return Completed(argv=tuple(argv), status=0, stdout=b"", stderr=b"")


def make_client(folder: Path, name: str = "docker") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n# {folder}\n")
    program.chmod(0o755)
    return str(program)


def host_for(tmp_path: Path, *folders: Path) -> HostEnvironment:
    host = HostEnvironment.gather({"HOME": str(tmp_path), "DOCKER_CONTEXT": "other"})
    return replace(host, path=":".join(str(folder) for folder in folders))


def test_a_client_without_buildx_is_passed_over(tmp_path: Path) -> None:
    new, old = make_client(tmp_path / "local"), make_client(tmp_path / "distribution")
    said = {new: "Docker version 28.2.2, build e6534b4", old: "Docker version 20.10.24+dfsg1, build 297e128"}
    host = host_for(tmp_path, tmp_path / "local", tmp_path / "distribution")
    clients = list(find_clients(host, runner=Recorder(said)))
    assert [(client.version, client.buildkit) for client in clients] == [((28, 2), False), ((20, 10), True)]
    assert str(find_builder(host, runner=Recorder(said)).program) == old


def test_a_plugin_in_the_users_folder_counts(tmp_path: Path) -> None:
    new = make_client(tmp_path / "local")
    make_client(tmp_path / ".docker" / "cli-plugins", "docker-buildx")
    host = host_for(tmp_path, tmp_path / "local")
    found = find_builder(host, runner=Recorder({new: "Docker version 28.2.2, build e6534b4"}))
    assert found.buildkit


def test_links_and_impostors_are_no_clients(tmp_path: Path) -> None:
    real = make_client(tmp_path / "usr")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").symlink_to(real)
    podman = make_client(tmp_path / "podman")
    host = host_for(tmp_path, tmp_path / "usr", tmp_path / "bin", tmp_path / "podman")
    said = {real: "Docker version 20.10.5, build x", podman: "podman version 4.3"}
    found = list(find_clients(host, runner=Recorder({**said, podman: "hello"})))
    assert [str(client.program) for client in found] == [real]


def test_without_any_the_reasons_are_told(tmp_path: Path) -> None:
    ancient = make_client(tmp_path / "old")
    host = host_for(tmp_path, tmp_path / "old")
    with pytest.raises(EngineError, match="too old for BuildKit"):
        find_builder(host, runner=Recorder({ancient: "Docker version 17.06, build x"}))
    with pytest.raises(EngineError, match="no docker client here"):
        find_builder(host_for(tmp_path, tmp_path / "nothing"), runner=Recorder())


def test_a_build_is_one_command_for_this_engine(tmp_path: Path) -> None:
    recorder = Recorder()
    wanted = Build(
        context=tmp_path / "context",
        dockerfile=tmp_path / "Dockerfile",
        references=["a:1", "a:2"],
        secrets={"token": tmp_path / "secret file"},
        network="none",
        target="image",
    )
    client = Client(program=Path("/usr/bin/docker"), version=(20, 10), buildkit=True)
    host = host_for(tmp_path)
    assert build(wanted, client=client, endpoint=UNIX, host=host, scratch=tmp_path, runner=recorder)
    ((argv, env),) = recorder.calls
    assert argv == [
        "/usr/bin/docker",
        "build",
        "--progress=plain",
        f"--iidfile={tmp_path}/image-id",
        f"--file={tmp_path}/Dockerfile",
        "--network=none",
        "--target=image",
        "--tag=a:1",
        "--tag=a:2",
        f"--secret=id=token,src={tmp_path}/secret file",
        f"{tmp_path}/context",
    ]
    assert (env["DOCKER_BUILDKIT"], env["DOCKER_HOST"]) == ("1", UNIX.address)
    assert "DOCKER_CONTEXT" not in env


def test_a_failed_build_shows_the_last_lines(tmp_path: Path) -> None:
    wanted = Build(context=tmp_path, dockerfile=tmp_path / "Dockerfile")
    client = Client(program=Path("/usr/bin/docker"), version=(28, 5), buildkit=True)
    with pytest.raises(EngineError, match="no such file"):
        build(
            wanted,
            client=client,
            endpoint=UNIX,
            host=host_for(tmp_path),
            scratch=tmp_path,
            runner=Recorder(fail=True),
        )
