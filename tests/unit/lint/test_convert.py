"""A Dockerfile → a spec: everything that has a word of its own, and a list of the rest."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.core.errors import SpecError, UsageError
from layerwright.lint.convert import convert
from layerwright.lint.source import Source
from layerwright.spec.parse import parse_spec

SHA = "0123456789abcdef" * 4
FILES = {
    "pyproject.toml": "",
    "src": None,
    "src/a.py": "",
    "requirements.txt": (
        "numpy==2.0 --hash=sha256:0 \\\n  --hash=sha256:1\n-r more.txt\n# c\nscipy>=1  # why\n-e .\n"
        "-c limits.txt\n"
    ),
    "more.txt": "six\n--extra-index-url https://more.example.org/simple\n",
    "limits.txt": "numpy<2.2\n",
    "one.txt": "",
    "two.txt": "",
    "kit": None,
    "wheels": None,
}


class Folder:
    def kind(self, path):
        if path == ".":
            return "folder"
        return "" if path not in FILES else "folder" if FILES[path] is None else "file"

    def text(self, path):
        return FILES.get(path)

    def matches(self, pattern):
        return [name for name in FILES if Path(name).match(pattern) and "/" not in name]


def converted(text, **options):
    return convert(Source(file="Dockerfile", text=text), Folder(), project="demo", **options)


def image(text, name="app", **options):
    """The image's table; the whole text is a spec that can be read."""
    result = converted(text, **options)
    tables = tomllib.loads(result.text)
    try:
        parse_spec(result.text.encode(), file="layerwright.toml", root=Path("/nowhere"))
    except SpecError as error:
        faults = [one.what for one in error.problems if not one.what.endswith("does not exist")]
        assert not faults, f"{faults}\n{result.text}"
    return tables["images"][name]


def left(text, **options):
    return [(note.line, note.text, note.why) for note in converted(text, **options).left]


BASE = "FROM python:3.11-slim\n"


def test_the_plain_parts():
    text = (
        "FROM python:3.11-slim\n"
        'ENV A=1 TZ=Asia/Taipei\nENV B="x $A y"\n'
        'LABEL one=1 "two words"=2\n'
        "WORKDIR /srv\nWORKDIR app\n"
        "COPY src lib/\nCOPY one.txt two.txt /data/\nCOPY one.txt /etc/renamed\nCOPY *.txt /all/\n"
        "RUN make && echo done > /made\n"
        'ENTRYPOINT ["python", "-m"]\nCMD ["app"]\n'
    )
    found = image(text)
    assert found["from"] == "python:3.11-slim"
    assert (found["python"], found["timezone"], found["workdir"]) == ("3.11", "Asia/Taipei", "/srv/app")
    assert found["env"] == {"A": "1", "B": "x 1 y"}
    assert found["labels"] == {"one": "1", "two words": "2"}
    assert (found["entrypoint"], found["command"]) == (["python", "-m"], ["app"])
    copies = [(one["from"], one["to"]) for one in found["copy"]]
    assert copies[:4] == [
        ("src", "/srv/app/lib"),
        ("one.txt", "/data/one.txt"),
        ("two.txt", "/data/two.txt"),
        ("one.txt", "/etc/renamed"),
    ]
    assert ("requirements.txt", "/all/requirements.txt") in copies
    assert [one["script"] for one in found["run"]] == ["make\necho done > /made"]
    assert left(text) == []


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("debian:bookworm", "docker.io/library/debian:bookworm"),  # `debian:SUITE` is a base of our own
        ("docker:24", "docker.io/library/docker:24"),
        ("nvcr.io/nvidia/cuda:12.4.1-runtime-ubuntu22.04", "nvcr.io/nvidia/cuda:12.4.1-runtime-ubuntu22.04"),
        (f"ubuntu@sha256:{SHA}", f"ubuntu@sha256:{SHA}"),
        ("myimage", "myimage:latest"),
    ],
)
def test_bases(base, expected):
    assert image(f"FROM {base}\n")["from"] == expected


def test_bases_that_are_not_known_are_told():
    assert "an ARG without a value" in left("ARG X\nFROM $X\n")[0][2]
    assert "no empty base" in left("FROM scratch\n")[0][2]
    assert "no tag" in left("FROM myimage\n")[0][2]


