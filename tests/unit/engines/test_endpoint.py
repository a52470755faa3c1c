"""Where the engine is looked for."""

import hashlib
import json
from pathlib import Path

import pytest

from layerwright.core.errors import EngineError, UsageError
from layerwright.engines.endpoint import find_endpoint
from layerwright.host.environment import HostEnvironment


def host_for(home: Path, **variables: str) -> HostEnvironment:
    return HostEnvironment.gather({"HOME": str(home), **variables})


def test_docker_host_comes_first(tmp_path: Path) -> None:
    found = find_endpoint(host_for(tmp_path, DOCKER_HOST="tcp://10.0.0.1:2375", DOCKER_CONTEXT="other"))
    assert (found.address, found.certificates, found.local) == ("tcp://10.0.0.1:2375", None, False)


def test_tls_takes_the_folder_of_certificates(tmp_path: Path) -> None:
    found = find_endpoint(
        host_for(tmp_path, DOCKER_HOST="tcp://h:2376", DOCKER_TLS_VERIFY="1", DOCKER_CERT_PATH="/certs")
    )
    assert (found.certificates, found.verify) == (Path("/certs"), True)


@pytest.mark.parametrize("address", ["ssh://me@host", "npipe:////./pipe/docker", "unix://", "what"])
def test_other_kinds_are_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(EngineError, match="not supported") as caught:
        find_endpoint(host_for(tmp_path, DOCKER_HOST=address))
    assert "DOCKER_HOST" in caught.value.what


def test_a_context_is_read_as_docker_stores_it(tmp_path: Path) -> None:
    folder = tmp_path / ".docker" / "contexts" / "meta" / hashlib.sha256(b"mine").hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"Endpoints": {"docker": {"Host": "unix:///x.sock"}}}))
    (tmp_path / ".docker" / "config.json").write_text('{"currentContext": "mine"}')
    assert find_endpoint(host_for(tmp_path)).address == "unix:///x.sock"
    assert (
        find_endpoint(host_for(tmp_path, DOCKER_CONTEXT="default")).address == "unix:///var/run/docker.sock"
    )
    with pytest.raises(EngineError, match="'gone' cannot be read"):
        find_endpoint(host_for(tmp_path, DOCKER_CONTEXT="gone"))


def test_a_damaged_configuration_is_told(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text("{")
    with pytest.raises(UsageError, match=r"config\.json is no JSON"):
        find_endpoint(host_for(tmp_path))
