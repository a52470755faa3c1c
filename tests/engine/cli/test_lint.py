"""``lint`` and ``init --from`` as commands; and a Dockerfile built by Docker against its spec built natively."""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from layerwright.engines.docker import DockerEngine, find_docker
from layerwright.host.environment import HostEnvironment
from layerwright.oci.layout import read_layout
from support.command import Command, Project
from support.index import Index
from support.lint import FOLDER
from support.packages import make_wheel
from support.trees import differences, tree_in_docker, tree_of_layers

pytestmark = pytest.mark.engine

FAULTY = "FROM ubuntu:22.04\nRUN apt-get update && apt-get install jq\n"


@pytest.fixture
def command(tmp_path: Path, home: Path) -> Command:
    folder = tmp_path / "folder"
    folder.mkdir()
    return Command(folder=folder, store=tmp_path / "store", home=home)


def test_findings_have_place_excerpt_and_repair(command: Command) -> None:
    (command.folder / "Dockerfile").write_text(FAULTY)
    done = command("lint", "Dockerfile", status=1)
    assert "error[LW-LINT-APT-YES]" in done.out
    assert "--> Dockerfile:2:31" in done.out
    assert "+ RUN apt-get update && apt-get install --yes jq" in done.out
    assert done.out.splitlines()[-1].endswith("in 1 file")
    found = command("lint", "--json", "Dockerfile", status=1).json()
    (error,) = [one for one in found["findings"] if one["level"] == "error"]
    assert error["code"] == "LW-LINT-APT-YES"
    assert found["summary"]["error"] == 1


def test_folders_are_searched_and_what_others_installed_is_not(command: Command) -> None:
    files = {
        "Dockerfile": FAULTY, "docker/infer.Dockerfile": FAULTY, "scripts/build.sh": "#!/bin/sh\nset -e\nmake\n",
        ".venv/Dockerfile": FAULTY, "node_modules/x/Dockerfile": FAULTY, "notes.txt": "FROM here\n", "README.md": "x\n",
        "empty/Dockerfile": "FROM scratch\n",
    }  # fmt: skip
    for name, text in files.items():
        path = command.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = command("lint", "--json", status=1).json()["findings"]
    assert {one["where"]["location"]["file"] for one in found} == {"Dockerfile", "docker/infer.Dockerfile"}
    assert command("lint", "scripts").out == "nothing found in 1 file\n"
    assert "in 4 files" in command("lint", ".", status=1).out


def test_standard_input_and_other_names(command: Command) -> None:
    done = command("lint", "-", data=FAULTY.encode(), status=1)
    assert "--> <stdin>:2:31" in done.out
    assert "LW-LINT-APT-YES" in command("lint", "-", data=b"# part\n" + FAULTY.encode(), status=1).out
    script = b"#!/bin/bash\ndocker run --privileged x:1\n"
    assert "LW-LINT-PRIVILEGED" in command("lint", "-", data=script, status=1).out
    (command.folder / "recipe.in").write_text(FAULTY)
    done = command("lint", "recipe.in", status=2)
    assert "--as dockerfile" in done.err
    command("lint", "--as", "dockerfile", "recipe.in", status=1)


def test_what_cannot_be_read_is_told(command: Command) -> None:
    assert "there is no file or folder nowhere" in command("lint", "nowhere", status=2).err
    assert "there is no Dockerfile and no shell script in this folder" in command("lint", status=2).err
    (command.folder / "Dockerfile").write_bytes(b"FROM a:1\n# " + b"x" * (1 << 20))
    assert "larger than 1 MiB" in command("lint", "Dockerfile", status=2).err
    (command.folder / "Dockerfile").write_bytes(bytes(range(256)) * 8)
    command("lint", "Dockerfile", status=1)


def test_unknown_fails_only_when_asked(command: Command) -> None:
    (command.folder / "Dockerfile").write_text("FROM me/base:1\nENV LD_LIBRARY_PATH=/x:$LD_LIBRARY_PATH\n")
    command("lint", "Dockerfile")
    command("lint", "--strict", "Dockerfile", status=1)