def test_accelerators_and_roles():
    cuda = image("FROM nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04\nRUN pip install numpy==2.0\n")
    assert (cuda["accelerator"], cuda["python"]) == ("nvidia", "3.10")
    training = image("FROM nvcr.io/nvidia/pytorch:24.05-py3\n")
    assert (training["accelerator"], training["role"]) == ("nvidia", "training")
    assert image(BASE + "RUN pip install torch==2.4.1\n")["role"] == "training"


def test_debian_packages():
    text = (
        "FROM debian:bookworm\nENV DEBIAN_FRONTEND=noninteractive TZ=UTC\n"
        "RUN apt-get update && apt-get upgrade -y && apt-get install -y --no-install-recommends tzdata jq=1.6 \\\n"
        "    # why\n    curl && ln -fs /usr/share/zoneinfo/$TZ /etc/localtime && \\\n"
        "    dpkg-reconfigure -f noninteractive tzdata && rm -rf /var/lib/apt/lists/*\n"
    )
    found = image(text)
    assert found["apt"] == ["jq=1.6", "curl"]
    assert found["timezone"] == "UTC"
    assert "run" not in found
    assert "env" not in found
    assert [note[1] for note in left(text)] == ["ENV DEBIAN_FRONTEND", "apt-get upgrade"]


@pytest.mark.parametrize(
    ("command", "packages"),
    [
        ("pip install --no-cache-dir -U 'numpy>=2' scipy==1.14.0", ["numpy>=2", "scipy==1.14.0"]),
        ("pip install -U pip setuptools wheel", None),
        ("python -m pip install 'a[x,y]==1'", ["a[x,y]==1"]),
        ("pip install Pillow>=10.0.0 six", ["Pillow>=10.0.0", "six"]),
        ("pip install git+https://h/o/r.git@v1", [{"git": "https://h/o/r.git", "rev": "v1"}]),
        (
            "pip install 'n[e] @ git+https://h/o/r@abc#subdirectory=p'",
            [{"git": "https://h/o/r", "rev": "abc", "subdirectory": "p", "extras": ["e"]}],
        ),
        (
            f"pip install https://h/a-1-py3-none-any.whl#sha256={SHA}",
            [{"url": "https://h/a-1-py3-none-any.whl", "sha256": SHA}],
        ),
        (
            (
                "git clone -b v2 https://h/o/r && cd r && python setup.py bdist_wheel && pip install dist/*.whl"
                " && cd .. && rm -rf r"
            ),
            [{"git": "https://h/o/r", "rev": "v2"}],
        ),
        (
            "git clone https://h/o/r /tmp/r && cd /tmp/r && git checkout abc123 && pip install .[x]",
            [{"git": "https://h/o/r", "rev": "abc123", "extras": ["x"]}],
        ),
    ],
)
def test_python_packages(command, packages):
    found = image(f"{BASE}RUN {command}\n")
    assert found.get("packages") == packages
    assert "run" not in found


def test_projects_of_the_context():
    text = (
        f"{BASE}COPY . /usr/local/kit\nRUN cd /usr/local/kit && python setup.py bdist_wheel && \\\n"
        "  pip install dist/*.whl[torch] && rm -rf /usr/local/kit\nRUN python -c 'import kit'\n"
    )
    found = image(text)
    assert found["packages"] == [{"path": ".", "extras": ["torch"]}]
    assert found["smoke"] == [["python", "-c", "import kit"]]
    assert "copy" not in found
    bound = image(f"{BASE}RUN --mount=type=bind,source=kit,target=/b pip install /b\n")
    assert bound["packages"] == [{"path": "kit"}]


def test_requirements_files_and_indexes():
    text = (
        f"{BASE}COPY requirements.txt /tmp/r/\nCOPY more.txt limits.txt /tmp/r/\n"
        "RUN pip install -r /tmp/r/requirements.txt && rm -rf /tmp/r\n"
        "RUN pip install --extra-index-url https://me:word@h.example.org/simple private\n"
    )
    result = converted(text)
    tables = tomllib.loads(result.text)
    found = tables["images"]["app"]
    assert found["packages"] == ["numpy==2.0", "six", "scipy>=1", {"path": "."}, "private"]
    assert found["constraints"] == ["numpy<2.2"]
    assert "copy" not in found
    assert tables["indexes"]["more-example-org"] == {"url": "https://more.example.org/simple"}
    assert tables["indexes"]["h-example-org"] == {
        "url": "https://h.example.org/simple", "credentials": "netrc", "explicit": True, "packages": ["private"],
    }  # fmt: skip
    assert "word" not in result.text
    flat = tomllib.loads(
        converted(f"{BASE}COPY wheels /w\nRUN pip install --no-index -f /w a && rm -r /w\n").text
    )
    assert flat["indexes"] == {"wheels": {"url": "wheels", "format": "flat", "default": True}}


