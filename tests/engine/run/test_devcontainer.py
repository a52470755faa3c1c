"""The Dockerfile of a development container, built by Docker over an image that has an account of uid 1000."""

import json
import subprocess
from pathlib import Path

import pytest

from support.command import Project

pytestmark = pytest.mark.engine


def test_people_have_an_account_whose_ids_editors_can_change(docker: str, project: Project) -> None:
    project.spec('[images.app]\nentrypoint = ["python"]\nworkdir = "/code"\nrun = { shm_size = "16m" }\n')
    project("build", "--output", "docker")
    made = project("render", "devcontainer").out.split()
    folder = project.folder / ".devcontainer"
    assert [Path(file).name for file in made] == ["devcontainer.json", "Dockerfile"]
    document = json.loads((folder / "devcontainer.json").read_text())
    name = "layerwright-test-devcontainer"
    environment = {"DOCKER_BUILDKIT": "1", "PATH": "/usr/bin:/bin"}
    build = [docker, "build", "--quiet", "--network", "none", "--tag", name, str(folder)]
    try:
        subprocess.run(build, check=True, capture_output=True, env=environment)
        script = "id -un; id -u; echo $HOME; touch $HOME/.cache/x && grep -c :1000: /etc/passwd; pwd"
        mount = document["workspaceMount"].replace("${localWorkspaceFolder}", str(project.folder))
        done = subprocess.run(
            [docker, "run", "--rm", *document["runArgs"], "--mount", mount, "--workdir", document["workspaceFolder"],
             "--entrypoint", "/bin/sh", name, "-c", script],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    finally:
        subprocess.run([docker, "rmi", "--force", name], check=False, capture_output=True)
    assert done.stdout.split() == ["dev", "1000", "/home/dev", "1", "/code"]