def test_a_dockerignore_counts(command: Command) -> None:
    (command.folder / "Dockerfile").write_text("FROM me/base:1\nCOPY . /x\n")
    assert "LW-LINT-NO-DOCKERIGNORE" in command("lint").out
    (command.folder / ".dockerignore").write_text("*\n!src\n")
    assert "LW-LINT-NO-DOCKERIGNORE" not in command("lint").out


def test_sarif_has_the_rules_and_the_lines_as_they_should_be(command: Command) -> None:
    (command.folder / "Dockerfile").write_text(FAULTY)
    command("lint", "--sarif", "out.sarif", status=1)
    document = json.loads((command.folder / "out.sarif").read_text())
    (run,) = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    result = next(one for one in run["results"] if one["ruleId"] == "LW-LINT-APT-YES")
    assert rules[result["ruleIndex"]] == "LW-LINT-APT-YES"
    region = result["locations"][0]["physicalLocation"]["region"]
    assert (region["startLine"], region["startColumn"]) == (2, 31)
    (change,) = result["fixes"][0]["artifactChanges"]
    assert "install --yes jq" in change["replacements"][0]["insertedContent"]["text"]
    jsonschema.validate(document, {"required": ["version", "runs"]})


def test_g03_the_re_created_files_all_at_once(command: Command) -> None:
    done = command("lint", "--json", FOLDER, status=1)
    assert done.json()["summary"]["error"] > 40
    assert "s3cr3t-value" not in done.out
    assert command("lint", FOLDER / "control").out.startswith("nothing found in 3 files")


EXAMPLES = sorted(path.parent for path in (Path(__file__).parents[3] / "examples").rglob("layerwright.lock"))


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_dockerfiles_that_we_write_of_the_examples_have_no_error(folder: Path, command: Command) -> None:
    there = command.changed(folder=folder)
    cells = [image["cell"] for image in there("plan", "--json").json()["images"]]
    for cell in (cells[0], cells[-1]):
        text = there("render", "dockerfile", cell).out
        found = command("lint", "--json", "-", data=text.encode()).json()
        assert found["summary"]["error"] == found["summary"]["unknown"] == 0, found


# -- init --from


def test_init_from_writes_a_spec_and_lists_the_rest(command: Command) -> None:
    text = "FROM python:3.11-slim\nRUN pip install six==1.17.0\nEXPOSE 80\nCOPY gone /x\n"
    (command.folder / "Dockerfile").write_text(text)
    done = command("init", "--from", "Dockerfile")
    assert done.out == "layerwright.toml\n"
    assert "not carried over: Dockerfile:3: EXPOSE 80" in done.err
    assert "not carried over: Dockerfile:4: COPY gone" in done.err
    written = (command.folder / "layerwright.toml").read_text()
    assert '"six==1.17.0"' in written
    again = command("init", "--from", "Dockerfile", status=2)
    assert "exists already" in again.err
    assert (command.folder / "layerwright.toml").read_text() == written
    found = command("init", "--from", "Dockerfile", "--file", "other.toml", "--json").json()
    assert (found["file"], found["image"]) == ("other.toml", "app")
    assert [note["line"] for note in found["left"]] == [3, 4]
    assert "add --from" in command("init", "--target", "x", status=2).err
    assert "no stage 'x'" in command("init", "--from", "Dockerfile", "--target", "x", status=2).err
    assert "cannot read gone" in command("init", "--from", "gone", status=2).err


@pytest.fixture
def docker_base(docker: str, project: Project) -> Iterator[str]:
    """The small base under a name in the engine."""
    name = f"layerwright-test-lint-{os.getpid()}"
    spec = (
        f'[project]\nname = "base"\n[images.base]\nname = "{name}"\nfrom = "{project.base}"\n'
        'tags = ["1"]\nworkdir = "/"\n'
    )
    (project.folder / "base.toml").write_text(spec)
    project("build", "--file", "base.toml", "--output", "docker")
    yield f"{name}:1"
    for tag in ("1", "built"):
        subprocess.run([docker, "image", "rm", "--force", f"{name}:{tag}"], capture_output=True, check=False)