def test_models():
    text = (
        f"{BASE}ARG SUM={SHA}\n"
        "RUN mkdir -p /models && curl -fL -o /models/a.onnx https://h/a.onnx && "
        'echo "$SUM  /models/a.onnx" | sha256sum -c\n'
        f"ADD --checksum=sha256:{SHA} https://h/b.onnx /models/\n"
        "RUN wget https://h/c.tar.gz && tar -xf c.tar.gz && rm c.tar.gz\n"
        "ADD https://h/d.bin /d\n"
    )
    found = image(text)
    assert found["models"] == [
        {"url": "https://h/a.onnx", "sha256": SHA, "to": "/models/a.onnx"},
        {"url": "https://h/b.onnx", "sha256": SHA, "to": "/models/b.onnx"},
    ]
    (run,) = found["run"]
    assert run == {"script": "wget https://h/c.tar.gz\ntar -xf c.tar.gz\nrm c.tar.gz", "network": True}
    assert [note[1] for note in left(text)] == ["https://h/c.tar.gz", "ADD https://h/d.bin"]


def test_commands_that_stay_keep_their_surroundings():
    text = (
        'FROM python:3.11\nSHELL ["/bin/bash", "-o", "pipefail", "-c"]\nARG LEVEL=3 WHO\nENV KEPT=1\nWORKDIR /one\n'
        "RUN echo $LEVEL $KEPT | tee /x\nRUN echo $WHO\n"
        "RUN --mount=type=secret,id=api-token cat /run/secrets/api-token > /y\n"
        "RUN a || b\nRUN <<EOF\nset -e\ncat > /z <<X\nx\nX\nEOF\n"
        'RUN ["/bin/true", "x"]\nWORKDIR /two\n'
    )
    found = image(text)
    scripts = [one["argv"][-1] for one in found["run"]]
    assert scripts[0] == "cd /one\nLEVEL=3\necho $LEVEL $KEPT | tee /x"
    assert found["run"][0]["argv"][:2] == ["/bin/bash", "-euc"]
    assert found["run"][2]["secrets"] == ["api-token"]
    assert scripts[3] == "cd /one\na || b"
    assert "cat > /z <<X\nx\nX" in scripts[4]
    assert found["run"][5] == {"argv": ["/bin/true", "x"]}
    assert tomllib.loads(converted(text).text)["secrets"] == {"api-token": {"env": "API_TOKEN"}}
    assert (7, "WHO", "an ARG without a value that a command uses: write the value into it") in left(text)


def test_caches_become_writable():
    text = f"{BASE}RUN mkdir -p /app/hf\nENV HF_HOME=/app/hf\nRUN chmod -R 777 /app/hf\n"
    found = image(text)
    assert found["writable"] == ["HF_HOME"]
    assert "run" not in found


def test_stages_become_images_and_builders_their_packages():
    text = (
        "FROM python:3.11-slim AS base\nENV A=1\nWORKDIR /w\n"
        "FROM base AS builder\nRUN python -m venv /opt/venv && pip install numpy==2.0\n"
        f"RUN curl -fL -o /m.onnx https://h/m.onnx && echo '{SHA}  /m.onnx' | sha256sum -c\nRUN make /tool\n"
        "FROM base AS run\nCOPY --from=builder /opt/venv /opt/venv\nCOPY --from=builder /m.onnx /models/\n"
        "COPY --from=builder /tool /tool\nENV PATH=/opt/venv/bin:$PATH B=2\n"
    )
    tables = tomllib.loads(converted(text).text)["images"]
    assert list(tables) == ["base", "run"]
    assert tables["base"] == {
        "from": "python:3.11-slim", "role": "base", "python": "3.11", "env": {"A": "1"}, "workdir": "/w",
    }  # fmt: skip
    assert tables["run"]["from"] == "image:base"
    assert tables["run"]["packages"] == ["numpy==2.0"]
    assert tables["run"]["models"] == [{"url": "https://h/m.onnx", "sha256": SHA, "to": "/models/m.onnx"}]
    assert tables["run"]["env"] == {"B": "2"}
    assert any("/tool" in note[1] for note in left(text))
    assert list(tomllib.loads(converted(text, target="base").text)["images"]) == ["base"]
    with pytest.raises(UsageError) as caught:
        converted(text, target="other")
    assert "base, builder, run" in caught.value.hint


