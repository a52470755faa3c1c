"""Accounts out of Docker's configuration."""

import base64
import json
from pathlib import Path

import pytest

from layerwright.host.environment import HostEnvironment
from layerwright.host.process import Completed
from layerwright.registry.credentials import find_credentials
from support.change import replace


def host_for(home: Path, config: object, *, helpers: tuple[str, ...] = ()) -> HostEnvironment:
    folder = home / "docker"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    programs = home / "bin"
    programs.mkdir()
    for name in helpers:
        program = programs / f"docker-credential-{name}"
        program.write_text("")
        program.chmod(0o755)
    host = HostEnvironment.gather({"HOME": str(home), "DOCKER_CONFIG": str(folder)})
    return replace(host, path=str(programs))


def pair(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("key", "registry"),
    [
        ("r.example.org", "r.example.org"),
        ("https://r.example.org/v1/", "r.example.org"),
        ("r.example.org:5000", "r.example.org:5000"),
        ("https://index.docker.io/v1/", "docker.io"),
    ],
)
def test_docker_login_is_found(tmp_path: Path, key: str, registry: str) -> None:
    found = find_credentials(registry, host_for(tmp_path, {"auths": {key: {"auth": pair("ann:a:b")}}}))
    assert (found.user, found.password) == ("ann", "a:b")
    assert "a:b" not in repr(found)
    assert set(found.secrets) == {"a:b", pair("ann:a:b")}


def test_another_registry_is_not_given_it(tmp_path: Path) -> None:
    host = host_for(
        tmp_path, {"auths": {"r.example.org": {"auth": pair("ann:pw")}, "x": "broken", "y": {"auth": "%"}}}
    )
    for registry in ("r.example.org:5000", "example.org", "x", "y"):
        assert find_credentials(registry, host).user == ""


def test_a_helper_of_the_registrys_own_goes_before_the_store(tmp_path: Path) -> None:
    config = {"credsStore": "all", "credHelpers": {"r.example.org": "own"}}
    host = host_for(tmp_path, config, helpers=("all", "own"))
    asked: list[tuple[str, bytes]] = []

    def runner(argv: list[str], **options: object) -> Completed:
        asked.append((Path(argv[0]).name, options["input"]))
        return Completed(
            argv=tuple(argv), status=0, stdout=b'{"Username": "<token>", "Secret": "s"}', stderr=b""
        )

    assert find_credentials("r.example.org", host, runner=runner).identity_token == "s"
    assert find_credentials("docker.io", host, runner=runner).source == "docker-credential-all"
    assert asked == [
        ("docker-credential-own", b"r.example.org"),
        ("docker-credential-all", b"https://index.docker.io/v1/"),
    ]


@pytest.mark.parametrize(
    ("status", "output", "trouble"),
    [
        (1, b"credentials not found in native keychain", ""),
        (1, b"cannot open the keychain", "cannot open the keychain"),
        (0, b"no JSON", "something else"),
        (0, b'{"Username": "x"}', "something else"),
    ],
)
def test_a_helper_that_gives_nothing(tmp_path: Path, status: int, output: bytes, trouble: str) -> None:
    host = host_for(tmp_path, {"credsStore": "all"}, helpers=("all",))

    def runner(argv: list[str], **options: object) -> Completed:
        return Completed(argv=tuple(argv), status=status, stdout=output, stderr=b"")

    found = find_credentials("r.example.org", host, runner=runner)
    assert found.user == ""
    assert trouble in found.trouble
    assert bool(trouble) == bool(found.trouble)


def test_a_helper_that_is_missing_is_told(tmp_path: Path) -> None:
    host = host_for(tmp_path, {"credsStore": "gone"})
    assert "docker-credential-gone is not on PATH" in find_credentials("r.example.org", host).trouble


def test_a_name_that_leads_elsewhere_is_no_helper(tmp_path: Path) -> None:
    host = host_for(tmp_path, {"credsStore": "../evil"})
    assert "not on PATH" in find_credentials("r.example.org", host).trouble