MODEL = b"weights " * 64
DOCKERFILE = """\
FROM {base} AS common
ENV GREETING="hello  world" KEPT='a $b'
LABEL org.example.kind="test" maintainer=me
WORKDIR /srv

FROM common
ENV DEBIAN_FRONTEND=noninteractive SECOND=${{GREETING}}!
COPY src lib/
COPY one.txt two.txt data/
COPY one.txt /etc/renamed
RUN mkdir -p /opt/made && \\
    # why
    echo "$GREETING" > /opt/made/greeting && ln -s greeting /opt/made/link
RUN echo "$SECOND $PWD" > made.txt; chmod 0750 made.txt
RUN rm /bin/whoami
WORKDIR /srv/app
ENTRYPOINT ["python3", "-c"]
CMD ["print(1)"]
"""


def test_the_spec_builds_what_docker_builds(project: Project, docker: str, docker_base: str) -> None:
    project.write({"src/a.py": "1\n", "src/sub/b.sh": "#!/bin/sh\n", "one.txt": "1", "two.txt": "2"})
    (project.folder / "src/sub/b.sh").chmod(0o755)
    project.write({"Dockerfile": DOCKERFILE.format(base=docker_base)})
    done = project("init", "--from", "Dockerfile", "--name", "demo")
    assert done.err.count("not carried over") == 1  # DEBIAN_FRONTEND
    built = docker_base.replace(":1", ":built")
    argv = [docker, "build", "--quiet", "--tag", built, "."]
    subprocess.run(argv, cwd=project.folder, check=True, capture_output=True, timeout=120)

    spec = project.folder / "layerwright.toml"
    spec.write_text(spec.read_text().replace(f'"{docker_base}"', f'"{project.base}"'))
    project("build", "--offline", "--output", "oci:layout", "app")
    image, blobs = read_layout(project.folder / "layout")
    ours = tree_of_layers(image, blobs)
    theirs = tree_in_docker(engine(), built)
    # Our start program; and folders that the small base has no entries of their own for.
    allowed = (".layerwright", "usr/lib/python3.11")
    found = differences(ours, theirs, allowed=lambda path: path.startswith(allowed))
    assert found == [], "\n".join(found)
    assert theirs["opt/made/link"].kind == "link"
    assert "bin/whoami" not in theirs
    assert "usr/bin/whoami" not in ours

    config = json.loads(
        subprocess.run([docker, "image", "inspect", built], capture_output=True, check=True).stdout
    )[0]["Config"]
    own = json.loads(image.config)["config"]
    wanted, had = (dict(one.partition("=")[::2] for one in each["Env"]) for each in (config, own))
    for name in ("GREETING", "KEPT", "SECOND"):
        assert had[name] == wanted[name]
    assert own["WorkingDir"] == config["WorkingDir"] == "/srv/app"
    assert own["Entrypoint"][-2:] == config["Entrypoint"]
    assert own["Cmd"] == config["Cmd"]
    assert config["Labels"].items() <= own["Labels"].items()


def engine() -> DockerEngine:
    return find_docker(HostEnvironment.gather(os.environ))


def test_packages_and_models_are_those_of_the_dockerfile(project: Project, index: Index) -> None:
    for file, data in (make_wheel("small", requires=["other"]), make_wheel("other")):
        project.write({f"wheels/{file}": data})
    sha256 = hashlib.sha256(MODEL).hexdigest()
    project.write(
        {
            "model.bin": MODEL,
            "requirements.txt": "small==1.0\n",
            "Dockerfile": (
                "FROM python:3.11-slim AS builder\nCOPY wheels /wheels\nCOPY requirements.txt /\n"
                "RUN pip install --no-index --find-links /wheels -r /requirements.txt\n"
                "FROM python:3.11-slim\nCOPY --from=builder /usr/local /usr/local\n"
                f"ADD --checksum=sha256:{sha256} https://models.example.org/model.bin /models/\n"
                "RUN python -c 'import small'\n"
            ),
        }
    )
    project("init", "--from", "Dockerfile", "--name", "demo")
    spec = project.folder / "layerwright.toml"
    text = spec.read_text().replace('"python:3.11-slim"', f'"{project.base}"')
    spec.write_text(text.replace('"https://models.example.org/model.bin"', '"model.bin"'))
    project("build", "--offline")
    shown = project(
        "run", "app", "python", "-c", "import small, other; print(open('/models/model.bin').read()[:7])"
    )
    assert shown.out == "weights\n"