def test_a_start_script_with_gosu_is_what_our_own_start_does():
    text = (
        f"{BASE}ENV ENTRY=/entry.sh\nRUN apt-get update && apt-get install -y gosu\n"
        "RUN printf '#!/bin/sh\\n\\\nexec gosu $USER_ID:$GROUP_ID python \"$@\"\\n' > $ENTRY && chmod +x $ENTRY\n"
        'ENTRYPOINT ["/bin/sh", "/entry.sh"]\n'
    )
    found = image(text)
    assert found["entrypoint"] == ["python"]
    assert "apt" not in found
    assert "run" not in found
    assert any("USER_ID and GROUP_ID" in note[2] for note in left(text))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("EXPOSE 80", "ports"),
        ("VOLUME /data", "mounts"),
        ("USER app", "as the caller"),
        ("HEALTHCHECK CMD true", "no word"),
        ("ONBUILD RUN true", "starts from this one"),
        ("ARG API_TOKEN", "secret"),
        ("ENV API_TOKEN=x", "secret"),
        ("COPY --chown=1:1 one.txt /x", "belong to root"),
        ("COPY missing /x", "not in the project's folder"),
        ("COPY --from=other/image:1 /a /b", "another image"),
        ("COPY --from=0 /a /b", "another image"),
        ("COPY <<EOF /x\nEOF", "written in the Dockerfile"),
        ("ADD https://h/r.git /x", "repository"),
        ("ENV LD_LIBRARY_PATH=/x:$NOPE PATH=/weird:$PATH", "PATH is not known"),
        ("RUN pip install --trusted-host h --index-url http://h/simple a", "https"),
        ("RUN pip install --no-deps a", "together"),
        ("RUN pip install ./nothing", "not understood"),
        ("RUN pip install -r nothing.txt", "not in the project's folder"),
        ("RUN echo deb x y > /etc/apt/sources.list", "own sources"),
        ("RUN git clone https://h/o/r && cd r && make && pip install .", "among sources"),
    ],
)
def test_what_cannot_be_carried_over_is_listed(line, why):
    image(f"{BASE}{line}\n")
    notes = left(f"{BASE}{line}\n")
    assert any(why in note[2] for note in notes), notes
    assert all(note[0] == 2 for note in notes)
    text = converted(f"{BASE}{line}\n").text
    assert "# Not carried over:" in text
    assert "#   Dockerfile:2: " in text


PARTS = st.sampled_from(
    (
        "FROM a:1",
        "FROM a:1 AS b",
        "FROM b",
        "RUN pip install ",
        "a>=1",
        "-r requirements.txt",
        "RUN cd x && ",
        "COPY . /x",
        "COPY --from=b /x /y",
        "ENV A=$A:'",
        "ENV PATH=/x:$PATH",
        "WORKDIR ../x",
        "ENTRYPOINT x",
        'CMD [""]',
        "&& rm -rf /x",
        "git clone https://h/r",
        "&& pip install .",
        "'",
        '"""',
        "中",
        "\x07",
        "RUN <<E",
        "E",
        "\n",
        "'''",
        'LABEL "a\\nb"=c',
        "curl -o f https://h/f",
        "|| true",
        "ARG X=y",
        "FROM $X",
        "--index-url https://u:p@h/",
        "ADD x.tar /y",
    )
)


@given(st.lists(PARTS, max_size=12), st.sampled_from((" ", "\n")))
def test_whatever_is_written_is_a_spec(parts, join):
    text = join.join(("FROM python:3.11\n", *parts))
    result = converted(text)
    tomllib.loads(result.text)
    try:
        parse_spec(result.text.encode(), file="layerwright.toml", root=Path("/nowhere"))
    except SpecError as error:
        # Bases are what the Dockerfile calls them; all else is checked before it is written.
        faults = [
            one
            for one in error.problems
            if "does not exist" not in one.what and not one.where.key.endswith(".from")
        ]
        assert faults == [], result.text
